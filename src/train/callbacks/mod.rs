//! Looking in on training, and ending it.
//!
//! A [`Callback`] is for what happens between steps: to stop, to save the model now and then, to log, to change the
//! model (a frozen layer to be thawed). For the learning rate there are schedules, and for numbers to be reported
//! metrics; neither needs a callback.
//!
//! | file | what is in it |
//! |---|---|
//! | `mod.rs` | the trait |
//! | `early_stopping.rs` | [`EarlyStopping`] |
//! | `gradient_norms.rs` | [`GradientNorms`] |
//! | `line_logs.rs` | [`CsvLog`] and [`JsonLines`]: a line for each epoch |
//! | `tensorboard/` | [`TensorBoard`]: scalars, histograms and images |
//! | `progress.rs` | [`Progress`]: what `fit` shows |
//!
//! What is written into files goes to the system at once, an epoch as a whole: nothing waits in a buffer of the
//! program, so a program that is killed loses nothing of the epochs that ended. A file that is there goes on; only a run
//! that is resumed drops what it had written there behind its checkpoint, as it trains that once more. Adding waits for
//! no disk; a power cut may take what the system had not written yet.

mod early_stopping;
mod gradient_norms;
mod line_logs;
pub(super) mod progress;
mod tensorboard;

pub use early_stopping::EarlyStopping;
pub use gradient_norms::GradientNorms;
pub use line_logs::{CsvLog, JsonLines};
pub use progress::Progress;
pub use tensorboard::TensorBoard;

use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::kernels::Scalar;
use crate::monitor::Monitor;
use crate::nn::Sequential;
use crate::shown::type_name;
use crate::state::{Kind, State};
use std::ops::ControlFlow;

/// What is called during `fit`: every method does nothing unless it is written.
///
/// Returning [`ControlFlow::Break`] ends training after this batch or epoch; an error ends it with that error.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::train::Epoch;
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
/// | [`monitor`](Callback::monitor) | among the checks, before anything else | |
/// | [`on_train_begin`](Callback::on_train_begin) | after the checks, before the first epoch | by an error |
/// | [`on_gradients`](Callback::on_gradients) | before each step | by an error |
/// | [`on_batch_end`](Callback::on_batch_end) | after each batch and its step | by `Break` or an error |
/// | [`on_epoch_end`](Callback::on_epoch_end) | after validation | by `Break` or an error |
/// | [`on_train_end`](Callback::on_train_end) | at the end, after an error of an epoch too | |
/// | [`state`](Callback::state) | for each checkpoint, after `on_batch_end` or `on_epoch_end` | |
/// | [`load_state`](Callback::load_state) | in `resume`, and in its `fit` after `on_train_begin` | by an error |
///
/// All get the model by `&mut`. Where there are several callbacks, they are called in the order in which they were
/// added.
///
/// A box of a callback is one, so a list of them can be put together when the program runs:
///
/// ```
/// use plywood::prelude::*;
/// use plywood::train::CsvLog;
///
/// fn callbacks(names: &[&str]) -> Vec<Box<dyn Callback>> {
///     let callback = |name: &&str| -> Box<dyn Callback> {
///         match *name {
///             "log" => Box::new(CsvLog::new("log.csv")),
///             _ => Box::new(EarlyStopping::patience(3)),
///         }
///     };
///     names.iter().map(callback).collect()
/// }
///
/// let mut trainer = Trainer::new(MeanSquaredError, Adam::default());
/// for callback in callbacks(&["log", "stop"]) {
///     trainer = trainer.callback(callback);
/// }
/// ```
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

    /// Before each step that is taken: the parameters have their gradients, the mean over the samples of all its
    /// batches, before any clipping.
    ///
    /// `step` is the number of the step that is about to be taken, from 1. To look at a gradient costs time where it is
    /// a product that the optimiser would have multiplied out in strips
    /// ([`add_gradient_product`](crate::nn::Param::add_gradient_product)), and changes no bit of the result.
    ///
    /// # Errors
    /// Ends training; the step is not taken.
    fn on_gradients(&mut self, model: &mut Sequential<F>, step: u64) -> Result<()> {
        let _ = (model, step);
        Ok(())
    }

    /// After each batch, and its step.
    ///
    /// Called for each batch, also where it made no step: whatever is done here should be short. [`ControlFlow::Break`]
    /// ends the epoch here; validation and `on_epoch_end` still follow.
    ///
    /// # Errors
    /// Ends training.
    fn on_batch_end(&mut self, model: &mut Sequential<F>, batch: &BatchEnd) -> Result<ControlFlow<()>> {
        let _ = (model, batch);
        Ok(ControlFlow::Continue(()))
    }

    /// After each epoch, validation included.
    ///
    /// The epoch is in the trainer's history already, and stays there after an error.
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

    /// The value that it watches, if it does. The default is `None`.
    ///
    /// `fit` checks before the first step that there will be such a value, and that it says, or was said, which way it
    /// is better. [`Monitor`] has an example.
    fn monitor(&self) -> Option<&Monitor> {
        None
    }

    /// What errors call it: the type's name without its path, unless it is written.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// The name under which its state is saved. The default is `None`, for a callback without a state.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// What it has gathered, for a checkpoint; `None`, unless it is written, for one that keeps nothing. A callback that
    /// has a state has a [`kind`](Callback::kind) too.
    ///
    /// ```
    /// use plywood::prelude::*;
    /// use plywood::io::{Kind, State};
    /// use plywood::train::BatchEnd;
    /// use std::ops::ControlFlow;
    ///
    /// /// The largest loss of a batch, over the whole run, resumed or not.
    /// struct Worst(f64);
    ///
    /// impl Callback for Worst {
    ///     fn on_train_begin(&mut self, _: &mut Sequential) -> Result<()> {
    ///         self.0 = 0.0;
    ///         Ok(())
    ///     }
    ///     fn on_batch_end(&mut self, _: &mut Sequential, batch: &BatchEnd) -> Result<ControlFlow<()>> {
    ///         self.0 = self.0.max(batch.loss);
    ///         Ok(ControlFlow::Continue(()))
    ///     }
    ///     fn kind(&self) -> Option<Kind> {
    ///         Some(const { Kind::own("my_crate.worst") })
    ///     }
    ///     fn state(&self) -> Option<State> {
    ///         Some(State::new().number("worst", self.0))
    ///     }
    ///     fn load_state(&mut self, state: &mut State, _: &Sequential) -> Result<()> {
    ///         self.0 = state.take_number("worst")?;
    ///         Ok(())
    ///     }
    /// }
    /// let trainer = Trainer::new(MeanSquaredError, Adam::default()).callback(Worst(0.0));
    /// ```
    fn state(&self) -> Option<State<F>> {
        None
    }

    /// Puts back what [`state`](Callback::state) gave: everything has to be taken out of it. `model` is the one that
    /// goes on.
    ///
    /// It is called twice in a resumed run: first by [`resume`](crate::train::Trainer::resume), to find out whether the
    /// state fits, and after `on_train_begin`.
    ///
    /// # Errors
    /// When the state is another's. Unless it is written, always: a callback without a state is given none.
    fn load_state(&mut self, state: &mut State<F>, model: &Sequential<F>) -> Result<()> {
        let _ = (state, model);
        Err(Error::custom("this callback cannot load a state").help("Write `load_state` beside `state`."))
    }
}

/// A box of a callback is the callback.
// A default method that is left out here would be called in place of the callback's own.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, C: Callback<F> + ?Sized> Callback<F> for Box<C> {
    fn on_train_begin(&mut self, model: &mut Sequential<F>) -> Result<()> {
        (**self).on_train_begin(model)
    }

    fn on_gradients(&mut self, model: &mut Sequential<F>, step: u64) -> Result<()> {
        (**self).on_gradients(model, step)
    }

    fn on_batch_end(&mut self, model: &mut Sequential<F>, batch: &BatchEnd) -> Result<ControlFlow<()>> {
        (**self).on_batch_end(model, batch)
    }

    fn on_epoch_end(&mut self, model: &mut Sequential<F>, epoch: &Epoch) -> Result<ControlFlow<()>> {
        (**self).on_epoch_end(model, epoch)
    }

    fn on_train_end(&mut self, model: &mut Sequential<F>, history: &History) -> Result<()> {
        (**self).on_train_end(model, history)
    }

    fn monitor(&self) -> Option<&Monitor> {
        (**self).monitor()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn kind(&self) -> Option<Kind> {
        (**self).kind()
    }

    fn state(&self) -> Option<State<F>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &mut State<F>, model: &Sequential<F>) -> Result<()> {
        (**self).load_state(state, model)
    }
}

/// A batch that is done.
///
/// A callback gets it while the model has the parameters after the step.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::train::BatchEnd;
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
/// let data = ArrayDataset::new(Array2::<f32>::ones((90, 2)), Array2::<f32>::ones((90, 1)))?;
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
    /// The batch's loss, before the step: the mean over this batch alone by its samples' weights, not over the epoch so
    /// far.
    ///
    /// NaN where all of them are 0, as there is no mean over nothing. If that is so in all batches of a step
    /// ([`batches_per_step`](crate::train::Trainer::batches_per_step)), the step is left out: parameters, the
    /// optimiser's state and `step` stay as they are, and so does the rate of a schedule, which goes by steps. `number`
    /// counts on.
    pub loss: f64,
}
