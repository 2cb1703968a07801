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
mod regression;

pub use crate::target::AsTarget;
pub use binary_cross_entropy::{BinaryCrossEntropy, SoftBinaryCrossEntropy};
pub use class_weights::class_weights;
pub use cross_entropy::{CrossEntropy, SoftCrossEntropy};
pub use focal::Focal;
pub use graph_loss::GraphLoss;
pub use graph_target::GraphTarget;
pub use hinge::Hinge;
pub use kl_divergence::KLDivergence;
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::predictions::check_weights;
use crate::shown::type_name;
use crate::tensor::Tensor;
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSum {
    /// `Σ w · l`.
    pub sum: f64,
    /// `Σ w`: the number of samples if there are no weights. Class weights count in it.
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

/// A loss: a measure of how far predictions are from targets, sample by sample, and its gradient.
///
/// A loss of your own is written most easily as a formula, from which its gradient follows: [`GraphLoss`]. To implement this
/// trait, you also write the gradient; [`check_loss`](crate::testing::check_loss) compares it with finite differences.
///
/// With sample weights `w` the value of a batch is the pair `Σ w_i · l_i` and `Σ w_i` ([`LossSum`]), and its gradient
/// is that of `Σ w_i · l_i / divisor`. A sample of weight 0 adds nothing to either.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::losses::{LossSum, sample_weights};
///
/// /// `ln cosh(prediction - target)`; one element per sample.
/// #[derive(Debug)]
/// struct LogCosh;
///
/// impl Loss for LogCosh {
///     type Target = Tensor;
///     fn value_and_grad(
///         &self,
///         output: Tensor,
///         target: &Tensor,
///         weights: Option<&[f32]>,
///         divisor: f64,
///     ) -> Result<(LossSum, Tensor)> {
///         if output.shape() != target.shape() {
///             // ndarray would broadcast [n, 1] - [n] to [n, n].
///             return Err(Error::shape("the targets", format!("{:?}", output.shape()), target.shape()));
///         }
///         let mut sum = LossSum::default();
///         let mut grad = output - target;
///         let weights = sample_weights(weights, grad.len())?;
///         for (g, w) in grad.iter_mut().zip(weights) {
///             sum.add(w.into(), g.cosh().ln().into());
///             *g = w * g.tanh() / divisor as f32;
///         }
///         Ok((sum, grad))
///     }
/// }
/// ```
///
/// The gradient enters the model's backward pass unchanged. The divisor is the number of samples in the optimizer's
/// step, which is that of the batch if the step has one batch; it is at least 1.
///
/// A loss must be a function of its arguments, and a sample's loss must not depend on the others.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Three samples, the second with weight 2, the third with weight 0.
/// let (y, t) = (arr2(&[[1.0f64], [2.0], [9.0]]).into_dyn(), arr2(&[[0.0], [0.0], [0.0]]).into_dyn());
/// let (value, grad) = MeanSquaredError.value_and_grad(y, &t, Some(&[1.0, 2.0, 0.0]), 3.0)?;
/// assert_eq!(value.mean(), (1.0 * 1.0 + 2.0 * 4.0) / 3.0);
/// assert_eq!((grad[[0, 0]], grad[[2, 0]]), (2.0 / 3.0, 0.0));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A boxed loss is a loss, so the loss can be chosen at run time:
///
/// ```
/// use plywood::prelude::*;
///
/// fn loss(name: &str) -> Box<dyn Loss<Target = [usize]>> {
///     match name {
///         "focal" => Box::new(Focal::default()),
///         _ => Box::new(CrossEntropy::default()),
///     }
/// }
///
/// let trainer = Trainer::new(loss("focal"), Adam::default());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss for models of `{F}`",
    note = "implement `plywood::losses::Loss<{F}>` for it"
)]
pub trait Loss<F: Scalar = f32>: Send {
    /// The type of a batch's targets: `[usize]` for class indices, [`Tensor<F>`](Tensor) for numbers.
    ///
    /// A data set fits a loss if its targets implement [`AsTarget`] for this type: `Vec<usize>` for `[usize]`, a tensor
    /// for itself.
    type Target: ?Sized;

    /// Returns the loss of these predictions, and its gradient with respect to them, in the predictions' shape.
    ///
    /// `output` is passed by value, so that its buffer can become the gradient. `weights` contains a number of at least
    /// 0 per sample, or is `None`; [`sample_weights`] checks it and covers both cases.
    ///
    /// The value may be infinite or NaN. That is no error here, as the caller can report it better. (The trainer then
    /// skips the step, and names the first place that is not finite.)
    ///
    /// # Errors
    /// If predictions, targets and weights do not fit each other, or a target is out of range.
    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)>;

    /// Returns the name used in error messages; by default the type's name without its path.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// Returns what the loss expects of a model's outputs. The default is [`Outputs::Unknown`], which accepts every
    /// model.
    ///
    /// A model whose outputs cannot be of that kind is an error before the first step, and metrics are given this
    /// value, too. A loss that takes the logarithms of distributions returns [`Outputs::Distributions`], and is never
    /// given a model that ends in Dense.
    fn outputs(&self) -> Outputs {
        Outputs::Unknown
    }

    /// Checks the shape of one output, without the batch. Training and evaluation call it before the first step. The
    /// default accepts all.
    ///
    /// # Errors
    /// If the loss cannot take such an output.
    fn check_output(&self, output: &[usize]) -> Result<()> {
        let _ = output;
        Ok(())
    }

    /// Checks targets against the shape of one output, without the batch. The default accepts all.
    ///
    /// Training and evaluation call it for all targets before the first step, if the data set can read them alone
    /// ([`Dataset::read_targets`](crate::data::Dataset::read_targets)). For other data sets only `value_and_grad` sees
    /// the targets, batch by batch, so it must make the same checks itself. Targets come in parts: name a row by
    /// [`Error::sample`](crate::Error::sample), and its position in the data set replaces it.
    ///
    /// # Errors
    /// If a target is out of range, or does not have the shape that the output requires.
    fn check_target(&self, output: &[usize], target: &Self::Target) -> Result<()> {
        let _ = (output, target);
        Ok(())
    }

    /// Returns the [`OutputActivation`] that [`value_and_grad_logits`](Loss::value_and_grad_logits) includes:
    /// [`OutputActivation::Softmax`] or [`OutputActivation::Sigmoid`]. A model that ends in it skips that activation.
    ///
    /// The default is [`OutputActivation::Unknown`]: no activation is skipped.
    fn fused_activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }

    /// Returns the loss of these logits, the inputs of the activation that this loss fuses, and its gradient with
    /// respect to them.
    ///
    /// It is called only if [`fused_activation`](Loss::fused_activation) names an activation and the model ends in it.
    /// The default implementation calls [`value_and_grad`](Loss::value_and_grad).
    ///
    /// # Errors
    /// As [`value_and_grad`](Loss::value_and_grad).
    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.value_and_grad(logits, target, weights, divisor)
    }
}

/// A boxed loss behaves as the loss inside.
// A default method that is missing here would be called in place of the loss's own, and change results silently.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, L: Loss<F> + ?Sized> Loss<F> for Box<L> {
    type Target = L::Target;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        (**self).value_and_grad(output, target, weights, divisor)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn outputs(&self) -> Outputs {
        (**self).outputs()
    }

    fn check_output(&self, output: &[usize]) -> Result<()> {
        (**self).check_output(output)
    }

    fn check_target(&self, output: &[usize], target: &Self::Target) -> Result<()> {
        (**self).check_target(output, target)
    }

    fn fused_activation(&self) -> OutputActivation {
        (**self).fused_activation()
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        (**self).value_and_grad_logits(logits, target, weights, divisor)
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
