//! [`Value`]: a value of a hyperparameter; [`Trial`]: a value for each hyperparameter.

use crate::codec::{checked, differ};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A value of a hyperparameter.
///
/// ```
/// use plywood::train::Value;
///
/// assert_eq!(Value::from(32), Value::Integer(32));
/// assert_eq!([Value::from(0.00123456), Value::from("adam")].map(|v| v.to_string()), ["0.001235", "adam"]);
/// ```
///
/// A number prints with four significant digits; the value itself keeps full precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// An integer.
    Integer(i64),
    /// A number.
    Number(#[serde(with = "crate::codec::words")] f64),
    /// A word.
    Word(String),
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

/// Sizes above the largest `i64` do not occur in practice; they become that number.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Word(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Word(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            // Four significant digits, in the shortest notation.
            Self::Number(value) => match format!("{value:.3e}").parse::<f64>() {
                Ok(short) if (1e-5..1e7).contains(&short.abs()) || short == 0.0 => write!(f, "{short}"),
                Ok(short) => write!(f, "{short:e}"),
                Err(_) => write!(f, "{value}"),
            },
            Self::Word(value) => f.write_str(value),
        }
    }
}

/// A choice of all hyperparameters: the argument of the closure that builds a model and its trainer.
///
/// ```
/// use plywood::train::{Search, Space};
///
/// let space = Space::new().choice("units", [16, 32]).choice("rate", [0.1, 0.01]).choice("rule", ["adam"]);
/// let trial = &Search::grid(space).trials()?[1];
/// assert_eq!((trial.count("units")?, trial.number("rate")?, trial.word("rule")?), (16, 0.01, "adam"));
/// assert_eq!(trial.to_string(), "units 16, rate 0.01, rule adam");
/// assert_eq!(
///     trial.number("momentum").unwrap_err().to_string(),
///     "the hyperparameter must be one of the trial's (units, rate, rule), got \"momentum\". Read a dimension \
///      of the space, or add it there."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Trial {
    values: Vec<(String, Value)>,
}

checked!(Trial);

impl Trial {
    /// Checks that deserialized names are unique.
    fn check(&self) -> Result<()> {
        differ("the trial", self.values.iter().map(|(name, _)| name.as_str()))
    }
}

impl Trial {
    pub(super) fn new(values: Vec<(String, Value)>) -> Self {
        Self { values }
    }

    /// Returns names and values, in the order of the space.
    pub fn values(&self) -> &[(String, Value)] {
        &self.values
    }

    /// Returns the value with this name, of any type.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns an integer of at least 0: a number of units or layers, a batch size.
    ///
    /// # Errors
    /// If there is no such name, or its value is not such an integer.
    pub fn count(&self, name: &str) -> Result<usize> {
        match self.known(name)? {
            Value::Integer(value) => usize::try_from(*value).map_err(|_| wrong(name, "a count", value)),
            other => Err(wrong(name, "a count", other)),
        }
    }

    /// Returns a number, which may be an integer.
    ///
    /// # Errors
    /// If there is no such name, or its value is a word.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.known(name)? {
            Value::Integer(value) => Ok(*value as f64),
            Value::Number(value) => Ok(*value),
            other => Err(wrong(name, "a number", other)),
        }
    }

    /// Returns a word.
    ///
    /// # Errors
    /// If there is no such name, or its value is a number.
    pub fn word(&self, name: &str) -> Result<&str> {
        match self.known(name)? {
            Value::Word(value) => Ok(value),
            other => Err(wrong(name, "a word", other)),
        }
    }

    fn known(&self, name: &str) -> Result<&Value> {
        self.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.values.iter().map(|(name, _)| name.as_str()).collect();
            Error::argument(
                "the hyperparameter",
                format!("one of the trial's ({})", known.join(", ")),
                format!("{name:?}"),
            )
            .help("Read a dimension of the space, or add it there.")
        })
    }
}

/// The error of a value that is requested as the wrong type.
fn wrong(name: &str, expected: &str, found: impl fmt::Display) -> Error {
    Error::argument(format!("the hyperparameter {name:?}"), expected, found)
        .help("`count` is for whole numbers from 0, `number` for all numbers, `word` for words.")
}

/// "units 32, rate 0.01".
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.values.iter().enumerate() {
            write!(f, "{}{name} {value}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_of_the_usual_form() {
        let text = |value: f64| Value::from(value).to_string();
        assert_eq!(
            [0.1, 0.000123456, 123456.0, 1.0, -0.25].map(text),
            ["0.1", "0.0001235", "123500", "1", "-0.25"]
        );
        assert_eq!([1e-9, 1.5e20, 0.0, f64::NAN].map(text), ["1e-9", "1.5e20", "0", "NaN"]);
    }

    #[test]
    fn a_value_is_had_as_what_it_is() {
        let trial = Trial::new(vec![
            ("n".into(), Value::from(-3)),
            ("x".into(), Value::from(0.5)),
            ("w".into(), Value::from("adam")),
        ]);
        assert_eq!(trial.number("n").unwrap(), -3.0);
        assert_eq!(
            trial.count("n").unwrap_err().to_string(),
            "the hyperparameter \"n\" must be a count, got -3. `count` is for whole numbers from 0, `number` for \
             all numbers, `word` for words."
        );
        assert!(trial.count("x").unwrap_err().to_string().contains("must be a count, got 0.5"));
        assert!(trial.number("w").unwrap_err().to_string().contains("must be a number, got adam"));
        assert!(trial.word("x").unwrap_err().to_string().contains("must be a word, got 0.5"));
        assert!(trial.word("v").unwrap_err().to_string().contains("one of the trial's (n, x, w), got \"v\""));
    }
}
