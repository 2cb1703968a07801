//! Pooling over all axes after the channels.
//!
//! ```text
//! GlobalAvgPool   y[n, k] = Σ x[n, k, …] / count        ∂L/∂x = ∂L/∂y / count
//! GlobalMaxPool   y[n, k] = max x[n, k, …]              ∂L/∂x = ∂L/∂y at the maximum, else 0
//! ```
//!
//! They end the convolutional part of a network, and make what follows independent of the size of the image.

use super::mean_windows::Spans;
use crate::error::{Error, Result};
use crate::kernels::{Marks, Scalar, Span, Windows, threads};
use crate::nn::{Layer, OutputActivation, check_gradient, window};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The mean of each channel: `[batch, channels, …]` becomes `[batch, channels]`, for images and sequences.
///
/// Keras' `GlobalAveragePooling2D` and `GlobalAveragePooling1D`; PyTorch's `AdaptiveAvgPool2d(1)` followed by a
/// `Flatten`. Lin, Chen and Yan, "Network in network", 2014.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let x = array![[[1.0f32, 3.0], [10.0, 20.0]]].into_dyn(); // one sample, two channels of length 2
/// assert_eq!(GlobalAvgPool.forward(x)?, array![[2.0, 15.0]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GlobalAvgPool;

/// The maximum of each channel: `[batch, channels, …]` becomes `[batch, channels]`, for images and sequences.
///
/// Among equal values the first gets the gradient; NaN counts as larger than any number. Keras' `GlobalMaxPooling2D`
/// and `GlobalMaxPooling1D`; PyTorch's `AdaptiveMaxPool2d(1)` followed by a `Flatten`.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let x = array![[[1.0f32, 3.0], [20.0, 10.0]]].into_dyn();
/// let (y, cache) = GlobalMaxPool.forward_train(x)?;
/// assert_eq!(y, array![[3.0, 20.0]].into_dyn());
/// let dx = GlobalMaxPool.backward(cache, array![[1.0, 2.0]].into_dyn())?;
/// assert_eq!(dx, array![[[0.0, 1.0], [2.0, 0.0]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GlobalMaxPool;

/// The minimum number of input values per thread.
const LEAST_WORK: usize = 1 << 16;

/// Returns the number of channels of a sample's shape, and the number of values per channel.
fn sizes(sample: &[usize]) -> Result<(usize, usize)> {
    let size = match sample {
        [channels, rest @ ..] if !rest.is_empty() => {
            window::numbers("the input", sample)?;
            Some((*channels, rest.iter().product()))
        }
        _ => None,
    };
    size.filter(|&(_, numbers)| numbers > 0 && numbers < u32::MAX as usize).ok_or_else(|| {
        Error::shape("the input", "[channels, …]", sample)
            .help("Channels come first, with at least one number for each after them.")
    })
}

/// Returns `[batch, channels]`, and the number of values per channel.
fn plan(input: &[usize]) -> Result<([usize; 2], usize)> {
    let (samples, sample) = window::batch(input)?;
    let (channels, numbers) = sizes(sample)?;
    Ok(([samples, channels], numbers))
}

/// Views a channel as one row with one span.
fn spans(numbers: usize) -> Spans {
    let rows = vec![Span { start: 0, end: 1, count: 1 }];
    Spans { plane: [1, numbers], rows, columns: vec![Span { start: 0, end: numbers, count: numbers }] }
}

impl<F: Scalar> Layer<F> for GlobalAvgPool {
    const KIND: Kind = Kind::builtin("global_avg_pool");
    /// The input's shape.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(vec![sizes(input)?.0])
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (shape, numbers) = plan(input.shape())?;
        Ok(spans(numbers).mean(input, &shape))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (shape, numbers) = plan(&input)?;
        check_gradient(&grad, &shape)?;
        Ok(spans(numbers).back(grad, &input))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}

/// What the backward pass of [`GlobalMaxPool`] needs: the positions of the maxima.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct GlobalMaxPoolCache {
    input: Vec<usize>,
    marks: Marks,
}

impl<F: Scalar> Layer<F> for GlobalMaxPool {
    const KIND: Kind = Kind::builtin("global_max_pool");
    /// The positions of the maxima.
    type Cache = GlobalMaxPoolCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(vec![sizes(input)?.0])
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let mut layer = *self;
        Ok(layer.forward_train(input)?.0)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, GlobalMaxPoolCache)> {
        let (shape, numbers) = plan(input.shape())?;
        let (input, mut output) = (standard(input), scratch(&shape));
        let mut marks = Marks::new(output.len());
        let share = output.len().div_ceil(threads::parts(input.len(), LEAST_WORK)).max(1);
        let outputs = slice_mut(&mut output).chunks_mut(share).zip(marks.as_mut_slice().chunks_mut(share));
        let parts = slice(&input).chunks(share * numbers).zip(outputs);
        threads::each(parts, |(x, (y, marks))| F::max_rows_marked(x, numbers, y, marks));
        let cache = GlobalMaxPoolCache { input: input.shape().to_vec(), marks };
        recycle(input);
        Ok((output, cache))
    }

    fn backward(&mut self, cache: GlobalMaxPoolCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (shape, numbers) = plan(&cache.input)?;
        check_gradient(&grad, &shape)?;
        let (grad, mut back) = (standard(grad), scratch(&cache.input));
        let [input, one] = [[1, numbers], [1, 1]];
        let windows = Windows { input, output: one, size: input, stride: one, before: [0, 0] };
        F::max_windows_back(slice(&grad), cache.marks.as_slice(), windows, slice_mut(&mut back));
        recycle(grad);
        Ok(back)
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
