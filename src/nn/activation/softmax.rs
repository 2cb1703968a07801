//! Softmax.
//!
//! # The derivative
//!
//! With `y_i = e^x_i / S` and `S = Σ_k e^x_k`, the quotient rule gives `∂y_i/∂x_j = y_i · ([i = j] - y_j)`. So for a
//! gradient `g` at the output
//!
//! ```text
//! ∂L/∂x_j = Σ_i g_i · y_i · ([i = j] - y_j) = y_j · (g_j - Σ_i g_i · y_i)
//! ```
//!
//! It needs only the output and one dot product per row, not a matrix. The gradient sums to 0 along a row, because
//! adding a number to all logits does not change the output.
//!
//! # The maximum
//!
//! `e^x` overflows in `f32` above 88.7. Dividing numerator and denominator by `e^max` changes nothing in exact
//! arithmetic, and makes the largest exponential 1 and the sum at least 1, so there is neither overflow nor 0/0. Values
//! that underflow are set to the smallest normal number, so that their logarithm is finite.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, OutputActivation, WithoutActivation, check_gradient};
use crate::state::Kind;
use crate::tensor::{Tensor, copy, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// Softmax over the last axis: `y_i = e^(x_i - max) / Σ_j e^(x_j - max)`. Each row becomes probabilities.
///
/// Input and output are `[batch, …, classes]`. Bridle, "Probabilistic interpretation of feedforward classification
/// network outputs", 1990.
///
/// As a model's last layer it is an [`OutputActivation`]: [`CrossEntropy`](crate::losses::CrossEntropy) skips it and
/// starts from the logits, exactly, in training and in evaluation. In a custom training loop that uses the
/// probabilities, they are at least `F::MIN_POSITIVE`, so that gradients through their logarithm are right for any
/// logits.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Softmax.forward(arr2(&[[1000.0f32, 1000.0, -1000.0]]).into_dyn())?;
/// assert_eq!(y[[0, 0]], 0.5);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A row that contains NaN or +∞ becomes NaN. Keras has `Softmax(axis=-1)`, PyTorch `nn.Softmax(dim)`; here the axis is
/// always the last. The layer computes one exponential and one division per value, and keeps a copy of the output for
/// `backward`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Softmax;

/// Checks the shape. Axis 0 is the batch, so a one-dimensional input has no axis to normalize along.
fn check<F: Scalar>(input: &Tensor<F>) -> Result<()> {
    if input.ndim() > 1 {
        return Ok(());
    }
    Err(Error::shape("the input", "[batch, …, classes]", input.shape())
        .help("Axis 0 is the batch: give one sample as a batch of one, with `insert_axis(Axis(0))`."))
}

impl<F: Scalar> Layer<F> for Softmax {
    const KIND: Kind = Kind::builtin("softmax");
    /// The output.
    ///
    /// The derivative needs nothing else.
    type Cache = Tensor<F>;

    /// Accepts any shape with at least one axis, and returns it unchanged.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input.last() {
            Some(_) => Ok(input.to_vec()),
            None => Err(Error::shape("the input", "[…, classes]", input)
                .help("Softmax works along the last axis, so there has to be one.")),
        }
    }

    /// It works along the last axis.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() > 1
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        check(&input)?;
        Ok(OutputActivation::Softmax.apply(input))
    }

    /// Not called if the loss fuses the activation: [`Sequential`](crate::nn::Sequential) then skips the layer.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        check(&input)?;
        let output = OutputActivation::Softmax.apply(input);
        let kept = copy(&output);
        Ok((output, kept))
    }

    /// Works in place in `grad`. If `grad` is constant along each row, the result is zero up to rounding.
    fn backward(&mut self, output: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        let columns = output.shape().last().copied().unwrap_or(1);
        F::softmax_back_rows(slice(&output), slice_mut(&mut grad), columns);
        recycle(output);
        Ok(grad)
    }

    fn activation(&self) -> OutputActivation {
        OutputActivation::Softmax
    }

    /// The layer is exactly this function, so it may be left out.
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Nothing
    }
}
