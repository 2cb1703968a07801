//! What is saved of update rules, metrics and callbacks: values by name.
//!
//! Who has a state says what is in it by name, in [`State`]; how it becomes bytes is settled here, once for all. The
//! name under which a state as a whole is saved is its [`Kind`].

mod kind;

pub use kind::Kind;

use crate::codec::limits::{MAX_DEPTH, MAX_VALUES};
use crate::codec::{self, limits};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;
use ndarray::Array1;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values by name: what an [`UpdateRule`](crate::optim::UpdateRule), an [`Optimizer`](crate::optim::Optimizer), a
/// [`Metric`](crate::metrics::Metric) or a [`Callback`](crate::train::Callback) has gathered, to be saved and put back.
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
///     "the state must have a number \"worst\", got best. It was written by another version, or it is damaged."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | what it is for |
/// |---|---|
/// | `number` | a sum, a best value: an `f64`, whatever the element type |
/// | `integer` | a whole number from 0 to 2^64 - 1 |
/// | `flag` | true or false |
/// | `text` | text |
/// | `list` | any number of `f64` |
/// | `integers` | any number of whole numbers, such as the ids of rows |
/// | `bytes` | bytes in a form of their own |
/// | `array` | a tensor of the element type, such as a copy of a parameter |
/// | `nested` | another state, up to 8 levels deep |
///
/// Names have to differ. Each bit comes back, NaN included. A state is taken apart: what is taken is gone, and what
/// nobody has taken in the end is an error, as it belongs to something else. All states of a file together have at most
/// 131,072 values. It goes through serde, in any format.
#[derive(Clone, Debug, PartialEq)]
pub struct State<F: Scalar = f32> {
    values: Vec<(String, Value<F>)>,
    /// Behind what was taken last, as things are mostly taken in order.
    next: usize,
}

/// What stands under a name. The order of the variants is part of the file format. Arrays are boxed, so that a value of a hostile file takes
/// little more memory than bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
enum Value<F: Scalar> {
    Number(#[serde(with = "crate::codec::words")] f64),
    Integer(u64),
    Flag(bool),
    Text(String),
    /// With one axis; not a `Vec`, so that a file has the numbers apart.
    List(#[serde(with = "boxed")] Box<Tensor<f64>>),
    Integers(#[serde(with = "codec::blob::integers")] Vec<u64>),
    Bytes(#[serde(with = "codec::blob")] Vec<u8>),
    Array(#[serde(with = "boxed")] Box<Tensor<F>>),
    Nested(State<F>),
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

    /// Adds a whole number.
    #[must_use]
    pub fn integer(self, name: impl Into<String>, number: u64) -> Self {
        self.with(name, Value::Integer(number))
    }

    /// Adds a yes or no.
    #[must_use]
    pub fn flag(self, name: impl Into<String>, flag: bool) -> Self {
        self.with(name, Value::Flag(flag))
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.with(name, Value::Text(text.into()))
    }

    /// Adds a list of numbers; an `Option<f64>` is one of none or one.
    #[must_use]
    pub fn list(self, name: impl Into<String>, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.with(name, Value::List(Box::new(Array1::from_iter(numbers).into_dyn())))
    }

    /// Adds a list of whole numbers.
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
    /// Its names are its own, so that names which are not known beforehand cannot meet others.
    #[must_use]
    pub fn nested(self, name: impl Into<String>, state: Self) -> Self {
        self.with(name, Value::Nested(state))
    }

    fn with(mut self, name: impl Into<String>, value: Value<F>) -> Self {
        self.values.push((name.into(), value));
        self
    }

    fn left(&self) -> impl Iterator<Item = &(String, Value<F>)> {
        self.values.iter().filter(|(_, value)| !matches!(value, Value::Taken))
    }

    /// The names that are left, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.left().map(|(name, _)| name.as_str())
    }

    /// Whether a value of this name is left.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Takes a number out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_number(&mut self, name: &str) -> Result<f64> {
        self.take("a number", name, |value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// When there is none of this name, or it is too large for the type that is asked for.
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

    /// Takes a yes or no out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_flag(&mut self, name: &str) -> Result<bool> {
        self.take("a flag", name, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Takes a text out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_text(&mut self, name: &str) -> Result<String> {
        self.take("a text", name, |value| match value {
            Value::Text(text) => Some(std::mem::take(text)),
            _ => None,
        })
    }

    /// Takes a list out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_list(&mut self, name: &str) -> Result<Vec<f64>> {
        self.take("a list", name, |value| match value {
            Value::List(list) => Some(std::mem::take(list).into_iter().collect()),
            _ => None,
        })
    }

    /// Takes a list of whole numbers out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_integers(&mut self, name: &str) -> Result<Vec<u64>> {
        self.take("a list of whole numbers", name, |value| match value {
            Value::Integers(numbers) => Some(std::mem::take(numbers)),
            _ => None,
        })
    }

    /// Takes bytes out.
    ///
    /// # Errors
    /// When there are none of this name.
    pub fn take_bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        self.take("a list of bytes", name, |value| match value {
            Value::Bytes(bytes) => Some(std::mem::take(bytes)),
            _ => None,
        })
    }

    /// Takes an array out. Its shape is that of the file: compare it with what you expect.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_array(&mut self, name: &str) -> Result<Tensor<F>> {
        self.take("an array", name, |value| match value {
            Value::Array(array) => Some(*std::mem::take(array)),
            _ => None,
        })
    }

    /// Takes a state out.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn take_nested(&mut self, name: &str) -> Result<Self> {
        self.take("a state", name, |value| match value {
            Value::Nested(state) => Some(std::mem::take(state)),
            _ => None,
        })
    }

    /// A list in groups of `N`.
    pub(crate) fn take_rows<const N: usize>(&mut self, name: &str) -> Result<Vec<[f64; N]>> {
        let list = self.take_list(name)?;
        match list.as_chunks() {
            (rows, []) => Ok(rows.to_vec()),
            _ => Err(misfit(name, format!("be groups of {N} numbers"), format!("{} numbers", list.len()))),
        }
    }

    /// Refuses what nobody has taken.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.names().next() {
            None => Ok(()),
            Some(name) => Err(Error::format("the state", "have no entries left", format!("{name:?}"))
                .help("Take all entries in `load_state` that `state` puts in, or check whose state it is.")),
        }
    }

    /// Takes the value of this name that `get` knows, and marks it as taken.
    fn take<T>(&mut self, what: &str, name: &str, get: impl Fn(&mut Value<F>) -> Option<T>) -> Result<T> {
        let count = self.values.len();
        // From the one that is expected to the end, and round to it.
        for at in (self.next..count).chain(0..self.next.min(count)) {
            let (known, value) = &mut self.values[at];
            if known == name
                && let Some(taken) = get(value)
            {
                *value = Value::Taken;
                self.next = at + 1;
                return Ok(taken);
            }
        }
        Err(self.lacks(what, name))
    }

    fn lacks(&self, what: &str, name: &str) -> Error {
        const SHOWN: usize = 10;
        let mut found: Vec<&str> = self.names().take(SHOWN).collect();
        match self.names().count() {
            0 => found.push("nothing"),
            n if n > SHOWN => found.push("…"),
            _ => {}
        }
        Error::data("the state", format!("have {what} {name:?}"), found.join(", ")).help(DAMAGED)
    }

    /// How many levels there are, and how many values on all of them.
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
    fn check(&self) -> Result<()> {
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

/// The error of a part that is not as it should be.
pub(crate) fn misfit(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::format(format!("the entry {name:?} of the state"), expected.into(), found.into()).help(DAMAGED)
}

/// A whole number that is exact as an `f64`.
pub(crate) fn whole(number: f64) -> Option<usize> {
    let most = 2f64.powi(53);
    (number.fract() == 0.0 && (0.0..=most).contains(&number)).then_some(number as usize)
}

/// Serde for a tensor in a box.
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

/// A value with its name, counted among those of the whole file.
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

/// What was taken out is left out. A state that no file could give back is refused here already.
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
        let values = values.into_iter().map(|Counted(Entry(name, value))| (name, value)).collect();
        Ok(Self { values, next: 0 })
    }
}

#[cfg(test)]
mod tests;
