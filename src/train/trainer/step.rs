//! The parts of a training step: forward, metrics, loss, backward.
//!
//! They are the same for [`accumulate`], `Trainer::step` and `Trainer::fit`. If the model ends in the activation that
//! the loss fuses, that layer is skipped and the loss works on logits:
//!
//! ```text
//!                model without its last layer        loss
//! usual:         x → … → z → softmax → p             value_and_grad(p)
//! fused:      x → … → z                           value_and_grad_logits(z)
//!                        └ softmax, for metrics alone
//! ```
//!
//! Both give the same value and the same gradients up to rounding; the second avoids the division by a tiny
//! probability.

use crate::data::feed::{Feed, check_finite};
use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::metrics::Metric;
use crate::nn::inputs::{Slots, owned_inputs, slots};
use crate::nn::predict_parts::no_output;
use crate::nn::{Infer, Inputs, Model};
use crate::optim::gathered;
use crate::predictions::nan_sample;
use crate::target::AsTarget;
use crate::tensor::{Tensor, copy, recycle, standard};
use crate::train::compatibility::{check_finite_target, check_training, check_unknown};
use crate::train::objective::{Expected, Objective, Sums, finite};

/// Runs forward and backward through a model: returns the loss, and accumulates the gradients in the parameters. It is
/// the part of a step before [`Optimizer::step`](crate::optim::Optimizer::step), for custom training loops.
///
/// If the model ends in an activation that the loss fuses (softmax for cross-entropy), it is skipped. If the loss is
/// not finite, no gradients are added.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let mut optimizer = Optimizer::new(SGD::default()).learning_rate(0.5);
/// let (x, labels) = (arr2(&[[0.0, 1.0], [1.0, 0.0]]).into_dyn(), [0, 1]);
/// let first = plywood::train::accumulate(&mut model, &CrossEntropy::default(), x.clone(), &labels[..], None)?;
/// optimizer.step(&mut model)?;
/// let second = plywood::train::accumulate(&mut model, &CrossEntropy::default(), x, &labels[..], None)?;
/// assert!(second.mean() < first.mean());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | argument | shape |
/// |---|---|
/// | `input` | `[batch, …]`, with the input shape of the model; [`Inputs`] by name for several |
/// | `target` | the target type of the loss, for the same samples |
/// | `weights` | one for each sample, or `None` |
///
/// With [`Losses`](crate::losses::Losses) the mean of the result is the weighted sum of the outputs' losses, and its weight
/// the number of samples.
///
/// After several calls the gradient is that of `Σ w · l / n` over all `n` samples of all calls, until
/// [`Optimizer::step`](crate::optim::Optimizer::step) clears it. So a batch too large for the memory can be split into
/// parts of any sizes:
///
/// ```
/// use plywood::ndarray::{Axis, arr2};
/// use plywood::prelude::*;
///
/// let build = || Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build();
/// let (mut whole, mut parts) = (build()?, build()?);
/// let (x, t) = (arr2(&[[1.0], [3.0], [4.0]]).into_dyn(), arr2(&[[2.0], [0.0], [1.0]]).into_dyn());
/// plywood::train::accumulate(&mut whole, &MeanSquaredError, x.clone(), &t, None)?;
/// Optimizer::new(SGD::default()).learning_rate(0.1).step(&mut whole)?;
///
/// for rows in [0..2, 2..3] {
///     let part = |tensor: &Tensor<f64>| tensor.slice_axis(Axis(0), rows.clone().into()).to_owned();
///     plywood::train::accumulate(&mut parts, &MeanSquaredError, part(&x), &part(&t), None)?;
/// }
/// Optimizer::new(SGD::default()).learning_rate(0.1).step(&mut parts)?;
/// let difference = whole.forward(x.clone())? - parts.forward(x)?;
/// assert!(difference.iter().all(|d| d.abs() < 1e-12));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The loss is returned even if it is not finite: check it before the optimizer's step.
///
/// # Errors
/// If model, loss, input, targets and weights do not fit each other, an input is not finite, or the batch has no
/// samples, or only one where a layer needs more ([`Layer::check_batch_size`](crate::nn::Layer::check_batch_size)).
pub fn accumulate<'a, F: Scalar, M: Model<F> + ?Sized, L: Loss<F>>(
    model: &mut M,
    loss: &L,
    input: impl Into<Inputs<'a, F>>,
    target: &L::Target,
    weights: Option<&[F]>,
) -> Result<LossSum> {
    let model = model.as_model();
    let objective = Objective::new(model.as_infer(), loss)?;
    check_training(model, &objective)?;
    let mut inputs = batch_of(model, input.into())?;
    objective.check_target(model.as_infer(), target)?;
    let samples = samples_of(&inputs);
    let sums = forward_backward(model, &objective, &mut inputs, Expected { target, weights }, &mut [])?;
    Ok(objective.as_one(&sums, samples))
}

/// Returns the inputs of a batch in the order of the model's. Refuses a batch without samples, for which no mean gradient
/// exists; one that is not finite; and a single sample if a layer needs more.
///
/// Asking the layers requires all intermediate shapes, which is too expensive for every step; the usual layers need at
/// most two samples.
pub(in crate::train) fn batch_of<F: Scalar>(
    model: &dyn Model<F>,
    inputs: Inputs<'_, F>,
) -> Result<Slots<Tensor<F>>> {
    let inputs = checked_inputs(model.as_infer(), inputs)?;
    if samples_of(&inputs) == 1 {
        model.check_samples(1)?;
    }
    Ok(inputs)
}

/// Returns the inputs of a batch in the order of the model's. Refuses one without samples, or with a number that is not
/// finite.
pub(in crate::train) fn checked_inputs<F: Scalar>(
    model: &dyn Infer<F>,
    inputs: Inputs<'_, F>,
) -> Result<Slots<Tensor<F>>> {
    let inputs = owned_inputs(inputs.for_model(model.inputs())?);
    if inputs.iter().flatten().any(|input| input.shape().first() == Some(&0)) {
        return Err(
            Error::data("the batch", "have at least one sample", "none").help("Leave such a batch out.")
        );
    }
    check_finite(model.inputs(), &inputs)?;
    Ok(inputs)
}

/// The number of samples of a batch.
pub(in crate::train) fn samples_of<F: Scalar>(inputs: &[Option<Tensor<F>>]) -> usize {
    inputs.iter().flatten().next().and_then(|input| input.shape().first().copied()).unwrap_or(0)
}

/// Checks the inputs and targets of a batch that was read from these positions, and calls [`forward_backward`]. Errors
/// name samples by their positions.
pub(in crate::train) fn on_batch<F: Scalar, T: ?Sized, U: AsTarget<T> + Default + Send>(
    model: &mut dyn Model<F>,
    objective: &Objective<'_, F, T>,
    batch: &mut Batch<F, U>,
    (data, indices, feed): (&dyn Dataset<F, Target = U>, &[usize], &Feed),
    metrics: &mut [Box<dyn Metric<T, F>>],
) -> Result<Sums> {
    let mut inputs = feed.take(batch, indices.len())?;
    let (weights, target) = (batch.weights.take(), &batch.target);
    let expected = Expected { target: target.as_target(), weights: weights.as_deref() };
    let looked_at = if data.is_finite() { Ok(()) } else { feed.check_finite(&inputs) };
    let result = looked_at
        .and_then(|()| check_finite_target(target))
        .and_then(|()| objective.check_names(expected.target))
        .and_then(|()| forward_backward(model, objective, &mut inputs, expected, metrics))
        .map_err(|error| error.in_data(|row| indices.get(row).copied()));
    // What the next `read` does not set is not there: nothing of this batch may be taken for it.
    AsTarget::<T>::forget(&mut batch.target);
    result
}

/// Runs all of a step except the optimizer's part. Metrics are updated before the loss consumes the output.
///
/// If outputs are NaN or the loss is not finite, backward is not run: the gradients would not be finite either, and the
/// parameters' gradients stay unchanged.
///
/// The gradients of batches that no step has used yet are a mean over their samples. They are rescaled so that, with
/// this batch, they become the mean over all samples.
pub(in crate::train) fn forward_backward<F: Scalar, T: ?Sized>(
    model: &mut dyn Model<F>,
    objective: &Objective<'_, F, T>,
    inputs: &mut [Option<Tensor<F>>],
    expected: Expected<'_, T, F>,
    metrics: &mut [Box<dyn Metric<T, F>>],
) -> Result<Sums> {
    let samples = samples_of(inputs) as u64;
    let mut outputs = slots(objective.logits.len());
    let cache = model.train(inputs, &objective.logits, &mut outputs)?;
    if outputs.iter().flatten().any(|output| nan_sample(output).is_some()) {
        return Ok(objective.not_finite());
    }
    // If the loss is not finite, that is the error to report, not that a metric has met a NaN.
    let updated = update_metrics(metrics, objective, &outputs, expected);
    let before = gathered(model);
    let all = before + samples;
    let mut gradients = slots(outputs.len());
    let mut sums = Sums::new();
    for part in &objective.parts {
        let output = outputs[part.output].take().ok_or_else(no_output)?;
        check_unknown(model.as_infer(), part, &output)?;
        let (value, grad) = part.value_and_grad(output, expected, all.max(1) as f64)?;
        sums.push(value);
        if part.weight > 0.0 {
            gradients[part.output] = Some(grad);
        } else {
            recycle(grad);
        }
    }
    outputs.into_iter().flatten().for_each(recycle);
    if finite(&sums) {
        updated?;
        if before > 0 {
            let share = F::of(before as f64 / all as f64);
            model.each_param_mut(&mut |_, param| param.scale_gradient(share));
        }
        model.learn(cache, &mut gradients)?;
        model.each_param_mut(&mut |_, param| param.set_samples(all));
    }
    Ok(sums)
}

/// Updates metrics with the predictions that `predict` would return.
///
/// Without metrics nothing is computed. A fused activation is applied to a copy of the logits, because the loss needs
/// the logits themselves; the copy uses a spare buffer, which is recycled.
pub(in crate::train) fn update_metrics<T: ?Sized, F: Scalar>(
    metrics: &mut [Box<dyn Metric<T, F>>],
    objective: &Objective<'_, F, T>,
    outputs: &[Option<Tensor<F>>],
    Expected { target, weights }: Expected<'_, T, F>,
) -> Result<()> {
    for part in &objective.parts {
        let (Some(output), true) =
            (&outputs[part.output], metrics.iter().any(|metric| metric.output() == part.name))
        else {
            continue;
        };
        let mut of_part = metrics.iter_mut().filter(|metric| metric.output() == part.name);
        let result = match part.activation {
            None => of_part.try_for_each(|metric| metric.update(output, target, weights)),
            Some(activation) => {
                let logits =
                    if output.is_standard_layout() { copy(output) } else { standard(output.clone()) };
                let predictions = activation.apply(logits);
                let result = of_part.try_for_each(|metric| metric.update(&predictions, target, weights));
                recycle(predictions);
                result
            }
        };
        result.map_err(|error| part.place(error))?;
    }
    Ok(())
}
