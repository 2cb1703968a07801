//! Optimizers: update rules, learning-rate schedules, parameter groups, weight averaging.
//!
//! Training moves each parameter a little against the gradient of the loss. An [`UpdateRule`] decides the direction and
//! the length of that move. It works on slices of values and gradients, and knows nothing of models. Everything that
//! does not depend on the rule is in [`Optimizer`].
//!
//! | | |
//! |---|---|
//! | update rules | [`SGD`], [`Adam`], [`AdamW`], [`RMSprop`], [`Adagrad`], [`Adadelta`], [`Adamax`], [`NAdam`], [`RAdam`], [`Lion`], [`Muon`], [`ScheduleFreeAdamW`] |
//! | schedules of the learning rate | [`CosineDecay`], [`CosineRestarts`], [`OneCycle`], [`StepDecay`], [`MultiStepDecay`], [`ExponentialDecay`], [`PolynomialDecay`], [`Piecewise`], [`WarmUp`], [`Chain`]; a number; a function of the step |
//! | a learning rate that follows the progress of training | [`ReduceOnPlateau`] |
//! | settings for some of the parameters | [`Group`] |
//! | weight averaging | [`Averaging`] |
//! | a custom update rule | [`UpdateRule`], which gets a [`Step`] and an [`Update`] and has a [`Granularity`] |
//! | a custom training loop | [`Optimizer`] |
//!
//! The order within a step is fixed:
//!
//! ```text
//! 1  settings, rate = schedule(step)   refused where out of range
//! 2  shapes of the kept state          refused unless those of the parameters
//! 3  mean over batches, penalties, clipping
//! 4  UpdateRule::begin_step            checks the rule's own numbers, and changes what all parameters share
//! 5  UpdateRule::update, norm limits   parameter by parameter, in the order of the model's layers
//! 6  averages of the weights
//! ```
//!
//! If 1 to 4 return an error, every parameter is unchanged; in 3 and 4 the gradients are discarded.

// | file | what is in it |
// |---|---|
// | `update_rule.rs` | the trait `UpdateRule` and what it is given |
// | `optimizer/` | `Optimizer`: slots by parameter, step count, learning rate, batches per step, its state |
// | `update_param.rs` | applies a rule to one parameter: on several threads, by rows, or tile by tile for a product |
// | `group.rs` | `Group` |
// | `penalty.rs` | penalties added to gradients, and limits on the norms of weights |
// | `clip.rs` | penalties that are added to gradients, and clipping |
// | `averaging.rs` | `Averaging` |
// | `slots.rs` | per-parameter arrays, looked up by the parameter's name |
// | `fields.rs` | the saved state of the crate's own rules: their fields, by name |
// | `schedule/` | the schedules |
// | `plateau.rs` | `ReduceOnPlateau` |
// | `sgd.rs`, `adam.rs`, … | the update rules of the crate, one per file |
//
// The rules' inner loops are in `crates/kernels/src/optim/`, which is compiled with optimization whatever the user's
// profile says.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod averaging;
mod clip;
mod fields;
mod group;
mod lion;
mod muon;
mod nadam;
mod optimizer;
mod penalty;
mod plateau;
mod radam;
mod rmsprop;
mod schedule;
mod schedule_free;
mod sgd;
mod slots;
mod update_param;
mod update_rule;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use averaging::Averaging;
pub use group::Group;
pub use lion::Lion;
pub use muon::Muon;
pub use nadam::NAdam;
pub use optimizer::Optimizer;
pub use plateau::ReduceOnPlateau;
pub use radam::RAdam;
pub use rmsprop::RMSprop;
pub use schedule::{
    Chain, CosineDecay, CosineRestarts, ExponentialDecay, MultiStepDecay, OneCycle, Piecewise,
    PolynomialDecay, Schedule, StepDecay, WarmUp,
};
pub use schedule_free::ScheduleFreeAdamW;
pub use sgd::SGD;
pub(crate) use slots::gathered;
pub(crate) use update_param::merge_rows;
pub use update_rule::{Granularity, Step, Update, UpdateRule};

use crate::error::{Error, Result};

/// Checks that a fraction, such as a momentum, is at least 0 and below 1. At 1 a running mean would never take in a new
/// value, and Adam's correction would divide by 0. NaN is an error too, as it is in no range.
fn check_share(name: &str, share: f64) -> Result<()> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::argument(name, "at least 0 and below 1", share).help("0.9 is a usual value."))
}

/// Checks that a number is at least 0 and finite. A negative decay would make weights grow without bound.
fn check_not_negative(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(name, "at least 0 and finite", value).help("0 turns it off."))
}

/// Checks that a number is above 0 and finite.
fn check_positive(name: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(name, "positive and finite", value).help("1e-8 is a usual value."))
}
