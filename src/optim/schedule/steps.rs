//! Staircase and piecewise schedules.

use super::{Schedule, check_factor, check_rate};
use crate::error::{Error, Result};

/// Step decay: multiplies the learning rate by `factor` every `steps` steps, `start · factor^⌊t / steps⌋` for `t`
/// from 0.
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
    /// The learning rate of the first stair: at least 0.
    pub start: f64,
    /// The factor of the learning rate from one stair to the next: above 0.
    pub factor: f64,
    /// The number of steps per stair: at least 1.
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

/// Multiplies the learning rate by `factor` after each of the given steps: `start · factor^n` after `n` of them.
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
    /// The learning rate up to the first of the given steps: at least 0.
    pub start: f64,
    /// The factor of the learning rate at each of them: above 0.
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

/// Learning rates at given steps, constant or linear in between.
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
/// Before the first given step the learning rate is the first one, and after the last step the last one. A boundary of
/// Keras' `PiecewiseConstantDecay` is smaller by 2 than the step given here: Keras counts steps from 0, and a boundary
/// is the last step of a piece, while here it is the first step of the next piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Piecewise {
    points: Vec<(u64, f64)>,
    lines: bool,
}

impl Piecewise {
    /// Creates a schedule that has the given learning rate from each given step on; steps rise from point to point.
    pub fn constant(points: impl Into<Vec<(u64, f64)>>) -> Self {
        Self { points: points.into(), lines: false }
    }

    /// Creates a schedule with the given learning rate at each given step, linear in between; steps rise from point to
    /// point.
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
        let unordered = self.points.windows(2).find(|pair| pair[0].0 >= pair[1].0);
        let found = match unordered {
            Some(pair) => format!("step {} after step {}", pair[1].0, pair[0].0),
            None if self.points.is_empty() => "no points".to_owned(),
            None => String::new(),
        };
        if !found.is_empty() {
            return Err(Error::data("the piecewise schedule", "have points at rising steps", found)
                .help("Give (step, rate) pairs in order, such as [(1, 0.1), (1001, 0.01)]."));
        }
        self.points
            .iter()
            .try_for_each(|&(step, rate)| check_rate(&format!("the rate from step {step}"), rate))
    }
}
