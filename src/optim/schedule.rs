//! Learning rates as functions of the step.

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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a learning rate schedule",
    note = "give a number with a point (`0.001`), a closure from the step to the rate, or a `plywood::Schedule`"
)]
pub trait Schedule: Send {
    /// The rate of this step, from 1.
    fn rate(&self, step: u64) -> f64;
}

impl Schedule for f64 {
    fn rate(&self, _: u64) -> f64 {
        *self
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineDecay {
    /// The rate of the first step.
    pub start: f64,
    /// The number of steps until 0.
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialDecay {
    /// The rate of the first step.
    pub start: f64,
    /// What the rate is multiplied by in each `steps` steps.
    pub factor: f64,
    /// The number of steps in which the rate changes by `factor`.
    pub steps: u64,
}

impl Schedule for ExponentialDecay {
    fn rate(&self, step: u64) -> f64 {
        self.start * self.factor.powf(step.saturating_sub(1) as f64 / self.steps.max(1) as f64)
    }
}
