//! Rates that fall in stairs.

use super::{Schedule, check_factor, check_rate};
use crate::error::{Error, Result};

/// Multiplied by `factor` every `steps` steps: `start · factor^⌊t / steps⌋` for `t` from 0.
///
/// ```
/// use plywood::optim::{Schedule, StepDecay};
///
/// let schedule = StepDecay { start: 0.1, factor: 0.5, steps: 100 };
/// assert_eq!([schedule.learning_rate(100), schedule.learning_rate(101), schedule.learning_rate(201)], [0.1, 0.05, 0.025]);
/// ```
///
/// PyTorch's `StepLR`; Keras' `ExponentialDecay` with `staircase`. [`ExponentialDecay`](crate::optim::ExponentialDecay)
/// is the smooth form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    /// The rate of the first stair: at least 0.
    pub start: f64,
    /// What the rate is multiplied by at each stair: above 0.
    pub factor: f64,
    /// The steps of a stair: at least 1.
    pub steps: u64,
}

impl Schedule for StepDecay {
    fn learning_rate(&self, step: u64) -> f64 {
        self.start * self.factor.powf((step.saturating_sub(1) / self.steps.max(1)) as f64)
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)?;
        check_factor("the schedule's factor", self.factor)?;
        super::check_steps("the number of steps of a stair", self.steps)
    }
}

/// Multiplied by `factor` after each of the given steps: `start · factor^(how many of them are over)`.
///
/// ```
/// use plywood::optim::{MultiStepDecay, Schedule};
///
/// let schedule = MultiStepDecay { start: 0.1, factor: 0.5, after: vec![300, 400] };
/// assert_eq!([schedule.learning_rate(300), schedule.learning_rate(301), schedule.learning_rate(401)], [0.1, 0.05, 0.025]);
/// ```
///
/// PyTorch's `MultiStepLR`, whose milestones are `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepDecay {
    /// The rate before the first of them: at least 0.
    pub start: f64,
    /// What the rate is multiplied by: above 0.
    pub factor: f64,
    /// The last step of each stair, in any order.
    pub after: Vec<u64>,
}

impl Schedule for MultiStepDecay {
    fn learning_rate(&self, step: u64) -> f64 {
        let over = self.after.iter().filter(|&&after| step > after).count();
        self.start * self.factor.powf(over as f64)
    }

    fn check(&self) -> Result<()> {
        check_rate("the schedule's start", self.start)?;
        check_factor("the schedule's factor", self.factor)
    }
}

/// Rates from given steps on, with jumps or with straight lines between them.
///
/// ```
/// use plywood::optim::{Piecewise, Schedule};
///
/// let jumps = Piecewise::constant([(1, 0.1), (101, 0.01)]);
/// assert_eq!([jumps.learning_rate(100), jumps.learning_rate(101)], [0.1, 0.01]);
/// let lines = Piecewise::linear([(1, 0.0), (11, 0.1), (31, 0.0)]);
/// assert_eq!([lines.learning_rate(6), lines.learning_rate(11), lines.learning_rate(21), lines.learning_rate(40)], [0.05, 0.1, 0.05, 0.0]);
/// ```
///
/// Before the first given step the rate is the first one, after the last the last one. Keras' `PiecewiseConstantDecay`
/// has a boundary where the next rate begins here, less 2: it counts from 0, and a boundary is the last step of a
/// piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Piecewise {
    points: Vec<(u64, f64)>,
    lines: bool,
}

impl Piecewise {
    /// From each of these steps on, this rate; steps rise from point to point.
    pub fn constant(points: impl Into<Vec<(u64, f64)>>) -> Self {
        Self { points: points.into(), lines: false }
    }

    /// At each of these steps this rate, and on a straight line between; steps rise from point to point.
    pub fn linear(points: impl Into<Vec<(u64, f64)>>) -> Self {
        Self { points: points.into(), lines: true }
    }
}

impl Schedule for Piecewise {
    fn learning_rate(&self, step: u64) -> f64 {
        let next = self.points.iter().position(|&(from, _)| from > step).unwrap_or(self.points.len());
        let (before, after) = (self.points.get(next.wrapping_sub(1)), self.points.get(next));
        match (before, after) {
            (Some(&(from, rate)), Some(&(to, target))) if self.lines => {
                rate + (target - rate) * ((step - from) as f64 / (to - from) as f64)
            }
            (Some(&(_, rate)), _) | (None, Some(&(_, rate))) => rate,
            (None, None) => f64::NAN,
        }
    }

    fn check(&self) -> Result<()> {
        if self.points.is_empty() || !self.points.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(Error::data("the piecewise schedule", "have points at rising steps", "others")
                .help("Give (step, rate) pairs, such as [(1, 0.1), (1001, 0.01)]."));
        }
        self.points
            .iter()
            .try_for_each(|&(step, rate)| check_rate(&format!("the rate from step {step}"), rate))
    }
}
