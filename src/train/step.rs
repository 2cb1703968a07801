//! The parts of a training step: forward, metrics, loss, backward.
//!
//! They are the same for [`accumulate`], `Trainer::step` and `Trainer::fit`. Where the model's last layer is the
//! link that the loss absorbs, the layer is left out and the loss works on logits:
//!
//! ```text
//!                model without its last layer        loss
//! usual:         x → … → z → softmax → p             value_and_grad(p)
//! absorbed:      x → … → z                           value_and_grad_logits(z)
//!                        └ softmax, for metrics alone
//! ```
//!
//! The two give the same value and the same gradients up to rounding; the second has no division by a tiny
//! probability.

use crate::error::Result;
use crate::layer::{Layer, Link};
use crate::layers::Sequential;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, copy, recycle, standard};

/// Forward and backward through a model: returns the loss, and adds its gradients to the parameters'. It is the part
/// of a step that comes before [`Optimizer::step`](crate::Optimizer::step), for loops of your own.
///
/// A link that the model ends in and the loss absorbs (softmax under cross-entropy) is left out on the way. Where the
/// loss is not finite, nothing is added.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let mut optimizer = Optimizer::new(SGD::default()).learning_rate(0.5);
/// let (x, labels) = (arr2(&[[0.0, 1.0], [1.0, 0.0]]).into_dyn(), [0, 1]);
/// let first = plywood::accumulate(&mut model, &CrossEntropy::default(), x.clone(), &labels[..], None)?;
/// optimizer.step(&mut model)?;
/// let second = plywood::accumulate(&mut model, &CrossEntropy::default(), x, &labels[..], None)?;
/// assert!(second < first);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | argument | shape |
/// |---|---|
/// | `input` | `[batch, …]`, as the model was built for |
/// | `target` | what the loss takes, for the same samples |
/// | `weights` | one for each sample, or `None` |
///
/// Gradients add up until [`Optimizer::step`](crate::Optimizer::step) clears them. So a batch too large for the
/// memory can be taken in parts. The sum of two halves' gradients is twice that of the whole, as each is a mean
/// over its half:
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let build = || Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build();
/// let (mut whole, mut parts) = (build()?, build()?);
/// let (x, t) = (arr2(&[[1.0], [3.0]]).into_dyn(), arr2(&[[2.0], [0.0]]).into_dyn());
/// plywood::accumulate(&mut whole, &MeanSquaredError, x.clone(), &t, None)?;
/// Optimizer::new(SGD::default()).learning_rate(0.1).step(&mut whole)?;
///
/// for i in 0..2 {
///     let rows = ndarray::Slice::from(i..i + 1);
///     let part = |tensor: &Tensor<f64>| tensor.slice_axis(ndarray::Axis(0), rows).to_owned();
///     plywood::accumulate(&mut parts, &MeanSquaredError, part(&x), &part(&t), None)?;
/// }
/// Optimizer::new(SGD::default()).learning_rate(0.1 / 2.0).step(&mut parts)?;
/// let difference = whole.forward(x.clone())? - parts.forward(x)?;
/// assert!(difference.iter().all(|d| d.abs() < 1e-12));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The loss is returned even where it is not finite: look at it before the optimiser's step.
///
/// # Errors
/// When model, input, targets and weights do not fit each other.
pub fn accumulate<F: Scalar, L: Loss<F>>(
    model: &mut Sequential<F>,
    loss: &L,
    input: Tensor<F>,
    target: &L::Target,
    weights: Option<&[F]>,
) -> Result<F> {
    forward_backward(model, loss, input, target, weights, &mut [])
}

/// The link that the model ends in, where this loss absorbs it.
///
/// Only softmax and the sigmoid can be left out.
pub(super) fn absorbed<F: Scalar, L: Loss<F>>(model: &Sequential<F>, loss: &L) -> Option<Link> {
    let link = model.link();
    (link.can_be_absorbed() && link == loss.absorbs()).then_some(link)
}

/// Everything of a step but the optimiser's part. Metrics are updated before the loss takes the output over.
///
/// Where the loss is not finite, backward is not run: gradients would be no better, and the parameters' gradients
/// stay as they were.
pub(super) fn forward_backward<F: Scalar, L: Loss<F>>(
    model: &mut Sequential<F>,
    loss: &L,
    input: Tensor<F>,
    target: &L::Target,
    weights: Option<&[F]>,
    metrics: &mut [Box<dyn Metric<L::Target, F>>],
) -> Result<F> {
    let link = absorbed(model, loss);
    let (output, cache) =
        if link.is_some() { model.forward_train_logits(input)? } else { model.forward_train(input)? };
    update_metrics(metrics, link, &output, target, weights)?;
    let (value, grad) = self::loss(loss, link, output, target, weights)?;
    if value.is_finite() {
        model.backward_params(cache, grad)?;
    }
    Ok(value)
}

/// The loss of what came out of the model, logits where the link was left out, and the gradient at it.
pub(super) fn loss<F: Scalar, L: Loss<F>>(
    loss: &L,
    link: Option<Link>,
    output: Tensor<F>,
    target: &L::Target,
    weights: Option<&[F]>,
) -> Result<(F, Tensor<F>)> {
    match link {
        Some(_) => loss.value_and_grad_logits(output, target, weights),
        None => loss.value_and_grad(output, target, weights),
    }
}

/// Shows metrics what `predict` would return.
///
/// Without metrics nothing is computed. With an absorbed link, the link is applied to a copy of the logits, since
/// the loss needs them as they are; the copy comes from the spare buffers and goes back there.
pub(super) fn update_metrics<T: ?Sized, F: Scalar>(
    metrics: &mut [Box<dyn Metric<T, F>>],
    link: Option<Link>,
    output: &Tensor<F>,
    target: &T,
    weights: Option<&[F]>,
) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    match link {
        None => metrics.iter_mut().try_for_each(|metric| metric.update(output, target, weights)),
        Some(link) => {
            let logits = if output.is_standard_layout() { copy(output) } else { standard(output.clone()) };
            let predictions = link.apply(logits);
            let result =
                metrics.iter_mut().try_for_each(|metric| metric.update(&predictions, target, weights));
            recycle(predictions);
            result
        }
    }
}
