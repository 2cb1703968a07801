//! [`Context`]: what a callback can read of training and what it can request.

use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::kernels::Scalar;
use crate::monitor::{Direction, Monitor};
use crate::nn::Model;
use crate::shown::cut;
use crate::train::compatibility::check_logged;

/// The state of training that a [`Callback`](crate::train::Callback) gets: the model, the position in training, and the
/// values of epochs.
///
/// With it a callback can also set the learning rate, add a value to the history, and end training.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
///
/// /// Logs the norm of all weights, halves the rate after every second epoch, and ends training after five steps.
/// struct Mine;
///
/// impl Callback for Mine {
///     fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
///         if context.step() == 5 {
///             context.stop();
///         }
///         Ok(())
///     }
///     fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
///         let mut squares = 0.0;
///         context.model().each_param(&mut |_, param| {
///             squares += param.as_slice().iter().map(|w| f64::from(w * w)).sum::<f64>();
///         });
///         context.log("weight_norm", squares.sqrt())?;
///         if context.epoch() % 2 == 0 {
///             context.set_learning_rate(context.learning_rate() / 2.0);
///         }
///         Ok(())
///     }
/// }
///
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), Array2::<f32>::ones((8, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).learning_rate(0.1).batch_size(4).epochs(9);
/// let history = trainer.callback(Mine).progress(Progress::Silent).fit(&mut model, &data)?;
/// assert_eq!(history.epochs.iter().map(|epoch| epoch.learning_rate).collect::<Vec<_>>(), [0.1, 0.1, 0.05]);
/// assert_eq!(history.get("weight_norm").len(), 3);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | `on_train_begin` | `on_gradients` | `on_batch_end` | `on_epoch_end` | `on_train_end` |
/// |---|---|---|---|---|---|
/// | [`epoch`](Self::epoch) | the last that ended, or 0 | the current one | the same | the one that ended | the last that began |
/// | [`batch`](Self::batch) | 0 | the current one | the one that ended | the epoch's last | the last |
/// | [`step`](Self::step) | the steps taken | the next step | the steps taken | the same | the same |
/// | [`loss`](Self::loss) | NaN | the batch's | the batch's | the epoch's | NaN |
/// | [`learning_rate`](Self::learning_rate) | the last step's, or the first's | the next step's | the last step's | the same | the next step's |
/// | [`ended`](Self::ended), [`value`](Self::value) | of a resumed run's last epoch | of the previous epoch | the same | of the one that ended | of the last |
/// | [`log`](Self::log) | an error | an error | an error | adds a value | an error |
///
/// The trainer applies a callback's requests after the callback has returned and before it calls the next one.
#[derive(Debug)]
pub struct Context<'a, F: Scalar = f32> {
    model: &'a mut dyn Model<F>,
    history: &'a History,
    now: &'a mut Now,
}

impl<'a, F: Scalar> Context<'a, F> {
    pub(in crate::train) fn new(model: &'a mut dyn Model<F>, history: &'a History, now: &'a mut Now) -> Self {
        Self { model, history, now }
    }

    /// Returns the model.
    ///
    /// At the end of an epoch and of training it contains the averages of the weights, if the trainer
    /// [averages](crate::train::Trainer::average) them.
    pub fn model(&self) -> &dyn Model<F> {
        self.model
    }

    /// Returns the model by `&mut`, to freeze a layer or to change a parameter.
    ///
    /// Visiting the parameters borrows the context: call [`log`](Self::log) afterwards.
    pub fn model_mut(&mut self) -> &mut dyn Model<F> {
        self.model
    }

    /// Returns the number of the current epoch, or of the one that has just ended, counted from 1.
    ///
    /// A later `fit` of the same trainer continues the count. Before the first epoch it is 0.
    pub fn epoch(&self) -> u64 {
        self.now.epoch
    }

    /// Returns the number of the batch in its epoch, counted from 1.
    ///
    /// At the end of an epoch it is the number of the last batch, and in `on_train_begin` 0.
    pub fn batch(&self) -> usize {
        self.now.batch
    }

    /// Returns the number of steps that the optimizer has taken, over all epochs and calls of `fit`.
    ///
    /// In `on_gradients` it is the number of the step that is about to be taken.
    pub fn step(&self) -> u64 {
        self.now.step
    }

    /// Returns the loss: of the batch in `on_gradients` and `on_batch_end`, of the epoch in `on_epoch_end`, otherwise
    /// NaN.
    ///
    /// The loss of a batch is computed before its step, as the mean over this batch weighted by its samples' weights.
    /// It is NaN if all of them are 0. If that holds for all batches of a step
    /// ([`batches_per_step`](crate::train::Trainer::batches_per_step)), the step is skipped: parameters, the
    /// optimizer's state, [`step`](Self::step) and a schedule's learning rate do not change. [`batch`](Self::batch)
    /// still counts.
    pub fn loss(&self) -> f64 {
        self.now.loss
    }

    /// Returns the learning rate of step number [`step`](Self::step), or the one that was
    /// [set](Self::set_learning_rate) since.
    ///
    /// Before the first step it is the learning rate of the first.
    pub fn learning_rate(&self) -> f64 {
        self.now.learning_rate
    }

    /// Sets the learning rate from the next step on. It replaces the schedule and any earlier reductions on a plateau.
    ///
    /// In `on_gradients` the next step is the one about to be taken. A later plateau lowers the new learning rate
    /// further. Checkpoints save it. If several callbacks set it, the last one counts. A learning rate that is
    /// negative, infinite or NaN makes `fit` return an error that names the callback, before the step.
    pub fn set_learning_rate(&mut self, rate: f64) {
        (self.now.learning_rate, self.now.rate) = (rate, Some(rate));
    }

    /// Returns the last epoch that ended, or `None` before the end of the first.
    ///
    /// In `on_epoch_end` it is the one that has just ended, with the values logged so far. It prints as one line, the
    /// same that the progress display shows.
    pub fn ended(&self) -> Option<&Epoch> {
        self.now.ended.as_ref().or(self.history.epochs.last())
    }

    /// Returns a value of the epoch that [`ended`](Self::ended) by its name, for example "val_accuracy".
    pub fn value(&self, name: &str) -> Option<f64> {
        self.ended()?.get(name)
    }

    /// Returns the values of the epoch that [`ended`](Self::ended): name, value, and the direction in which it is
    /// better, if known.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64, Option<Direction>)> {
        let epoch = self.ended();
        let values = epoch.into_iter().flat_map(|epoch| epoch.values.iter().map(move |value| (epoch, value)));
        values.map(|(epoch, (name, value))| (name.as_str(), *value, epoch.direction(name)))
    }

    /// Returns the monitored value in the epoch that [`ended`](Self::ended), and the direction in which it is better.
    ///
    /// # Errors
    /// If no epoch has ended, the epoch has no such value, the value is NaN, or neither the monitor nor the value
    /// defines a direction.
    pub fn monitored(&self, monitor: &Monitor) -> Result<(f64, Direction)> {
        let none = || {
            Error::data("the value to monitor", "be of an epoch that has ended", "none")
                .help("Ask for it in `on_epoch_end`.")
        };
        self.ended().ok_or_else(none)?.watched(monitor)
    }

    /// Adds a value to the epoch that has just ended: to the history, the progress display, and the logs of later
    /// callbacks.
    ///
    /// Log it in every epoch, because a [`CsvLog`](crate::train::CsvLog) needs the same columns in each line. A logged
    /// value cannot be monitored, because `fit` checks before the first step that monitored values exist; write a
    /// [`Metric`](crate::metrics::Metric) for that.
    ///
    /// # Errors
    /// In any method other than `on_epoch_end`; also if the epoch already has a value with this name, or the name is
    /// "loss", "epoch", "learning_rate" or "seconds" or begins with "val_".
    pub fn log(&mut self, name: &str, value: f64) -> Result<()> {
        let Some(ended) = &mut self.now.ended else {
            let found = format!("{:?} in `{}`", cut(name), self.now.hook.name());
            return Err(Error::data("the value", "be logged in `on_epoch_end`", found)
                .help("Keep it in the callback until the epoch ends."));
        };
        check_logged(name, ended)?;
        ended.log(name, value);
        Ok(())
    }

    /// Ends training after this batch or epoch.
    ///
    /// After a batch, validation and `on_epoch_end` still follow. In `on_train_begin` it ends training before the first
    /// batch. All other callbacks are still called.
    pub fn stop(&mut self) {
        self.now.stop = true;
    }

    /// Returns the earlier epochs of this run.
    ///
    /// In `on_epoch_end` the epoch that has just ended is not yet included: it is added to the history once all
    /// callbacks have been called, or one of them has failed.
    pub fn history(&self) -> &History {
        self.history
    }
}

/// The callback method that is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::train) enum Hook {
    TrainBegin,
    Gradients,
    BatchEnd,
    EpochEnd,
    TrainEnd,
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Self::TrainBegin => "on_train_begin",
            Self::Gradients => "on_gradients",
            Self::BatchEnd => "on_batch_end",
            Self::EpochEnd => "on_epoch_end",
            Self::TrainEnd => "on_train_end",
        }
    }
}

/// The position in training, and the requests of callbacks.
#[derive(Debug)]
pub(in crate::train) struct Now {
    pub hook: Hook,
    pub epoch: u64,
    pub batch: usize,
    pub step: u64,
    pub loss: f64,
    pub learning_rate: f64,
    /// The epoch that has just ended, until it is added to the history.
    pub ended: Option<Epoch>,
    /// The requested learning rate, until the optimizer has it.
    pub rate: Option<f64>,
    /// True if a callback has requested the end.
    pub stop: bool,
}

impl Now {
    /// The state before the first epoch of a `fit`; `epochs` is the number of epochs that ended in earlier ones.
    pub fn after(epochs: u64) -> Self {
        Self {
            hook: Hook::TrainBegin,
            epoch: epochs,
            batch: 0,
            step: 0,
            loss: f64::NAN,
            learning_rate: f64::NAN,
            ended: None,
            rate: None,
            stop: false,
        }
    }
}
