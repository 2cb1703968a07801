//! Rates that fall by one ratio from step to step.

use super::{Schedule, check_factor, check_rate};
use crate::error::Result;

/// `start · factor^(t / steps)` for `t` from 0: the rate falls by `factor` every `steps` steps, smoothly.
///
/// ```
/// use plywood::optim::{ExponentialDecay, Schedule};
///
/// let schedule = ExponentialDecay { start: 0.1, factor: 0.5, steps: 100 };
/// assert!((schedule.learning_rate(201) - 0.025).abs() < 1e-12);
/// ```
///
/// From one step to the next the rate is multiplied by `factor^(1 / steps)`. Keras' `ExponentialDecay` without
/// `staircase` has the same formula; PyTorch's `ExponentialLR` is this one with `steps` the number of steps of an
/// epoch, taken once an epoch. For stairs, see [`StepDecay`](crate::optim::StepDecay).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    /// The rate of the first step.
    pub start: f64,
    /// What the rate is multiplied by in each `steps` steps.
    ///
    /// Above 0. Below 1 it falls, above 1 it grows; a rate that becomes infinite is refused at the step.
    pub factor: f64,
    /// The number of steps in which the rate changes by `factor`.
    ///
    /// 0 counts as 1.
    pub steps: u64,
}

impl Schedule for ExponentialDecay {
    fn learning_rate(&self, step: u64) -> f64 {
        self.start * self.factor.powf(step.saturating_sub(1) as f64 / self.steps.max(1) as f64)
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)?;
        check_factor("the schedule's factor", self.factor)
    }
}
