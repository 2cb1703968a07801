//! Training: batches, steps, epochs.
//!
//! | | |
//! |---|---|
//! | training, evaluation, single steps | [`Trainer`], [`Evaluation`], [`accumulate`] |
//! | results | [`History`], [`Epoch`], [`GradientTrace`] |
//! | callbacks | [`Callback`], [`Context`], [`EarlyStopping`], [`GradientNorms`], [`CsvLog`], [`JsonLines`], [`TensorBoard`] |
//! | the output of `fit` on the terminal | [`Progress`] |
//! | checkpoints | [`Checkpoints`], [`Resumed`] |
//! | monitored values and the direction in which they are better | [`Monitor`], [`Direction`] |
//! | the learning-rate range test | [`Trainer::find_learning_rate`], [`LearningRateCurve`] |
//! | cross-validation | [`cross_validate`], [`cross_validate_with`], [`CrossValidation`] |
//! | hyperparameter search | [`Search`], [`Space`], [`Trial`], [`SearchResults`] |
//!
//! A call of `fit` takes these steps; each returns an error if something does not fit:
//!
//! ```text
//! check data, validation data, loss and metrics against the model, epochs, batch size, and a checkpoint that is resumed
//! on_train_begin; is there anything to train?
//! for each epoch:
//!     shuffle the positions, by (seed, epoch)
//!     for each batch of positions:
//!         read → forward → metrics → loss → backward → on_gradients → optimizer's step
//!         on_batch_end, checkpoint
//!     step with what is left of accumulated batches; averages of the weights into the model
//!     validate, if there are data for it
//!     on_epoch_end; the epoch enters the history; its line of progress; checkpoint
//! on_train_end                              also after an error in the loop
//! ```
//!
//! # What makes a run repeatable
//!
//! The order of samples is a function of the trainer's seed and the number of the epoch; there is no generator whose
//! state depends on earlier draws. Each layer draws from its own seed. Products, updates and validation run on several
//! threads, but the order of every sum is fixed, and losses and metrics are added up in the order of the samples. So
//! the same seeds give the same bits for any number of threads, with or without callbacks, metrics and a progress bar.
//!
//! # Means over an epoch
//!
//! The loss of a batch is kept as `Σ w · l` and `Σ w` in `f64`; that of an epoch is the quotient of both sums over all
//! batches. So it does not depend on the batches or the order of the samples, and a smaller last batch counts by its
//! size. The gradient of a step is divided by the number of samples in it, over all its batches.
//!
//! A step whose samples all have the weight 0 is skipped: parameters, the optimizer's state and its step count do not
//! change, and therefore neither do schedules. Its batches still count as batches.
//!
//! # Numbers that are not finite
//!
//! Inputs, targets, outputs and the loss are checked before each step, and the parameters after each epoch; checking
//! every number in every layer would cost as much as the layers. If a value is not finite, the batch is read again and
//! traced through the model, so that the error names the place where it occurs first.

// | file | what is in it |
// |---|---|
// | `trainer/mod.rs` | `Trainer`: settings and a run, and the methods that set it up |
// | `objective.rs` | `Objective`: the loss of each output of a model |
// | `trainer/settings.rs` | `Settings`: what does not change during training |
// | `run.rs` | `Run`: the state of training besides the model, and a checkpoint to resume from |
// | `trainer/fit.rs` | `fit`, and `Fit`, a running call of it; `step` |
// | `trainer/epochs.rs` | `Fit`'s loops over epochs and batches |
// | `trainer/hooks.rs` | `Fit` calls callbacks, and applies their requests |
// | `trainer/evaluate.rs` | `evaluate`, and validation |
// | `trainer/step.rs` | one step without the optimizer: forward, metrics, loss, backward; `accumulate` |
// | `trainer/optimizer_settings.rs` | settings that belong to the optimizer |
// | `trainer/checkpoints.rs` | `Fit`'s checkpoints |
// | `trainer/checks.rs` | checks of checkpoints before the first step |
// | `trainer/resume.rs` | resuming a run from a checkpoint |
// | `callbacks/` | `Callback`, `Context`, `EarlyStopping`, `GradientNorms`; `CsvLog`, `JsonLines`, `TensorBoard`; `Progress` |
// | `checkpoint_folder.rs` | `Checkpoints`: when files are written, their names, and which are kept |
// | `outputs.rs` | checks that the outputs of a model are what a loss takes |
// | `compatibility.rs` | checks that model, loss, metrics and data fit together |
// | `cross_validation.rs` | `cross_validate`: a model for each fold |
// | `find_learning_rate.rs` | the learning-rate range test: `LearningRateCurve` |
// | `trainer/non_finite.rs` | finds the first number that is not finite |
// | `prefetch.rs` | prefetch: batches are read while others are trained |
// | `search/` | `Search`: many trials of hyperparameters, and the best of them |

mod callbacks;
mod checkpoint_folder;
mod compatibility;
mod cross_validation;
mod find_learning_rate;
mod input_gradient;
mod objective;
mod outputs;
mod prefetch;
mod run;
mod search;
mod trainer;

pub use crate::gradient_trace::GradientTrace;
pub use crate::history::{Epoch, History};
pub use crate::monitor::{Direction, Monitor};
pub use callbacks::{
    Callback, Context, CsvLog, EarlyStopping, GradientNorms, JsonLines, Progress, TensorBoard,
};
pub use checkpoint_folder::Checkpoints;
pub use cross_validation::{CrossValidation, cross_validate, cross_validate_with};
pub use find_learning_rate::LearningRateCurve;
pub use input_gradient::{input_gradient, input_gradients};
pub use search::{Search, SearchResults, Space, Trial, TrialRun, Tried, Value};
pub use trainer::{Evaluation, Resumed, Trainer, accumulate};
