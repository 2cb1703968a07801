//! Polynomial decay: the learning rate is a power of the remaining fraction of steps.

use super::{Schedule, check_factor, check_rate, check_steps};
use crate::error::Result;

/// Polynomial decay from `start` to `end`: `end + (start - end) · (1 - t / steps)^power` for `t` from 0, then `end`.
///
/// ```
/// use plywood::optim::{PolynomialDecay, Schedule};
///
/// let line = PolynomialDecay { start: 0.1, end: 0.0, power: 1.0, steps: 1000 };
/// assert_eq!([line.learning_rate(1), line.learning_rate(501), line.learning_rate(2000)], [0.1, 0.05, 0.0]);
/// ```
///
/// A power of 1 is a straight line; a power of 2 falls fast at first. PyTorch's `PolynomialLR` (with `end` 0) and
/// Keras' `PolynomialDecay` without cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialDecay {
    /// The learning rate of the first step: at least 0.
    pub start: f64,
    /// The learning rate after the last of `steps` steps: at least 0.
    pub end: f64,
    /// The power of the remaining fraction of steps: above 0.
    pub power: f64,
    /// The number of steps until `end`: at least 1.
    pub steps: u64,
}

impl Schedule for PolynomialDecay {
    fn learning_rate(&self, step: u64) -> f64 {
        let t = step.saturating_sub(1).min(self.steps) as f64 / self.steps.max(1) as f64;
        self.end + (self.start - self.end) * (1.0 - t).powf(self.power)
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)?;
        check_rate("the schedule's end", self.end)?;
        check_factor("the schedule's power", self.power)?;
        check_steps("the number of steps of the schedule", self.steps)
    }
}
