//! Learning rates as functions of the step.
//!
//! A schedule is a function of the step and has no memory: there is no `scheduler.step()` to be called at the right
//! place and no counter to be saved, as in PyTorch. Steps count batches, not epochs. To change the learning rate by
//! epoch, use the number of steps per epoch, `samples.div_ceil(batch_size)`:
//!
//! ```text
//! epoch of step s = (s - 1) / steps per epoch          (whole numbers, from 0)
//! ```
//!
//! Schedules follow one another in a [`Chain`], after a [`WarmUp`], or in a closure that calls them. A learning rate
//! that depends on the progress of training is not a schedule: see [`ReduceOnPlateau`](crate::optim::ReduceOnPlateau).
//! A learning rate that is negative, infinite or NaN is an error of the optimizer, which names the step.

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

/// The learning rate as a function of the step. A number is a schedule, and so is a closure.
///
/// The schedule's own values are checked at the first step. A schedule has no state, so resuming needs only the step
/// number.
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
/// | `0.01` | a constant learning rate |
/// | [`CosineDecay`]` { start, steps }` | cosine decay to 0 |
/// | [`CosineRestarts`]` { start, end, steps, growth }` | cosine decay with restarts |
/// | [`ExponentialDecay`]` { start, factor, steps }` | a constant factor per step |
/// | [`StepDecay`]` { start, factor, steps }` | a staircase with stairs of equal length |
/// | [`MultiStepDecay`]` { start, factor, after }` | a staircase whose stairs end after the given steps |
/// | [`PolynomialDecay`]` { start, end, power, steps }` | polynomial decay; a power of 1 is linear |
/// | [`OneCycle`]`::peak(rate, steps)` | up to a peak, then down to nearly 0 |
/// | [`Piecewise`]`::constant(..)`, `::linear(..)` | constant or linear between given points |
/// | [`WarmUp`]` { from, steps, then }` | a linear warm-up to another schedule |
/// | [`Chain`]`::from(a).after(steps, b)` | one schedule after another |
/// | `\|step\| …` | any function of the step |
/// | a custom type | a function that needs data, or a name |
///
/// A whole number (`.learning_rate(1)`) is not a schedule; write `1.0`.
///
/// ```
/// use plywood::optim::Schedule;
///
/// /// The schedule of "Attention is all you need": up for `warmup` steps, then down with the root of the step.
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
/// `Box<dyn Schedule>` is a schedule, so one can be chosen at run time:
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
    /// Returns the learning rate of this step, counted from 1.
    ///
    /// It must depend on `step` and on nothing that changes: it is called more than once per step, and for steps of the
    /// past (an epoch's entry in the history contains the learning rate of its last step).
    fn learning_rate(&self, step: u64) -> f64;

    /// Checks the schedule's own values; the optimizer calls it once, before the first step.
    ///
    /// # Errors
    /// If a value is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A number is a constant learning rate.
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

/// A boxed schedule behaves as the schedule inside.
// An impl for any box, as losses and metrics have one, would overlap with the impl for closures: a boxed closure is a
// closure. A default method that is missing here would be called in place of the schedule's own.
#[deny(clippy::missing_trait_methods)]
impl Schedule for Box<dyn Schedule + '_> {
    fn learning_rate(&self, step: u64) -> f64 {
        (**self).learning_rate(step)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// Checks that a learning rate is at least 0 and finite.
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
        .help("A step is a batch: an epoch has the number of samples divided by the batch size."))
}
