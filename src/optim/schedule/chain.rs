//! Schedules that follow one another.

use super::{Schedule, check_rate};
use crate::error::{Error, Result};

/// A linear warm-up to another schedule, which then begins.
///
/// ```text
/// from + (then(1) - from) · t / steps        for t from 0 to steps - 1, then `then` from its first step on
/// ```
///
/// ```
/// use plywood::optim::{CosineDecay, Schedule, WarmUp};
///
/// let schedule = WarmUp { from: 0.01, steps: 100, then: CosineDecay { start: 0.1, steps: 900 } };
/// assert_eq!([schedule.learning_rate(1), schedule.learning_rate(101)], [0.01, 0.1]);
/// assert!((schedule.learning_rate(51) - 0.055).abs() < 1e-12);
/// let constant = WarmUp { from: 0.0, steps: 100, then: 0.001 };
/// assert_eq!(constant.learning_rate(5000), 0.001);
/// ```
///
/// Goyal and others, "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017. PyTorch's `LinearLR` in a
/// `SequentialLR`; Keras' `warmup_steps` of `CosineDecay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp<S> {
    /// The learning rate of the first step: at least 0.
    pub from: f64,
    /// The number of warm-up steps. With 0 there is no warm-up.
    pub steps: u64,
    /// The schedule after the warm-up: a number, a closure, any schedule.
    pub then: S,
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn learning_rate(&self, step: u64) -> f64 {
        if step > self.steps {
            return self.then.learning_rate(step - self.steps);
        }
        let share = step.saturating_sub(1) as f64 / self.steps as f64;
        self.from + (self.then.learning_rate(1) - self.from) * share
    }

    fn check(&self) -> Result<()> {
        check_rate("the first rate of the warm-up", self.from)?;
        self.then.check()
    }
}

/// Several schedules one after the other, each starting at its own first step.
///
/// ```
/// use plywood::optim::{Chain, CosineDecay, Schedule};
///
/// let schedule = Chain::from(0.1).after(1000, CosineDecay { start: 0.1, steps: 500 }).after(1500, 1e-4);
/// assert_eq!([schedule.learning_rate(1), schedule.learning_rate(1001), schedule.learning_rate(1501)], [0.1, 0.1, 1e-4]);
/// ```
///
/// PyTorch's `SequentialLR`, whose milestones are the steps given to [`after`](Chain::after). PyTorch's
/// `ChainedScheduler` multiplies the factors of several schedules; here a closure does that: `move |step| 0.1 *
/// a.learning_rate(step) * b.learning_rate(step)`.
pub struct Chain {
    first: Box<dyn Schedule>,
    /// Each with the number of steps before it.
    rest: Vec<(u64, Box<dyn Schedule>)>,
}

impl Chain {
    /// Starts a chain with this schedule.
    pub fn from(first: impl Schedule + 'static) -> Self {
        Self { first: Box::new(first), rest: Vec::new() }
    }

    /// Switches to this schedule after `steps` steps, counted from the beginning of the chain. `steps` must rise from
    /// call to call.
    #[must_use]
    pub fn after(mut self, steps: u64, next: impl Schedule + 'static) -> Self {
        self.rest.push((steps, Box::new(next)));
        self
    }
}

impl Schedule for Chain {
    fn learning_rate(&self, step: u64) -> f64 {
        match self.rest.iter().rfind(|(before, _)| step > *before) {
            Some((before, schedule)) => schedule.learning_rate(step - before),
            None => self.first.learning_rate(step),
        }
    }

    fn check(&self) -> Result<()> {
        if !self.rest.is_sorted_by(|a, b| a.0 < b.0) {
            let found: Vec<u64> = self.rest.iter().map(|(steps, _)| *steps).collect();
            return Err(Error::data(
                "the schedules of a chain",
                "begin after rising numbers of steps",
                format!("{found:?}"),
            )
            .help("Steps count from the beginning of the chain."));
        }
        self.first.check()?;
        self.rest.iter().try_for_each(|(_, schedule)| schedule.check())
    }
}

/// Shows the steps at which the schedule changes; the schedules themselves need not be `Debug`.
impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let after: Vec<u64> = self.rest.iter().map(|(steps, _)| *steps).collect();
        f.debug_struct("Chain").field("after", &after).finish_non_exhaustive()
    }
}
