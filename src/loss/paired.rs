//! Losses of number against number: what they have in common.
//!
//! Predictions and targets are of one shape, `[batch, …]`. The loss is a mean over the `m` numbers of a sample, and
//! over the samples by their weights; the predictions become the gradient in one buffer.

use super::loss_weights;
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// The value and the gradient of a loss whose kernel puts each sample's sum into `sums` and the derivatives, up to
/// the factor that it returns, into the predictions.
///
/// The kernel's arguments are the predictions, the targets, how many numbers a sample has, and the sums. Samples
/// without numbers (a shape with a 0 in it) have the loss 0, as there is nothing to divide by. Targets in row-major
/// order are read where they are, others are copied first.
pub(super) fn paired<F: Scalar>(
    output: Tensor<F>,
    target: &Tensor<F>,
    weights: Option<&[F]>,
    kernel: impl FnOnce(&mut [F], &[F], usize, &mut [F]) -> F,
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
    let mut sums = scratch(&[samples]);
    let factor = match target.as_slice() {
        Some(target) => kernel(d, target, numbers, slice_mut(&mut sums)),
        None => kernel(d, slice(&standard(target.clone())), numbers, slice_mut(&mut sums)),
    };
    let per_number = F::of(numbers as f64).recip();
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
