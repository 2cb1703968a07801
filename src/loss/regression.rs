//! Losses for numbers.

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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsoluteError;

/// What to add up for each sample, and what the differences become.
#[derive(Clone, Copy)]
enum Power {
    One,
    Two,
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn by_hand_with_weights() {
        let y = || arr2(&[[1f64, 2.], [0., 0.]]).into_dyn();
        let t = arr2(&[[0., 4.], [3., 0.]]).into_dyn();
        let (value, grad) = MeanSquaredError.value_and_grad(y(), &t, Some(&[1., 3.])).unwrap();
        assert!((value - (2.5 + 3. * 4.5) / 4.).abs() < 1e-12);
        assert_eq!(grad, arr2(&[[0.25, -0.5], [-2.25, 0.]]).into_dyn());
        let (value, grad) = MeanAbsoluteError.value_and_grad(y(), &t, Some(&[1., 3.])).unwrap();
        assert!((value - (1.5 + 3. * 1.5) / 4.).abs() < 1e-12);
        assert_eq!(grad, arr2(&[[0.125, -0.125], [-0.375, 0.]]).into_dyn());
    }

    #[test]
    fn shapes_must_agree() {
        let y = Tensor::<f32>::zeros(vec![2, 3]);
        assert!(MeanSquaredError.value_and_grad(y.clone(), &Tensor::zeros(vec![2]), None).is_err());
        assert!(MeanAbsoluteError.value_and_grad(y, &Tensor::zeros(vec![2, 2]), None).is_err());
    }
}
