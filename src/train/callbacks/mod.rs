//! Looking in on training, and ending it.
//!
//! A [`Callback`] is for what happens between steps: to stop, to save the model now and then, to log, to change the
//! model (a frozen layer to be thawed) or the learning rate. For a rate that depends on the step alone there are
//! schedules, and for numbers over predictions metrics; neither needs a callback.
//!
//! | file | what is in it |
//! |---|---|
//! | `mod.rs` | the trait |
//! | `context.rs` | [`Context`]: what a callback sees, and what it asks for |
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

pub(super) mod context;
mod early_stopping;
mod gradient_norms;
mod line_logs;
pub(super) mod progress;
mod tensorboard;

pub use context::Context;
pub use early_stopping::EarlyStopping;
pub use gradient_norms::GradientNorms;
pub use line_logs::{CsvLog, JsonLines};
pub use progress::Progress;
pub use tensorboard::TensorBoard;

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Monitor;
use crate::nn::Sequential;
use crate::shown::type_name;
use crate::state::{Kind, State};

/// What is called during `fit`: every method does nothing unless it is written.
///
/// A method is given a [`Context`]: the model, the place in training, and the values of epochs. With it a callback can
/// [end training](Context::stop), [set the learning rate](Context::set_learning_rate) and [log](Context::log) values of
/// its own. An error ends training with that error.
///
/// ```
/// use plywood::prelude::*;
///
/// /// Ends training once the loss is low enough.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
///         if context.loss() < self.0 {
///             context.stop();
///         }
///         Ok(())
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, Adam::default()).callback(GoodEnough(0.01));
/// ```
///
/// | method | when | may end training |
/// |---|---|---|
/// | [`monitor`](Callback::monitor) | among the checks, before anything else | |
/// | [`on_train_begin`](Callback::on_train_begin) | after the checks, before the first epoch | by `stop` or an error |
/// | [`on_gradients`](Callback::on_gradients) | before each step | by `stop` or an error |
/// | [`on_batch_end`](Callback::on_batch_end) | after each batch and its step | by `stop` or an error |
/// | [`on_epoch_end`](Callback::on_epoch_end) | after validation | by `stop` or an error |
/// | [`on_train_end`](Callback::on_train_end) | at the end, after an error of an epoch too | |
/// | [`state`](Callback::state) | for each checkpoint, after `on_batch_end` or `on_epoch_end` | |
/// | [`load_state`](Callback::load_state) | in `resume`, and in its `fit` after `on_train_begin` | by an error |
///
/// Several callbacks are called in the order in which they were added. When one stops training, the others are still
/// called.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a callback of a trainer of `{F}`",
    note = "`impl Callback for T` is for trainers of `f32`; for those of both element types write \
            `impl<F: Scalar> Callback<F> for T`, with `Context<'_, F>` in its methods"
)]
pub trait Callback<F: Scalar = f32>: Send {
    /// Before the first epoch.
    ///
    /// It is called once for each `fit`, so what was kept from an earlier one is reset here.
    ///
    /// # Errors
    /// Ends training.
    fn on_train_begin(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Before each step that is taken: the parameters have their gradients, the mean over the samples of all its
    /// batches, before any clipping.
    ///
    /// To look at a gradient costs time where it is a product that the optimizer would have multiplied out in strips
    /// ([`add_gradient_product`](crate::nn::Param::add_gradient_product)), and changes no bit of the result.
    ///
    /// # Errors
    /// Ends training; the step is not taken.
    fn on_gradients(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// After each batch, and its step: the model has the parameters after the step.
    ///
    /// Called for each batch, also where it made no step: whatever is done here should be short. [`Context::stop`]
    /// ends the epoch here; validation and `on_epoch_end` still follow.
    ///
    /// ```
    /// use plywood::ndarray::Array2;
    /// use plywood::prelude::*;
    ///
    /// /// Ends training after a fixed number of steps, whatever the size of the data.
    /// struct Budget(u64);
    ///
    /// impl Callback for Budget {
    ///     fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
    ///         if context.step() >= self.0 {
    ///             context.stop();
    ///         }
    ///         Ok(())
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
    ///
    /// # Errors
    /// Ends training.
    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// After each epoch, validation included.
    ///
    /// When all callbacks were called, or one of them has failed, the epoch enters the trainer's history, and progress
    /// shows its line, with the values that were logged.
    ///
    /// # Errors
    /// Ends training.
    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// At the end, however it came about.
    ///
    /// After the last epoch, after a stop, and after any error; every callback's is called. The history has the epochs
    /// that ended.
    ///
    /// # Errors
    /// Becomes that of `fit`.
    fn on_train_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
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
    /// use plywood::io::State;
    ///
    /// /// The largest loss of a batch, over the whole run, resumed or not.
    /// struct Worst(f64);
    ///
    /// impl Callback for Worst {
    ///     fn on_train_begin(&mut self, _: &mut Context<'_>) -> Result<()> {
    ///         self.0 = 0.0;
    ///         Ok(())
    ///     }
    ///     fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
    ///         self.0 = self.0.max(context.loss());
    ///         Ok(())
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
    fn on_train_begin(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        (**self).on_train_begin(context)
    }

    fn on_gradients(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        (**self).on_gradients(context)
    }

    fn on_batch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        (**self).on_batch_end(context)
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        (**self).on_epoch_end(context)
    }

    fn on_train_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        (**self).on_train_end(context)
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
