//! Code shared by the losses that compare elements of two tensors.
//!
//! Predictions and targets have one shape, `[batch, …]`. A sample's loss is the mean over its `m` elements. The
//! gradient overwrites the predictions.

use super::class_probabilities::leave_out;
use super::{LossSum, sample_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::target::{CLEAN, first_non_finite_row};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// The help text of the error for targets of another shape.
const SHAPE: &str = "Give a target for each number of the output, `[batch, …]`; one number a sample is `[batch, 1]`, with \
                     `insert_axis(Axis(1))`.";

/// Checks that targets are finite and have the shape `[batch, …]` of the outputs, where `output` is the shape of one.
pub(super) fn check_paired<F: Scalar>(output: &[usize], target: &Tensor<F>) -> Result<()> {
    match target.shape() {
        [_, rest @ ..] if rest == output => match first_non_finite_row(target) {
            None => Ok(()),
            Some(row) => Err(Error::sample_not_finite("the target", row).help(CLEAN)),
        },
        found => {
            let expected = [&[found.first().copied().unwrap_or(0)], output].concat();
            Err(Error::shape("the targets", format!("{expected:?}"), found).help(SHAPE))
        }
    }
}

/// Returns the value and the gradient of a loss. Its kernel writes each sample's sum into `sums` and overwrites the
/// predictions with the derivatives, up to the factor that it returns.
///
/// The kernel's arguments are the predictions, the targets, the number of elements per sample, and the sums. Samples
/// without elements (a shape with a 0 in it) have the loss 0, as there is nothing to divide by. Targets in row-major
/// order are read in place, others are copied first.
pub(super) fn paired<F: Scalar>(
    output: Tensor<F>,
    target: &Tensor<F>,
    weights: Option<&[F]>,
    divisor: f64,
    kernel: impl FnOnce(&mut [F], &[F], usize, &mut [F]) -> F,
) -> Result<(LossSum, Tensor<F>)> {
    let samples = output.shape().first().copied().unwrap_or(0);
    if output.shape() != target.shape() || output.ndim() == 0 {
        return Err(Error::shape("the targets", format!("{:?}", output.shape()), target.shape()).help(SHAPE));
    }
    check_paired(&output.shape()[1..], target)?;
    let numbers = output.shape()[1..].iter().product::<usize>();
    let weights = sample_weights(weights, samples)?;
    let mut sums = scratch(&[samples]);
    let each = slice_mut(&mut sums);
    if numbers == 0 {
        each.fill(F::zero());
        return Ok((LossSum::of(each, weights), output));
    }
    let mut grad = standard(output);
    let d = slice_mut(&mut grad);
    let factor = match target.as_slice() {
        Some(target) => kernel(d, target, numbers, each),
        None => kernel(d, slice(&standard(target.clone())), numbers, each),
    };
    let (per_number, divisor) = (F::of(numbers as f64).recip(), F::of(divisor));
    let mut value = LossSum::default();
    for (sum, w) in each.iter_mut().zip(weights) {
        value.add(w.as_f64(), sum.as_f64() / numbers as f64);
        *sum = factor * (w / divisor * per_number);
    }
    F::scale_rows(d, numbers, each);
    leave_out(d, numbers, each);
    recycle(sums);
    Ok((value, grad))
}
