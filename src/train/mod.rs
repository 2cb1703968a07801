//! Training: batches, steps, epochs.
//!
//! | file | what is in it |
//! |---|---|
//! | `trainer.rs` | [`Trainer`]: its settings |
//! | `calls.rs` | what it is asked for: `fit`, `step`, `evaluate` |
//! | `find_rate.rs` | the learning-rate range test: [`RateCurve`] |
//! | `optimise.rs` | settings that are the optimiser's |
//! | `fit.rs` | the loops over epochs and batches |
//! | `fits.rs` | whether model, loss, metrics and data fit one another |
//! | `non_finite.rs` | where the first number is that is not finite |
//! | `ahead.rs` | batches that are read while others train |
//! | `cross_validation.rs` | [`cross_validate`]: a model for each fold |
//! | `search/` | [`Search`]: many trials of hyper-parameters, and the best of them |
//! | `step.rs` | one step without the optimiser: forward, metrics, loss, backward; [`accumulate`] |
//! | `callback.rs`, `early_stopping.rs` | [`Callback`] and [`EarlyStopping`] |
//! | `checkpoint_folder.rs` | [`Checkpoints`]: when files are written, their names, and which are kept |
//! | `checkpoints.rs` | writing them while it trains |
//! | `run.rs` | how far a run is, and what it goes on from |
//! | `resume.rs` | going on with a run out of a checkpoint |
//! | `logs/` | [`CsvLog`], [`JsonLines`], [`TensorBoard`]: training in files |
//! | `progress.rs` | what is shown while it works |
//!
//! A call of `fit` runs as follows; each line ends in an error if something does not fit:
//!
//! ```text
//! check data, validation data, loss and metrics against the model, epochs, batch size, and a checkpoint that is resumed
//! on_train_begin; is there anything to train?
//! for each epoch:
//!     shuffle the positions, by (seed, epoch)
//!     for each batch of positions:
//!         read → forward → metrics → loss → backward → optimiser's step
//!         on_batch_end, checkpoint
//!     step with what is left of accumulated batches; averages of the weights into the model
//!     validate, if there are data for it
//!     on_epoch_end, checkpoint
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
//! A batch's loss is `Σ w · l` and `Σ w` in `f64`; the epoch's is the quotient of the sums over all batches. So it is the
//! same for any batches and any order of the samples, and a last, smaller batch counts by its size. The gradient of a step
//! is divided by the number of samples in it, over all its batches.
//!
//! A step whose samples all have the weight 0 is left out: parameters, the optimiser's state, its count of steps and with it
//! schedules stay as they are. Its batches count as batches.
//!
//! # Numbers that are not finite
//!
//! Inputs, targets, outputs and the loss are looked at before each step, and the parameters after each epoch; to look at
//! every number of every layer would cost as much as the layers. Only when one is not finite, the batch is read again and
//! followed through the model, so that the error can name the first place.
mod ahead;
mod callback;
mod calls;
mod checkpoint_folder;
mod checkpoints;
mod cross_validation;
mod early_stopping;
mod find_rate;
mod fit;
mod fits;
mod gradients;
mod logs;
mod non_finite;
mod optimise;
mod progress;
mod resume;
mod run;
mod search;
mod step;
mod trainer;

pub use callback::{BatchEnd, Callback};
pub use calls::Evaluation;
pub use checkpoint_folder::Checkpoints;
pub use cross_validation::{CrossValidation, cross_validate, cross_validate_with};
pub use early_stopping::EarlyStopping;
pub use find_rate::RateCurve;
pub use gradients::GradientNorms;
pub use logs::{CsvLog, JsonLines, TensorBoard};
pub use progress::Progress;
pub use resume::Resumed;
pub use search::{Search, SearchResults, Space, Trial, TrialRun, Tried, Value};
pub use step::accumulate;
pub use trainer::Trainer;
