//! Optimisers: rules for one array, and what is common to all.

mod adam;
mod optimizer;
mod schedule;
mod sgd;

pub use adam::{Adam, AdamW};
pub use optimizer::Optimizer;
pub use schedule::{CosineDecay, ExponentialDecay, Schedule};
pub use sgd::SGD;

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// An optimiser's rule: how one parameter's numbers change, given their gradient.
///
/// What is common to all rules is not in here: [`Optimizer`] keeps the state of each parameter, counts the steps,
/// asks the schedule for the rate, and clips. The state is a fixed number of arrays, each in the parameter's shape
/// and 0 at first (a momentum, a mean of squares); numbers that all parameters share belong into the rule's own
/// fields, changed in [`begin_step`](Rule::begin_step), and are saved with it.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::{Rule, Scope, Step, Update};
/// use serde::{Deserialize, Serialize};
///
/// /// `value -= rate · sign(gradient)`: Riedmiller and Braun's idea at its barest.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct SignDescent;
///
/// impl<F: Scalar> Rule<F> for SignDescent {
///     fn default_rate(&self) -> f64 {
///         1e-4
///     }
///     fn states(&self) -> usize {
///         0
///     }
///     fn update(&self, update: Update<'_, F>, step: Step) {
///         let rate = F::of(step.rate);
///         for (value, gradient) in update.value.iter_mut().zip(update.gradient) {
///             *value -= rate * gradient.signum();
///         }
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, SignDescent).learning_rate(1e-3);
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimiser's rule for parameters of `{F}`",
    note = "implement `plywood::Rule<{F}>`; it needs `Clone, Debug, Serialize, Deserialize`"
)]
pub trait Rule<F: Scalar = f32>: Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// The learning rate where the user sets none.
    fn default_rate(&self) -> f64;

    /// How many arrays of state each parameter has.
    fn states(&self) -> usize;

    /// What the rule looks at: single numbers, or a parameter as a whole.
    fn scope(&self) -> Scope {
        Scope::Elements
    }

    /// Called once at the beginning of each step: to check the rule's own numbers, and to change those that all
    /// parameters share.
    ///
    /// # Errors
    /// When a hyper-parameter is out of range; the model is left unchanged then.
    fn begin_step(&mut self, step: Step) -> Result<()> {
        let _ = step;
        Ok(())
    }

    /// Changes the numbers of a parameter, or of a part of one where the scope is [`Scope::Elements`].
    fn update(&self, update: Update<'_, F>, step: Step);
}

/// What a [`Rule`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Each number for itself: the rule may be given any part of a parameter, such as the rows that an embedding
    /// touched.
    Elements,
    /// The whole array at once, as a rule for matrices needs it.
    Parameter,
}

/// Where training stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The number of this step, from 1.
    pub number: u64,
    /// The learning rate.
    pub rate: f64,
}

/// The numbers that a [`Rule`] works on, all of one length.
#[derive(Debug)]
#[non_exhaustive]
pub struct Update<'a, F> {
    /// The parameter's numbers, to be changed.
    pub value: &'a mut [F],
    /// The loss's gradient at them.
    pub gradient: &'a [F],
    /// The rule's state, as many as [`Rule::states`] says.
    pub state: &'a mut [&'a mut [F]],
    /// The parameter's shape; of a part, the part's length alone.
    pub shape: &'a [usize],
}

/// Checks that a share, such as a momentum, is at least 0 and below 1.
fn check_share(name: &str, share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::argument(name, "at least 0 and below 1", share).help("0.9 is a usual value."))
}

/// Checks that a number is at least 0 and finite.
fn check_not_negative(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(name, "at least 0 and finite", value).help("0 turns it off."))
}
