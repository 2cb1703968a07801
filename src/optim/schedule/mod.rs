//! Learning rates as functions of the step.
//!
//! A schedule is asked for the rate of a step, and has no memory: there is no `scheduler.step()` to be called at
//! the right place and no counter to be saved, as there is in PyTorch. Steps count batches, not epochs. What should
//! change by epoch takes the number of steps that an epoch has, `samples.div_ceil(batch_size)`, into account:
//!
//! ```text
//! epoch of step s = (s - 1) / steps per epoch          (whole numbers, from 0)
//! ```
//!
//! Schedules come one after the other in a [`Chain`], after a [`WarmUp`], or in a closure that calls them. What depends
//! on how training goes is no schedule: see [`ReduceOnPlateau`](crate::optim::ReduceOnPlateau). The optimizer refuses a
//! rate that is negative, infinite or NaN, with the number of the step.

mod chain;
mod cosine;
mod exponential;
mod polynomial;
mod steps;

pub use chain::{Chain, WarmUp};
pub use cosine::{CosineDecay, CosineRestarts, OneCycle};
pub use exponential::ExponentialDecay;
pub use polynomial::PolynomialDecay;
pub use steps::{MultiStepDecay, Piecewise, StepDecay};

use crate::error::{Error, Result};

/// The learning rate of each step. A number is a schedule, and so is a closure.
///
/// Its own numbers are checked at the first step. A schedule has no state, so resuming needs only the number of the
/// step.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::optim::Schedule;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///     .learning_rate(|step| if step <= 1000 { 1e-3 } else { 1e-4 });
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// assert_eq!(0.1.learning_rate(7), 0.1);
/// ```
///
/// | what you write | what it means |
/// |---|---|
/// | `0.01` | the same rate at each step |
/// | [`CosineDecay`]` { start, steps }` | down to 0 along half a cosine |
/// | [`CosineRestarts`]` { start, end, steps, growth }` | the same again and again |
/// | [`ExponentialDecay`]` { start, factor, steps }` | a fixed ratio from step to step |
/// | [`StepDecay`]` { start, factor, steps }` | in stairs of equal length |
/// | [`MultiStepDecay`]` { start, factor, after }` | in stairs that end where you say |
/// | [`PolynomialDecay`]` { start, end, power, steps }` | along a power, 1 for a line |
/// | [`OneCycle`]`::peak(rate, steps)` | up to a peak, then down to nearly 0 |
/// | [`Piecewise`]`::constant(..)`, `::linear(..)` | through given points |
/// | [`WarmUp`]` { from, steps, then }` | a line up to another schedule |
/// | [`Chain`]`::from(a).after(steps, b)` | one schedule after another |
/// | `\|step\| …` | any function of the step |
/// | a type of your own | where the function needs data, or a name |
///
/// A whole number (`.learning_rate(1)`) is not a schedule; write `1.0`.
///
/// ```
/// use plywood::optim::Schedule;
///
/// /// As "Attention is all you need" has it: up for `warmup` steps, then down with the root of the step.
/// struct Noam {
///     width: f64,
///     warmup: f64,
/// }
///
/// impl Schedule for Noam {
///     fn learning_rate(&self, step: u64) -> f64 {
///         let step = step as f64;
///         self.width.powf(-0.5) * step.powf(-0.5).min(step * self.warmup.powf(-1.5))
///     }
/// }
///
/// let noam = Noam { width: 512.0, warmup: 4000.0 };
/// assert!(noam.learning_rate(3999) < noam.learning_rate(4000) && noam.learning_rate(4000) > noam.learning_rate(4001));
/// ```
///
/// `Box<dyn Schedule>` is a schedule, so one can be chosen when the program runs:
///
/// ```
/// use plywood::optim::{CosineDecay, Schedule};
/// use plywood::prelude::*;
///
/// fn schedule(name: &str) -> Box<dyn Schedule> {
///     match name {
///         "cosine" => Box::new(CosineDecay { start: 0.1, steps: 500 }),
///         _ => Box::new(0.01),
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).learning_rate(schedule("cosine"));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a learning rate schedule",
    note = "give a number with a point (`0.001`), a closure from the step to the rate, or a `plywood::optim::Schedule`",
    note = "a box is one as `Box<dyn plywood::optim::Schedule>`"
)]
pub trait Schedule: Send {
    /// The rate of this step, from 1.
    ///
    /// It must depend on `step` and on nothing that changes: it is asked for more than once for a step, and for
    /// steps of the past (an epoch's entry in the history names the rate of its last step).
    fn learning_rate(&self, step: u64) -> f64;

    /// Checks the schedule's own numbers; the optimizer asks once, before the first step.
    ///
    /// # Errors
    /// When one is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A number is the same rate at each step.
impl Schedule for f64 {
    fn learning_rate(&self, _: u64) -> f64 {
        *self
    }
}

/// A closure is called with the step.
impl<T: Fn(u64) -> f64 + Send> Schedule for T {
    fn learning_rate(&self, step: u64) -> f64 {
        self(step)
    }
}

/// A box of a schedule is the schedule.
// Any box, as for losses and metrics, would overlap with the closures: a box of a closure is a closure. A default method
// that is left out here would be called in place of the schedule's own.
#[deny(clippy::missing_trait_methods)]
impl Schedule for Box<dyn Schedule + '_> {
    fn learning_rate(&self, step: u64) -> f64 {
        (**self).learning_rate(step)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// Checks that a rate is at least 0 and finite.
fn check_rate(name: &str, rate: f64) -> Result<()> {
    if rate >= 0.0 && rate.is_finite() {
        return Ok(());
    }
    Err(Error::argument(name, "at least 0 and finite", rate).help("It is a learning rate."))
}

/// Checks that a factor is above 0 and finite.
fn check_factor(name: &str, factor: f64) -> Result<()> {
    if factor > 0.0 && factor.is_finite() {
        return Ok(());
    }
    Err(Error::argument(name, "positive and finite", factor).help("Give a number such as 0.5."))
}

/// Checks that a number of steps is above 0.
fn check_steps(name: &str, steps: u64) -> Result<()> {
    if steps > 0 {
        return Ok(());
    }
    Err(Error::argument(name, "at least 1", 0)
        .help("Steps are batches: an epoch has the number of samples divided by the batch size."))
}
