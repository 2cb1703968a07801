//! Losses for numbers.
//!
//! Both losses are means twice over: over the `m` numbers of a sample, and over the samples by their weights. With
//! the differences `d = y - t` and the share `s_i = w_i / (Σ w · m)` of sample `i`:
//!
//! ```text
//! squared:    L = Σ_i s_i · Σ_j d_ij²          ∂L/∂y_ij = 2 · s_i · d_ij
//! absolute:   L = Σ_i s_i · Σ_j |d_ij|         ∂L/∂y_ij = s_i · sign(d_ij)
//! ```
//!
//! So both take the same path: differences in place of the predictions, a sum for each sample, and a factor for
//! each sample's row. The sums run over sixteen lanes in a fixed order (`scalar/rows.rs`).
//!
//! The squared error makes a model predict the mean of the targets that an input can have, the absolute error their
//! median. One target that is a hundred times too large pulls a mean along, and a median hardly: with outliers take
//! the latter.

use super::{Loss, loss_weights};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// The mean squared error: `Σ_j (y_j - t_j)² / m` for a sample of `m` numbers, averaged over the batch.
///
/// Predictions and targets are `[batch, …]`, of the same shape. This is PyTorch's `MSELoss` and Keras'
/// `MeanSquaredError`.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[1.0f64, 2.0]]).into_dyn(), arr2(&[[0.0, 4.0]]).into_dyn());
/// let (loss, grad) = MeanSquaredError.value_and_grad(y, &t, None)?;
/// assert_eq!(loss, 2.5);
/// assert_eq!(grad, arr2(&[[1.0, -2.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Its unit is the target's unit squared. A model that always predicts the targets' mean has a loss of the targets'
/// variance, so a loss above that is worse than no model.
///
/// Gradients grow with the error. Targets in the thousands make first gradients in the thousands, so scale targets
/// to about 1, or clip gradients.
///
/// For a prediction of `[batch]`, without a second axis, `m` is 1:
///
/// ```
/// use ndarray::arr1;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr1(&[3.0f32, 0.0]).into_dyn(), arr1(&[0.0, 0.0]).into_dyn());
/// let (value, grad) = MeanSquaredError.value_and_grad(y, &t, None)?;
/// assert_eq!((value, grad[[0]]), (4.5, 3.0));
///
/// // Shapes must be equal: nothing is broadcast, as PyTorch does (with a warning) and Keras does.
/// let error = MeanSquaredError
///     .value_and_grad(Tensor::<f32>::zeros(vec![4, 1]), &Tensor::zeros(vec![4]), None)
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "mean squared error: expected targets of shape [4, 1], found [4]. \
///      Give a target for each number that the model puts out, `[batch, …]`."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

/// The mean absolute error: `Σ_j |y_j - t_j| / m` for a sample of `m` numbers, averaged over the batch; its
/// derivative at 0 is taken as 0.
///
/// Predictions and targets are `[batch, …]`, of the same shape. This is PyTorch's `L1Loss` and Keras'
/// `MeanAbsoluteError`.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[1.0f64, 2.0]]).into_dyn(), arr2(&[[0.0, 4.0]]).into_dyn());
/// assert_eq!(MeanAbsoluteError.value_and_grad(y, &t, None)?.0, 1.5);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Its unit is that of the targets. The gradient of a number has the size `1 / (m · batch)` however small the error
/// is, so steps do not get shorter near the end: let the rate fall.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (y, t) = (arr2(&[[5.0f64, 3.0, 3.0, -1.0]]).into_dyn(), arr2(&[[3.0; 4]]).into_dyn());
/// let (_, grad) = MeanAbsoluteError.value_and_grad(y, &t, None)?;
/// assert_eq!(grad, arr2(&[[0.25, 0.0, 0.0, -0.25]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsoluteError;

/// What to add up for each sample, and what the differences become.
///
/// Chosen once for each batch; the loops over numbers are in the kernels.
#[derive(Clone, Copy)]
enum Power {
    /// Magnitudes; differences become signs.
    One,
    /// Squares; differences stay as they are.
    Two,
}

/// Both losses. Samples without numbers (a shape with a 0 in it) have the loss 0, as there is nothing to divide by.
///
/// The predictions become the differences, and these the gradient, in one buffer. Targets in row-major order are
/// read where they are, others are copied first.
fn value_and_grad<F: Scalar>(
    power: Power,
    output: Tensor<F>,
    target: &Tensor<F>,
    weights: Option<&[F]>,
) -> Result<(F, Tensor<F>)> {
    let samples = output.shape().first().copied().unwrap_or(0);
    if output.shape() != target.shape() || output.ndim() == 0 {
        return Err(Error::shape("targets", format!("{:?}", output.shape()), target.shape())
            .help("Give a target for each number that the model puts out, `[batch, …]`."));
    }
    let numbers = output.shape()[1..].iter().product::<usize>();
    let (weights, total) = loss_weights(weights, samples)?;
    if numbers == 0 {
        return Ok((F::zero(), output));
    }
    let mut grad = standard(output);
    let d = slice_mut(&mut grad);
    match target.as_slice() {
        Some(target) => F::add_scaled(d, -F::one(), target),
        None => F::add_scaled(d, -F::one(), slice(&standard(target.clone()))),
    }
    let per_number = F::of(numbers as f64).recip();
    let mut sums = scratch(&[samples]);
    let factor = match power {
        Power::Two => {
            F::dot_rows(d, d, numbers, slice_mut(&mut sums));
            F::of(2.0)
        }
        Power::One => {
            F::sum_magnitudes_rows(d, numbers, slice_mut(&mut sums));
            F::signs(d);
            F::one()
        }
    };
    let mut value = F::zero();
    for (sum, w) in slice_mut(&mut sums).iter_mut().zip(weights) {
        let share = w / total * per_number;
        value += *sum * share;
        *sum = factor * share;
    }
    F::scale_rows(d, numbers, slice(&sums));
    recycle(sums);
    Ok((value, grad))
}

impl<F: Scalar> Loss<F> for MeanSquaredError {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        value_and_grad(Power::Two, output, target, weights).map_err(|error| error.at("mean squared error"))
    }
}

impl<F: Scalar> Loss<F> for MeanAbsoluteError {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        value_and_grad(Power::One, output, target, weights).map_err(|error| error.at("mean absolute error"))
    }
}
