//! Exponential decay: the learning rate changes by a constant factor per step.

use super::{Schedule, check_factor, check_rate};
use crate::error::Result;

/// Exponential decay: `start · factor^(t / steps)` for `t` from 0. The learning rate changes smoothly by `factor` every
/// `steps` steps.
///
/// ```
/// use plywood::optim::{ExponentialDecay, Schedule};
///
/// let schedule = ExponentialDecay { start: 0.1, factor: 0.5, steps: 100 };
/// assert!((schedule.learning_rate(201) - 0.025).abs() < 1e-12);
/// ```
///
/// The learning rate is multiplied by `factor^(1 / steps)` per step. Keras' `ExponentialDecay` without `staircase` has
/// the same formula. PyTorch's `ExponentialLR` changes once per epoch: its values are those of this schedule at the
/// first step of each epoch, with `steps` the number of steps per epoch. For a staircase, see
/// [`StepDecay`](crate::optim::StepDecay).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    /// The learning rate of the first step.
    pub start: f64,
    /// The factor by which the learning rate changes over `steps` steps.
    ///
    /// Above 0. Below 1 the learning rate falls, above 1 it grows; if it becomes infinite, the step returns an error.
    pub factor: f64,
    /// The number of steps over which the learning rate changes by `factor`.
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
