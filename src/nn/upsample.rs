//! Upsampling by repetition.

use super::pooling::mean_windows::Spans;
use super::window::{self, PerAxis};
use crate::error::{Error, Result};
use crate::kernels::{Scalar, Span};
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Repeats each row and each column of an image: `y[n, k, r, c] = x[n, k, r / rows, c / columns]`.
///
/// | | shape |
/// |---|---|
/// | input | `[batch, channels, rows, columns]` |
/// | output | `[batch, channels, rows · factor, columns · factor]` |
///
/// PyTorch's `nn.Upsample(scale_factor=2)` and Keras' `UpSampling2D(2)`, which also default to nearest neighbour; here
/// factors are whole numbers. The gradient of a pixel is the sum over its copies.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let y = Upsample::by([1, 2]).forward(array![[[[1.0f32, 2.0]]]].into_dyn())?;
/// assert_eq!(y, array![[[[1.0, 1.0, 2.0, 2.0]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upsample {
    /// The factors of rows and of columns.
    factor: [usize; 2],
}

impl Upsample {
    /// Creates a layer with this factor for rows and columns; each is at least 1.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let decoder = Sequential::builder([16, 7, 7])
    ///     .layer(Upsample::by(2)).layer(Conv2d::filters(8, 3).padding(Padding::Same)).layer(ReLU)
    ///     .layer(Upsample::by(2)).layer(Conv2d::filters(1, 3).padding(Padding::Same))
    ///     .build()?;
    /// assert_eq!(decoder.output_shape(), [1, 28, 28]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn by(factor: impl Into<PerAxis>) -> Self {
        Self { factor: factor.into().0 }
    }

    /// Returns the shape of a batch's output, and the rows and columns of its input. Allocates nothing, since the shape
    /// may be of an input that does not exist.
    fn shape(&self, input: &[usize]) -> Result<([usize; 4], [usize; 2])> {
        let (samples, sample) = window::batch(input)?;
        let [channels, rows, columns] = window::image(sample)?;
        let [down, across] = self.factor;
        if down == 0 || across == 0 {
            return Err(Error::argument(
                "the factor",
                "at least 1 along each axis",
                format!("{:?}", self.factor),
            )
            .help("2 makes an image twice as high and twice as wide."));
        }
        if rows == 0 || columns == 0 {
            return Err(Error::shape("the input", "[channels, rows, columns]", sample)
                .help("There must be at least one row and one column to repeat."));
        }
        window::numbers("the output", &[samples, channels, rows, columns, down, across])?;
        Ok(([samples, channels, rows * down, columns * across], [rows, columns]))
    }

    /// Returns the spans of a pixel's copies, and the shape of a batch's output.
    fn plan(&self, input: &[usize]) -> Result<(Spans, [usize; 4])> {
        let (shape, [rows, columns]) = self.shape(input)?;
        let [down, across] = self.factor;
        // A sum is a mean with a divisor of 1.
        let along = |n: usize, by: usize| {
            (0..n).map(|i| Span { start: i * by, end: (i + 1) * by, count: 1 }).collect()
        };
        let plane = [shape[2], shape[3]];
        Ok((Spans { plane, rows: along(rows, down), columns: along(columns, across) }, shape))
    }
}

impl<F: Scalar> Layer<F> for Upsample {
    const KIND: Kind = Kind::builtin("upsample");
    /// The input's shape.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(self.shape(&[&[1], input].concat())?.0[1..].to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = self.plan(input.shape())?;
        Ok(spans.back(input, &shape))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = self.plan(&input)?;
        check_gradient(&grad, &shape)?;
        Ok(spans.mean(grad, &input))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
