//! Callbacks: observing training, changing it, and ending it.
//!
//! A [`Callback`] acts between steps: it can stop training, save the model from time to time, log values, or change the
//! model (for example unfreeze a layer) or the learning rate. A learning rate that depends only on the step is a
//! schedule, and a number computed from predictions is a metric; neither needs a callback.
//!
//! | file | what is in it |
//! |---|---|
//! | `mod.rs` | the trait |
//! | `context.rs` | [`Context`]: what a callback can read and request |
//! | `early_stopping.rs` | [`EarlyStopping`] |
//! | `gradient_norms.rs` | [`GradientNorms`] |
//! | `line_logs.rs` | [`CsvLog`] and [`JsonLines`]: a line for each epoch |
//! | `tensorboard/` | [`TensorBoard`]: scalars, histograms and images |
//! | `progress.rs` | [`Progress`]: what `fit` prints |
//!
//! Data for files are written to the operating system at once, an epoch at a time. Nothing is buffered in the program,
//! so killing it loses nothing of the completed epochs. An existing file is continued; only a resumed run removes what
//! it had written after its checkpoint, because it trains that part again. Appending does not wait for the disk, so a
//! power cut may lose what the system had not written yet.

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
use crate::nn::Model;
use crate::shown::type_name;
use crate::state::{Kind, State};

/// Methods that `fit` calls during training. By default each of them does nothing.
///
/// A method gets a [`Context`]: the model, the position in training, and the values of epochs. Through it a callback
/// can [end training](Context::stop), [set the learning rate](Context::set_learning_rate) and [log](Context::log)
/// additional values. An error ends training with that error.
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
/// | method | called | can end training |
/// |---|---|---|
/// | [`monitor`](Callback::monitor) | during the checks | |
/// | [`on_train_begin`](Callback::on_train_begin) | after the checks, before the first epoch | by `stop` or an error |
/// | [`on_gradients`](Callback::on_gradients) | before each step | by `stop` or an error |
/// | [`on_batch_end`](Callback::on_batch_end) | after each batch and its step | by `stop` or an error |
/// | [`on_epoch_end`](Callback::on_epoch_end) | after validation | by `stop` or an error |
/// | [`on_train_end`](Callback::on_train_end) | at the end, even after an error in an epoch | |
/// | [`state`](Callback::state) | for each checkpoint, after `on_batch_end` or `on_epoch_end`; also during the checks, and in `resume` | |
/// | [`load_state`](Callback::load_state) | in `resume`, and in the next `fit` after `on_train_begin` | by an error |
///
/// Several callbacks are called in the order in which they were added. When one stops training, the others are still
/// called.
///
/// A boxed callback is a callback, so a list of them can be made at run time:
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
    /// Called before the first epoch.
    ///
    /// It is called once for each `fit`, so reset any state of an earlier one here.
    ///
    /// # Errors
    /// Ends training.
    fn on_train_begin(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Called before each step that is taken. The parameters have their gradients: the mean over the samples of all
    /// batches of the step, before any clipping.
    ///
    /// Reading a gradient may be slow: if it is kept as a product that the optimizer would have computed in tiles
    /// ([`add_gradient_product`](crate::nn::Param::add_gradient_product)), it is computed in full first. The result is
    /// bit-for-bit the same.
    ///
    /// # Errors
    /// Ends training; the step is not taken.
    fn on_gradients(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Called after each batch and its step. The model has the parameters after the step.
    ///
    /// It is called for each batch, even if the batch did not complete a step, so it should be fast. [`Context::stop`]
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

    /// Called after each epoch, validation included.
    ///
    /// Once all callbacks have been called, or one of them has failed, the epoch is added to the trainer's history, and
    /// the progress display shows its line with the logged values.
    ///
    /// # Errors
    /// Ends training.
    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Called at the end of training.
    ///
    /// It is called after the last epoch, after a stop, and after any error since `on_train_begin`, for every callback. The history contains
    /// the epochs that ended.
    ///
    /// # Errors
    /// `fit` returns it, unless an earlier error has ended training.
    fn on_train_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Returns the value that the callback monitors, if any. The default is `None`.
    ///
    /// `fit` checks before the first step that the value will exist and has a direction, its own or one that was set.
    /// [`Monitor`] has an example.
    fn monitor(&self) -> Option<&Monitor> {
        None
    }

    /// Returns the name of the callback in errors. The default is the type's name without its path.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// Returns the name under which its state is saved. The default is `None`, for a callback without a state.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// Returns its state for a checkpoint. The default is `None`, for a callback without a state. A callback with a
    /// state must also have a [`kind`](Callback::kind).
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
    ///     fn load_state(&mut self, state: &mut State, _: &dyn Model) -> Result<()> {
    ///         self.0 = state.take_number("worst")?;
    ///         Ok(())
    ///     }
    /// }
    /// let trainer = Trainer::new(MeanSquaredError, Adam::default()).callback(Worst(0.0));
    /// ```
    fn state(&self) -> Option<State<F>> {
        None
    }

    /// Restores a state that [`state`](Callback::state) has returned; all of its values must be taken. `model` is the
    /// one that is trained further.
    ///
    /// In a resumed run it is called twice: first by [`resume`](crate::train::Trainer::resume), to check that the state
    /// fits, and again after `on_train_begin`.
    ///
    /// # Errors
    /// If the state belongs to another callback. The default always returns an error, as a callback without a state
    /// never gets one.
    fn load_state(&mut self, state: &mut State<F>, model: &dyn Model<F>) -> Result<()> {
        let _ = (state, model);
        Err(Error::custom("this callback cannot load a state").help("Write `load_state` beside `state`."))
    }
}

/// A boxed callback forwards to the callback.
// Without a method here, the trait's default would be called in place of the callback's own.
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

    fn load_state(&mut self, state: &mut State<F>, model: &dyn Model<F>) -> Result<()> {
        (**self).load_state(state, model)
    }
}
