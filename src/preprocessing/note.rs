//! [`Note`]: what an answer has to say about a row beside the answer.

use std::fmt;
use std::sync::Arc;

/// What preprocessing did to a value of a row that its sender should know: it was filled, unknown, cut, resized.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The number of the row among those that were prepared together, from 0.
    pub row: usize,
    /// The name of the field.
    pub field: Arc<str>,
    /// What was done.
    pub remark: Remark,
}

/// What was done to a value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Remark {
    /// It was missing, and was filled.
    Missing,
    /// The category did not occur in training.
    Unknown(String),
    /// The number or date is below or above all that occurred in training.
    OutOfRange(String),
    /// No word of the text is in the vocabulary.
    NoKnownWord,
    /// The text has this many tokens, and only the first ones were read.
    Truncated(usize),
    /// The image had this height and width, and was resized.
    Resized([usize; 2]),
    /// The image had this height and width, and its borders were cut off.
    Cropped([usize; 2]),
    /// The image had colours, and was converted to grey; or it was grey and was converted to RGB.
    Converted,
    /// The image was transparent in places, and was laid on the background.
    Transparent,
    /// A remark of a custom block, a phrase without a full stop.
    Other(String),
}

/// In words: "was missing".
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("was missing"),
            Self::Unknown(word) => write!(f, "{:?} is unknown", crate::shown::cut(word)),
            Self::OutOfRange(value) => write!(f, "{value} is beyond the range of training"),
            Self::NoKnownWord => f.write_str("has no known word"),
            Self::Truncated(tokens) => write!(f, "was truncated, it has {tokens} tokens"),
            Self::Resized([height, width]) => write!(f, "was resized from {height} x {width}"),
            Self::Cropped([height, width]) => write!(f, "was cropped from {height} x {width}"),
            Self::Converted => f.write_str("was converted between grey and colours"),
            Self::Transparent => f.write_str("was transparent and laid on the background"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// "age was missing"
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.is_empty() {
            true => write!(f, "{}", self.remark),
            false => write!(f, "{} {}", crate::shown::cut(&self.field), self.remark),
        }
    }
}

/// The notes on the rows that are prepared together. Input blocks add to them.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Row, number of the field, remark.
    list: Vec<(usize, usize, Remark)>,
}

impl Notes {
    /// Returns an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a note on a row, which is counted from 0, and a field, by its number in
    /// [`InputBlock::fields`](super::InputBlock::fields).
    pub fn add(&mut self, row: usize, field: usize, remark: Remark) {
        self.list.push((row, field, remark));
    }

    /// Returns row, number of the field and remark of each note, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, usize, &Remark)> {
        self.list.iter().map(|(row, field, remark)| (*row, *field, remark))
    }

    /// Returns the notes with the names of their fields.
    pub(crate) fn named(self, names: &[Arc<str>]) -> impl Iterator<Item = Note> {
        let name = |field: usize| names.get(field).cloned().unwrap_or_else(|| "".into());
        self.list.into_iter().map(move |(row, field, remark)| Note { row, field: name(field), remark })
    }
}
