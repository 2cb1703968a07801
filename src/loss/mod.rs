//! Losses: one number for how wrong a batch's predictions are, and its gradient.
//!
//! | loss | predictions | targets | of one sample |
//! |---|---|---|---|
//! | [`CrossEntropy`] | `[batch, classes]` | `[usize]`, one for each sample | `-ln p_label` |
//! | [`SoftCrossEntropy`] | `[batch, classes]` | a tensor of the same shape | `-Σ_j t_j · ln p_j` |
//! | [`KLDivergence`] | `[batch, classes]` | a tensor of the same shape | `Σ_j t_j · ln(t_j / p_j)` |
//! | [`Focal`] | `[batch, classes]` | `[usize]` | `-(1 - p_label)^γ · ln p_label` |
//! | [`Hinge`] | `[batch, classes]` or `[batch, 1]` | `[usize]` | `Σ_j max(0, 1 - x_label + x_j) / classes` |
//! | [`BinaryCrossEntropy`] | `[batch, 1]` | `[usize]`, 0 or 1 | `-ln p` or `-ln(1 - p)` |
//! | [`SoftBinaryCrossEntropy`] | `[batch, …]` | a tensor, 0 to 1 | `Σ_j -t_j · ln p_j - (1 - t_j) · ln(1 - p_j)`, `/ m` |
//! | [`MeanSquaredError`] | `[batch, …]` | a tensor of the same shape | `Σ_j (y_j - t_j)² / m` |
//! | [`MeanAbsoluteError`] | `[batch, …]` | a tensor of the same shape | `Σ_j \|y_j - t_j\| / m` |
//! | [`Huber`] | `[batch, …]` | a tensor of the same shape | squared up to `δ`, absolute beyond |
//!
//! A loss takes the predictions over and writes the gradient into them, so a step allocates nothing of the batch's
//! size for it. There is no `reduction` to choose, as there is in PyTorch: the value is always the mean over
//! samples, and weights of samples take the place of the other kinds.
//!
//! # Links
//!
//! A loss that is at its best from logits says so by [`Loss::absorbs`]: the last function of the model, as the loss
//! knows it. The training loop compares that with [`Sequential`](crate::Sequential)'s own last function. If they
//! agree, the layer is left out and the loss gets the logits. So a model can end in softmax, which makes `predict`
//! return probabilities, and be trained from its logits all the same, without a flag that has to be set in two
//! places (Keras' `from_logits`).

mod binary;
mod class_weights;
mod classes;
mod cross_entropy;
mod focal;
mod hinge;
mod kl_divergence;
mod paired;
mod regression;

pub use binary::{BinaryCrossEntropy, SoftBinaryCrossEntropy};
pub use class_weights::class_weights;
pub use cross_entropy::{CrossEntropy, SoftCrossEntropy};
pub use focal::Focal;
pub use hinge::Hinge;
pub use kl_divergence::KLDivergence;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};

use crate::error::Result;
use crate::layer::Link;
use crate::ops::check_weights;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A loss: the mean over a batch of a measure of how far predictions are from targets, and its gradient.
///
/// With sample weights `w` it is the weighted mean `Σ w_i · l_i / Σ w_i` (scikit-learn's meaning; a weight of 0
/// leaves a sample out), without them `Σ l_i / n`. A batch whose weights are all 0 has the loss 0 and no gradient.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::{Link, loss_weights};
///
/// /// `ln cosh(prediction - target)`, averaged over the batch; one number a sample.
/// #[derive(Debug)]
/// struct LogCosh;
///
/// impl Loss for LogCosh {
///     type Target = Tensor;
///     fn value_and_grad(&self, output: Tensor, target: &Tensor, weights: Option<&[f32]>) -> Result<(f32, Tensor)> {
///         let (weights, total) = loss_weights(weights, output.len())?;
///         let mut value = 0.0;
///         let mut grad = output - target;
///         for (g, w) in grad.iter_mut().zip(weights) {
///             value += w * g.cosh().ln() / total;
///             *g = w * g.tanh() / total;
///         }
///         Ok((value, grad))
///     }
/// }
/// ```
///
/// The gradient is that of the mean, so each sample's part of it is already divided by the number of samples or by
/// the sum of weights. A model's backward pass starts from it as it is.
///
/// A loss must be a function of its arguments. It gets one batch at a time; for an epoch or a whole data set the
/// trainer adds up the batches' values times their weights, in `f64`, and divides at the end.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Three samples, of which the second counts twice and the third not at all.
/// let (y, t) = (arr2(&[[1.0f64], [2.0], [9.0]]).into_dyn(), arr2(&[[0.0], [0.0], [0.0]]).into_dyn());
/// let (value, grad) = MeanSquaredError.value_and_grad(y, &t, Some(&[1.0, 2.0, 0.0]))?;
/// assert_eq!(value, (1.0 * 1.0 + 2.0 * 4.0) / 3.0);
/// assert_eq!(grad[[2, 0]], 0.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss for models of `{F}`",
    note = "implement `plywood::Loss<{F}>` for it"
)]
pub trait Loss<F: Scalar = f32>: Send {
    /// A batch's targets: `[usize]` for class indices, [`Tensor<F>`](Tensor) for numbers.
    ///
    /// A data set fits a loss if its own targets can be borrowed as this: `Vec<usize>` as `[usize]`, a tensor as
    /// itself.
    type Target: ?Sized;

    /// The loss of these predictions, and its gradient at them, in the predictions' shape.
    ///
    /// `output` is taken over, so that its buffer can become the gradient. `weights` has a number of at least 0 for
    /// each sample, or is `None`; [`loss_weights`] checks it and makes one case of both.
    ///
    /// The value may be infinite or NaN: that is no error here, as the caller knows better what to say about it.
    /// (The trainer does not take the step then, and names the first place that is not finite.)
    ///
    /// # Errors
    /// When predictions, targets and weights do not fit each other, or a target is out of range.
    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)>;

    /// The [`Link`] that [`value_and_grad_logits`](Loss::value_and_grad_logits) has inside. A model that ends in it
    /// leaves it out.
    ///
    /// [`Link::Unknown`] unless written, which means that nothing is left out.
    fn absorbs(&self) -> Link {
        Link::Unknown
    }

    /// The loss of these logits, the numbers before the link that this loss absorbs, and its gradient at them.
    ///
    /// It is called only where [`absorbs`](Loss::absorbs) names another link than [`Link::Unknown`] and the model
    /// ends in it. Unless written, it passes on to [`value_and_grad`](Loss::value_and_grad).
    ///
    /// # Errors
    /// As [`value_and_grad`](Loss::value_and_grad).
    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        self.value_and_grad(logits, target, weights)
    }
}

/// A weight for each of `samples` samples (all 1 where there are none), and what a loss divides by: their sum, or 1
/// where that is 0.
///
/// It is for losses of your own, so that weights mean the same everywhere. The sum is over the weights in their
/// order; a sum of 0 becomes 1, which makes both value and gradient 0 without a division by 0.
///
/// ```
/// use plywood::loss_weights;
///
/// let (each, total) = loss_weights(Some(&[0.5f32, 0.0, 1.5]), 3)?;
/// assert_eq!((each.collect::<Vec<_>>(), total), (vec![0.5, 0.0, 1.5], 2.0));
/// let (each, total) = loss_weights::<f32>(None, 4)?;
/// assert_eq!((each.sum::<f32>(), total), (4.0, 4.0));
///
/// let error = loss_weights(Some(&[1.0f32, -1.0]), 2).err().unwrap();
/// assert_eq!(
///     error.to_string(),
///     "expected the weight of sample 1 finite and at least 0, found -1. A weight of 0 leaves a sample out."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there are not as many weights as samples, or one is negative or not finite.
pub fn loss_weights<F: Scalar>(
    weights: Option<&[F]>,
    samples: usize,
) -> Result<(impl Iterator<Item = F> + Clone + '_, F)> {
    check_weights(weights, samples)?;
    let total = weights.map_or_else(|| F::of(samples as f64), |w| w.iter().copied().sum());
    let each = (0..samples).map(move |i| weights.map_or_else(F::one, |w| w[i]));
    Ok((each, if total == F::zero() { F::one() } else { total }))
}
