//! Outputs of branches joined two by two, from the first to the last, with broadcasting.
//!
//! The backward pass computes the results on the way again, and goes back over them.

use super::join::{Join, none};
use crate::error::{Error, Result};
use crate::kernels::{Binary, Scalar};
use crate::nn::graph::Pairwise;
use crate::nn::{OutputActivation, Wiring};
use crate::tensor::{Tensor, copy, recycle};

/// A [`Join`] by a function of two numbers, which broadcasts.
pub(super) trait Fold {
    const FUNCTION: Binary;
    const WIRING: Wiring;

    /// [`Join::known`].
    fn known(of_outputs: OutputActivation) -> OutputActivation;
}

impl<T: Fold> Join for T {
    fn shape(outputs: &[&[usize]]) -> Result<Vec<usize>> {
        let (first, rest) = outputs.split_first().ok_or_else(none)?;
        let join = |shape: Vec<usize>, (i, next): (usize, &&[usize])| {
            Ok(pair(T::FUNCTION, &shape, next, i + 1)?.shape().to_vec())
        };
        rest.iter().enumerate().try_fold(first.to_vec(), join)
    }

    /// The steps of all outputs must be the same axis of the result.
    fn keeps_steps(outputs: &[Vec<usize>]) -> bool {
        outputs.iter().all(|shape| shape.len() == outputs[0].len())
    }

    fn wiring() -> Wiring {
        T::WIRING
    }

    fn forward<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<Tensor<F>> {
        let (joined, outputs) = Self::forward_kept(outputs)?;
        outputs.into_iter().for_each(recycle);
        Ok(joined)
    }

    fn forward_kept<F: Scalar>(outputs: Vec<Tensor<F>>) -> Result<(Tensor<F>, Vec<Tensor<F>>)> {
        Ok((forward(T::FUNCTION, &outputs)?, outputs))
    }

    fn backward<F: Scalar>(kept: Vec<Tensor<F>>, _: usize, grad: Tensor<F>) -> Result<Vec<Tensor<F>>> {
        backward(T::FUNCTION, kept, grad)
    }

    fn known(of_outputs: OutputActivation) -> OutputActivation {
        T::known(of_outputs)
    }
}

/// Returns the function of what was joined so far and of the output of branch `i`, for these shapes of a sample.
fn pair(f: Binary, so_far: &[usize], next: &[usize], i: usize) -> Result<Pairwise> {
    Pairwise::new(f, so_far, next).map_err(|_| {
        let what = format!("the output of branch {i}");
        let expected = format!("broadcast with {so_far:?}: sizes equal, or 1, from the last axis on");
        Error::data(what, expected, format!("{next:?}"))
            .help("Give the branches such shapes, with `Reshape`, or join them with `Concat`.")
    })
}

/// The shape of a sample of a batch.
fn sample<F>(batch: &Tensor<F>) -> &[usize] {
    batch.shape().get(1..).unwrap_or_default()
}

/// Returns the function for the results so far, and the output of branch `i`.
fn pair_of<F: Scalar>(f: Binary, so_far: &Tensor<F>, next: &Tensor<F>, i: usize) -> Result<Pairwise> {
    if so_far.shape().first() != next.shape().first() {
        let expected = format!("{:?} samples", so_far.shape().first());
        return Err(Error::shape(format!("the output of branch {i}"), expected, next.shape())
            .help("A layer must return as many samples as it is given."));
    }
    pair(f, sample(so_far), sample(next), i)
}

/// Computes the result.
fn forward<F: Scalar>(f: Binary, outputs: &[Tensor<F>]) -> Result<Tensor<F>> {
    let mut so_far: Option<Tensor<F>> = None;
    for (i, next) in outputs.iter().enumerate().skip(1) {
        let before = so_far.as_ref().unwrap_or(&outputs[0]);
        let joined = pair_of(f, before, next, i)?.forward(before, next);
        if let Some(before) = so_far.replace(joined) {
            recycle(before);
        }
    }
    so_far.or_else(|| outputs.first().map(copy)).ok_or_else(none)
}

/// Computes the gradients at the outputs.
fn backward<F: Scalar>(f: Binary, outputs: Vec<Tensor<F>>, mut grad: Tensor<F>) -> Result<Vec<Tensor<F>>> {
    // What was joined before each output but the first two: before the second it is the first output.
    let mut before: Vec<Tensor<F>> = Vec::new();
    for i in 1..outputs.len().max(2) - 1 {
        let so_far = before.last().unwrap_or(&outputs[0]);
        let joined = pair_of(f, so_far, &outputs[i], i)?.forward(so_far, &outputs[i]);
        before.push(joined);
    }
    let mut grads = Vec::with_capacity(outputs.len());
    for (i, next) in outputs.iter().enumerate().skip(1).rev() {
        let so_far = i.checked_sub(2).map_or(&outputs[0], |i| &before[i]);
        let [at_so_far, at_next] = pair_of(f, so_far, next, i)?.backward(so_far, next, &grad);
        recycle(std::mem::replace(&mut grad, at_so_far));
        grads.push(at_next);
    }
    grads.push(grad);
    grads.reverse();
    before.into_iter().chain(outputs).for_each(recycle);
    Ok(grads)
}
