//! Training: batches, steps, epochs.
//!
//! | | |
//! |---|---|
//! | training, evaluation, single steps | [`Trainer`], [`Evaluation`], [`accumulate`] |
//! | what happened | [`History`], [`Epoch`], [`GradientTrace`] |
//! | callbacks | [`Callback`], [`Context`], [`EarlyStopping`], [`GradientNorms`], [`CsvLog`], [`JsonLines`], [`TensorBoard`] |
//! | what `fit` shows | [`Progress`] |
//! | checkpoints | [`Checkpoints`], [`Resumed`] |
//! | which value is watched, and which way it is better | [`Monitor`], [`Direction`] |
//! | the learning-rate range test | [`Trainer::find_learning_rate`], [`LearningRateCurve`] |
//! | cross-validation | [`cross_validate`], [`cross_validate_with`], [`CrossValidation`] |
//! | search for hyper-parameters | [`Search`], [`Space`], [`Trial`], [`SearchResults`] |
//!
//! A call of `fit` runs as follows; each line ends in an error if something does not fit:
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
//! The order of samples is a function of the trainer's seed and the number of the epoch, not of a generator that
//! has been used before. Layers draw by their own seeds. Products, updates and validation run on several threads, but
//! the order of every sum is fixed, and losses and metrics are added up in the order of the samples. So the same
//! seeds give the same bits, with any number of threads, and whether or not there are callbacks, metrics and a
//! progress bar.
//!
//! # Means over an epoch
//!
//! A batch's loss is `Σ w · l` and `Σ w` in `f64`; the epoch's is the quotient of the sums over all batches. So it is
//! the same for any batches and any order of the samples, and a last, smaller batch counts by its size. The gradient of
//! a step is divided by the number of samples in it, over all its batches.
//!
//! A step whose samples all have the weight 0 is left out: parameters, the optimizer's state, its count of steps and
//! with it schedules stay as they are. Its batches count as batches.
//!
//! # Numbers that are not finite
//!
//! Inputs, targets, outputs and the loss are looked at before each step, and the parameters after each epoch; to look
//! at every number of every layer would cost as much as the layers. Only when one is not finite, the batch is read
//! again and followed through the model, so that the error can name the first place.

// | file | what is in it |
// |---|---|
// | `trainer/mod.rs` | `Trainer`: settings and a run, and the methods that set it up |
// | `trainer/settings.rs` | `Settings`: what does not change while it trains |
// | `run.rs` | `Run`: what training changes beside the model, and what it goes on from |
// | `trainer/fit.rs` | `fit`, and `Fit`, a call of it under way; `step` |
// | `trainer/epochs.rs` | `Fit`'s loops over epochs and batches |
// | `trainer/hooks.rs` | `Fit` calls callbacks, and does what they ask for |
// | `trainer/evaluate.rs` | `evaluate`, and validation |
// | `trainer/step.rs` | one step without the optimizer: forward, metrics, loss, backward; `accumulate` |
// | `trainer/optimizer_settings.rs` | settings that are the optimizer's |
// | `trainer/checkpoints.rs` | `Fit`'s checkpoints |
// | `trainer/resume.rs` | going on with a run out of a checkpoint |
// | `callbacks/` | `Callback`, `Context`, `EarlyStopping`, `GradientNorms`; `CsvLog`, `JsonLines`, `TensorBoard`; `Progress` |
// | `checkpoint_folder.rs` | `Checkpoints`: when files are written, their names, and which are kept |
// | `compatibility.rs` | whether model, loss, metrics and data fit one another |
// | `cross_validation.rs` | `cross_validate`: a model for each fold |
// | `find_learning_rate.rs` | the learning-rate range test: `LearningRateCurve` |
// | `trainer/non_finite.rs` | where the first number is that is not finite |
// | `prefetch.rs` | batches that are read while others train |
// | `search/` | `Search`: many trials of hyper-parameters, and the best of them |

mod callbacks;
mod checkpoint_folder;
mod compatibility;
mod cross_validation;
mod find_learning_rate;
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
pub use search::{Search, SearchResults, Space, Trial, TrialRun, Tried, Value};
pub use trainer::{Evaluation, Resumed, Trainer, accumulate};
