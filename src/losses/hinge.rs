//! The hinge loss.

use super::class_probabilities::{Probabilities, check_classes, check_labels, check_rows, leave_out};
use super::{Loss, LossSum, sample_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Outputs;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};

/// The hinge loss: 0 if the label's score exceeds every other score by the margin, and growing linearly with the
/// shortfall otherwise. It is the loss of support vector machines.
///
/// ```text
/// [batch, classes]:   Σ_{j ≠ y} max(0, margin - x_y + x_j) / classes
/// [batch, 1]:         max(0, margin - s · x)                               s = 1 for the label 1, -1 for 0
/// ```
///
/// Targets are `[usize]`. Predictions are scores, not probabilities: the model ends in `Dense`. With several classes it
/// is PyTorch's `MultiMarginLoss`, which divides by the number of classes, too; with one output it is Keras' `Hinge`.
/// [`squared`](Hinge::squared) squares the hinges (`p=2`, Keras' `SquaredHinge`), which makes the loss smooth.
///
/// Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let scores = arr2(&[[2.0f64, 1.5, -1.0]]).into_dyn();
/// let (loss, grad) = Hinge::default().value_and_grad(scores, &[0], None, 1.0)?;
/// assert_eq!(loss.mean(), 0.5 / 3.0); // only the second score is within the margin of 1
/// assert_eq!(grad, arr2(&[[-1.0 / 3.0, 1.0 / 3.0, 0.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    margin: f64,
    squared: bool,
}

impl Default for Hinge {
    /// A margin of 1, not squared.
    fn default() -> Self {
        Self::margin(1.0)
    }
}

impl Hinge {
    /// Creates a hinge loss with this margin. It must be finite, which is checked at the first batch.
    pub fn margin(margin: f64) -> Self {
        Self { margin, squared: false }
    }

    /// Sets whether the hinges are squared: large violations then have more weight, small ones less.
    #[must_use]
    pub fn squared(mut self, squared: bool) -> Self {
        self.squared = squared;
        self
    }

    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        if !self.margin.is_finite() {
            return Err(Error::argument("the margin", "finite", self.margin).help("1 is usual."));
        }
        let Probabilities { mut grad, samples, columns } = Probabilities::of(output)?;
        check_labels(labels, samples, columns.max(2))?;
        let weights = sample_weights(weights, samples)?;
        let mut sums = scratch(&[samples]);
        let x = slice_mut(&mut grad);
        F::margin_rows(x, columns, labels, F::of(self.margin), self.squared, slice_mut(&mut sums));
        let per_class = F::of(columns as f64).recip();
        let mut value = LossSum::default();
        for (sum, w) in slice_mut(&mut sums).iter_mut().zip(weights) {
            value.add(w.as_f64(), sum.as_f64() / columns as f64);
            *sum = w / divisor * per_class;
        }
        F::scale_rows(x, columns, slice(&sums));
        leave_out(x, columns, slice(&sums));
        recycle(sums);
        Ok((value, grad))
    }
}

impl<F: Scalar> Loss<F> for Hinge {
    type Target = [usize];

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.compute(output, labels, weights, F::of(divisor)).map_err(|error| error.at("hinge"))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Scores
    }

    fn check_target(&self, output: &[usize], labels: &[usize]) -> Result<()> {
        check_rows(output)
            .and_then(|scores| check_classes(labels, scores.max(2)))
            .map_err(|error| error.at("hinge"))
    }
}
