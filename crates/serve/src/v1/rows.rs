//! Rows of a predictor out of what was sent.

use super::parts::{self, Part};
use crate::fault::{Fault, shortened};
use crate::loaded::Loaded;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use plywood::data::{ColumnType, Pixels};
use plywood::predictor::{Raw, Row};
use plywood::preprocessing::Field;
use serde_json::{Map, Value};

/// What was sent, by its Content-Type.
pub(super) enum Sent {
    Image,
    Text,
    Json,
    /// A form, with its whole Content-Type.
    Form(String),
    /// The first bytes tell.
    Unknown,
}

/// The most rows of a request, and the most pixels of its images together.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub rows: usize,
    pub pixels: usize,
}

/// The rows of a body.
pub(super) fn read(sent: &Sent, body: Bytes, model: &Loaded, bounds: Bounds) -> Result<Vec<Row>, Fault> {
    let mut reader = Reader { fields: model.predictor.fields(), pixels: bounds.pixels };
    match sent {
        Sent::Image => Ok(vec![reader.image(&body)?]),
        Sent::Text => Ok(vec![reader.text(&body)?]),
        Sent::Json => reader.json(&body, bounds.rows),
        Sent::Form(media) => Ok(vec![reader.parts(&parts::read(media, body)?)?]),
        Sent::Unknown => match body.trim_ascii_start() {
            [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => Ok(vec![reader.image(&body)?]),
            [b'{', ..] => reader.json(&body, bounds.rows),
            _ => Err(unsupported("none, and a body that is neither a PNG or JPEG image nor JSON")),
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

struct Reader<'a> {
    fields: &'a [Field],
    /// How many pixels there may still be.
    pixels: usize,
}

impl Reader<'_> {
    /// What the model takes, for errors: "it takes age (a number), port (a category)".
    fn taken(&self) -> String {
        let some = self.fields.iter().take(20);
        let named = some.map(|field| format!("{} ({})", shortened(&field.name, 60), field.column_type));
        format!("it takes {}", named.collect::<Vec<_>>().join(", "))
    }

    /// The only field, if it has this type.
    fn only(&self, column_type: &ColumnType, what: &str) -> Result<&Field, Fault> {
        match self.fields {
            [field] if field.column_type == *column_type => Ok(field),
            _ => Err(Fault::bad(format!("the model does not take {what} alone; {}", self.taken()))),
        }
    }

    fn image(&mut self, bytes: &[u8]) -> Result<Row, Fault> {
        self.only(&ColumnType::Image, "an image")?;
        Ok(self.raw_image(bytes)?.into())
    }

    fn text(&self, bytes: &[u8]) -> Result<Row, Fault> {
        self.only(&ColumnType::Text, "a text")?;
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::bad("the text must be UTF-8"))?;
        Ok(Raw::Text(text.to_owned()).into())
    }

    /// An image, whose head is looked at before anything is decoded.
    fn raw_image(&mut self, bytes: &[u8]) -> Result<Raw, Fault> {
        let [height, width] = Pixels::size_in(bytes).map_err(Fault::bad)?;
        let pixels = height.saturating_mul(width);
        self.pixels = self.pixels.checked_sub(pixels).ok_or_else(|| {
            Fault::large(format!(
                "the images of a request have too many pixels; one has {height} x {width}; shrink it"
            ))
        })?;
        Ok(Raw::image(bytes))
    }

    fn json(&mut self, body: &[u8], most: usize) -> Result<Vec<Row>, Fault> {
        let parsed: Value = serde_json::from_slice(body)
            .map_err(|error| Fault::bad(format!("the body must be JSON, got an error: {error}")))?;
        let form = || {
            Fault::bad(
                "the JSON must be {\"text\": …}, {\"row\": {…}} or {\"rows\": [{…}, …]}, with nothing beside it",
            )
        };
        let Value::Object(mut object) = parsed else { return Err(form()) };
        let (key, value) = match (object.len(), object.keys().next().cloned()) {
            (1, Some(key)) => {
                let value = object.remove(&key).unwrap_or_default();
                (key, value)
            }
            _ => return Err(form()),
        };
        match (key.as_str(), value) {
            ("text", Value::String(text)) => {
                self.only(&ColumnType::Text, "a text")?;
                Ok(vec![Raw::Text(text).into()])
            }
            ("text", _) => Err(Fault::bad("\"text\" must be a string")),
            ("row", row) => Ok(vec![self.row(row)?]),
            ("rows", Value::Array(rows)) if rows.len() > most => {
                let found = rows.len();
                Err(Fault::large(format!(
                    "a request must have at most {most} rows, got {found}; send several"
                )))
            }
            ("rows", Value::Array(rows)) => rows.into_iter().map(|row| self.row(row)).collect(),
            ("rows", _) => Err(Fault::bad("\"rows\" must be a list of rows")),
            _ => Err(form()),
        }
    }

    /// A row: an object of named values, or the only value of a model that takes one.
    fn row(&mut self, row: Value) -> Result<Row, Fault> {
        match (row, self.fields) {
            (Value::Object(values), _) => self.named(values),
            (Value::String(text), [Field { column_type: ColumnType::Image, .. }]) => {
                Ok(self.encoded_image(&text)?.into())
            }
            (value, _) => Ok(Row::from(value)),
        }
    }

    fn named(&mut self, values: Map<String, Value>) -> Result<Row, Fault> {
        let mut row = Row::new();
        for (name, value) in values {
            let field = self.fields.iter().find(|field| field.name == name);
            row = match (field.map(|field| &field.column_type), value) {
                (Some(ColumnType::Image), Value::String(text)) => row.with(name, self.encoded_image(&text)?),
                (Some(_), value) => row.with(name, value),
                // What the model does not take is not read.
                (None, _) => row,
            };
        }
        Ok(row)
    }

    /// An image in JSON: the base64 of its file.
    fn encoded_image(&mut self, text: &str) -> Result<Raw, Fault> {
        let bytes = STANDARD.decode(text.trim()).map_err(|error| {
            Fault::bad(format!(
                "an image in JSON must be the base64 of a PNG or JPEG file, got an error: {error}"
            ))
        })?;
        self.raw_image(&bytes)
    }

    /// A row of a form.
    fn parts(&mut self, parts: &[Part]) -> Result<Row, Fault> {
        let mut row = Row::new();
        for (name, bytes) in parts {
            let field = match self.fields {
                [field] if name == "file" => Some(field),
                fields => fields.iter().find(|field| field.name == *name || in_form(&field.name) == *name),
            };
            if let Some(field) = field {
                row = row.with(field.name.as_str(), self.part(field, bytes)?);
            }
        }
        match parts.is_empty() {
            true => Err(Fault::bad(format!(
                "the form must have a part for each value, got none; {}",
                self.taken()
            ))),
            false => Ok(row),
        }
    }

    /// The value of a part, whose text is read as the field says. An empty one is missing.
    fn part(&mut self, field: &Field, bytes: &[u8]) -> Result<Row, Fault> {
        if bytes.is_empty() {
            return Ok(Raw::Missing.into());
        }
        if field.column_type == ColumnType::Image {
            return Ok(self.raw_image(bytes)?.into());
        }
        let name = shortened(&field.name, 100);
        let text =
            std::str::from_utf8(bytes).map_err(|_| Fault::bad(format!("the part {name:?} must be UTF-8")))?;
        let unfit = || {
            Fault::bad(format!(
                "the part {name:?} must be {}, got {:?}",
                field.column_type,
                shortened(text, 60)
            ))
        };
        Ok(match &field.column_type {
            ColumnType::Number => Raw::Number(text.trim().parse().map_err(|_| unfit())?).into(),
            ColumnType::Boolean { .. } => match text.trim() {
                "true" => Raw::Boolean(true).into(),
                "false" => Raw::Boolean(false).into(),
                word => Raw::Text(word.to_owned()).into(),
            },
            ColumnType::Array(_) => {
                let numbers: Value = serde_json::from_str(text).map_err(|_| unfit())?;
                numbers.into()
            }
            _ => Raw::Text(text.to_owned()).into(),
        })
    }
}

/// A name as browsers write it in a form.
fn in_form(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
