//! Parts of a form, as browsers and `curl -F` send them.

use crate::fault::Fault;
use futures_util::{FutureExt, stream};
use hyper::body::Bytes;
use std::convert::Infallible;

/// The most parts of a form.
const MOST: usize = 4_096;

/// A part: its name, and what is in it.
pub(crate) type Part = (String, Bytes);

/// Reads the parts of a form. The media type has the line between them.
pub(super) fn read(media_type: &str, body: Bytes) -> Result<Vec<Part>, Fault> {
    // The whole body is there, so nothing is waited for.
    read_ready(media_type, body)
        .now_or_never()
        .unwrap_or_else(|| Err(Fault::inside("the reader of forms waits for more than the body")))
}

async fn read_ready(media_type: &str, body: Bytes) -> Result<Vec<Part>, Fault> {
    let bad = |error: multer::Error| Fault::bad(format!("the form cannot be read: {error}"));
    let boundary = multer::parse_boundary(media_type).map_err(bad)?;
    let mut form = multer::Multipart::new(stream::once(async { Ok::<_, Infallible>(body) }), boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or("").to_owned();
        parts.push((name, field.bytes().await.map_err(bad)?));
        if parts.len() > MOST {
            return Err(Fault::large(format!("a form must have at most {MOST} parts")));
        }
    }
    Ok(parts)
}
