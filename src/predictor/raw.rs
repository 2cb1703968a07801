//! [`Raw`] and [`Row`]: what a predictor takes.

use crate::data::{ImageSource, Pixels};
use crate::shown::cut;
use ndarray::{ArrayBase, Data, Dimension};
use std::path::PathBuf;

/// A raw value: a number, a text, an image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Raw {
    /// A missing value. It is filled as the missing values of training were.
    Missing,
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A text, or the word of a category or a date: which of them is known to the predictor.
    Text(String),
    /// An image.
    Image(ImageSource),
    /// An array of numbers of this shape, in row-major order.
    Array {
        /// The shape.
        shape: Vec<usize>,
        /// As many numbers as the shape has.
        numbers: Vec<f64>,
    },
}

impl Raw {
    /// An image in a PNG or JPEG file; the path is relative to the current folder. It is read by `predict`, with the
    /// feature `images`.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::Image(ImageSource::File(path.into()))
    }

    /// An image as the bytes of a PNG or JPEG file: what an upload is. It is decoded by `predict`, with the feature
    /// `images`.
    pub fn image(bytes: impl AsRef<[u8]>) -> Self {
        Self::Image(ImageSource::Bytes(bytes.as_ref().into()))
    }

    /// An array of numbers.
    ///
    /// ```
    /// use plywood::predictor::Raw;
    ///
    /// let raw = Raw::array(&plywood::ndarray::arr1(&[5.1f32, 3.5]));
    /// assert!(matches!(raw, Raw::Array { shape, .. } if shape == [2]));
    /// ```
    pub fn array<T: Copy + Into<f64>, S: Data<Elem = T>, D: Dimension>(array: &ArrayBase<S, D>) -> Self {
        Self::Array { shape: array.shape().to_vec(), numbers: array.iter().map(|&x| x.into()).collect() }
    }

    /// In words, as errors name it.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Missing => "nothing".into(),
            Self::Number(number) => format!("the number {number}"),
            Self::Boolean(value) => format!("the boolean {value}"),
            Self::Text(text) => format!("the text {:?}", cut(text)),
            Self::Image(_) => "an image".into(),
            Self::Array { shape, .. } => format!("an array of shape {shape:?}"),
        }
    }
}

impl From<Pixels> for Raw {
    fn from(pixels: Pixels) -> Self {
        Self::Image(ImageSource::Pixels(pixels))
    }
}

/// The named values of a sample: what a predictor answers.
///
/// Anything that serde can write becomes a row: a struct, a map, a JSON object, whose fields are the values; a text, a
/// number or a list of numbers, which is the only value of a predictor that takes one. `null`, `None` and NaN are
/// missing.
///
/// ```
/// use plywood::predictor::{Raw, Row};
///
/// #[derive(serde::Serialize)]
/// struct Passenger { age: Option<f64>, port: &'static str }
///
/// let rows: [Row; 4] = [
///     Passenger { age: None, port: "S" }.into(),
///     serde_json::json!({"age": 38, "port": "C"}).into(),
///     Row::new().with("age", 26.0).with("port", "S"),
///     Raw::file("photo.png").into(),
/// ];
/// assert_eq!(rows[1].names().collect::<Vec<_>>(), ["age", "port"]);
/// ```
///
/// Values that a predictor does not take are ignored, whatever they are; one that it takes and that is not there is an error,
/// as is a value inside of a value. A value is given as missing by `Raw::Missing` or `null`.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// An empty name is that of a single value without a name. In place of a value there may be what is wrong with it:
    /// `From` cannot fail, so the predictor reports it if it takes the value.
    pub(super) values: Vec<(String, Entry)>,
}

/// A value, or why it is none.
pub(super) type Entry = std::result::Result<Raw, String>;

impl Row {
    /// Returns a row without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value: a number, a text, an image, or anything else that becomes a row of a single value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Self>) -> Self {
        let mut values = value.into().values.into_iter();
        let entry = match (values.next(), values.next()) {
            (Some((unnamed, entry)), None) if unnamed.is_empty() => entry,
            _ => Err("a row in place of a value".to_owned()),
        };
        self.add(name.into(), entry);
        self
    }

    /// Adds a value, which must be the only one of its name.
    pub(super) fn add(&mut self, name: String, entry: Entry) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = Err("two values of one name".to_owned()),
            None => self.values.push((name, entry)),
        }
    }

    /// Returns the names of the values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the value of this name, or the only one if `alone` is true and it has no name.
    pub(super) fn get(&self, name: &str, alone: bool) -> Option<&Entry> {
        let named = self.values.iter().find(|(known, _)| known == name);
        let unnamed = || self.values.first().filter(|(known, _)| alone && known.is_empty());
        named.or_else(unnamed).map(|(_, entry)| entry)
    }
}

/// A single value without a name, for a predictor that takes one.
impl From<Raw> for Row {
    fn from(raw: Raw) -> Self {
        Self { values: vec![(String::new(), Ok(raw))] }
    }
}

/// A single image, for a predictor that takes one.
impl From<Pixels> for Row {
    fn from(pixels: Pixels) -> Self {
        Raw::from(pixels).into()
    }
}
