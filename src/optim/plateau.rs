//! A learning rate that falls when training stops improving.
//!
//! It is not a [`Schedule`](crate::optim::Schedule), as it depends on the results of the steps. The optimizer keeps a
//! factor that multiplies every scheduled learning rate, and lowers it after too many values without improvement.

use super::{check_not_negative, check_share};
use crate::error::Result;
use crate::monitor::{Direction, Monitor};

/// Multiplies the learning rate by a factor each time a value has not improved for some epochs.
///
/// ```text
/// better    v < best - threshold · |best|        where lower is better
///           v > best + threshold · |best|        where higher is
/// after more than `patience` epochs in a row without a better value:  rate = rate · factor
/// ```
///
/// PyTorch's `ReduceLROnPlateau`, with its defaults: patience 10, threshold 1e-4, no cool-down. Keras' callback of the
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
/// The trainer watches a value of each epoch, by default "val_loss". For losses lower is better; metrics have a
/// direction ([`Metric::direction`](crate::metrics::Metric::direction)); either can be overridden here. In a custom
/// training loop, report the values with [`Optimizer::observe`](crate::optim::Optimizer::observe). The factor
/// multiplies the schedule's learning rate.
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
    /// Creates a reduction by this factor: at least 0 and below 1; 0.1 to 0.5 are usual.
    pub fn factor(factor: f64) -> Self {
        let monitor = Monitor::of("val_loss");
        Self { factor, patience: 10, threshold: 1e-4, cool_down: 0, least: 0.0, monitor }
    }

    /// Sets how many epochs without improvement are allowed; the next one lowers the learning rate. The default is 10.
    #[must_use]
    pub fn patience(mut self, epochs: u64) -> Self {
        self.patience = epochs;
        self
    }

    /// Sets the value to watch, by its name in the [`History`](crate::train::History).
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = self.monitor.named(name);
        self
    }

    crate::monitor::directed!();

    /// Sets the relative improvement that counts as better: at least 0 and below 1, default 1e-4.
    #[must_use]
    pub fn threshold(mut self, share: f64) -> Self {
        self.threshold = share;
        self
    }

    /// Sets the number of epochs after a reduction in which no epoch is counted; default 0.
    #[must_use]
    pub fn cool_down(mut self, epochs: u64) -> Self {
        self.cool_down = epochs;
        self
    }

    /// Sets a lower bound for the factor of the scheduled learning rate: at least 0, which is the default.
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

    /// Returns whether a value is better than the best so far. Any finite first value is.
    fn is_better(&self, value: f64, best: Option<f64>, direction: Direction) -> bool {
        match best {
            None => value.is_finite(),
            Some(best) => direction.improves(value, Some(best), self.threshold * best.abs()),
        }
    }
}

/// The values observed so far, and the resulting factor.
#[derive(Clone, Debug)]
pub(super) struct Plateau {
    pub how: Option<ReduceOnPlateau>,
    /// The factor of the scheduled learning rate.
    pub factor: f64,
    pub best: Option<f64>,
    pub waited: u64,
    pub cooling: u64,
}

impl Plateau {
    pub fn none() -> Self {
        Self { how: None, factor: 1.0, best: None, waited: 0, cooling: 0 }
    }

    /// Processes an epoch's value.
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
