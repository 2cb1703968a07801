//! [`Answer`]: what a predictor says about a sample.

use crate::error::{Error, Result};
use crate::preprocessing::Note;
use crate::shown::{cut, listed};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::fmt;
use std::sync::Arc;

/// What a predictor says about a sample: a value for each output, and notes on what was filled, unknown, cut.
///
/// It prints as a line, and serde writes it, for example as JSON:
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::preprocessing::Features;
///
/// let model = Sequential::builder([2]).layer(Dense::units(3)).layer(Softmax).build()?;
/// let predictor = Predictor::new(model)
///     .input(Features::of_shape([2]))
///     .output(Classes::named(["setosa", "versicolor", "virginica"]).top(2))
///     .build()?;
/// let answer = predictor.predict([5.1, 3.5])?;
/// println!("{answer}"); // virginica 0.71, setosa 0.25
/// let json = serde_json::to_value(&answer).unwrap();
/// assert_eq!(json["class"].as_str(), answer.class());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) names: Arc<[Arc<str>]>,
    /// One for each name.
    pub(super) values: Vec<AnswerValue>,
    pub(super) notes: Vec<Note>,
}

/// What a predictor says of one output.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnswerValue {
    /// One of several classes.
    Class {
        /// The most probable classes with their probabilities, the most probable first.
        ranked: Vec<(Arc<str>, f32)>,
        /// True if even the first is less probable than the threshold: the answer is "none".
        none: bool,
    },
    /// Several labels: each with its probability, and whether it is above its threshold.
    Labels(Vec<(Arc<str>, f32, bool)>),
    /// Numbers in the units of the targets.
    Numbers(Vec<AnswerNumber>),
}

/// A number, with its name and unit.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerNumber {
    /// The name; empty if it has none.
    pub name: Arc<str>,
    /// The value, in the unit.
    pub value: f64,
    /// The unit; empty if it has none.
    pub unit: Arc<str>,
}

impl Answer {
    /// Returns the value of the output with this name.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn get(&self, output: &str) -> Result<&AnswerValue> {
        let place = self.names.iter().position(|name| &**name == output);
        place.and_then(|place| self.values.get(place)).ok_or_else(|| {
            let what = format!("the output {:?}", cut(output));
            Error::data(what, "be one of the predictor's", listed(&self.names, 20)).help("Name one of these.")
        })
    }

    /// Returns the names and values of the outputs, in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, &AnswerValue)> {
        self.names.iter().map(|name| &**name).zip(&self.values)
    }

    /// Returns the class, of the first output that has classes; `None` if it is less probable than the threshold, or
    /// there is no such output.
    pub fn class(&self) -> Option<&str> {
        self.values.iter().find(|value| matches!(value, AnswerValue::Class { .. }))?.class()
    }

    /// Returns the probability of the most probable class, of the first output that has classes.
    pub fn probability(&self) -> Option<f32> {
        self.values.iter().find_map(AnswerValue::probability)
    }

    /// Returns the labels above their thresholds, of the first output that has labels.
    pub fn labels(&self) -> Vec<&str> {
        let labels = self.values.iter().find(|value| matches!(value, AnswerValue::Labels(_)));
        labels.map_or_else(Vec::new, AnswerValue::labels)
    }

    /// Returns the number, of the first output that is a single one.
    pub fn number(&self) -> Option<f64> {
        self.values.iter().find_map(AnswerValue::number)
    }

    /// Keeps at most this number of classes in each list of the most probable ones.
    #[must_use]
    pub fn top(mut self, classes: usize) -> Self {
        for value in &mut self.values {
            if let AnswerValue::Class { ranked, .. } = value {
                ranked.truncate(classes.max(1));
            }
        }
        self
    }

    /// Returns what was filled, unknown, cut or resized.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl AnswerValue {
    /// Returns the class; `None` if it is less probable than the threshold, or this is no class.
    pub fn class(&self) -> Option<&str> {
        match self {
            Self::Class { ranked, none: false } => ranked.first().map(|(name, _)| &**name),
            _ => None,
        }
    }

    /// Returns the probability of the most probable class, also of one below the threshold.
    pub fn probability(&self) -> Option<f32> {
        match self {
            Self::Class { ranked, .. } => ranked.first().map(|(_, probability)| *probability),
            _ => None,
        }
    }

    /// Returns the labels above their thresholds.
    pub fn labels(&self) -> Vec<&str> {
        match self {
            Self::Labels(labels) => {
                labels.iter().filter(|(.., above)| *above).map(|(name, ..)| &**name).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the number if it is a single one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Numbers(numbers) if numbers.len() == 1 => Some(numbers[0].value),
            _ => None,
        }
    }
}

/// As a phrase: "Shirt 0.87, Coat 0.03", "none", "12.3 euros", "width 1, height 2".
impl fmt::Display for AnswerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        match self {
            Self::Class { ranked, none } => {
                if *none {
                    f.write_str("none")?;
                    between = "; ";
                }
                for (name, probability) in ranked {
                    write!(f, "{between}{name} {probability:.2}")?;
                    between = ", ";
                }
            }
            Self::Labels(labels) => {
                for (name, probability, _) in labels.iter().filter(|(.., above)| *above) {
                    write!(f, "{between}{name} {probability:.2}")?;
                    between = ", ";
                }
                if between.is_empty() {
                    f.write_str("none")?;
                }
            }
            Self::Numbers(numbers) => {
                for AnswerNumber { name, value, unit } in numbers {
                    let space = |text: &str| if text.is_empty() { "" } else { " " };
                    write!(f, "{between}{name}{}{}{}{unit}", space(name), readable(*value), space(unit))?;
                    between = ", ";
                }
            }
        }
        Ok(())
    }
}

/// A number with six significant digits, without zeros at the end.
fn readable(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        return format!("{number:.5e}");
    }
    let before = if magnitude >= 1.0 { magnitude.log10().floor() as usize + 1 } else { 0 };
    let text = format!("{number:.*}", 6usize.saturating_sub(before));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A line: the values, with the names of the outputs if there are several, and the notes in brackets.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.values().enumerate() {
            match self.values.len() {
                1 => write!(f, "{value}")?,
                _ => {
                    // A number that is named as its output is not named twice.
                    let text = value.to_string();
                    let text = match value {
                        AnswerValue::Numbers(numbers) if numbers.len() == 1 && *numbers[0].name == *name => {
                            text[name.len()..].trim_start()
                        }
                        _ => &text,
                    };
                    write!(f, "{}{name}: {text}", if i > 0 { "; " } else { "" })?;
                }
            }
        }
        for (i, note) in self.notes.iter().enumerate() {
            write!(f, "{}{note}", if i > 0 { "; " } else { " [" })?;
        }
        if self.notes.is_empty() { Ok(()) } else { f.write_str("]") }
    }
}

/// An item of `ranked`: `{"class": "Shirt", "probability": 0.87}`.
struct Ranked<'a>(&'static str, &'a str, f32);

impl Serialize for Ranked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Ranked", 2)?;
        map.serialize_field(self.0, self.1)?;
        map.serialize_field("probability", &self.2)?;
        map.end()
    }
}

impl AnswerValue {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Class { ranked, .. } => {
                map.serialize_entry("class", &self.class())?;
                map.serialize_entry("probability", &self.probability())?;
                let ranked: Vec<_> = ranked.iter().map(|(name, p)| Ranked("class", name, *p)).collect();
                map.serialize_entry("ranked", &ranked)
            }
            Self::Labels(labels) => {
                map.serialize_entry("labels", &self.labels())?;
                let all: Vec<_> = labels.iter().map(|(name, p, _)| Ranked("label", name, *p)).collect();
                map.serialize_entry("probabilities", &all)
            }
            Self::Numbers(numbers) => {
                match &numbers[..] {
                    [AnswerNumber { value, .. }] => map.serialize_entry("number", value)?,
                    numbers if numbers.iter().all(|number| !number.name.is_empty()) => {
                        let values = numbers.iter().map(|number| (&*number.name, number.value));
                        map.serialize_entry("numbers", &Pairs(values.collect()))?;
                    }
                    numbers => {
                        let values: Vec<f64> = numbers.iter().map(|number| number.value).collect();
                        map.serialize_entry("numbers", &values)?;
                    }
                }
                // All have the same.
                match numbers.first().filter(|number| !number.unit.is_empty()) {
                    Some(number) => map.serialize_entry("unit", &*number.unit),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Names and numbers as an object, in their order.
struct Pairs<'a>(Vec<(&'a str, f64)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// An object of the value's entries.
impl Serialize for AnswerValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

/// The values by the names of their outputs.
struct ByName<'a>(&'a Answer);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.values())
    }
}

/// For one output its entries, for several "outputs", an object for each under its name; and "notes", a list of phrases.
impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.values[..] {
            [value] => value.entries(&mut map)?,
            _ => map.serialize_entry("outputs", &ByName(self))?,
        }
        let notes: Vec<String> = self.notes.iter().map(|note| note.to_string()).collect();
        map.serialize_entry("notes", &notes)?;
        map.end()
    }
}
