//! Rows of a predictor out of what was sent.

use super::reader::Reader;
use super::{json, parts};
use crate::fault::{Fault, shortened};
use crate::loaded::Loaded;
use axum::http::StatusCode;
use hyper::body::Bytes;
use plywood::predictor::Row;

/// What was sent, by its Content-Type.
pub(super) enum Sent {
    Image,
    Text,
    Json,
    /// A form, with its whole Content-Type.
    Form(String),
    /// The first bytes tell, and not this Content-Type.
    Unknown(String),
}

/// The most rows of a request, and the most pixels of its images together.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub rows: usize,
    pub pixels: usize,
}

/// The rows of a body.
pub(super) fn read(sent: &Sent, body: Bytes, model: &Loaded, bounds: Bounds) -> Result<Vec<Row>, Fault> {
    let mut reader =
        Reader { fields: model.predictor.fields(), pixels: bounds.pixels, most_pixels: bounds.pixels };
    match sent {
        Sent::Image => Ok(vec![reader.image(&body)?]),
        Sent::Text => Ok(vec![reader.text(&body)?]),
        Sent::Json => json::rows(&body, &mut reader, bounds.rows),
        Sent::Form(media) => Ok(vec![parts::row(media, body, &mut reader)?]),
        Sent::Unknown(media) => match body.trim_ascii_start() {
            [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => Ok(vec![reader.image(&body)?]),
            [b'{', ..] => json::rows(&body, &mut reader, bounds.rows),
            _ if media.is_empty() => {
                Err(unsupported("none, and a body that is neither a PNG or JPEG image nor JSON"))
            }
            _ => Err(unsupported(&format!(
                "{:?}, and a body that is neither a PNG or JPEG image nor JSON; a form must be multipart (curl -F, FormData)",
                shortened(media, 60)
            ))),
        },
    }
}

/// The error for a media type that is none of those that are taken.
pub(super) fn unsupported(found: &str) -> Fault {
    Fault::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!(
            "the Content-Type must be image/png, image/jpeg, text/plain, multipart/form-data or application/json, got {found}"
        ),
    )
}
