//! A rate that falls when training no longer gets better.
//!
//! It is no [`Schedule`](crate::optim::Schedule), as it depends on what came of the steps. The optimizer keeps a factor
//! that every scheduled rate is multiplied by, and lowers it when it is told of too many values without improvement.

use super::{check_not_negative, check_share};
use crate::error::Result;
use crate::monitor::{Direction, Monitor};

/// Multiplies the rate by a factor each time a value has not got better for some epochs.
///
/// ```text
/// better    v < best - threshold · |best|        where lower is better
///           v > best + threshold · |best|        where higher is
/// after more than `patience` epochs in a row without a better value:  rate = rate · factor
/// ```
///
/// PyTorch's `ReduceLROnPlateau`, with its numbers: patience 10, threshold 1e-4, no cool-down. Keras' callback of the
/// same name has an absolute `min_delta`, and reduces after `patience` epochs, one earlier.
///
/// ```
/// use plywood::optim::ReduceOnPlateau;
/// use plywood::prelude::*;
///
/// let plateau = ReduceOnPlateau::factor(0.5).patience(2).monitor("val_accuracy");
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).validation_split(0.2).reduce_on_plateau(plateau);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// The trainer watches a value of each epoch, "val_loss" unless told otherwise. Losses are better when lower, metrics
/// as they say ([`Metric::direction`](crate::metrics::Metric::direction)), or as is said here. In a loop of your own,
/// tell the optimizer by [`Optimizer::observe`](crate::optim::Optimizer::observe). The factor multiplies whatever the
/// schedule says.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    factor: f64,
    patience: u64,
    threshold: f64,
    cool_down: u64,
    least: f64,
    pub(super) monitor: Monitor,
}

impl ReduceOnPlateau {
    /// Multiplies the rate by this: at least 0 and below 1; 0.1 to 0.5 are usual.
    pub fn factor(factor: f64) -> Self {
        let monitor = Monitor::of("val_loss");
        Self { factor, patience: 10, threshold: 1e-4, cool_down: 0, least: 0.0, monitor }
    }

    /// How many epochs without a better value are let pass; the next one lowers the rate. 10 unless set.
    #[must_use]
    pub fn patience(mut self, epochs: u64) -> Self {
        self.patience = epochs;
        self
    }

    /// The value to watch, by its name in the [`History`](crate::train::History).
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = self.monitor.named(name);
        self
    }

    crate::monitor::directed!();

    /// By which share a value must be better to count: at least 0 and below 1, 1e-4 unless set.
    #[must_use]
    pub fn threshold(mut self, share: f64) -> Self {
        self.threshold = share;
        self
    }

    /// For how many epochs after a reduction nothing is counted; 0 unless set.
    #[must_use]
    pub fn cool_down(mut self, epochs: u64) -> Self {
        self.cool_down = epochs;
        self
    }

    /// The smallest share of the scheduled rate that is left: at least 0, which is the default.
    #[must_use]
    pub fn least(mut self, share: f64) -> Self {
        self.least = share;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_share("the factor of the learning rate", self.factor)?;
        check_share("the threshold", self.threshold)?;
        check_not_negative("the least share of the learning rate", self.least)
    }

    /// The first value is better than none, unless it is not a number.
    fn is_better(&self, value: f64, best: Option<f64>, direction: Direction) -> bool {
        match best {
            None => value.is_finite(),
            Some(best) => direction.improves(value, Some(best), self.threshold * best.abs()),
        }
    }
}

/// What has been seen, and the factor that came of it.
#[derive(Clone, Debug)]
pub(super) struct Plateau {
    pub how: Option<ReduceOnPlateau>,
    /// What the scheduled rate is multiplied by.
    pub factor: f64,
    pub best: Option<f64>,
    pub waited: u64,
    pub cooling: u64,
}

impl Plateau {
    pub fn none() -> Self {
        Self { how: None, factor: 1.0, best: None, waited: 0, cooling: 0 }
    }

    /// Takes in an epoch's value.
    pub fn observe(&mut self, value: f64, direction: Direction) {
        let Some(how) = &self.how else { return };
        if how.is_better(value, self.best, direction) {
            (self.best, self.waited) = (Some(value), 0);
        } else {
            self.waited += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.waited) = (self.cooling - 1, 0);
        }
        if self.waited > how.patience {
            self.factor = (self.factor * how.factor).max(how.least.min(self.factor));
            (self.cooling, self.waited) = (how.cool_down, 0);
        }
    }
}
