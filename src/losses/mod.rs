//! Losses: a number that measures how wrong a batch's predictions are, and its gradient.
//!
//! | loss | predictions | targets | loss of one sample |
//! |---|---|---|---|
//! | [`CrossEntropy`] | `[batch, classes]` | `[usize]`, one per sample | `-ln p_label` |
//! | [`SoftCrossEntropy`] | `[batch, classes]` | a tensor of the same shape | `-Σ_j t_j · ln p_j` |
//! | [`KLDivergence`] | `[batch, classes]` | a tensor of the same shape | `Σ_j t_j · ln(t_j / p_j)` |
//! | [`Focal`] | `[batch, classes]` | `[usize]` | `-(1 - p_label)^γ · ln p_label` |
//! | [`Hinge`] | `[batch, classes]` or `[batch, 1]` | `[usize]` | `Σ_j max(0, 1 - x_label + x_j) / classes` |
//! | [`BinaryCrossEntropy`] | `[batch, 1]` | `[usize]`, 0 or 1 | `-ln p` or `-ln(1 - p)` |
//! | [`SoftBinaryCrossEntropy`] | `[batch, …]` | a tensor, 0 to 1 | `Σ_j -t_j · ln p_j - (1 - t_j) · ln(1 - p_j)`, `/ m` |
//! | [`MeanSquaredError`] | `[batch, …]` | a tensor of the same shape | `Σ_j (y_j - t_j)² / m` |
//! | [`MeanAbsoluteError`] | `[batch, …]` | a tensor of the same shape | `Σ_j \|y_j - t_j\| / m` |
//! | [`Huber`] | `[batch, …]` | a tensor of the same shape | squared up to `δ`, absolute beyond |
//! | [`OutputLoss`] | `[batch]` or `[batch, 1]` | none | `y` |
//!
//! A model with several outputs has a loss for each: [`Losses`].
//!
//! A loss takes ownership of the predictions and overwrites them with the gradient, so a step allocates no other buffer
//! of the batch's size for it.
//!
//! # Sums and divisors
//!
//! A loss does not choose its divisor, because a batch does not know the weights of the others. It returns sums, and
//! the gradient for a divisor that it is given:
//!
//! ```text
//! value      Σ_i w_i · l_i  and  Σ_i w_i         what is reported: the first sums over the second, over all batches
//! gradient   of Σ_i w_i · l_i / d                d is the number of samples in the step, over all its batches
//! ```
//!
//! So the reported value is the weighted mean over all samples, whatever the batches and their order. A step is
//! unbiased: a sample contributes by its own weight, whatever else is in its batch, and weights of mean 1 keep the
//! scale of the learning rate. (Keras' losses divide by the number of samples, too. PyTorch's divide by the batch's own
//! `Σ w`, so the weight of a sample that is alone in its batch has no effect.)
//!
//! # Fused activations
//!
//! A loss declares what outputs it expects ([`Loss::outputs`]), and a model declares what is known of its own
//! ([`Layer::output_activation`](crate::nn::Layer::output_activation)). If they do not fit, the result is an error
//! before the first step.
//!
//! A loss that is more accurate from logits names the activation that it fuses in [`Loss::fused_activation`]. The
//! training loop compares it with the final activation of the [`Sequential`](crate::nn::Sequential). If they agree,
//! that layer is skipped and the loss gets the logits. So a model can end in softmax, which makes `predict` return
//! probabilities, and still be trained from its logits, without a flag that has to be set in two places (Keras'
//! `from_logits`).

mod binary_cross_entropy;
mod class_probabilities;
mod class_weights;
mod cross_entropy;
mod elementwise;
mod focal;
mod graph_loss;
mod graph_target;
mod hinge;
mod kl_divergence;
mod loss;
mod output_loss;
mod regression;
mod several;

pub use crate::target::AsTarget;
pub use binary_cross_entropy::{BinaryCrossEntropy, SoftBinaryCrossEntropy};
pub use class_weights::class_weights;
pub use cross_entropy::{CrossEntropy, SoftCrossEntropy};
pub use focal::Focal;
pub use graph_loss::GraphLoss;
pub use graph_target::GraphTarget;
pub use hinge::Hinge;
pub use kl_divergence::KLDivergence;
pub use loss::{Loss, Terms};
pub(crate) use loss::{Term, WeightsOf};
pub use output_loss::OutputLoss;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};
pub use several::Losses;

use crate::error::Result;
use crate::kernels::Scalar;
use crate::predictions::check_weights;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// The loss of some samples as two sums in `f64`: the sum of the weighted losses, and the sum of the weights.
///
/// Sums of batches add up to the sums of all samples, so the mean does not depend on the batches:
///
/// ```
/// use plywood::losses::LossSum;
///
/// let mut epoch = LossSum::default();
/// epoch += LossSum { sum: 6.0, weight: 2.0 };
/// epoch += LossSum { sum: 0.0, weight: 1.0 };
/// assert_eq!(epoch.mean(), 2.0);
/// assert!(LossSum::default().mean().is_nan());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSum {
    /// `Σ w · l`.
    #[serde(with = "crate::codec::words")]
    pub sum: f64,
    /// `Σ w`: the number of samples if there are no weights. Class weights count in it.
    #[serde(with = "crate::codec::words")]
    pub weight: f64,
}

impl LossSum {
    /// Adds a sample. A sample of weight 0 adds nothing, whatever its loss is.
    ///
    /// ```
    /// use plywood::losses::LossSum;
    ///
    /// let mut sum = LossSum::default();
    /// sum.add(0.5, 4.0);
    /// sum.add(0.0, f64::INFINITY);
    /// assert_eq!(sum, LossSum { sum: 2.0, weight: 0.5 });
    /// ```
    pub fn add(&mut self, weight: f64, loss: f64) {
        if weight != 0.0 {
            self.sum += weight * loss;
            self.weight += weight;
        }
    }

    /// Returns `Σ w · l / Σ w`, or NaN if `Σ w` is 0.
    pub fn mean(self) -> f64 {
        self.sum / self.weight
    }

    /// Adds up the losses of samples, with their weights.
    fn of<F: Scalar>(losses: &[F], weights: impl Iterator<Item = F>) -> Self {
        let mut sum = Self::default();
        for (loss, weight) in losses.iter().zip(weights) {
            sum.add(weight.as_f64(), loss.as_f64());
        }
        sum
    }
}

impl AddAssign for LossSum {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }
}

/// Returns a weight for each of `samples` samples, all 1 if `weights` is `None`.
///
/// Use it in custom losses, so that weights have the same meaning everywhere.
///
/// ```
/// use plywood::losses::sample_weights;
///
/// let each = sample_weights(Some(&[0.5f32, 0.0, 1.5]), 3)?;
/// assert_eq!(each.collect::<Vec<_>>(), [0.5, 0.0, 1.5]);
/// let each = sample_weights::<f32>(None, 4)?;
/// assert_eq!(each.sum::<f32>(), 4.0);
///
/// let error = sample_weights(Some(&[1.0f32, -1.0]), 2).err().unwrap();
/// assert_eq!(
///     error.to_string(),
///     "the weight of sample 1 in the batch must be finite and at least 0, got -1. A weight of 0 leaves a sample \
///      out."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// If there are not as many weights as samples, or one is negative or not finite.
pub fn sample_weights<F: Scalar>(
    weights: Option<&[F]>,
    samples: usize,
) -> Result<impl Iterator<Item = F> + Clone + '_> {
    check_weights(weights, samples)?;
    Ok((0..samples).map(move |i| weights.map_or_else(F::one, |w| w[i])))
}
