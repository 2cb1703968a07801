//! Looking in on training, and ending it.

use super::Snapshot;
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::layers::Sequential;
use crate::scalar::Scalar;
use std::any::Any;
use std::ops::ControlFlow;

/// What is called during `fit`: every method does nothing unless it is written.
///
/// Returning [`ControlFlow::Break`] ends training after this batch or epoch; an error ends it with that error.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::Epoch;
/// use std::ops::ControlFlow;
///
/// /// Ends training once the loss is low enough.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, _: &mut Sequential, epoch: &Epoch) -> Result<ControlFlow<()>> {
///         let done = epoch.get("loss").is_some_and(|loss| loss < self.0);
///         Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, Adam::default()).callback(GoodEnough(0.01));
/// ```
pub trait Callback<F: Scalar = f32>: Send {
    /// Before the first epoch.
    ///
    /// # Errors
    /// Ends training.
    fn on_train_begin(&mut self, model: &mut Sequential<F>) -> Result<()> {
        let _ = model;
        Ok(())
    }

    /// After each step.
    ///
    /// # Errors
    /// Ends training.
    fn on_batch_end(&mut self, model: &mut Sequential<F>, batch: &BatchEnd) -> Result<ControlFlow<()>> {
        let _ = (model, batch);
        Ok(ControlFlow::Continue(()))
    }

    /// After each epoch, validation included.
    ///
    /// # Errors
    /// Ends training.
    fn on_epoch_end(&mut self, model: &mut Sequential<F>, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let _ = (model, epoch);
        Ok(ControlFlow::Continue(()))
    }

    /// At the end, however it came about.
    ///
    /// # Errors
    /// Becomes that of `fit`.
    fn on_train_end(&mut self, model: &mut Sequential<F>, history: &History) -> Result<()> {
        let _ = (model, history);
        Ok(())
    }
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchEnd {
    /// The number of the batch in its epoch, from 1.
    pub number: usize,
    /// The number of steps the optimiser has taken.
    pub step: u64,
    /// The batch's loss, before the step.
    pub loss: f64,
}

/// Ends training once a value has stopped getting better, and puts the best epoch's parameters and buffers back.
///
/// It watches "val_loss" unless told otherwise. A name that ends in "loss" or "error" is better when lower, any other
/// when higher. The best epoch is restored however training ends.
///
/// ```
/// use plywood::prelude::*;
///
/// let stopping = EarlyStopping::patience(3).monitor("val_accuracy").min_delta(0.001);
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).validation_split(0.2).callback(stopping);
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// ```
#[derive(Debug)]
pub struct EarlyStopping {
    patience: usize,
    monitor: String,
    min_delta: f64,
    best: Option<f64>,
    /// A [`Snapshot`] of the element type that is trained.
    snapshot: Option<Box<dyn Any + Send>>,
    waited: usize,
}

impl EarlyStopping {
    /// Ends after this many epochs in a row without a better value.
    pub fn patience(epochs: usize) -> Self {
        let monitor = "val_loss".to_owned();
        Self { patience: epochs, monitor, min_delta: 0.0, best: None, snapshot: None, waited: 0 }
    }

    /// The value to watch, by its name in the [`History`].
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = name.into();
        self
    }

    /// By how much a value must be better to count.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }

    fn is_better(&self, value: f64) -> bool {
        let lower = self.monitor.ends_with("loss") || self.monitor.ends_with("error");
        match self.best {
            None => true,
            Some(best) if lower => value < best - self.min_delta,
            Some(best) => value > best + self.min_delta,
        }
    }
}

impl<F: Scalar> Callback<F> for EarlyStopping {
    fn on_train_begin(&mut self, _: &mut Sequential<F>) -> Result<()> {
        (self.best, self.snapshot, self.waited) = (None, None, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, model: &mut Sequential<F>, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let Some(value) = epoch.get(&self.monitor) else {
            let names: Vec<&str> = epoch.values.iter().map(|(name, _)| name.as_str()).collect();
            let expected = format!("to be one of {}", names.join(", "));
            return Err(Error::data("the value to monitor", expected, &self.monitor)
                .help("Values that begin with \"val_\" need validation data or `validation_split`.")
                .at("early stopping"));
        };
        if self.is_better(value) {
            (self.best, self.waited) = (Some(value), 0);
            self.snapshot = Some(Box::new(Snapshot::of(model)));
        } else {
            self.waited += 1;
        }
        let stop = self.waited > 0 && self.waited >= self.patience;
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn on_train_end(&mut self, model: &mut Sequential<F>, _: &History) -> Result<()> {
        if let Some(snapshot) = self.snapshot.take().and_then(|s| s.downcast::<Snapshot<F>>().ok()) {
            snapshot.restore(model);
        }
        Ok(())
    }
}
