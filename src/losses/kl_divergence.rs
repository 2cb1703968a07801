//! The Kullback-Leibler divergence.

use super::class_probabilities::{Probabilities, Soft, check_target, check_target_rows, weights_of};
use super::{Loss, LossSum};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};

/// The Kullback-Leibler divergence of the predicted distribution from the target: `Σ_j t_j · ln(t_j / p_j)`.
///
/// Predictions are `[batch, classes]`, probabilities or logits. Targets are a tensor of the same shape, with a
/// distribution per row; elements may be 0. The loss is cross-entropy minus the entropy of the targets: the gradient is
/// that of [`SoftCrossEntropy`](crate::losses::SoftCrossEntropy), and the value is 0 where the two are equal. If the
/// model ends in softmax, the loss is computed from its logits. It is Keras' `KLDivergence`, and PyTorch's
/// `KLDivLoss(reduction="batchmean")` of log-probabilities. Use it to learn from another model's outputs.
///
/// Kullback and Leibler, "On information and sufficiency", 1951.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let t = arr2(&[[0.25f64, 0.75]]).into_dyn();
/// let (value, _) = KLDivergence::default().value_and_grad(t.clone(), &t, None, 1.0)?;
/// assert_eq!(value.mean(), 0.0);
/// let (value, _) = KLDivergence::default().value_and_grad(arr2(&[[0.5, 0.5]]).into_dyn(), &t, None, 1.0)?;
/// assert!((value.mean() - (0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln())).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KLDivergence {
    from_logits: bool,
}

impl KLDivergence {
    /// Sets whether the model's outputs are logits: the loss then applies the softmax, and `predict` returns logits.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    fn compute<F: Scalar>(
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        logits: bool,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        let rows = Probabilities::of(output)?;
        let (samples, columns) = (rows.samples, rows.columns);
        let target = check_target(target, &rows.grad)?;
        let each = weights_of(weights, samples)?;
        let soft = Soft { target: &target, each: slice(&each), weighted: false, divisor };
        let (mut value, grad) = soft.compute(rows, logits)?;
        let mut information = scratch(&[samples]);
        F::information_rows(slice(&target), columns, slice_mut(&mut information));
        value.sum += LossSum::of(slice(&information), slice(&each).iter().copied()).sum;
        [information, each, target].into_iter().for_each(recycle);
        Ok((value, grad))
    }
}

impl<F: Scalar> Loss<F> for KLDivergence {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        Self::compute(output, target, weights, self.from_logits, F::of(divisor))
            .map_err(|error| error.at("KL divergence"))
    }

    fn outputs(&self) -> Outputs {
        if self.from_logits { Outputs::Logits } else { Outputs::Distributions }
    }

    fn check_target(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        check_target_rows(output, target).map_err(|error| error.at("KL divergence"))
    }

    fn fused_activation(&self) -> OutputActivation {
        if self.from_logits { OutputActivation::Unknown } else { OutputActivation::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        Self::compute(logits, target, weights, true, F::of(divisor))
            .map_err(|error| error.at("KL divergence"))
    }
}
