//! What a callback sees of training, and what it asks for.

use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::kernels::Scalar;
use crate::monitor::{Direction, Monitor};
use crate::nn::Sequential;
use crate::shown::cut;
use crate::train::compatibility::check_logged;

/// Training as a [`Callback`](crate::train::Callback) sees it: the model, the place in training, the values of epochs.
///
/// A callback also uses it to set the learning rate, to add a value to the history, and to end training.
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
///         context.model().visit_params(&mut |_, param| {
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
/// | [`epoch`](Self::epoch) | the last that ended, or 0 | the one under way | the same | the one that ended | the last that began |
/// | [`batch`](Self::batch) | 0 | the one under way | the one that ended | the epoch's last | the last |
/// | [`step`](Self::step) | the steps taken | the one that comes | the steps taken | the same | the same |
/// | [`loss`](Self::loss) | NaN | the batch's | the batch's | the epoch's | NaN |
/// | [`learning_rate`](Self::learning_rate) | the last step's, or the first's | that of the step that comes | the last step's | the same | the same |
/// | [`ended`](Self::ended), [`value`](Self::value) | of a resumed run's last epoch | of the epoch before | the same | of the one that ended | of the last |
/// | [`log`](Self::log) | an error | an error | an error | adds a value | an error |
///
/// The trainer does what a callback asks for after the callback has returned, before it calls the next one.
#[derive(Debug)]
pub struct Context<'a, F: Scalar = f32> {
    model: &'a mut Sequential<F>,
    history: &'a History,
    now: &'a mut Now,
}

impl<'a, F: Scalar> Context<'a, F> {
    pub(in crate::train) fn new(
        model: &'a mut Sequential<F>,
        history: &'a History,
        now: &'a mut Now,
    ) -> Self {
        Self { model, history, now }
    }

    pub(in crate::train) fn hook(&self) -> Hook {
        self.now.hook
    }

    /// The model.
    ///
    /// At the end of an epoch and of training it has the averages of the weights, if the trainer
    /// [averages](crate::train::Trainer::average).
    pub fn model(&self) -> &Sequential<F> {
        self.model
    }

    /// The model by `&mut`, to freeze a layer or to change a parameter.
    ///
    /// A visit of the parameters borrows the context: call [`log`](Self::log) after it.
    pub fn model_mut(&mut self) -> &mut Sequential<F> {
        self.model
    }

    /// The number of the epoch that is under way or has ended, from 1.
    ///
    /// A later `fit` of the same trainer goes on counting. Before the first epoch it is 0.
    pub fn epoch(&self) -> u64 {
        self.now.epoch
    }

    /// The number of the batch in its epoch, from 1.
    ///
    /// At the end of an epoch it is the number of the last batch, and in `on_train_begin` 0.
    pub fn batch(&self) -> usize {
        self.now.batch
    }

    /// The number of steps that the optimizer has taken, over all epochs and calls of `fit`.
    ///
    /// In `on_gradients` it is the number of the step that is about to be taken.
    pub fn step(&self) -> u64 {
        self.now.step
    }

    /// The loss: of the batch in `on_gradients` and `on_batch_end`, of the epoch in `on_epoch_end`, NaN in the others.
    ///
    /// The loss of a batch is taken before its step: the mean over this batch alone by its samples' weights. It is NaN if
    /// all of them are 0, as there is no mean over nothing. If that is so in all batches of a step
    /// ([`batches_per_step`](crate::train::Trainer::batches_per_step)), the step is left out: parameters, the
    /// optimizer's state and [`step`](Self::step) stay as they are, and so does the rate of a schedule, which goes by
    /// steps. [`batch`](Self::batch) counts on.
    pub fn loss(&self) -> f64 {
        self.now.loss
    }

    /// The learning rate of the step with the number [`step`](Self::step), or the rate that was
    /// [set](Self::set_learning_rate) since.
    ///
    /// Before the first step it is the rate of the first.
    pub fn learning_rate(&self) -> f64 {
        self.now.learning_rate
    }

    /// Sets the learning rate from the next step on. It replaces the schedule, and reductions by a plateau so far.
    ///
    /// In `on_gradients` the next step is the one that is about to be taken. A later plateau lowers the rate further. A
    /// checkpoint keeps it. If several callbacks set it, the last one counts. A rate below 0, an infinite one and NaN
    /// are errors of `fit` before the step, which name the callback.
    pub fn set_learning_rate(&mut self, rate: f64) {
        (self.now.learning_rate, self.now.rate) = (rate, Some(rate));
    }

    /// The last epoch that ended, or `None` before the end of the first.
    ///
    /// In `on_epoch_end` it is the one that has just ended, with the values that were logged so far. It prints as one
    /// line, as progress shows it.
    pub fn ended(&self) -> Option<&Epoch> {
        self.now.ended.as_ref().or(self.history.epochs.last())
    }

    /// The value of this name in the epoch that [`ended`](Self::ended): "val_accuracy".
    pub fn value(&self, name: &str) -> Option<f64> {
        self.ended()?.get(name)
    }

    /// The values of the epoch that [`ended`](Self::ended): name, value, and which way it is better, if that is known.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64, Option<Direction>)> {
        let epoch = self.ended();
        let values = epoch.into_iter().flat_map(|epoch| epoch.values.iter().map(move |value| (epoch, value)));
        values.map(|(epoch, (name, value))| (name.as_str(), *value, epoch.direction(name)))
    }

    /// The value that a monitor watches, in the epoch that [`ended`](Self::ended), and which way it is better.
    ///
    /// # Errors
    /// When no epoch has ended, it has no such value, the value is NaN, or neither the monitor nor the value says which
    /// way it is better.
    pub fn monitored(&self, monitor: &Monitor) -> Result<(f64, Direction)> {
        let none = || {
            Error::data("the value to monitor", "be of an epoch that has ended", "none")
                .help("Ask for it in `on_epoch_end`.")
        };
        self.ended().ok_or_else(none)?.watched(monitor)
    }

    /// Adds a value to the epoch that has just ended: to the history, to progress, and to the logs of later callbacks.
    ///
    /// Log it in every epoch, as a [`CsvLog`](crate::train::CsvLog) needs the same columns in each line. A logged value
    /// cannot be monitored, as `fit` checks before the first step that monitored values exist: write a
    /// [`Metric`](crate::metrics::Metric) for that.
    ///
    /// # Errors
    /// In any method but `on_epoch_end`; and when the epoch has a value of this name already, or the name is "loss",
    /// "epoch", "learning_rate" or "seconds" or begins with "val_".
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

    /// The epochs of this run that ended before.
    ///
    /// In `on_epoch_end` the epoch that has just ended is not among them: it enters the history when all callbacks were
    /// called, or one of them has failed.
    pub fn history(&self) -> &History {
        self.history
    }
}

/// The method of a callback that is called.
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

/// Where training is, and what callbacks have asked for.
#[derive(Debug)]
pub(in crate::train) struct Now {
    pub hook: Hook,
    pub epoch: u64,
    pub batch: usize,
    pub step: u64,
    pub loss: f64,
    pub learning_rate: f64,
    /// The epoch that has just ended, until it is in the history.
    pub ended: Option<Epoch>,
    /// The rate that was asked for, until the optimizer has it.
    pub rate: Option<f64>,
    /// Whether the end was asked for.
    pub stop: bool,
}

impl Now {
    /// The state before the first epoch of a `fit`; `epochs` have ended in earlier ones.
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
