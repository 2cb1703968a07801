//! Checks that model, loss, metrics and data fit together, before the first step.
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

use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::nn::{Infer, Model, OutputActivation, Outputs, Port, check_one_of_each};
use crate::param::ParamKind;
use crate::predictions::check_weights;
use crate::shown::{cut, grouped};
use crate::target::{AsTarget, CLEAN};
use crate::tensor::Tensor;

/// Checks the model's outputs against the outputs that the loss takes.
pub(super) fn check_outputs<F: Scalar, L: Loss<F>>(model: &dyn Infer<F>, loss: &L) -> Result<()> {
    check_one_of_each(model)?;
    check_no_lengths(model)?;
    let units = model.output_shape().last().copied().unwrap_or(1);
    let activation = model.known_values(0);
    if matches!(activation, OutputActivation::Softmax | OutputActivation::LogSoftmax) && units == 1 {
        let what = format!("the softmax of {}", model.output_place(0));
        return Err(Error::data(what, "have at least 2 units", "1, whose softmax is always 1").help(
            "Give the layer before it a unit for each class; for a yes-or-no answer end in `Dense::units(1)` and \
             `Sigmoid`, with `BinaryCrossEntropy`.",
        ));
    }
    if matches!(loss.outputs(), Outputs::Distributions | Outputs::Logits) && units == 1 {
        let what = format!("the number of outputs of {}", model.output_place(0));
        return Err(Error::data(what, format!("be at least 2 for {}, one for each class", loss.name()), 1).help(
            "Give the last layer a unit for each class; for a yes-or-no answer use `BinaryCrossEntropy` after \
             `Sigmoid`.",
        ));
    }
    match misfit(loss.outputs(), activation, units, loss.name()) {
        None => loss.check_output(model.output_shape()),
        Some((due, help)) => {
            let expected = format!("be {due} for {}", loss.name());
            let what = format!("the outputs of {}", model.output_place(0));
            Err(Error::data(what, expected, range_of(activation)).help(help))
        }
    }
}

/// Refuses outputs with lengths.
fn check_no_lengths<F: Scalar>(model: &dyn Infer<F>) -> Result<()> {
    match model.outputs().iter().position(Port::has_lengths) {
        None => Ok(()),
        Some(k) => Err(Error::data(
            format!("the output of {}", model.output_place(k)),
            "have no padding",
            "a value with lengths, of whose padding a loss would take a part",
        )
        .help(
            "Reduce the steps, for example with `PoolSteps::mean()`. Or drop the lengths, with `WithoutLengths` in a row \
             of layers or `x.without_lengths()` in a graph; then padding counts.",
        )),
    }
}

/// [`check_outputs`] for training, where layers that do nothing at inference (dropout, noise) also change the outputs
/// of the last activation.
pub(super) fn check_training<F: Scalar, L: Loss<F>>(model: &dyn Model<F>, loss: &L) -> Result<()> {
    check_outputs(model, loss)?;
    let units = model.as_infer().output_shape().last().copied().unwrap_or(1);
    let (activation, in_training) = (model.known_values(0), model.known_values_in_training(0));
    match misfit(loss.outputs(), in_training, units, loss.name()) {
        Some((due, _)) if in_training != activation => {
            let what = format!("the outputs of {}", model.output_place(0));
            let expected = format!("be {due} for {}", loss.name());
            let found = format!("{} that a later layer changes in training", range_of(activation));
            let last = match activation {
                OutputActivation::Softmax => "`Softmax`",
                OutputActivation::Sigmoid => "`Sigmoid`",
                _ => "the last activation",
            };
            Err(Error::data(what, expected, found)
                .help(format!("Put dropout and noise before {last}, and nothing after it.")))
        }
        _ => Ok(()),
    }
}

/// If the known outputs do not fit the loss called `name`, returns what it takes and the advice.
fn misfit(
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
fn twice(activation: OutputActivation, name: &str) -> String {
    let end = if activation == OutputActivation::Sigmoid { "the sigmoid" } else { "softmax" };
    match OF_LOGITS.contains(&name) {
        true => {
            format!("Leave {end} out, or use `{name}` of probabilities, which uses the logits internally.")
        }
        false => format!("Leave {end} out, or use a loss that leaves it out by itself (`GraphLoss::fused`)."),
    }
}

/// Describes the known range of outputs in an error.
fn range_of(activation: OutputActivation) -> &'static str {
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

/// Refuses a model without trainable parameters: one without any, or with all of them frozen.
pub(super) fn check_trainable<F: Scalar>(model: &dyn Model<F>) -> Result<()> {
    let (mut trainable, mut frozen) = (false, 0);
    model.each_param(&mut |_, param| match param.kind() {
        ParamKind::Trainable => trainable = true,
        ParamKind::Frozen => frozen += param.len(),
        ParamKind::Buffer => {}
    });
    let error = |found: String| Error::data("the model", "have parameters to train", found);
    match frozen {
        _ if trainable => Ok(()),
        0 => Err(error("none".to_owned()).help(
            "Add a layer that has parameters, such as `Dense`; a model without any can be evaluated, but learns nothing.",
        )),
        frozen => Err(error(format!("{}, all of them frozen", grouped(frozen))).help(
            "Call `model.unfreeze(\"\")` for all of them, or `unfreeze` with the number of a layer: `unfreeze(\"2\")`.",
        )),
    }
}

/// The meaning of predictions that is passed to metrics: that of the loss, or else what is known of the model.
pub(super) fn meaning<F: Scalar, L: Loss<F>>(model: &dyn Infer<F>, loss: &L) -> Outputs {
    let units = model.output_shape().last().copied().unwrap_or(1);
    let own = Outputs::of(model.known_values(0), units);
    match loss.outputs() {
        unsaid @ (Outputs::Unknown | Outputs::Numbers) if !own.are_probabilities() => unsaid,
        Outputs::Unknown | Outputs::Numbers => own,
        // Softmax means classes that exclude each other, even if the loss compares each of them separately.
        Outputs::Probabilities if own == Outputs::Distributions => own,
        said => said,
    }
}

/// The values of a history and its logs other than metrics, by name.
const OWN_VALUES: [(&str, &str); 4] = [
    ("loss", "the loss"),
    ("epoch", "the epoch's number"),
    ("learning_rate", "the learning rate"),
    ("seconds", "the time"),
];

/// Refuses metrics whose name is that of another metric or value in the history.
fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let names: Vec<&str> = names.collect();
    let rename = "Give a metric another name: `Named::new(\"another\", metric)`.";
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = names[..at].iter().position(|known| known == name) {
            let found = format!("{:?} for both metrics {first} and {at}", cut(name));
            return Err(Error::data("the metrics", "have distinct names", found).help(rename));
        }
        let taken = match (OWN_VALUES.iter().find(|(own, _)| own == name), name.strip_prefix("val_")) {
            (Some((_, own)), _) => format!("the name of {own}"),
            (None, Some(of)) if of == "loss" || names.contains(&of) => {
                format!("the name of {:?} over validation data", cut(of))
            }
            (None, Some(_)) => "a name for values over validation data".to_owned(),
            (None, None) => continue,
        };
        let found = format!("{:?} for metric {at}, which is {taken}", cut(name));
        return Err(Error::data("the metrics", "have names that no other value has", found).help(rename));
    }
    Ok(())
}

/// Refuses a callback's value whose name is already used in the history or its logs.
pub(super) fn check_logged(name: &str, epoch: &Epoch) -> Result<()> {
    let taken = match OWN_VALUES.iter().find(|(own, _)| *own == name) {
        Some((_, own)) => format!("the name of {own}"),
        None if name.starts_with("val_") => "a name for values over validation data".to_owned(),
        None if epoch.get(name).is_some() => "the name of an existing value".to_owned(),
        None => return Ok(()),
    };
    let found = format!("{:?}, which is {taken}", cut(name));
    Err(Error::data("the logged value", "have a name of its own", found).help("Log it under another name."))
}

/// Checks the names of the metrics and tells the metrics what predictions mean.
pub(super) fn begin_metrics<F: Scalar, L: Loss<F>>(
    model: &dyn Infer<F>,
    loss: &L,
    metrics: &mut [Box<dyn Metric<L::Target, F>>],
) -> Result<()> {
    check_names(metrics.iter().map(|metric| metric.name()))?;
    let outputs = meaning(model, loss);
    metrics.iter_mut().try_for_each(|metric| metric.begin(outputs, model.output_shape()))
}

/// The number of targets that are checked together.
const PIECE: usize = 4096;

/// Checks all targets and weights, if the data set can read them without the inputs.
pub(super) fn check_targets<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &dyn Infer<F>,
    loss: &L,
    data: &dyn Dataset<F, Target = T>,
) -> Result<()> {
    let mut batch = Batch::default();
    let mut weight = 0.0;
    for from in (0..data.len()).step_by(PIECE) {
        let indices: Vec<usize> = (from..data.len().min(from + PIECE)).collect();
        let in_data = |error: Error| error.in_data(|row| Some(from + row));
        if !data.read_targets(&indices, &mut batch).map_err(in_data)? {
            return Ok(());
        }
        check_finite_target(&batch.target).map_err(in_data)?;
        loss.check_target(model.output_shape(), batch.target.as_target()).map_err(in_data)?;
        check_weights(batch.weights.as_deref(), indices.len()).map_err(in_data)?;
        weight += batch.weights.as_ref().map_or(1.0, |weights| weights.iter().map(|w| w.as_f64()).sum());
    }
    if weight == 0.0 { Err(no_weight()) } else { Ok(()) }
}

/// Refuses targets that are not finite and names the row.
pub(super) fn check_finite_target<T: AsTarget<U> + ?Sized, U: ?Sized>(target: &T) -> Result<()> {
    match target.first_non_finite() {
        None => Ok(()),
        Some(row) => Err(Error::sample_not_finite("the target", row).help(CLEAN)),
    }
}

/// The error for data whose sample weights are all 0, so that no mean is defined.
pub(super) fn no_weight() -> Error {
    Error::data("the weights", "include one above 0", "only 0").help(
        "A weight of 0 leaves a sample out, and so does a class weight of 0: give some a weight above 0.",
    )
}

/// The number of rows from which it is no coincidence that all of them have a sum of 1.
const ROWS: usize = 8;

/// Refuses distributions in place of logits from a model of whose outputs nothing is known.
pub(super) fn check_unknown<F: Scalar, L: Loss<F>>(
    model: &dyn Infer<F>,
    loss: &L,
    output: &Tensor<F>,
) -> Result<()> {
    let (Outputs::Logits, &[rows, columns]) = (loss.outputs(), output.shape()) else { return Ok(()) };
    if rows < ROWS || columns < 2 || model.known_values(0) != OutputActivation::Unknown {
        return Ok(());
    }
    let distribution = |row: ndarray::ArrayViewD<'_, F>| {
        let sum: f64 = row.iter().map(|p| p.as_f64()).sum();
        (sum - 1.0).abs() < 1e-5 && row.iter().all(|p| *p >= F::zero())
    };
    if output.outer_iter().all(distribution) {
        let what = format!("the outputs of {}", model.output_place(0));
        let expected = format!("be logits for {}", loss.name());
        return Err(Error::data(what, expected, "probabilities with a sum of 1 in each row")
            .help(twice(OutputActivation::Softmax, loss.name())));
    }
    Ok(())
}
