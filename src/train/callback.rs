//! Looking in on training, and ending it.
//!
//! A [`Callback`] is for what happens between steps: to stop, to save the model now and then, to log, to change the
//! model (a frozen layer to be thawed). For the learning rate there are schedules, and for numbers to be reported
//! metrics; neither needs a callback.

use crate::error::{Error, Result};
use crate::history::{Epoch, History, is_lower_better};
use crate::layer::Layer;
use crate::layers::Sequential;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, copy, slice};
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
///
/// | method | when | may end training |
/// |---|---|---|
/// | [`on_train_begin`](Callback::on_train_begin) | after the checks, before the first epoch | by an error |
/// | [`on_gradients`](Callback::on_gradients) | after each backward pass, before the step | by an error |
/// | [`on_batch_end`](Callback::on_batch_end) | after each step | by `Break` or an error |
/// | [`on_epoch_end`](Callback::on_epoch_end) | after validation | by `Break` or an error |
/// | [`on_train_end`](Callback::on_train_end) | at the end, after an error of an epoch too | |
///
/// All get the model by `&mut`. Where there are several callbacks, they are called in the order in which they were
/// added.
pub trait Callback<F: Scalar = f32>: Send {
    /// Before the first epoch.
    ///
    /// It is called once for each `fit`, so what was kept from an earlier one is reset here.
    ///
    /// # Errors
    /// Ends training.
    fn on_train_begin(&mut self, model: &mut Sequential<F>) -> Result<()> {
        let _ = model;
        Ok(())
    }

    /// After each backward pass, before the step: the parameters have their gradients, before any clipping.
    ///
    /// `step` is the number of the step that is about to be taken, from 1. To look at a gradient costs time where it is
    /// a product that the optimiser would have multiplied out in strips
    /// ([`add_gradient_product`](crate::Param::add_gradient_product)), and changes no bit of the result.
    ///
    /// # Errors
    /// Ends training; the step is not taken.
    fn on_gradients(&mut self, model: &mut Sequential<F>, step: u64) -> Result<()> {
        let _ = (model, step);
        Ok(())
    }

    /// After each step.
    ///
    /// Called for each batch: whatever is done here should be short. [`ControlFlow::Break`] ends the epoch here;
    /// validation and `on_epoch_end` still follow.
    ///
    /// # Errors
    /// Ends training.
    fn on_batch_end(&mut self, model: &mut Sequential<F>, batch: &BatchEnd) -> Result<ControlFlow<()>> {
        let _ = (model, batch);
        Ok(ControlFlow::Continue(()))
    }

    /// After each epoch, validation included.
    ///
    /// The epoch is not in the trainer's history yet; an error keeps it out.
    ///
    /// # Errors
    /// Ends training.
    fn on_epoch_end(&mut self, model: &mut Sequential<F>, epoch: &Epoch) -> Result<ControlFlow<()>> {
        let _ = (model, epoch);
        Ok(ControlFlow::Continue(()))
    }

    /// At the end, however it came about.
    ///
    /// After the last epoch, after a break, and after any error; every callback's is called.
    ///
    /// `history` has the epochs that ended.
    ///
    /// # Errors
    /// Becomes that of `fit`.
    fn on_train_end(&mut self, model: &mut Sequential<F>, history: &History) -> Result<()> {
        let _ = (model, history);
        Ok(())
    }
}

/// A step that was taken.
///
/// A callback gets it while the model has the parameters after the step.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::BatchEnd;
/// use std::ops::ControlFlow;
///
/// /// Ends training after a fixed number of steps, whatever the size of the data.
/// struct Budget(u64);
///
/// impl Callback for Budget {
///     fn on_batch_end(&mut self, _: &mut Sequential, batch: &BatchEnd) -> Result<ControlFlow<()>> {
///         Ok(if batch.step >= self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
///
/// let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((90, 2)), ndarray::Array2::<f32>::ones((90, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).epochs(100).batch_size(30).callback(Budget(7));
/// let mut trainer = trainer.progress(Progress::Silent);
/// let history = trainer.fit(&mut model, &data)?;
/// assert_eq!((history.epochs.len(), trainer.optimizer().steps()), (3, 7));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BatchEnd {
    /// The number of the batch in its epoch, from 1.
    pub number: usize,
    /// The number of steps the optimiser has taken, over all epochs and calls of `fit`.
    pub step: u64,
    /// The batch's loss, before the step: of this batch alone, not of the epoch so far.
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
///
/// Keras' `EarlyStopping` restores the best parameters only with `restore_best_weights`. Here the model always ends
/// with those of the best epoch.
///
/// A copy of all parameters and buffers is kept, made anew in each epoch that is the best so far. The optimiser's
/// moments are not put back, so to train on, take a new trainer.
///
/// ```
/// use plywood::prelude::*;
///
/// // A rate of 0: nothing ever gets better, so training ends after 1 + 2 epochs.
/// let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).learning_rate(0.0).epochs(50);
/// let stopping = EarlyStopping::patience(2).monitor("loss");
/// let history = trainer.callback(stopping).progress(Progress::Silent).fit(&mut model, &data)?;
/// assert_eq!(history.epochs.len(), 3);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
pub struct EarlyStopping {
    /// How many epochs without a better value end training.
    patience: usize,
    /// A name in [`Epoch::values`].
    monitor: String,
    /// At least this much better, in the value's unit.
    min_delta: f64,
    /// None until the first epoch has ended.
    best: Option<f64>,
    /// A [`Snapshot`] of the element type that is trained.
    ///
    /// The type is erased because the callback is made before the element type is known: `EarlyStopping` has no
    /// `F`, so it reads the same for every trainer.
    snapshot: Option<Box<dyn Any + Send>>,
    /// Epochs since the best one.
    waited: usize,
}

impl EarlyStopping {
    /// Ends after this many epochs in a row without a better value.
    ///
    /// 0 acts as 1, as in Keras: the first epoch that is no better ends training.
    pub fn patience(epochs: usize) -> Self {
        let monitor = "val_loss".to_owned();
        Self { patience: epochs, monitor, min_delta: 0.0, best: None, snapshot: None, waited: 0 }
    }

    /// The value to watch, by its name in the [`History`].
    ///
    /// A name that no epoch has is an error after the first epoch, which lists those there are:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let data = ArrayDataset::new(ndarray::Array2::<f32>::ones((40, 2)), vec![1; 40])?;
    /// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let trainer = Trainer::new(CrossEntropy::default(), SGD::default()).callback(EarlyStopping::patience(2));
    /// let error = trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "fit, early stopping: expected the value to monitor to be one of loss, found val_loss. \
    ///      Values that begin with \"val_\" need validation data or `validation_split`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn monitor(mut self, name: impl Into<String>) -> Self {
        self.monitor = name.into();
        self
    }

    /// By how much a value must be better to count.
    ///
    /// 0 unless set: any improvement counts. It is absolute, not a share of the value.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }

    /// The first value is better than none. A NaN is never better than a number, and any number than a NaN.
    fn is_better(&self, value: f64) -> bool {
        let lower = is_lower_better(&self.monitor);
        match self.best {
            None => true,
            Some(best) if best.is_nan() => !value.is_nan(),
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
        let value = monitored(epoch, &self.monitor).map_err(|error| error.at("early stopping"))?;
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

/// The epoch's value of this name; without it, an error that lists those there are.
pub(super) fn monitored(epoch: &Epoch, name: &str) -> Result<f64> {
    epoch.get(name).ok_or_else(|| {
        let names: Vec<&str> = epoch.values.iter().map(|(name, _)| name.as_str()).collect();
        let expected = format!("to be one of {}", names.join(", "));
        Error::data("the value to monitor", expected, name)
            .help("Values that begin with \"val_\" need validation data or `validation_split`.")
    })
}

/// A model's parameters and buffers, to be put back later.
///
/// It is a list in the order of the model's visits, without names: it goes back into the model it was taken from.
#[derive(Debug)]
struct Snapshot<F: Scalar>(Vec<Tensor<F>>);

impl<F: Scalar> Snapshot<F> {
    /// A copy of all parameters and buffers: as many bytes as the model.
    fn of(model: &Sequential<F>) -> Self {
        let mut values = Vec::new();
        model.visit_params(&mut |_, param| values.push(copy(param.value())));
        Self(values)
    }

    /// Puts the numbers back. A parameter that has changed its size since is left as it is.
    fn restore(&self, model: &mut Sequential<F>) {
        let mut values = self.0.iter();
        model.visit_params_mut(&mut |_, param| {
            if let Some(value) = values.next().filter(|value| value.len() == param.len()) {
                param.as_slice_mut().copy_from_slice(slice(value));
            }
        });
    }
}
