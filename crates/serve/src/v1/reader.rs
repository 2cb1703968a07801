//! [`Reader`]: what a predictor takes, and images within the bound of pixels.

use crate::fault::{Fault, shortened};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plywood::data::{ColumnType, Pixels};
use plywood::predictor::{Raw, Row};
use plywood::preprocessing::Field;

/// Beyond so many values in a row, unknown names are left out of errors.
const MOST_NAMES: usize = 40;

/// Makes rows of values for these fields.
pub(super) struct Reader<'a> {
    pub fields: &'a [Field],
    /// How many pixels there may still be.
    pub pixels: usize,
    /// How many there may be in all.
    pub most_pixels: usize,
}

impl Reader<'_> {
    /// What the model takes, for errors: "it takes age (a number), port (a category)".
    pub fn taken(&self) -> String {
        let some = self.fields.iter().take(20);
        let named = some.map(|field| format!("{} ({})", shortened(&field.name, 60), field.column_type));
        format!("it takes {}", named.collect::<Vec<_>>().join(", "))
    }

    /// The only field, if it has this type.
    pub fn only(&self, column_type: &ColumnType, what: &str) -> Result<&Field, Fault> {
        match self.fields {
            [field] if field.column_type == *column_type => Ok(field),
            _ => Err(Fault::bad(format!("the model does not take {what} alone; {}", self.taken()))),
        }
    }

    pub fn image(&mut self, bytes: &[u8]) -> Result<Row, Fault> {
        self.only(&ColumnType::Image, "an image")?;
        Ok(self.raw_image(bytes)?.into())
    }

    pub fn text(&self, bytes: &[u8]) -> Result<Row, Fault> {
        self.only(&ColumnType::Text, "a text")?;
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::bad("the text must be UTF-8"))?;
        Ok(Raw::Text(text.to_owned()).into())
    }

    /// Adds the name of a value that the model does not take: it is not read, but errors list it.
    pub fn with_unknown(row: Row, name: &str) -> Row {
        match !name.is_empty() && row.names().count() < MOST_NAMES {
            true => row.with(shortened(name, 60), Raw::Missing),
            false => row,
        }
    }

    /// An image, whose head is looked at before anything is decoded.
    pub fn raw_image(&mut self, bytes: &[u8]) -> Result<Raw, Fault> {
        let [height, width] = Pixels::size_in(bytes).map_err(Fault::bad)?;
        let pixels = height.saturating_mul(width);
        self.pixels = self.pixels.checked_sub(pixels).ok_or_else(|| {
            let most = self.most_pixels;
            Fault::large(format!(
                "the images of a request must have at most {most} pixels together, got one of {height} x {width}; shrink it"
            ))
        })?;
        Ok(Raw::image(bytes))
    }

    /// An image in JSON: the base64 of its file.
    pub fn encoded_image(&mut self, text: &str) -> Result<Raw, Fault> {
        let bytes = STANDARD.decode(text.trim()).map_err(|error| {
            Fault::bad(format!(
                "an image in JSON must be the base64 of a PNG or JPEG file, got an error: {error}"
            ))
        })?;
        self.raw_image(&bytes)
    }
}
