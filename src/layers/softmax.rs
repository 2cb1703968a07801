//! Softmax.

use crate::error::{Error, Result};
use crate::layer::{Layer, Link, check_gradient};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, copy, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// Softmax over the last axis: `y_i = e^(x_i - max) / Σ_j e^(x_j - max)`. Rows become probabilities.
///
/// Input and output are `[batch, …, classes]`. Bridle, "Probabilistic interpretation of feedforward classification
/// network outputs", 1990.
///
/// As a model's last layer it is a [`Link`]: [`CrossEntropy`](crate::CrossEntropy) leaves it out and starts from the
/// logits, exactly, in training and in evaluation. Where a loop of your own passes probabilities on, they are at
/// least `F::MIN_POSITIVE`, so that gradients through their logarithm stay right at any logits.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Softmax.forward(arr2(&[[1000.0f32, 1000.0, -1000.0]]).into_dyn())?;
/// assert_eq!(y[[0, 0]], 0.5);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Softmax;

impl<F: Scalar> Layer<F> for Softmax {
    const KIND: &'static str = "softmax";
    /// The output.
    type Cache = Tensor<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input.last() {
            Some(_) => Ok(input.to_vec()),
            None => Err(Error::shape("an input", "[…, classes]", input)
                .help("Softmax works along the last axis, so there has to be one.")),
        }
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(Link::Softmax.apply(input))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let output = Link::Softmax.apply(input);
        let kept = copy(&output);
        Ok((output, kept))
    }

    fn backward(&mut self, output: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        let columns = output.shape().last().copied().unwrap_or(1);
        F::softmax_back_rows(slice(&output), slice_mut(&mut grad), columns);
        recycle(output);
        Ok(grad)
    }

    fn link(&self) -> Link {
        Link::Softmax
    }
}
