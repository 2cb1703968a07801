//! Parts of a form, as browsers and `curl -F` send them.

use super::json;
use super::reader::Reader;
use crate::fault::{Fault, shortened};
use futures_util::{FutureExt, stream};
use hyper::body::Bytes;
use plywood::data::ColumnType;
use plywood::predictor::{Raw, Row};
use plywood::preprocessing::Field;
use std::convert::Infallible;

/// The most parts of a form.
const MOST: usize = 4_096;

/// A part: its name, and what is in it.
type Part = (String, Bytes);

/// A row of a form.
pub(super) fn row(media_type: &str, body: Bytes, reader: &mut Reader<'_>) -> Result<Row, Fault> {
    let parts = read(media_type, body)?;
    let mut row = Row::new();
    for (name, bytes) in &parts {
        let field = match reader.fields {
            [field] if name == "file" => Some(field),
            fields => fields.iter().find(|field| field.name == *name || in_form(&field.name) == *name),
        };
        row = match field {
            Some(field) => row.with(field.name.as_str(), part(field, bytes, reader)?),
            None => Reader::with_unknown(row, name),
        };
    }
    match parts.is_empty() {
        true => {
            Err(Fault::bad(format!("the form must have a part for each value, got none; {}", reader.taken())))
        }
        false => Ok(row),
    }
}

/// The value of a part, whose text is read as the field says. An empty one is missing.
fn part(field: &Field, bytes: &[u8], reader: &mut Reader<'_>) -> Result<Row, Fault> {
    if bytes.is_empty() {
        return Ok(Raw::Missing.into());
    }
    if field.column_type == ColumnType::Image {
        return Ok(reader.raw_image(bytes)?.into());
    }
    let name = shortened(&field.name, 100);
    let text =
        std::str::from_utf8(bytes).map_err(|_| Fault::bad(format!("the part {name:?} must be UTF-8")))?;
    let unfit = || {
        Fault::bad(format!("the part {name:?} must be {}, got {:?}", field.column_type, shortened(text, 60)))
    };
    Ok(match &field.column_type {
        ColumnType::Number => Raw::Number(text.trim().parse().map_err(|_| unfit())?).into(),
        ColumnType::Boolean { .. } => match text.trim() {
            "true" => Raw::Boolean(true).into(),
            "false" => Raw::Boolean(false).into(),
            word => Raw::Text(word.to_owned()).into(),
        },
        ColumnType::Array(_) => json::array(text, field, reader)?,
        _ => Raw::Text(text.to_owned()).into(),
    })
}

/// A name as browsers write it in a form.
fn in_form(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Reads the parts of a form. The media type has the line between them.
fn read(media_type: &str, body: Bytes) -> Result<Vec<Part>, Fault> {
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
