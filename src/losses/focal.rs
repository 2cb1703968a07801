//! Focal loss.
//!
//! With `p` the probability of the label, and the gradient at the logits, where `δ` is 1 for the label:
//!
//! ```text
//! l = -(1 - p)^γ · ln p              ∂l/∂z_j = (p_j - δ_j) · (1 - p)^γ · (1 + γ · p · r)       r = -ln p / (1 - p)
//! ```
//!
//! It is the gradient of cross-entropy times a factor per sample. `r` goes to 1 as `p` does, so nothing is divided by 0
//! for any `γ` of at least 0. `1 - p` is computed as `-(e^ln p - 1)`, which keeps its digits near 0.

use super::class_probabilities::{
    Probabilities, check_class_weights, check_classes, check_distributions, check_labels, check_rows,
    label_weights, scale_rows,
};
use super::{Loss, LossSum};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};

/// Focal loss: cross-entropy with a smaller weight for samples that the model already predicts well. `-(1 - p)^γ · ln
/// p`, with `p` the probability of the label.
///
/// Predictions, targets and class weights are as for [`CrossEntropy`](crate::losses::CrossEntropy), to which it is
/// equal at `γ = 0`. At `γ = 2`, the default, the factor of a sample with `p = 0.9` is a hundredth. If the model ends
/// in softmax, the loss is computed from its logits. It is Keras' `CategoricalFocalCrossentropy`, where class weights
/// are called `alpha`.
///
/// Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", 2017.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let p = arr2(&[[0.9f64, 0.1]]).into_dyn();
/// let (value, _) = Focal::gamma(2.0).value_and_grad(p, &[0], None, 1.0)?;
/// assert!((value.mean() + 0.01 * 0.9f64.ln()).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Focal {
    gamma: f64,
    from_logits: bool,
    /// Empty if there are none.
    class_weights: Vec<f64>,
}

impl Default for Focal {
    /// `γ = 2`, for probabilities.
    fn default() -> Self {
        Self::gamma(2.0)
    }
}

impl Focal {
    /// Creates a focal loss with this exponent. It must be at least 0 and finite, which is checked at the first batch.
    pub fn gamma(gamma: f64) -> Self {
        Self { gamma, from_logits: false, class_weights: Vec::new() }
    }

    /// Sets whether the model's outputs are logits: the loss then applies the softmax, and `predict` returns logits.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Sets a weight for each class, as in [`CrossEntropy::class_weights`](crate::losses::CrossEntropy::class_weights).
    #[must_use]
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = weights.into();
        self
    }

    /// Returns `(1 - p)^γ`, and the factor of the gradient of cross-entropy, given `ln p`.
    fn factors<F: Scalar>(&self, log: F) -> (F, F) {
        let (p, rest, gamma) = (log.exp(), -log.exp_m1(), F::of(self.gamma));
        // A probability above 1 by a rounding error counts as 1.
        let rest = if rest < F::zero() { F::zero() } else { rest };
        let power = rest.powf(gamma);
        let r = if rest == F::zero() { F::one() } else { -log / rest };
        // At p = 0, where ln p is infinite, p · ln p is 0.
        let product = if p == F::zero() { F::zero() } else { p * r };
        (power, power * (F::one() + gamma * product))
    }

    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        logits: bool,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        if !(self.gamma.is_finite() && self.gamma >= 0.0) {
            return Err(Error::argument("gamma", "at least 0 and finite", self.gamma).help("2 is usual."));
        }
        let rows = Probabilities::of(output)?;
        check_labels(labels, rows.samples, rows.columns)?;
        if !logits {
            check_distributions(&rows)?;
        }
        let Probabilities { mut grad, samples, columns } = rows;
        let mut each = label_weights(&self.class_weights, columns, labels, weights)?;
        let (x, ws) = (slice_mut(&mut grad), slice_mut(&mut each));
        let mut value = LossSum::default();
        if logits {
            F::subtract_max_rows(x, columns);
            let (mut own, mut logs) = (scratch(&[samples]), scratch(&[samples]));
            for ((own, row), &label) in
                slice_mut(&mut own).iter_mut().zip(x.chunks_exact(columns)).zip(labels)
            {
                *own = row[label];
            }
            F::softmax_log_rows(x, columns, slice_mut(&mut logs));
            let rows = x.chunks_exact_mut(columns).zip(labels).zip(slice(&own).iter().zip(slice(&logs)));
            for (((row, &label), (&own, &log_sum)), w) in rows.zip(ws) {
                let log = own - log_sum;
                let (power, factor) = self.factors(log);
                value.add(w.as_f64(), -(power * log).as_f64());
                row[label] -= F::one();
                *w *= factor;
            }
            [own, logs].into_iter().for_each(recycle);
        } else {
            for ((row, &label), w) in x.chunks_exact_mut(columns).zip(labels).zip(ws) {
                let p = row[label];
                let (power, factor) = self.factors(p.ln());
                value.add(w.as_f64(), -(power * p.ln()).as_f64());
                row.fill(F::zero());
                row[label] = -p.recip();
                *w *= factor;
            }
        }
        scale_rows(&mut grad, columns, slice(&each), divisor);
        recycle(each);
        Ok((value, grad))
    }
}

impl<F: Scalar> Loss<F> for Focal {
    type Target = [usize];

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.compute(output, labels, weights, self.from_logits, F::of(divisor))
            .map_err(|error| error.at("focal"))
    }

    fn outputs(&self) -> Outputs {
        if self.from_logits { Outputs::Logits } else { Outputs::Distributions }
    }

    fn check_target(&self, output: &[usize], labels: &[usize]) -> Result<()> {
        check_rows(output)
            .and_then(|classes| {
                check_class_weights::<F>(&self.class_weights, classes)?;
                check_classes(labels, classes)
            })
            .map_err(|error| error.at("focal"))
    }

    fn fused_activation(&self) -> OutputActivation {
        if self.from_logits { OutputActivation::Unknown } else { OutputActivation::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.compute(logits, labels, weights, true, F::of(divisor)).map_err(|error| error.at("focal"))
    }
}
