//! Regression losses.
//!
//! The loss of a sample is the mean over its `m` elements. With the differences `d = y - t` and the share `s_i = w_i /
//! (divisor · m)` of sample `i` in the gradient:
//!
//! ```text
//! squared:    l_i = Σ_j d_ij² / m          ∂L/∂y_ij = 2 · s_i · d_ij
//! absolute:   l_i = Σ_j |d_ij| / m         ∂L/∂y_ij = s_i · sign(d_ij)
//! Huber:      l_i = Σ_j h(d_ij) / m        ∂L/∂y_ij = s_i · d_ij, d_ij cut at ±δ
//! ```
//!
//! So all three are computed alike: the differences overwrite the predictions, each sample has a sum, and each sample's
//! row is multiplied by a factor. The sums run over sixteen lanes in a fixed order (`kernels/norm/rows.rs`).
//!
//! The squared error makes a model predict the mean of the targets for an input, the absolute error their median. A
//! single target that is a hundred times too large shifts the mean a lot and the median hardly: use the absolute error
//! if there are outliers.

use super::elementwise::{check_paired, paired};
use super::{Loss, LossSum};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Outputs;
use crate::tensor::Tensor;

/// The mean squared error: `Σ_j (y_j - t_j)² / m` for a sample of `m` elements.
///
/// Predictions and targets are `[batch, …]`, of the same shape. This is PyTorch's `MSELoss` and Keras'
/// `MeanSquaredError`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[1.0f64, 2.0]]).into_dyn(), arr2(&[[0.0, 4.0]]).into_dyn());
/// let (loss, grad) = MeanSquaredError.value_and_grad(y, &t, None, 1.0)?;
/// assert_eq!(loss.mean(), 2.5);
/// assert_eq!(grad, arr2(&[[1.0, -2.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Its unit is the target's unit squared. A model that always predicts the targets' mean has a loss of the targets'
/// variance, so a loss above that is worse than no model.
///
/// Gradients grow with the error. Targets in the thousands make the first gradients as large, so scale targets to about
/// 1, or clip gradients.
///
/// For a prediction of `[batch]`, without a second axis, `m` is 1:
///
/// ```
/// use plywood::ndarray::arr1;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr1(&[3.0f32, 0.0]).into_dyn(), arr1(&[0.0, 0.0]).into_dyn());
/// let (value, grad) = MeanSquaredError.value_and_grad(y, &t, None, 2.0)?;
/// assert_eq!((value.mean(), grad[[0]]), (4.5, 3.0));
///
/// // Shapes must be equal: nothing is broadcast, unlike in PyTorch (with a warning) and Keras.
/// let error = MeanSquaredError
///     .value_and_grad(Tensor::<f32>::zeros(vec![4, 1]), &Tensor::zeros(vec![4]), None, 4.0)
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "mean squared error: the targets must have shape [4, 1], got [4]. Give a target for each number of the \
///      output, `[batch, …]`; one number a sample is `[batch, 1]`, with `insert_axis(Axis(1))`."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

/// The mean absolute error: `Σ_j |y_j - t_j| / m` for a sample of `m` elements; its derivative at 0 is taken as 0.
///
/// Predictions and targets are `[batch, …]`, of the same shape. This is PyTorch's `L1Loss` and Keras'
/// `MeanAbsoluteError`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[1.0f64, 2.0]]).into_dyn(), arr2(&[[0.0, 4.0]]).into_dyn());
/// assert_eq!(MeanAbsoluteError.value_and_grad(y, &t, None, 1.0)?.0.mean(), 1.5);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Its unit is that of the targets. The gradient of an element has the size `1 / (m · batch)` however small the error
/// is, so steps do not get shorter near the end: use a learning rate that falls.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[5.0f64, 3.0, 3.0, -1.0]]).into_dyn(), arr2(&[[3.0; 4]]).into_dyn());
/// let (_, grad) = MeanAbsoluteError.value_and_grad(y, &t, None, 1.0)?;
/// assert_eq!(grad, arr2(&[[0.25, 0.0, 0.0, -0.25]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsoluteError;

/// The Huber loss: squared if the error is at most `δ`, absolute beyond.
///
/// ```text
/// h(d) = d² / 2               where |d| ≤ δ
///        δ · (|d| - δ / 2)    beyond
/// ```
///
/// Averaged over the elements of a sample. Predictions and targets are `[batch, …]`, of the same shape. It is smooth at
/// 0 like the squared error, and the derivative of an outlier is at most `δ`, as with the absolute error. This is
/// PyTorch's `HuberLoss` and Keras' `Huber`; with `δ = 1`, the default, it is PyTorch's `SmoothL1Loss`, too.
///
/// Huber, "Robust estimation of a location parameter", 1964.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[0.5f64, 5.0]]).into_dyn(), arr2(&[[0.0, 0.0]]).into_dyn());
/// let (loss, grad) = Huber::delta(2.0).value_and_grad(y, &t, None, 1.0)?;
/// assert_eq!(loss.mean(), (0.125 + 2.0 * (5.0 - 1.0)) / 2.0);
/// assert_eq!(grad, arr2(&[[0.25, 1.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
}

impl Default for Huber {
    /// `δ = 1`.
    fn default() -> Self {
        Self::delta(1.0)
    }
}

impl Huber {
    /// Creates a Huber loss that is squared up to this error. `delta` must be above 0 and finite, which is checked at
    /// the first batch.
    pub fn delta(delta: f64) -> Self {
        Self { delta }
    }
}

impl<F: Scalar> Loss<F> for MeanSquaredError {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        paired(output, target, weights, divisor, |d, t, numbers, sums| {
            F::add_scaled(d, -F::one(), t);
            F::dot_rows(d, d, numbers, sums);
            F::of(2.0)
        })
        .map_err(|error| error.at("mean squared error"))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Numbers
    }

    fn check_target(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        check_paired(output, target).map_err(|error| error.at("mean squared error"))
    }
}

impl<F: Scalar> Loss<F> for MeanAbsoluteError {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        paired(output, target, weights, divisor, |d, t, numbers, sums| {
            F::add_scaled(d, -F::one(), t);
            F::sum_magnitudes_rows(d, numbers, sums);
            F::signs(d);
            F::one()
        })
        .map_err(|error| error.at("mean absolute error"))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Numbers
    }

    fn check_target(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        check_paired(output, target).map_err(|error| error.at("mean absolute error"))
    }
}

impl<F: Scalar> Loss<F> for Huber {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        if !(self.delta.is_finite() && self.delta > 0.0) {
            return Err(Error::argument("delta", "positive and finite", self.delta)
                .help("It is the error above which the loss is no longer squared; 1 is usual.")
                .at("Huber"));
        }
        paired(output, target, weights, divisor, |d, t, numbers, sums| {
            F::add_scaled(d, -F::one(), t);
            F::huber_rows(d, numbers, F::of(self.delta), sums);
            F::one()
        })
        .map_err(|error| error.at("Huber"))
    }

    fn outputs(&self) -> Outputs {
        Outputs::Numbers
    }

    fn check_target(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        check_paired(output, target).map_err(|error| error.at("Huber"))
    }
}
