//! What metrics and callbacks keep, as names, numbers and arrays: for checkpoints.
//!
//! An optimiser's state has the same form ([`OptimizerState`](crate::optim::OptimizerState)). Whoever has a state says
//! what is in it by name; how it becomes bytes is settled here, once for all.

use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;
use ndarray::Array1;
use serde::{Deserialize, Serialize};

/// Numbers and arrays by name: what a [`Metric`](crate::metrics::Metric) or a [`Callback`](crate::train::Callback) has
/// gathered, to be put into a checkpoint and taken out of it.
///
/// ```
/// use plywood::io::State;
/// use plywood::prelude::*;
///
/// let mut state: State = State::new().number("best", 0.5).count("waited", 3).list("losses", [1.0, 0.5]);
/// assert_eq!(state.take_count("waited")?, 3);
/// assert_eq!(state.take_list("losses")?, [1.0, 0.5]);
/// assert_eq!(
///     state.take_number("worst").unwrap_err().to_string(),
///     "expected a state to have a number worst, found best. It was written by another version, or is damaged."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | what it is for |
/// |---|---|
/// | `number` | a sum, a best value; an `f64`, whatever the element type |
/// | `count` | a whole number up to 2^53 |
/// | `list` | any number of `f64` |
/// | `array` | a tensor of the element type, such as a copy of a parameter |
///
/// Names have to differ. Each bit comes back, NaN included. A state is taken apart: what is taken is gone, and what
/// nobody has taken in the end is an error, as it belongs to something else. At most 65,536 names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct State<F: Scalar = f32> {
    #[serde(deserialize_with = "codec::list::<_, _, 65_536>")]
    values: Vec<(String, Value<F>)>,
    /// Behind what was taken last, as things are mostly taken in order.
    #[serde(skip)]
    next: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
enum Value<F: Scalar> {
    Number(#[serde(with = "crate::codec::words")] f64),
    /// With one axis; not a `Vec`, so that a file has the numbers apart.
    List(#[serde(with = "codec::tensor")] Tensor<f64>),
    Array(#[serde(with = "codec::tensor")] Tensor<F>),
    /// Was taken out; never in a file.
    #[serde(skip)]
    Taken,
}

impl<F: Scalar> State<F> {
    /// With nothing in it: that of a metric or callback that starts anew at every epoch or batch.
    pub fn new() -> Self {
        Self { values: Vec::new(), next: 0 }
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: impl Into<String>, number: f64) -> Self {
        self.with(name, Value::Number(number))
    }

    /// Adds a whole number, which is exact up to 2^53.
    #[must_use]
    pub fn count(self, name: impl Into<String>, count: usize) -> Self {
        self.number(name, count as f64)
    }

    /// Adds a list of numbers; an `Option<f64>` is one of none or one.
    #[must_use]
    pub fn list(self, name: impl Into<String>, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.with(name, Value::List(Array1::from_iter(numbers).into_dyn()))
    }

    /// Adds an array.
    #[must_use]
    pub fn array(self, name: impl Into<String>, array: Tensor<F>) -> Self {
        self.with(name, Value::Array(array))
    }

    fn with(mut self, name: impl Into<String>, value: Value<F>) -> Self {
        self.values.push((name.into(), value));
        self
    }

    /// The names that are left, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let left = self.values.iter().filter(|(_, value)| !matches!(value, Value::Taken));
        left.map(|(name, _)| name.as_str())
    }

    /// Takes a number out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_number(&mut self, name: &str) -> Result<f64> {
        match self.take(name, |value| matches!(value, Value::Number(_))) {
            Some(Value::Number(number)) => Ok(number),
            _ => Err(self.lacks("a number", name)),
        }
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// When there is none of this name, or it is no whole number from 0 to 2^53.
    pub fn take_count(&mut self, name: &str) -> Result<usize> {
        let number = self.take_number(name)?;
        whole(number).ok_or_else(|| {
            Error::format(format!("the number {name} of a state"), "a whole one from 0 to 2^53", number)
                .help(DAMAGED)
        })
    }

    /// Takes a list out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_list(&mut self, name: &str) -> Result<Vec<f64>> {
        match self.take(name, |value| matches!(value, Value::List(_))) {
            Some(Value::List(list)) => Ok(list.into_iter().collect()),
            _ => Err(self.lacks("a list", name)),
        }
    }

    /// Takes an array out. Its shape is that of the file: compare it with what you expect.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_array(&mut self, name: &str) -> Result<Tensor<F>> {
        match self.take(name, |value| matches!(value, Value::Array(_))) {
            Some(Value::Array(array)) => Ok(array),
            _ => Err(self.lacks("an array", name)),
        }
    }

    /// A list in groups of `N`.
    pub(crate) fn take_rows<const N: usize>(&mut self, name: &str) -> Result<Vec<[f64; N]>> {
        let list = self.take_list(name)?;
        match list.as_chunks() {
            (rows, []) => Ok(rows.to_vec()),
            _ => Err(misfit(name, format!("groups of {N} numbers"), format!("{} numbers", list.len()))),
        }
    }

    /// Refuses what nobody has taken.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.names().next() {
            None => Ok(()),
            Some(name) => Err(Error::format("a state", "taken apart", format!("{name} left in it"))
                .help("Take all in `load_state` that `state` has put in; or it is another's state.")),
        }
    }

    fn take(&mut self, name: &str, fits: impl Fn(&Value<F>) -> bool) -> Option<Value<F>> {
        let fits = |(known, value): &(String, Value<F>)| known == name && fits(value);
        let at = match self.values.get(self.next).is_some_and(fits) {
            true => self.next,
            false => self.values.iter().position(fits)?,
        };
        self.next = at + 1;
        Some(std::mem::replace(&mut self.values[at].1, Value::Taken))
    }

    fn lacks(&self, what: &str, name: &str) -> Error {
        const SHOWN: usize = 10;
        let mut found: Vec<&str> = self.names().take(SHOWN).collect();
        match self.names().count() {
            0 => found.push("nothing"),
            n if n > SHOWN => found.push("…"),
            _ => {}
        }
        Error::data("a state", format!("to have {what} {name}"), found.join(", ")).help(DAMAGED)
    }
}

impl<F: Scalar> Default for State<F> {
    fn default() -> Self {
        Self::new()
    }
}

const DAMAGED: &str = "It was written by another version, or is damaged.";

/// The error of a part that is not as it should be.
pub(crate) fn misfit(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::format(format!("{name} of a state"), expected.into(), found.into()).help(DAMAGED)
}

/// A whole number that is exact as an `f64`.
pub(crate) fn whole(number: f64) -> Option<usize> {
    let most = 2f64.powi(53);
    (number.fract() == 0.0 && (0.0..=most).contains(&number)).then_some(number as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out_to_the_bit_and_the_rest_is_refused() {
        let odd = f64::from_bits(0x7ff8_0000_0000_1234);
        let array = ndarray::arr2(&[[1.0f32, -0.0]]).into_dyn();
        let state = State::new().number("a", odd).list("b", None).array("c", array.clone()).count("d", 7);
        let bytes = codec::encode(&state).unwrap();
        let mut back: State = codec::decode(&bytes, "a state").unwrap();
        assert_eq!(back.take_number("a").unwrap().to_bits(), odd.to_bits());
        assert!(back.take_list("b").unwrap().is_empty());
        assert!(back.take_number("c").is_err(), "it is an array");
        assert_eq!(back.take_array("c").unwrap(), array);
        assert!(back.finish().unwrap_err().to_string().contains("found d left in it"));
        assert_eq!(back.take_count("d").unwrap(), 7);
        back.finish().unwrap();
        for wrong in [0.5, -1.0, f64::NAN, 1e300] {
            let mut state: State = State::new().number("n", wrong);
            assert!(state.take_count("n").is_err());
        }
        let mut list: State = State::new().list("l", [1.0, 2.0, 3.0]);
        assert!(list.clone().take_rows::<2>("l").is_err());
        assert_eq!(list.take_rows::<3>("l").unwrap(), [[1.0, 2.0, 3.0]]);
    }
}
