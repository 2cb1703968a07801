//! The saved state of update rules, metrics and callbacks: values by name.
//!
//! A type with state lists its values by name in a [`State`], and this module turns them into bytes. The name under
//! which the whole state is saved is its [`Kind`].

mod kind;

pub use kind::Kind;

use crate::codec::limits::{MAX_DEPTH, MAX_VALUES};
use crate::codec::{self, differ, limits};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;
use ndarray::Array1;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values by name: the saved state of an [`UpdateRule`](crate::optim::UpdateRule), an
/// [`Optimizer`](crate::optim::Optimizer), a [`Metric`](crate::metrics::Metric) or a
/// [`Callback`](crate::train::Callback).
///
/// ```
/// use plywood::io::State;
/// use plywood::prelude::*;
///
/// let mut state: State = State::new().number("best", 0.5).integer("waited", 3).list("losses", [1.0, 0.5]);
/// assert_eq!(state.take_integer::<usize>("waited")?, 3);
/// assert_eq!(state.take_list("losses")?, [1.0, 0.5]);
/// assert_eq!(
///     state.take_number("worst").unwrap_err().to_string(),
///     "the state must have a number named \"worst\", got best. It was written by another version, or it is damaged."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | method | value |
/// |---|---|
/// | `number` | an `f64` such as a sum or a best value, whatever the element type |
/// | `integer` | an integer from 0 to 2^64 - 1 |
/// | `flag` | true or false |
/// | `text` | text |
/// | `list` | any number of `f64` |
/// | `integers` | any number of integers, such as the ids of rows |
/// | `bytes` | bytes in a format of your own |
/// | `array` | a tensor of the element type, such as a copy of a parameter |
/// | `nested` | another state, up to 8 levels deep (7 in an update rule, whose state is inside the optimizer's) |
///
/// Names must be unique. Every bit is restored, NaN included. The `take_…` methods remove a value; values left over
/// after loading are an error, because they belong to something else. All states of a file together have at most
/// 131,072 values. A state can be serialized by serde in any format.
#[derive(Clone, Debug)]
pub struct State<F: Scalar = f32> {
    values: Vec<(String, Value<F>)>,
    /// The position after the last value taken, as values are mostly taken in order.
    next: usize,
    /// The positions in the order of the names, for values that are taken in another order; empty until then.
    by_name: Vec<usize>,
}

/// Two states are equal if the values that are left in them are.
impl<F: Scalar> PartialEq for State<F> {
    fn eq(&self, other: &Self) -> bool {
        self.left().eq(other.left())
    }
}

/// The value of a name. The order of the variants is part of the file format. Arrays are boxed, so that a value of a
/// hostile file takes little more memory than bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
enum Value<F: Scalar> {
    Number(#[serde(with = "crate::codec::words")] f64),
    Integer(u64),
    Flag(bool),
    Text(String),
    /// It has one axis. It is not a `Vec`, so that its numbers are stored apart in a file.
    List(#[serde(with = "boxed")] Box<Tensor<f64>>),
    Integers(#[serde(with = "codec::blob::integers")] Vec<u64>),
    Bytes(#[serde(with = "codec::blob")] Vec<u8>),
    Array(#[serde(with = "boxed")] Box<Tensor<F>>),
    Nested(Box<State<F>>),
    /// Already taken; never in a file.
    #[serde(skip)]
    Taken,
}

impl<F: Scalar> State<F> {
    /// Returns an empty state: for a metric or callback with nothing to save between epochs or batches, and to add to.
    pub fn new() -> Self {
        Self { values: Vec::new(), next: 0, by_name: Vec::new() }
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: impl Into<String>, number: f64) -> Self {
        self.with(name, Value::Number(number))
    }

    /// Adds an integer.
    #[must_use]
    pub fn integer(self, name: impl Into<String>, number: u64) -> Self {
        self.with(name, Value::Integer(number))
    }

    /// Adds a flag.
    #[must_use]
    pub fn flag(self, name: impl Into<String>, flag: bool) -> Self {
        self.with(name, Value::Flag(flag))
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.with(name, Value::Text(text.into()))
    }

    /// Adds a list of numbers. An `Option<f64>` becomes a list of zero or one numbers.
    #[must_use]
    pub fn list(self, name: impl Into<String>, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.with(name, Value::List(Box::new(Array1::from_iter(numbers).into_dyn())))
    }

    /// Adds a list of integers.
    #[must_use]
    pub fn integers(self, name: impl Into<String>, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.with(name, Value::Integers(numbers.into_iter().collect()))
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(name, Value::Bytes(bytes.into()))
    }

    /// Adds an array.
    #[must_use]
    pub fn array(self, name: impl Into<String>, array: Tensor<F>) -> Self {
        self.with(name, Value::Array(Box::new(array)))
    }

    /// Adds another state.
    ///
    /// Its names are separate from those of the outer state, so names not known in advance cannot collide.
    #[must_use]
    pub fn nested(self, name: impl Into<String>, state: Self) -> Self {
        self.with(name, Value::Nested(Box::new(state)))
    }

    fn with(mut self, name: impl Into<String>, value: Value<F>) -> Self {
        self.values.push((name.into(), value));
        self.by_name.clear();
        self
    }

    fn left(&self) -> impl Iterator<Item = &(String, Value<F>)> {
        self.values.iter().filter(|(_, value)| !matches!(value, Value::Taken))
    }

    /// Returns the names of the remaining values, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.left().map(|(name, _)| name.as_str())
    }

    /// Returns whether a value with this name remains.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Removes and returns a number.
    ///
    /// # Errors
    /// If there is no number with this name.
    pub fn take_number(&mut self, name: &str) -> Result<f64> {
        self.take("a number", name, |value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
    }

    /// Removes and returns an integer.
    ///
    /// # Errors
    /// If there is no integer with this name, or it does not fit the requested type.
    pub fn take_integer<N: TryFrom<u64>>(&mut self, name: &str) -> Result<N> {
        let number = self.take("a whole number", name, |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })?;
        N::try_from(number).map_err(|_| {
            misfit(
                name,
                format!("be a number that fits {}", crate::shown::type_name::<N>()),
                number.to_string(),
            )
        })
    }

    /// Removes and returns a flag.
    ///
    /// # Errors
    /// If there is no flag with this name.
    pub fn take_flag(&mut self, name: &str) -> Result<bool> {
        self.take("a flag", name, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Removes and returns a text.
    ///
    /// # Errors
    /// If there is no text with this name.
    pub fn take_text(&mut self, name: &str) -> Result<String> {
        self.take("a text", name, |value| match value {
            Value::Text(text) => Some(std::mem::take(text)),
            _ => None,
        })
    }

    /// Removes and returns a list.
    ///
    /// # Errors
    /// If there is no list with this name.
    pub fn take_list(&mut self, name: &str) -> Result<Vec<f64>> {
        self.take("a list", name, |value| match value {
            Value::List(list) => Some(std::mem::take(list).into_iter().collect()),
            _ => None,
        })
    }

    /// Removes and returns a list of integers.
    ///
    /// # Errors
    /// If there is no such list with this name.
    pub fn take_integers(&mut self, name: &str) -> Result<Vec<u64>> {
        self.take("a list of whole numbers", name, |value| match value {
            Value::Integers(numbers) => Some(std::mem::take(numbers)),
            _ => None,
        })
    }

    /// Removes and returns bytes.
    ///
    /// # Errors
    /// If there are no bytes with this name.
    pub fn take_bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        self.take("a list of bytes", name, |value| match value {
            Value::Bytes(bytes) => Some(std::mem::take(bytes)),
            _ => None,
        })
    }

    /// Removes and returns an array. Its shape comes from the file: compare it with the one you expect.
    ///
    /// # Errors
    /// If there is no array with this name.
    pub fn take_array(&mut self, name: &str) -> Result<Tensor<F>> {
        self.take("an array", name, |value| match value {
            Value::Array(array) => Some(*std::mem::take(array)),
            _ => None,
        })
    }

    /// Removes and returns a nested state.
    ///
    /// # Errors
    /// If there is no state with this name.
    pub fn take_nested(&mut self, name: &str) -> Result<Self> {
        self.take("a state", name, |value| match value {
            Value::Nested(state) => Some(std::mem::take(&mut **state)),
            _ => None,
        })
    }

    /// Removes a list and returns it in groups of `N`.
    pub(crate) fn take_rows<const N: usize>(&mut self, name: &str) -> Result<Vec<[f64; N]>> {
        let list = self.take_list(name)?;
        match list.as_chunks() {
            (rows, []) => Ok(rows.to_vec()),
            _ => Err(misfit(name, format!("be groups of {N} numbers"), format!("{} numbers", list.len()))),
        }
    }

    /// Returns an error if values remain.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.names().next() {
            None => Ok(()),
            Some(name) => Err(Error::format("the state", "have no entries left", format!("{name:?}"))
                .help("Take all entries in `load_state` that `state` puts in, or check whose state it is.")),
        }
    }

    /// Removes the value with this name if `get` accepts it.
    fn take<T>(&mut self, what: &str, name: &str, get: impl Fn(&mut Value<F>) -> Option<T>) -> Result<T> {
        if let Some(at) = self.find(name)
            && let Some(taken) = get(&mut self.values[at].1)
        {
            self.values[at].1 = Value::Taken;
            self.next = at + 1;
            return Ok(taken);
        }
        Err(self.lacks(what, name))
    }

    /// Returns the position of the value with this name; of several, that of the last one added.
    fn find(&mut self, name: &str) -> Option<usize> {
        let expected = self.values.get(self.next);
        if expected.is_some_and(|(known, value)| known == name && !matches!(value, Value::Taken)) {
            return Some(self.next);
        }
        if self.by_name.is_empty() {
            self.by_name = (0..self.values.len()).collect();
            let values = &self.values;
            self.by_name.sort_by(|&a, &b| values[a].0.cmp(&values[b].0));
        }
        let end = self.by_name.partition_point(|&at| self.values[at].0.as_str() <= name);
        let at = *self.by_name.get(end.checked_sub(1)?)?;
        (self.values[at].0 == name).then_some(at)
    }

    fn lacks(&self, what: &str, name: &str) -> Error {
        const SHOWN: usize = 10;
        let mut found: Vec<&str> = self.names().take(SHOWN).collect();
        match self.names().count() {
            0 => found.push("nothing"),
            n if n > SHOWN => found.push("…"),
            _ => {}
        }
        Error::data("the state", format!("have {what} named {name:?}"), found.join(", ")).help(DAMAGED)
    }

    /// The number of levels, and the total number of values.
    pub(crate) fn extent(&self) -> (usize, usize) {
        self.left().fold((1, 0), |(depth, values), (_, value)| match value {
            Value::Nested(state) => {
                let (inner, more) = state.extent();
                (depth.max(inner + 1), values + 1 + more)
            }
            _ => (depth, values + 1),
        })
    }

    /// Refuses a state that could not be read again.
    pub(crate) fn check(&self) -> Result<()> {
        differ("the values of the state", self.names())
            .map_err(|error| error.help("Give each value that `state` puts in a name of its own."))?;
        let (depth, values) = self.extent();
        if depth <= MAX_DEPTH && values <= MAX_VALUES {
            return Ok(());
        }
        let expected = format!("have at most {MAX_VALUES} values and {MAX_DEPTH} levels of nested states");
        Err(Error::format("the state", expected, format!("{values} values and {depth} levels"))
            .help("Put many numbers into one list or array."))
    }
}

impl<F: Scalar> Default for State<F> {
    fn default() -> Self {
        Self::new()
    }
}

const DAMAGED: &str = "It was written by another version, or it is damaged.";

/// The error of an invalid value in a state.
pub(crate) fn misfit(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::format(format!("the entry {name:?} of the state"), expected.into(), found.into()).help(DAMAGED)
}

/// An integer that is exact as an `f64`.
pub(crate) fn whole(number: f64) -> Option<usize> {
    let most = 2f64.powi(53);
    (number.fract() == 0.0 && (0.0..=most).contains(&number)).then_some(number as usize)
}

/// Serde for a boxed tensor.
mod boxed {
    use crate::codec;
    use crate::kernels::Scalar;
    use crate::tensor::Tensor;
    use serde::{Deserializer, Serializer};

    pub fn serialize<F: Scalar, S: Serializer>(tensor: &Tensor<F>, serializer: S) -> Result<S::Ok, S::Error> {
        codec::tensor::serialize(tensor, serializer)
    }

    pub fn deserialize<'de, F: Scalar, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<Tensor<F>>, D::Error> {
        codec::tensor::deserialize(deserializer).map(Box::new)
    }
}

/// A value with its name, counted towards the limit of the whole file.
#[derive(Deserialize)]
#[serde(bound = "")]
struct Entry<F: Scalar>(String, Value<F>);

struct Counted<F: Scalar>(Entry<F>);

impl<'de, F: Scalar> Deserialize<'de> for Counted<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        limits::count_value()?;
        Entry::deserialize(deserializer).map(Self)
    }
}

/// Values that were taken are left out. A state beyond the limits is refused here, because it could not be read again.
impl<F: Scalar> Serialize for State<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(serde::ser::Error::custom)?;
        let left: Vec<&(String, Value<F>)> = self.left().collect();
        left.serialize(serializer)
    }
}

impl<'de, F: Scalar> Deserialize<'de> for State<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = limits::in_state(|| codec::list::<D, Counted<F>, MAX_VALUES>(deserializer))?;
        let values: Vec<_> = values.into_iter().map(|Counted(Entry(name, value))| (name, value)).collect();
        let state = Self { values, next: 0, by_name: Vec::new() };
        differ("the values of the state", state.names()).map_err(serde::de::Error::custom)?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
