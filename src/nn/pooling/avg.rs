//! Average pooling: the mean under a window.
//!
//! ```text
//! y[n, k, r, c] = Σ_{i, j} x[n, k, r · stride + i - top, c · stride + j - left] / count
//! ∂L/∂x         = the sum of ∂L/∂y / count over the windows that cover the value
//! ```
//!
//! The count is the window's size: the zeros of the padding count by default, as in PyTorch.

use super::mean_windows::Spans;
use crate::error::Result;
use crate::kernels::{Scalar, Span};
use crate::nn::window::{Axis, Padding, PerAxis, Window};
use crate::nn::{Layer, OutputActivation, check_gradient, window};
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The mean under a window that slides over images, channels first; each channel is pooled separately.
///
/// | | shape |
/// |---|---|
/// | input | `[batch, channels, rows, columns]` |
/// | output | `[batch, channels, rows', columns']`, see [`Padding`] |
///
/// The stride is the window's size by default, as in Keras and PyTorch. Values that no whole window covers are left out
/// (PyTorch's `ceil_mode=False`). The padding is at most half a window on each side, and its zeros count in the mean,
/// as in PyTorch; Keras leaves them out, see [`count_padding`](AvgPool2d::count_padding). LeCun and others,
/// "Handwritten digit recognition with a back-propagation network", 1990.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let x = array![[[[1.0f32, 2.0], [3.0, 6.0]]]].into_dyn();
/// assert_eq!(AvgPool2d::window(2).forward(x.clone())?, array![[[[3.0]]]].into_dyn());
/// assert_eq!(AvgPool2d::window([1, 2]).forward(x)?, array![[[[1.5], [4.5]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AvgPool2d {
    window: Window,
    /// True if the zeros of the padding count.
    counts_padding: bool,
}

/// The mean under a window that slides along sequences, channels first: [`AvgPool2d`] with one axis.
///
/// Input and output are `[batch, channels, length]`.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let y = AvgPool1d::window(2).stride(1).forward(array![[[1.0f32, 3.0, 2.0]]].into_dyn())?;
/// assert_eq!(y, array![[[2.0, 2.5]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AvgPool1d {
    window: Window,
    /// True if the zeros of the padding count.
    counts_padding: bool,
}

impl AvgPool2d {
    /// Creates a layer with a window of this size, for rows and columns: `AvgPool2d::window(2)`,
    /// `AvgPool2d::window([2, 1])`.
    pub fn window(size: impl Into<PerAxis>) -> Self {
        let window = Window::of(size.into());
        Self { window: Window { stride: window.size, ..window }, counts_padding: true }
    }

    /// Sets the stride (default: the window's size), by how many pixels the window moves.
    ///
    /// With a stride below the window's size, windows overlap; above it, some pixels are in no mean.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
        self.window.stride = stride.into().0;
        self
    }

    /// Sets by how much the input is padded with zeros (default: not at all): at most half the window's size.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.window.padding = padding.into();
        self
    }

    /// Sets whether the zeros of the padding count in the mean (default: true): PyTorch's `count_include_pad`. With
    /// `false`, as in Keras, only the values inside the image count.
    ///
    /// ```
    /// use plywood::ndarray::array;
    /// use plywood::prelude::*;
    ///
    /// let x = || array![[[[4.0f32, 4.0]]]].into_dyn();
    /// let pool = AvgPool2d::window([1, 2]).padding([0, 1]);
    /// assert_eq!(pool.forward(x())?, array![[[[2.0, 2.0]]]].into_dyn()); // half of each window are zeros
    /// assert_eq!(pool.count_padding(false).forward(x())?, array![[[[4.0, 4.0]]]].into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn count_padding(mut self, count: bool) -> Self {
        self.counts_padding = count;
        self
    }
}

impl AvgPool1d {
    /// Creates a layer with a window of this length.
    pub fn window(size: usize) -> Self {
        Self { window: Window { stride: [1, size], ..Window::along(size) }, counts_padding: true }
    }

    /// Sets the stride (default: the window's length), by how much the window moves.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [1, stride];
        self
    }

    /// Sets by how much the input is padded with zeros (default: not at all): at most half the window's size.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.window.padding = padding.into();
        self
    }

    /// Sets whether the zeros of the padding count in the mean (default: true).
    #[must_use]
    pub fn count_padding(mut self, count: bool) -> Self {
        self.counts_padding = count;
        self
    }
}

/// Returns the windows along an axis, without their padding.
fn along(axis: Axis, size: usize, stride: usize, counts_padding: bool) -> Vec<Span> {
    let span = |i: usize| {
        let inside = |at: usize| at.saturating_sub(axis.before).min(axis.input);
        let (start, end) = (inside(i * stride), inside(i * stride + size));
        Span { start, end, count: if counts_padding { size } else { end - start } }
    };
    (0..axis.output).map(span).collect()
}

/// Returns the shape of an output `[…, channels, rows', columns']` for an input `[…, channels, rows, columns]`, and its
/// rows and columns under the window. Allocates nothing, since the shape may be of an input that does not exist.
fn shape(window: Window, input: &[usize]) -> Result<(Vec<usize>, [Axis; 2])> {
    let (before, sample) = input.split_at(input.len().saturating_sub(3));
    let [channels, rows, columns] = window::image(sample)?;
    window.check_pooling()?;
    let axes = window.over([rows, columns])?;
    window::numbers("the window", &window.size)?;
    window::numbers("the output", &[axes[0].output, axes[1].output])?;
    let shape = [before, &[channels, axes[0].output, axes[1].output]].concat();
    window::numbers("the output", &shape)?;
    Ok((shape, axes))
}

/// Returns the windows over the images of an actual input, and the shape of the output.
fn plan(window: Window, counts_padding: bool, input: &[usize]) -> Result<(Spans, Vec<usize>)> {
    let (shape, [rows, columns]) = shape(window, input)?;
    let [down, across] = window.stride;
    let spans = Spans {
        plane: [rows.input, columns.input],
        rows: along(rows, window.size[0], down, counts_padding),
        columns: along(columns, window.size[1], across, counts_padding),
    };
    Ok((spans, shape))
}

impl<F: Scalar> Layer<F> for AvgPool2d {
    const KIND: Kind = Kind::builtin("avg_pool2d");
    /// The input's shape.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        window::image(input)?;
        Ok(shape(self.window, input)?.0)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        window::image(window::batch(input.shape())?.1)?;
        let (spans, shape) = plan(self.window, self.counts_padding, input.shape())?;
        Ok(spans.mean(input, &shape))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = plan(self.window, self.counts_padding, &input)?;
        check_gradient(&grad, &shape)?;
        Ok(spans.back(grad, &input))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}

impl<F: Scalar> Layer<F> for AvgPool1d {
    const KIND: Kind = Kind::builtin("avg_pool1d");
    /// The input's shape, as images with one row.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        window::sequence(input)?;
        let window = self.window.sequence_padding()?;
        window::without_row(shape(window, &window::with_row(input))?.0)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let input = window::as_images(input)?;
        let (spans, shape) = plan(self.window.sequence_padding()?, self.counts_padding, input.shape())?;
        window::as_sequences(spans.mean(input, &shape))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = window::with_row(input.shape());
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = plan(self.window.sequence_padding()?, self.counts_padding, &input)?;
        check_gradient(&grad, &window::without_row(shape)?)?;
        window::as_sequences(spans.back(window::as_images(grad)?, &input))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
