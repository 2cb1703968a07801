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
//! Schedules are combined by writing a closure that calls them: a warm-up before a decay is one line (see
//! [`CosineDecay`]). The optimiser refuses a rate that is negative, infinite or NaN, with the number of the step.

use crate::error::Result;

/// The learning rate of each step. A number is a schedule, and so is a closure.
///
/// A schedule has no state, so resuming needs only the number of the step.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::Schedule;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
///     .learning_rate(|step| if step <= 1000 { 1e-3 } else { 1e-4 });
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// assert_eq!(0.1.rate(7), 0.1);
/// ```
///
/// | what you write | what it means |
/// |---|---|
/// | `0.01` | the same rate at each step |
/// | `CosineDecay { start, steps }` | down to 0 along half a cosine |
/// | `ExponentialDecay { start, factor, steps }` | a fixed ratio from step to step |
/// | `\|step\| …` | any function of the step |
/// | a type of your own | where the function needs data, or a name |
///
/// A whole number (`.learning_rate(1)`) is not a schedule; write `1.0`.
///
/// ```
/// use plywood::Schedule;
///
/// /// As "Attention is all you need" has it: up for `warmup` steps, then down with the root of the step.
/// struct Noam {
///     width: f64,
///     warmup: f64,
/// }
///
/// impl Schedule for Noam {
///     fn rate(&self, step: u64) -> f64 {
///         let step = step as f64;
///         self.width.powf(-0.5) * step.powf(-0.5).min(step * self.warmup.powf(-1.5))
///     }
/// }
///
/// let noam = Noam { width: 512.0, warmup: 4000.0 };
/// assert!(noam.rate(3999) < noam.rate(4000) && noam.rate(4000) > noam.rate(4001));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a learning rate schedule",
    note = "give a number with a point (`0.001`), a closure from the step to the rate, or a `plywood::Schedule`"
)]
pub trait Schedule: Send {
    /// The rate of this step, from 1.
    ///
    /// It must depend on `step` and on nothing that changes: it is asked for more than once for a step, and for
    /// steps of the past (an epoch's entry in the history names the rate of its last step).
    fn rate(&self, step: u64) -> f64;

    /// Checks the schedule's own numbers; the optimiser asks once, before the first step.
    ///
    /// # Errors
    /// When one is out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A number is the same rate at each step.
impl Schedule for f64 {
    fn rate(&self, _: u64) -> f64 {
        *self
    }
}

/// A closure is called with the step.
impl<T: Fn(u64) -> f64 + Send> Schedule for T {
    fn rate(&self, step: u64) -> f64 {
        self(step)
    }
}

/// From `start` down to 0 along half a cosine: `start · (1 + cos(π · t / steps)) / 2` for `t` from 0, then 0.
///
/// Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without the restarts.
///
/// ```
/// use plywood::{CosineDecay, Schedule};
///
/// let schedule = CosineDecay { start: 0.1, steps: 1000 };
/// assert_eq!(schedule.rate(1), 0.1);
/// assert!((schedule.rate(501) - 0.05).abs() < 1e-12);
/// assert_eq!(schedule.rate(2000), 0.0);
/// ```
///
/// Rates of neighbouring steps differ most in the middle and hardly at both ends: about half of the steps have a
/// rate above half of `start`. It is PyTorch's `CosineAnnealingLR` with `eta_min` 0 and Keras' `CosineDecay` with
/// `alpha` 0; both count steps from 0, this one from 1.
///
/// A warm-up before it:
///
/// ```
/// use plywood::{CosineDecay, Schedule};
///
/// let decay = CosineDecay { start: 0.1, steps: 900 };
/// let schedule = move |step: u64| if step <= 100 { 0.001 * step as f64 } else { decay.rate(step - 100) };
/// assert_eq!((schedule.rate(50), schedule.rate(101)), (0.05, 0.1));
/// assert!(schedule.rate(1001) < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineDecay {
    /// The rate of the first step.
    pub start: f64,
    /// The number of steps until 0.
    ///
    /// Step `steps + 1` is the first whose rate is 0, and so are all after it: training on has no effect. 0 counts
    /// as 1.
    pub steps: u64,
}

impl Schedule for CosineDecay {
    fn rate(&self, step: u64) -> f64 {
        let t = step.saturating_sub(1).min(self.steps) as f64 / self.steps.max(1) as f64;
        self.start * (1.0 + (std::f64::consts::PI * t).cos()) / 2.0
    }
}

/// `start · factor^(t / steps)` for `t` from 0: the rate falls by `factor` every `steps` steps, smoothly.
///
/// ```
/// use plywood::{ExponentialDecay, Schedule};
///
/// let schedule = ExponentialDecay { start: 0.1, factor: 0.5, steps: 100 };
/// assert!((schedule.rate(201) - 0.025).abs() < 1e-12);
/// ```
///
/// From one step to the next the rate is multiplied by `factor^(1 / steps)`. Keras' `ExponentialDecay` without
/// `staircase` has the same formula; PyTorch's `ExponentialLR` is this one with `steps` the number of steps of an
/// epoch, taken once an epoch. For stairs, round the number of decays down in a closure:
///
/// ```
/// use plywood::Schedule;
///
/// let stairs = |step: u64| 0.1 * 0.5f64.powf(((step - 1) / 100) as f64);
/// assert_eq!([stairs.rate(100), stairs.rate(101)], [0.1, 0.05]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    /// The rate of the first step.
    pub start: f64,
    /// What the rate is multiplied by in each `steps` steps.
    ///
    /// Below 1 it falls, above 1 it grows. It is not checked here, but a rate that becomes infinite is refused at
    /// the step.
    pub factor: f64,
    /// The number of steps in which the rate changes by `factor`.
    ///
    /// 0 counts as 1.
    pub steps: u64,
}

impl Schedule for ExponentialDecay {
    fn rate(&self, step: u64) -> f64 {
        self.start * self.factor.powf(step.saturating_sub(1) as f64 / self.steps.max(1) as f64)
    }
}
