//! Checks that the outputs of a model are what a loss takes.
//!
//! The kind of outputs that a loss takes ([`Loss::outputs`]) is compared with what is known of the model's outputs
//! ([`Infer::known_values`]):
//!
//! | the loss takes | accepted | rejected |
//! |---|---|---|
//! | distributions | softmax | everything else that is known |
//! | logits | real numbers of any range, log-softmax | softmax, sigmoid, numbers from 0 to 1 |
//! | probabilities | sigmoid, softmax | everything else that is known |
//! | binary logits | real numbers, numbers from -1 to 1 | the others: half or all logits are out of their range |
//! | scores | as logits; a single one as binary logits | likewise |
//! | numbers, or unknown | everything | |
//!
//! In training, the change by layers such as dropout is taken into account as well ([`Model::known_values_in_training`]).
//!
//! Softmax of one unit is always 1 and fits no loss. If nothing is known of the outputs, losses check each batch: rows
//! of probabilities are recognized by their sums. Probabilities in place of logits are recognized only if all rows of a
//! large enough batch are distributions; outputs of sigmoids cannot be distinguished from logits that happen to lie
//! between 0 and 1.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::nn::{Infer, OutputActivation, Outputs};

/// Checks an output of the model against what the loss takes.
pub(super) fn check_outputs<F: Scalar, L: Loss<F> + ?Sized>(
    model: &dyn Infer<F>,
    output: usize,
    loss: &L,
) -> Result<()> {
    let shape = model.outputs()[output].shape();
    let units = shape.last().copied().unwrap_or(1);
    let activation = model.known_values(output);
    if matches!(activation, OutputActivation::Softmax | OutputActivation::LogSoftmax) && units == 1 {
        let what = format!("the softmax of {}", model.output_place(output));
        return Err(Error::data(what, "have at least 2 units", "1, whose softmax is always 1").help(
            "Give the layer before it a unit for each class; for a yes-or-no answer end in `Dense::units(1)` and \
             `Sigmoid`, with `BinaryCrossEntropy`.",
        ));
    }
    if matches!(loss.outputs(), Outputs::Distributions | Outputs::Logits) && units == 1 {
        let what = format!("the number of outputs of {}", model.output_place(output));
        return Err(Error::data(what, format!("be at least 2 for {}, one for each class", loss.name()), 1).help(
            "Give the last layer a unit for each class; for a yes-or-no answer use `BinaryCrossEntropy` after \
             `Sigmoid`.",
        ));
    }
    match misfit(loss.outputs(), activation, units, loss.name()) {
        None => loss.check_output(shape),
        Some((due, help)) => {
            let expected = format!("be {due} for {}", loss.name());
            let what = format!("the outputs of {}", model.output_place(output));
            Err(Error::data(what, expected, range_of(activation)).help(help))
        }
    }
}

/// Refuses an output with lengths.
pub(super) fn check_no_lengths<F: Scalar>(model: &dyn Infer<F>, output: usize) -> Result<()> {
    match model.outputs()[output].has_lengths() {
        false => Ok(()),
        true => Err(Error::data(
            format!("the output of {}", model.output_place(output)),
            "have no padding",
            "a value with lengths, of whose padding a loss would take a part",
        )
        .help(
            "Reduce the steps, for example with `PoolSteps::mean()`. Or drop the lengths, with `WithoutLengths` in a row \
             of layers or `x.without_lengths()` in a graph; then padding counts.",
        )),
    }
}

/// If the known outputs do not fit the loss called `name`, returns what it takes and the advice.
pub(super) fn misfit(
    due: Outputs,
    activation: OutputActivation,
    units: usize,
    name: &str,
) -> Option<(&'static str, String)> {
    use OutputActivation::{
        Bounded, Linear, LogSoftmax, NonNegative, Sigmoid, Softmax, UnitInterval, Unknown,
    };
    let end_in = |end: &str| format!("End the model in `{end}`, or use {}.", from_logits(name));
    let dense = || "Leave that layer out: let the model end in `Dense`.".to_owned();
    match (due, activation) {
        (_, Unknown) | (Outputs::Unknown | Outputs::Numbers, _) => None,
        (Outputs::Distributions, Softmax) => None,
        (Outputs::Distributions, Sigmoid | UnitInterval) => Some((
            "probabilities with a sum of 1",
            if units == 1 {
                "For a yes-or-no answer use `BinaryCrossEntropy`; for classes end the model in `Softmax`."
                    .to_owned()
            } else {
                "End the model in `Softmax`; for several labels at once use `SoftBinaryCrossEntropy`."
                    .to_owned()
            },
        )),
        (Outputs::Distributions, _) => Some(("probabilities", end_in("Softmax"))),
        (Outputs::Probabilities, Sigmoid | Softmax) => None,
        (Outputs::Probabilities, UnitInterval) => {
            Some(("probabilities above 0 and below 1", "End the model in `Sigmoid`.".to_owned()))
        }
        (Outputs::Probabilities, _) => Some(("probabilities", end_in("Sigmoid"))),
        (Outputs::Logits, Softmax) | (Outputs::BinaryLogits, Softmax | Sigmoid) => {
            Some(("logits", twice(activation, name)))
        }
        (Outputs::Logits, Sigmoid | UnitInterval) | (Outputs::BinaryLogits, UnitInterval) => {
            Some(("logits", dense()))
        }
        (Outputs::Logits, _) => None,
        (Outputs::Scores | Outputs::BinaryLogits, Linear | Bounded) => None,
        (Outputs::Scores, NonNegative | LogSoftmax) if units > 1 => None,
        (Outputs::Scores, _) => Some(("scores of any size", dense())),
        (Outputs::BinaryLogits, _) => Some(("logits of any size", dense())),
    }
}

/// The losses of this crate that take logits by a setting.
const OF_LOGITS: [&str; 6] = [
    "CrossEntropy",
    "SoftCrossEntropy",
    "Focal",
    "KLDivergence",
    "BinaryCrossEntropy",
    "SoftBinaryCrossEntropy",
];

/// The code for a loss that takes logits.
fn from_logits(name: &str) -> String {
    match OF_LOGITS.contains(&name) {
        true => format!("`{name}::default().from_logits(true)`"),
        false => "a loss of logits (a formula of `Outputs::Logits`)".to_owned(),
    }
}

/// The advice if softmax or a sigmoid would be applied twice.
pub(super) fn twice(activation: OutputActivation, name: &str) -> String {
    let end = if activation == OutputActivation::Sigmoid { "the sigmoid" } else { "softmax" };
    match OF_LOGITS.contains(&name) {
        true => {
            format!("Leave {end} out, or use `{name}` of probabilities, which uses the logits internally.")
        }
        false => format!("Leave {end} out, or use a loss that leaves it out by itself (`GraphLoss::fused`)."),
    }
}

/// Describes the known range of outputs in an error.
pub(super) fn range_of(activation: OutputActivation) -> &'static str {
    match activation {
        OutputActivation::Unknown => "unknown numbers",
        OutputActivation::Linear => "any real numbers",
        OutputActivation::NonNegative => "numbers of at least 0",
        OutputActivation::Bounded => "numbers from -1 to 1",
        OutputActivation::UnitInterval => "numbers from 0 to 1, both included",
        OutputActivation::Softmax => "class probabilities from softmax",
        OutputActivation::LogSoftmax => "log probabilities from log-softmax",
        OutputActivation::Sigmoid => "independent probabilities from a sigmoid",
    }
}
