//! Checks that model, loss, metrics and data fit together, before the first step.

use crate::data::feed::Feed;
use crate::data::{Batch, Dataset, Pass};
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::kernels::Scalar;
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::nn::{Infer, Model, OutputActivation, Outputs};
use crate::param::ParamKind;
use crate::predictions::check_weights;
use crate::shown::{cut, grouped};
use crate::target::{AsTarget, CLEAN};
use crate::tensor::Tensor;
use crate::train::objective::{Objective, Part};
use crate::train::outputs::{misfit, range_of, twice};
use smallvec::SmallVec;

/// The check of outputs for training, where layers that do nothing at inference (dropout, noise) also change the outputs
/// of the last activation.
pub(super) fn check_training<F: Scalar, T: ?Sized>(
    model: &dyn Model<F>,
    objective: &Objective<'_, F, T>,
) -> Result<()> {
    objective.parts.iter().try_for_each(|part| {
        check_in_training(model, part.output, part.loss).map_err(|error| part.place(error))
    })
}

fn check_in_training<F: Scalar, L: Loss<F> + ?Sized>(
    model: &dyn Model<F>,
    output: usize,
    loss: &L,
) -> Result<()> {
    let units = model.outputs()[output].shape().last().copied().unwrap_or(1);
    let (activation, in_training) = (model.known_values(output), model.known_values_in_training(output));
    match misfit(loss.outputs(), in_training, units, loss.name()) {
        Some((due, _)) if in_training != activation => {
            let what = format!("the outputs of {}", model.output_place(output));
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
pub(super) fn meaning<F: Scalar, T: ?Sized>(model: &dyn Infer<F>, part: &Part<'_, F, T>) -> Outputs {
    let units = model.outputs()[part.output].shape().last().copied().unwrap_or(1);
    let own = Outputs::of(model.known_values(part.output), units);
    match part.loss.outputs() {
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

/// Refuses metrics whose name is that of another metric or value in the history; `losses` are the names of the losses
/// of outputs.
fn check_names<'a>(names: impl Iterator<Item = &'a str>, losses: &[String]) -> Result<()> {
    let names: Vec<&str> = names.collect();
    let rename = "Give a metric another name: `Named::new(\"another\", metric)`.";
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = names[..at].iter().position(|known| known == name) {
            let found = format!("{:?} for both metrics {first} and {at}", cut(name));
            return Err(Error::data("the metrics", "have distinct names", found).help(rename));
        }
        if let Some(loss) = losses.iter().find(|loss| loss == name) {
            let found =
                format!("{:?} for metric {at}, which is the name of the loss of an output", cut(loss));
            return Err(Error::data("the metrics", "have names that no other value has", found).help(rename));
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
pub(super) fn begin_metrics<F: Scalar, T: ?Sized>(
    model: &dyn Infer<F>,
    objective: &Objective<'_, F, T>,
    metrics: &mut [Box<dyn Metric<T, F>>],
) -> Result<()> {
    let named = objective.parts.iter().filter(|part| part.name.is_some());
    let losses: Vec<String> = named.map(Part::value_name).collect();
    check_names(metrics.iter().map(|metric| metric.name()), &losses)?;
    for metric in metrics {
        let Some(part) = objective.part_named(metric.output()) else {
            return Err(no_output_of(metric.name(), metric.output(), objective));
        };
        metric
            .begin(meaning(model, part), model.outputs()[part.output].shape())
            .map_err(|error| part.place(error))?;
    }
    Ok(())
}

/// The error for a metric of an output that has no loss.
fn no_output_of<F: Scalar, T: ?Sized>(
    metric: &str,
    output: Option<&str>,
    objective: &Objective<'_, F, T>,
) -> Error {
    let names: Vec<_> = objective.parts.iter().filter_map(|part| part.name).map(cut).collect();
    let what = format!("the metric {:?}", cut(metric));
    match (output, &names[..]) {
        (Some(output), []) => {
            Error::data(what, "be one of the only output", format!("one of {:?}", cut(output)))
                .help("Use the metric without `On`.")
        }
        (Some(output), _) => {
            let expected = format!("be of an output with a loss: {}", names.join(", "));
            Error::data(what, expected, format!("one of {:?}", cut(output)))
                .help(format!(
                    "Give that output a loss; one of weight 0 trains nothing: `.and({:?}, …, 0.0)`.",
                    cut(output)
                ))
        }
        (None, _) => Error::data(what, "name the output that it is of", "none")
            .help("Write `On::classes(output, metric)` or `On::numbers(output, metric)`; a metric of one's own has `Metric::output`."),
    }
}

/// The number of targets that are checked together.
const PIECE: usize = 4096;

/// Checks all targets and weights, if the data set can read them without the inputs; otherwise, of several outputs, the
/// first sample's.
pub(super) fn check_targets<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &dyn Infer<F>,
    objective: &Objective<'_, F, T>,
    data: &dyn Dataset<F, Target = U>,
) -> Result<()> {
    let mut batch = Batch::default();
    let mut weight: SmallVec<[f64; 2]> = SmallVec::from_elem(0.0, objective.parts.len());
    for from in (0..data.len()).step_by(PIECE) {
        let indices: Vec<usize> = (from..data.len().min(from + PIECE)).collect();
        let in_data = |error: Error| error.in_data(|row| Some(from + row));
        if !data.read_targets(&indices, &mut batch).map_err(in_data)? {
            if objective.parts.iter().any(|part| part.name.is_some()) {
                data.read(&indices[..1], Pass::Evaluate, &mut batch).map_err(in_data)?;
                check_finite_target(&batch.target).map_err(in_data)?;
                objective.check_target(model, batch.target.as_target()).map_err(in_data)?;
            }
            return Ok(());
        }
        check_finite_target(&batch.target).map_err(in_data)?;
        let target = batch.target.as_target();
        objective.check_target(model, target).map_err(in_data)?;
        check_weights(batch.weights.as_deref(), indices.len()).map_err(in_data)?;
        for (part, weight) in objective.parts.iter().zip(&mut weight) {
            let of_part = part.weight_of(target, batch.weights.as_deref(), indices.len());
            *weight += of_part.map_err(in_data).map_err(|error| part.place(error))?;
        }
        AsTarget::<T>::forget(&mut batch.target);
    }
    let without = |(part, weight): &(&Part<'_, F, T>, f64)| part.weight > 0.0 && *weight == 0.0;
    match objective.parts.iter().zip(weight).find(without) {
        None => Ok(()),
        Some((part, _)) => Err(part.no_weight()),
    }
}

/// Reads the first sample of validation data, so that data which cannot be read are an error now, and not after an epoch.
pub(super) fn check_first<F: Scalar, U: Default + Send>(
    data: &dyn Dataset<F, Target = U>,
    feed: &Feed,
) -> Result<()> {
    let mut batch = Batch::default();
    data.read(&[0], Pass::Evaluate, &mut batch)?;
    feed.take(&mut batch, 1).map(drop)
}

/// Refuses targets that are not finite and names the row.
pub(super) fn check_finite_target<T: AsTarget<U> + ?Sized, U: ?Sized>(target: &T) -> Result<()> {
    match target.first_non_finite() {
        None => Ok(()),
        Some(row) => Err(match target.non_finite_name() {
            None => Error::sample_not_finite("the target", row).help(CLEAN),
            Some(name) => Error::sample_not_finite(&format!("the target {:?}", cut(name)), row).help(
                "Clean the data; if the target is missing, give it the weight 0 and any finite number, as `TargetArrays::nan_is_missing` does.",
            ),
        }),
    }
}

/// The number of rows from which it is no coincidence that all of them have a sum of 1.
const ROWS: usize = 8;

/// Refuses distributions in place of logits from a model of whose outputs nothing is known.
pub(super) fn check_unknown<F: Scalar, T: ?Sized>(
    model: &dyn Infer<F>,
    part: &Part<'_, F, T>,
    output: &Tensor<F>,
) -> Result<()> {
    let loss = part.loss;
    let (Outputs::Logits, &[rows, columns]) = (loss.outputs(), output.shape()) else { return Ok(()) };
    if rows < ROWS || columns < 2 || model.known_values(part.output) != OutputActivation::Unknown {
        return Ok(());
    }
    let distribution = |row: ndarray::ArrayViewD<'_, F>| {
        let sum: f64 = row.iter().map(|p| p.as_f64()).sum();
        (sum - 1.0).abs() < 1e-5 && row.iter().all(|p| *p >= F::zero())
    };
    if output.outer_iter().all(distribution) {
        let what = format!("the outputs of {}", model.output_place(part.output));
        let expected = format!("be logits for {}", loss.name());
        return Err(Error::data(what, expected, "probabilities with a sum of 1 in each row")
            .help(twice(OutputActivation::Softmax, loss.name())));
    }
    Ok(())
}
