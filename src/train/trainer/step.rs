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

use crate::data::{Batch, Dataset};
use crate::error::{Error, Result};
use crate::infer::{check_count, check_finite_input};
use crate::kernels::Scalar;
use crate::losses::{Loss, LossSum};
use crate::metrics::Metric;
use crate::nn::predict::no_output;
use crate::nn::{Infer, Model, OutputActivation};
use crate::optim::gathered;
use crate::predictions::nan_sample;
use crate::target::{AsTarget, first_non_finite_row};
use crate::tensor::{Tensor, copy, recycle, standard};
use crate::train::compatibility::{check_finite_target, check_training, check_unknown};
use ndarray::Dimension;

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
/// | `input` | `[batch, …]`, with the input shape of the model |
/// | `target` | the target type of the loss, for the same samples |
/// | `weights` | one for each sample, or `None` |
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
pub fn accumulate<F: Scalar, M: Model<F> + ?Sized, L: Loss<F>>(
    model: &mut M,
    loss: &L,
    input: Tensor<F>,
    target: &L::Target,
    weights: Option<&[F]>,
) -> Result<LossSum> {
    let model = model.as_model();
    check_training(model, loss)?;
    check_batch(model, &input)?;
    loss.check_target(model.as_infer().output_shape(), target)?;
    forward_backward(model, loss, input, Expected { target, weights }, &mut [])
}

/// The values that a batch's outputs are compared with: the targets and, optionally, the samples' weights.
pub(in crate::train) struct Expected<'a, T: ?Sized, F> {
    pub target: &'a T,
    pub weights: Option<&'a [F]>,
}

/// Two references can be copied, whatever their types.
impl<T: ?Sized, F> Clone for Expected<'_, T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, F> Copy for Expected<'_, T, F> {}

/// Refuses a batch without samples, for which no mean gradient exists; one that is not finite; and a single sample if a
/// layer needs more.
///
/// Asking the layers requires all intermediate shapes, which is too expensive for every step; the usual layers need at
/// most two samples.
pub(in crate::train) fn check_batch<F: Scalar>(model: &dyn Model<F>, input: &Tensor<F>) -> Result<()> {
    check_input(input)?;
    if input.shape().first() == Some(&1) { model.check_samples(1) } else { Ok(()) }
}

/// Refuses a batch without samples, or with a number that is not finite.
pub(in crate::train) fn check_input<F: Scalar>(input: &Tensor<F>) -> Result<()> {
    if input.shape().first() == Some(&0) {
        return Err(
            Error::data("the batch", "have at least one sample", "none").help("Leave such a batch out.")
        );
    }
    check_finite_input(input)
}

/// Returns the activation that the model ends in, if this loss fuses it.
///
/// Only softmax and the sigmoid can be skipped.
pub(in crate::train) fn fused<F: Scalar, L: Loss<F>>(
    model: &dyn Infer<F>,
    loss: &L,
) -> Option<OutputActivation> {
    let activation = model.final_activation(0);
    (activation.can_be_fused() && activation == loss.fused_activation()).then_some(activation)
}

/// Checks the inputs and targets of a batch that was read from these positions, and calls [`forward_backward`]. Errors
/// name samples by their positions.
pub(in crate::train) fn on_batch<F: Scalar, L: Loss<F>, T: AsTarget<L::Target> + Default + Send>(
    model: &mut dyn Model<F>,
    loss: &L,
    batch: &mut Batch<F, T>,
    (data, indices): (&dyn Dataset<F, Target = T>, &[usize]),
    metrics: &mut [Box<dyn Metric<L::Target, F>>],
) -> Result<LossSum> {
    let input = batch.take_input();
    let target = &batch.target;
    let expected = Expected { target: target.as_target(), weights: batch.weights.as_deref() };
    check_count(&input, indices.len())?;
    let looked_at = if data.is_finite() { Ok(()) } else { check_finite_input(&input) };
    looked_at
        .and_then(|()| check_finite_target(target))
        .and_then(|()| forward_backward(model, loss, input, expected, metrics))
        .map_err(|error| error.in_data(|row| indices.get(row).copied()))
}

/// Runs all of a step except the optimizer's part. Metrics are updated before the loss consumes the output.
///
/// If outputs are NaN or the loss is not finite, backward is not run: the gradients would not be finite either, and the
/// parameters' gradients stay unchanged.
///
/// The gradients of batches that no step has used yet are a mean over their samples. They are rescaled so that, with
/// this batch, they become the mean over all samples.
pub(in crate::train) fn forward_backward<F: Scalar, L: Loss<F>>(
    model: &mut dyn Model<F>,
    loss: &L,
    input: Tensor<F>,
    expected: Expected<'_, L::Target, F>,
    metrics: &mut [Box<dyn Metric<L::Target, F>>],
) -> Result<LossSum> {
    let samples = input.shape().first().map_or(0, |&samples| samples as u64);
    let activation = fused(model, loss);
    let mut outputs = [None];
    let cache = model.train(&mut [Some(input)], &[activation.is_some()], &mut outputs)?;
    let [output] = outputs;
    let output = output.ok_or_else(no_output)?;
    if nan_sample(&output).is_some() {
        return Ok(LossSum { sum: f64::NAN, weight: f64::NAN });
    }
    check_unknown(model, loss, &output)?;
    // If the loss is not finite, that is the error to report, not that a metric has met a NaN.
    let updated = update_metrics(metrics, activation, &output, expected);
    let before = gathered(model);
    let all = before + samples;
    let (value, grad) = self::loss(loss, activation, output, expected, all.max(1) as f64)?;
    if value.sum.is_finite() {
        updated?;
        if before > 0 {
            let share = F::of(before as f64 / all as f64);
            model.each_param_mut(&mut |_, param| param.scale_gradient(share));
        }
        model.learn(cache, &mut [Some(grad)])?;
        model.each_param_mut(&mut |_, param| param.set_samples(all));
    }
    Ok(value)
}

/// Returns the loss of the model's output (logits if the activation was skipped) and its gradient with respect to that
/// output.
pub(in crate::train) fn loss<F: Scalar, L: Loss<F>>(
    loss: &L,
    activation: Option<OutputActivation>,
    output: Tensor<F>,
    Expected { target, weights }: Expected<'_, L::Target, F>,
    divisor: f64,
) -> Result<(LossSum, Tensor<F>)> {
    let shape = output.raw_dim();
    let (value, grad) = match activation {
        Some(_) => loss.value_and_grad_logits(output, target, weights, divisor),
        None => loss.value_and_grad(output, target, weights, divisor),
    }?;
    if grad.shape() == shape.slice() {
        // A value that is not finite is reported by the caller, which finds the place.
        return match first_non_finite_row(&grad).filter(|_| value.sum.is_finite()) {
            None => Ok((value, grad)),
            Some(row) => {
                let what = format!("the gradient of {} at the output", loss.name());
                Err(Error::sample_not_finite(&what, row).help(
                    "The loss is finite, and its derivative is not, as that of `sqrt` at 0: change the formula there, or add a small number.",
                ))
            }
        };
    }
    let what = format!("the gradient that {} returns", loss.name());
    Err(Error::shape(what, format!("{:?}", shape.slice()), grad.shape()).help(
        "The gradient has the outputs' shape. Targets of another shape were broadcast: compare the shapes in the loss.",
    ))
}

/// Updates metrics with the predictions that `predict` would return.
///
/// Without metrics nothing is computed. A fused activation is applied to a copy of the logits, because the loss needs
/// the logits themselves; the copy uses a spare buffer, which is recycled.
pub(in crate::train) fn update_metrics<T: ?Sized, F: Scalar>(
    metrics: &mut [Box<dyn Metric<T, F>>],
    activation: Option<OutputActivation>,
    output: &Tensor<F>,
    Expected { target, weights }: Expected<'_, T, F>,
) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    match activation {
        None => metrics.iter_mut().try_for_each(|metric| metric.update(output, target, weights)),
        Some(activation) => {
            let logits = if output.is_standard_layout() { copy(output) } else { standard(output.clone()) };
            let predictions = activation.apply(logits);
            let result =
                metrics.iter_mut().try_for_each(|metric| metric.update(&predictions, target, weights));
            recycle(predictions);
            result
        }
    }
}
