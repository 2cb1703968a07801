//! Max pooling: the maximum under a window.
//!
//! ```text
//! y[n, k, r, c] = max_{i, j} x[n, k, r · stride + i - top, c · stride + j - left]
//! ```
//!
//! The derivative is 1 at the maximum and 0 elsewhere, so the cache is the position of the maximum in each window.
//! Among equal values it is the first, row by row, as in PyTorch. NaN counts as larger than any number, so it is not
//! hidden.

use crate::error::{Error, Result};
use crate::kernels::{Marks, Scalar, Windows, threads};
use crate::nn::window::{Axis, Padding, PerAxis, Window};
use crate::nn::{Layer, OutputActivation, check_gradient, window};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The maximum under a window that slides over images, channels first; each channel is pooled separately.
///
/// | | shape |
/// |---|---|
/// | input | `[batch, channels, rows, columns]` |
/// | output | `[batch, channels, rows', columns']`, see [`Padding`] |
///
/// The stride is the window's size by default, as in Keras and PyTorch. Values that no whole window covers are left out
/// (PyTorch's `ceil_mode=False`). Padding is never the maximum. It is at most half a window on each side, so that every
/// window covers some input. Zhou and Chellappa, "Computation of optical flow using a neural network", 1988.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let mut pool = MaxPool2d::window(2);
/// let x = array![[[[1.0f32, 2.0, 5.0], [4.0, 3.0, 6.0]]]].into_dyn();
/// let (y, cache) = pool.forward_train(x)?;
/// assert_eq!(y, array![[[[4.0]]]].into_dyn()); // the third column has no whole window
/// let dx = pool.backward(cache, array![[[[1.5]]]].into_dyn())?;
/// assert_eq!(dx, array![[[[0.0, 0.0, 0.0], [1.5, 0.0, 0.0]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPool2d {
    window: Window,
}

/// The maximum under a window that slides along sequences, channels first: [`MaxPool2d`] with one axis.
///
/// Input and output are `[batch, channels, length]`.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let y = MaxPool1d::window(3).stride(1).forward(array![[[1.0f32, 3.0, 2.0, 0.0]]].into_dyn())?;
/// assert_eq!(y, array![[[3.0, 3.0]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPool1d {
    window: Window,
}

impl MaxPool2d {
    /// Creates a layer with a window of this size, for rows and columns: `MaxPool2d::window(2)`,
    /// `MaxPool2d::window([2, 1])`.
    pub fn window(size: impl Into<PerAxis>) -> Self {
        let window = Window::of(size.into());
        Self { window: Window { stride: window.size, ..window } }
    }

    /// Sets the stride (default: the window's size), by how many pixels the window moves.
    ///
    /// With a stride below the window's size, windows overlap; above it, some pixels are never read.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
        self.window.stride = stride.into().0;
        self
    }

    /// Sets how far the window may extend beyond the image: at most half its size.
    ///
    /// `Padding::Same` gives as many outputs as in Keras; nothing outside the image can be the maximum.
    ///
    /// ```
    /// use plywood::ndarray::array;
    /// use plywood::prelude::*;
    ///
    /// let x = array![[[[-1.0f32, -2.0, -3.0]]]].into_dyn();
    /// let y = MaxPool2d::window([1, 2]).padding(Padding::Same).forward(x)?;
    /// assert_eq!(y, array![[[[-1.0, -3.0]]]].into_dyn()); // -3 alone, not the 0 of a border
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.window.padding = padding.into();
        self
    }
}

impl MaxPool1d {
    /// Creates a layer with a window of this length.
    pub fn window(size: usize) -> Self {
        Self { window: Window { stride: [1, size], ..Window::along(size) } }
    }

    /// Sets the stride (default: the window's length), by how much the window moves.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.window.stride = [1, stride];
        self
    }

    /// Sets how far the window may extend beyond the sequence: at most half its size.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.window.padding = padding.into();
        self
    }
}

/// What the backward pass of [`MaxPool2d`] and [`MaxPool1d`] needs: the positions of the maxima.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct MaxPoolCache {
    /// The input's shape; for a sequence it includes the single row.
    input: Vec<usize>,
    /// The output's shape, likewise.
    output: Vec<usize>,
    windows: Windows,
    /// The position of each output's maximum in its window.
    marks: Marks,
}

/// The minimum number of input values per thread.
const LEAST_WORK: usize = 1 << 16;

/// Returns the windows over an image, and the shape of a batch's output from that of its input.
fn windows(window: Window, input: &[usize]) -> Result<(Windows, Vec<usize>)> {
    let [.., rows, columns] = *input else {
        return Err(
            Error::shape("the input", "[batch, channels, rows, columns]", input).help("Axis 0 is the batch.")
        );
    };
    window.check_pooling()?;
    let axes = window.over([rows, columns])?;
    if window::numbers("the window", &window.size)? > u32::MAX as usize {
        return Err(
            Error::argument("the window", "smaller than 2^32 numbers", window).help("Use a smaller window.")
        );
    }
    let [down, across] = axes;
    let of = |what: fn(&Axis) -> usize| [what(&down), what(&across)];
    let windows = Windows {
        input: of(|axis| axis.input),
        output: of(|axis| axis.output),
        size: window.size,
        stride: window.stride,
        before: of(|axis| axis.before),
    };
    let mut output = input.to_vec();
    let planes = output.len() - 2;
    output[planes..].copy_from_slice(&windows.output);
    window::numbers("the output", &output)?;
    Ok((windows, output))
}

/// Splits the work into parts of whole planes for several threads: returns the number of input and of output values per
/// part.
fn shares(windows: &Windows, input: usize) -> (usize, usize) {
    let [from, to] = [windows.input, windows.output].map(|[rows, columns]| rows * columns);
    let planes = input / from;
    let share = planes.div_ceil(threads::parts(input, LEAST_WORK)).max(1);
    (share * from, share * to)
}

/// Computes the maxima of a batch `[…, rows, columns]`.
fn forward<F: Scalar>(window: Window, input: Tensor<F>) -> Result<Tensor<F>> {
    let (windows, shape) = windows(window, input.shape())?;
    let (input, mut output) = (standard(input), scratch(&shape));
    let (from, to) = shares(&windows, input.len());
    let parts = slice(&input).chunks(from).zip(slice_mut(&mut output).chunks_mut(to));
    threads::each(parts, |(x, y)| F::max_windows(x, windows, y));
    recycle(input);
    Ok(output)
}

/// Computes the maxima and their positions.
fn forward_train<F: Scalar>(window: Window, input: Tensor<F>) -> Result<(Tensor<F>, MaxPoolCache)> {
    let (windows, shape) = windows(window, input.shape())?;
    let (input, mut output) = (standard(input), scratch(&shape));
    let mut marks = Marks::new(output.len());
    let (from, to) = shares(&windows, input.len());
    let outputs = slice_mut(&mut output).chunks_mut(to).zip(marks.as_mut_slice().chunks_mut(to));
    let parts = slice(&input).chunks(from).zip(outputs);
    threads::each(parts, |(x, (y, marks))| F::max_windows_marked(x, windows, y, marks));
    let cache = MaxPoolCache { input: input.shape().to_vec(), output: shape, windows, marks };
    recycle(input);
    Ok((output, cache))
}

/// Adds each gradient at the position of its maximum.
fn backward<F: Scalar>(cache: &MaxPoolCache, grad: Tensor<F>) -> Tensor<F> {
    let (grad, mut back) = (standard(grad), scratch(&cache.input));
    let (from, to) = shares(&cache.windows, back.len());
    let outputs = slice(&grad).chunks(to).zip(cache.marks.as_slice().chunks(to));
    let parts = slice_mut(&mut back).chunks_mut(from).zip(outputs);
    threads::each(parts, |(dx, (grad, marks))| F::max_windows_back(grad, marks, cache.windows, dx));
    recycle(grad);
    back
}

impl<F: Scalar> Layer<F> for MaxPool2d {
    const KIND: Kind = Kind::builtin("max_pool2d");
    /// The positions of the maxima.
    type Cache = MaxPoolCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        window::image(input)?;
        Ok(windows(self.window, input)?.1)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        window::image(window::batch(input.shape())?.1)?;
        forward(self.window, input)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, MaxPoolCache)> {
        window::image(window::batch(input.shape())?.1)?;
        forward_train(self.window, input)
    }

    fn backward(&mut self, cache: MaxPoolCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, &cache.output)?;
        Ok(backward(&cache, grad))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}

impl<F: Scalar> Layer<F> for MaxPool1d {
    const KIND: Kind = Kind::builtin("max_pool1d");
    /// The positions of the maxima.
    type Cache = MaxPoolCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        window::sequence(input)?;
        window::without_row(windows(self.window.sequence_padding()?, &window::with_row(input))?.1)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        window::as_sequences(forward(self.window.sequence_padding()?, window::as_images(input)?)?)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, MaxPoolCache)> {
        let (output, cache) = forward_train(self.window.sequence_padding()?, window::as_images(input)?)?;
        Ok((window::as_sequences(output)?, cache))
    }

    fn backward(&mut self, cache: MaxPoolCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, &window::without_row(cache.output.clone())?)?;
        window::as_sequences(backward(&cache, window::as_images(grad)?))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
