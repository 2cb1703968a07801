//! The logarithm of softmax.
//!
//! # The derivative
//!
//! With `y_i = x_i - ln Σ_k e^x_k`, `∂y_i/∂x_j = [i = j] - e^y_j`. So for a gradient `g` at the output
//!
//! ```text
//! ∂L/∂x_j = g_j - e^y_j · Σ_i g_i
//! ```
//!
//! It needs only the output and one sum per row. Taking the logarithm of [`Softmax`](crate::nn::Softmax) instead would
//! lose everything below the smallest number of the type; here -1000 is returned as such.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::state::Kind;
use crate::tensor::{Tensor, copy, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The logarithm of softmax over the last axis: `y_i = x_i - max - ln Σ_j e^(x_j - max)`. Each row becomes the
/// logarithms of probabilities.
///
/// Input and output are `[batch, …, classes]`. PyTorch's `nn.LogSoftmax(dim=-1)`, Keras' `log_softmax`.
///
/// Use it for scores that are added up, or for custom losses. A classifier does not need it:
/// [`CrossEntropy`](crate::losses::CrossEntropy) works from the logits automatically if the model ends in
/// [`Softmax`](crate::nn::Softmax). After this layer,
/// [`CrossEntropy::from_logits`](crate::losses::CrossEntropy::from_logits) is also right, as a second log-softmax
/// changes nothing (PyTorch's `NLLLoss`).
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = LogSoftmax.forward(arr2(&[[1000.0f64, 1000.0, -1000.0]]).into_dyn())?;
/// assert!((y[[0, 0]] + 2f64.ln()).abs() < 1e-15);
/// assert!((y[[0, 2]] + 2000.0 + 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A row that contains NaN or +∞ becomes NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogSoftmax;

/// Checks the shape. Axis 0 is the batch, so a one-dimensional input has no axis to normalize along.
fn checked<F: Scalar>(input: Tensor<F>) -> Result<(Tensor<F>, usize)> {
    match input.shape() {
        [_, .., columns] => {
            let columns = *columns;
            Ok((standard(input), columns))
        }
        found => Err(Error::shape("the input", "[batch, …, classes]", found)
            .help("Axis 0 is the batch: give one sample as a batch of one, with `insert_axis(Axis(0))`.")),
    }
}

impl<F: Scalar> Layer<F> for LogSoftmax {
    const KIND: Kind = Kind::builtin("log_softmax");
    /// The output.
    type Cache = Tensor<F>;

    /// Accepts any shape with at least one axis, and returns it unchanged.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input.last() {
            Some(_) => Ok(input.to_vec()),
            None => Err(Error::shape("the input", "[…, classes]", input)
                .help("Log-softmax works along the last axis, so there has to be one.")),
        }
    }

    /// It works along the last axis.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() > 1
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (mut output, columns) = checked(input)?;
        F::log_softmax_rows(slice_mut(&mut output), columns);
        Ok(output)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let output = Layer::<F>::forward(self, input)?;
        let kept = copy(&output);
        Ok((output, kept))
    }

    /// Works in place in `grad`.
    fn backward(&mut self, output: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        let columns = output.shape().last().copied().unwrap_or(1);
        F::log_softmax_back_rows(slice(&output), slice_mut(&mut grad), columns);
        recycle(output);
        Ok(grad)
    }

    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::LogSoftmax
    }
}
