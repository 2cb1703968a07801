//! [`ColumnType`]: what a column of a table holds.

use super::DateFormat;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a column of a table holds, and so which values a row may have there.
///
/// A value of any type may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ColumnType {
    /// A finite number.
    Number,
    /// One of two words, such as "no" and "yes".
    Boolean {
        /// The word for false.
        no: String,
        /// The word for true.
        yes: String,
    },
    /// A date, with or without a time of day.
    Date(DateFormat),
    /// One of some words: a colour, a country, a code. Numbers that are names, as postcodes, are categories.
    Category,
    /// A text of any words. An empty one counts as missing.
    Text,
    /// An image: its pixels, or the bytes or the path of a file.
    Image,
    /// Several numbers, an array of this shape for each row.
    Array(Vec<usize>),
}

/// In words, as errors name it: "a number".
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("a number"),
            Self::Boolean { no, yes } => write!(f, "{no:?} or {yes:?}"),
            Self::Date(format) => write!(f, "a date as {format}"),
            Self::Category => f.write_str("a category"),
            Self::Text => f.write_str("a text"),
            Self::Image => f.write_str("an image"),
            Self::Array(shape) => write!(f, "an array of numbers of shape {shape:?}"),
        }
    }
}
