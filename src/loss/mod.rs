//! Losses: one number for how wrong a batch's predictions are, and its gradient.

mod cross_entropy;
mod regression;

pub use cross_entropy::{CrossEntropy, SoftCrossEntropy};
pub use regression::{MeanAbsoluteError, MeanSquaredError};

use crate::error::{Error, Result};
use crate::layer::Link;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A loss: the mean over a batch of a measure of how far predictions are from targets, and its gradient.
///
/// With sample weights `w` it is the weighted mean `Σ w_i · l_i / Σ w_i` (scikit-learn's meaning; a weight of 0 leaves
/// a sample out), without them `Σ l_i / n`. A batch whose weights are all 0 has the loss 0 and no gradient.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss for models of `{F}`",
    note = "implement `plywood::Loss<{F}>` for it"
)]
pub trait Loss<F: Scalar = f32>: Send {
    /// A batch's targets: `[usize]` for class indices, [`Tensor<F>`](Tensor) for numbers.
    type Target: ?Sized;

    /// The loss of these predictions, and its gradient at them.
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
    fn absorbs(&self) -> Link {
        Link::Identity
    }

    /// The loss of these logits, the numbers before the link that this loss absorbs, and its gradient at them.
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
/// # Errors
/// When there are not as many weights as samples, or one is negative or not finite.
pub fn loss_weights<F: Scalar>(
    weights: Option<&[F]>,
    samples: usize,
) -> Result<(impl Iterator<Item = F> + Clone + '_, F)> {
    if let Some(weights) = weights {
        if weights.len() != samples {
            return Err(Error::data("weights", format!("for {samples} samples"), weights.len())
                .help("Give one weight for each sample."));
        }
        if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= F::zero())) {
            return Err(Error::data(
                format!("the weight of sample {i}"),
                "finite and at least 0",
                weights[i],
            )
            .help("A weight of 0 leaves a sample out."));
        }
    }
    let total = weights.map_or_else(|| F::of(samples as f64), |w| w.iter().copied().sum());
    let each = (0..samples).map(move |i| weights.map_or_else(F::one, |w| w[i]));
    Ok((each, if total == F::zero() { F::one() } else { total }))
}
