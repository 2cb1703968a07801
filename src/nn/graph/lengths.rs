//! The lengths of sequences in a graph that is being built.

use super::builder::Value;
use super::ops::StepMask;
use crate::error::{Error, Result};
use crate::kernels::Scalar;

/// Lengths of sequences: how many steps of each sample are real, the others being padding at the end.
///
/// Steps are axis 1. Lengths travel with a value through everything that works step by step. The mean, the sum and the
/// maximum over the steps leave padding out; so does a layer that reads lengths ([`Ports`](crate::nn::Ports)). What mixes
/// steps in another way is an error. Therefore a text has the same results, to the bit, alone and padded in a batch.
///
/// An [`Embedding`](crate::nn::Embedding) with padding makes lengths out of the ids:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let words = g.input("words", [4]);
/// let x = words.layer(Embedding::vocabulary(50, 8).padding(0)).layer(Dense::units(8)).tanh();
/// g.output("class", x.mean(1).layer(Dense::units(3)).layer(Softmax)); // the mean over the words that are there
/// let model = g.build()?;
/// let alone = model.with_input_shapes(&[("words", &[2])])?.predict(&arr2(&[[7.0, 9.0]]))?;
/// assert_eq!(model.predict(&arr2(&[[7.0, 9.0, 0.0, 0.0]]))?, alone);
///
/// let g = Graph::builder();
/// let x = g.input("words", [4]).layer(Embedding::vocabulary(50, 8).padding(0));
/// g.output("class", x.layer(Flatten).layer(Dense::units(3)));
/// let error = g.build().unwrap_err().to_string();
/// assert!(error.contains("the input \"input\" must have no padding, as its steps would be mixed"), "{error}");
/// # Ok::<(), plywood::Error>(())
/// ```
impl<'g, F: Scalar> Value<'g, F> {
    /// Returns the lengths, `[batch]`, if the value has some.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (x, n) = (g.input("x", [6, 4]), g.input("lengths", []));
    /// let padded = x.with_lengths(n);
    /// let lengths = [x, padded, padded.tanh(), x.with_lengths_of(padded), padded.without_lengths(), padded.mean(1)];
    /// assert_eq!(lengths.map(|x| x.lengths().is_some()), [false, true, true, true, false, false]);
    /// ```
    pub fn lengths(self) -> Option<Self> {
        let lengths = self.builder.inner.borrow().source.lengths[self.value?];
        lengths.map(|value| Self { value: Some(value), ..self })
    }

    /// The value with these lengths, `[batch]`: integers from 0 to the number of steps.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (x, lengths) = (g.input("x", [6, 4]), g.input("lengths", []));
    /// g.output("mean", x.with_lengths(lengths).mean(1));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [4]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn with_lengths(self, lengths: Self) -> Self {
        self.set_lengths("with_lengths", Ok(Some(lengths)))
    }

    /// The value with the lengths of another one, whose steps are the same.
    #[track_caller]
    pub fn with_lengths_of(self, other: Self) -> Self {
        let (own, theirs) = (self.shape(), other.shape());
        let lengths = match other.lengths() {
            _ if other.value.is_none() || self.value.is_none() => return Self { value: None, ..self },
            None => Err(no_lengths()),
            Some(lengths) if own.first() == theirs.first() => Ok(Some(lengths)),
            Some(_) => {
                let expected = format!("[{}, …], as many steps as the other", theirs.first().unwrap_or(&0));
                Err(Error::shape("the value", expected, &own)
                    .help("Lengths belong to values with the same steps."))
            }
        };
        self.set_lengths("with_lengths_of", lengths)
    }

    /// The value without lengths: from here on, padding counts as real steps do.
    #[track_caller]
    pub fn without_lengths(self) -> Self {
        self.set_lengths("without_lengths", Ok(None))
    }

    /// 1 for each real step and 0 for padding, `[batch, steps]`, of a value with lengths. It has no lengths itself.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("words", [4]).layer(Embedding::vocabulary(50, 8).padding(0));
    /// g.output("mask", x.step_mask());
    /// let mask = g.build()?.predict(&arr2(&[[7.0, 9.0, 0.0, 0.0]]))?;
    /// assert_eq!(mask, arr2(&[[1.0, 1.0, 0.0, 0.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// For a weighted mean, an attention over the steps, no mask is needed: all of it works on values with lengths.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("words", [4]).layer(Embedding::vocabulary(50, 8).padding(0));
    /// let scores = x.layer(Dense::units(1)); // [batch, steps, 1]
    /// let weights = (scores - scores.max_keepdim(1)).exp();
    /// g.output("text", (x * weights / weights.sum_keepdim(1)).sum(1));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [8]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn step_mask(self) -> Self {
        match self.lengths() {
            Some(lengths) => self.builder.op(StepMask, &[self, lengths]),
            None if self.value.is_none() => self,
            None => self.builder.value("step_mask", Err(no_lengths())),
        }
    }

    #[track_caller]
    fn set_lengths(self, place: &str, lengths: Result<Option<Self>>) -> Self {
        let builder = self.builder;
        let pushed = lengths.and_then(|lengths| {
            let lengths = match lengths {
                Some(lengths) => match builder.of(lengths)? {
                    Some(lengths) => Some(lengths),
                    None => return Ok(None),
                },
                None => None,
            };
            let Some(value) = self.value else { return Ok(None) };
            builder.inner.borrow_mut().source.push_lengths(value, lengths).map(Some)
        });
        match pushed {
            Ok(Some(value)) => Self { value: Some(value), ..self },
            Ok(None) => Self { value: None, ..self },
            Err(error) => builder.value(place, Err(error)),
        }
    }

    /// Whether it is the axis of the steps.
    pub(super) fn is_steps(self, axis: isize) -> bool {
        axis == 1 || self.value.is_some() && axis == -(self.shape().len() as isize)
    }
}

/// The error of a value that has to have lengths.
fn no_lengths() -> Error {
    Error::data("the value", "have lengths", "none")
        .help("An `Embedding` with padding makes them, and `x.with_lengths(lengths)` sets them.")
}
