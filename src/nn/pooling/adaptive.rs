//! Pooling to a given output size.

use super::mean_windows::Spans;
use crate::error::{Error, Result};
use crate::kernels::{Scalar, Span};
use crate::nn::window::PerAxis;
use crate::nn::{Layer, OutputActivation, check_gradient, window};
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Average pooling to an output of fixed size, whatever the size of the image: PyTorch's `AdaptiveAvgPool2d`.
///
/// Along an axis of `n` values, piece `i` of `m` is
///
/// ```text
/// ⌊i · n / m⌋ .. ⌈(i + 1) · n / m⌉
/// ```
///
/// so pieces may overlap by one value, and if there are more pieces than values, a value belongs to several. An input
/// of `[batch, channels, rows, columns]` becomes `[batch, channels, …]` with the two given sizes. Keras' name for it is
/// `AdaptiveAveragePooling2D`.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8, 13, 17]).layer(AdaptiveAvgPool2d::to([2, 3])).layer(Flatten).build()?;
/// assert_eq!(model.output_shape(), [8 * 2 * 3]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveAvgPool2d {
    /// Rows and columns of the output.
    size: [usize; 2],
}

impl AdaptiveAvgPool2d {
    /// Creates a layer with this number of rows and columns in its output, each at least 1.
    ///
    /// With five values in three pieces, the first and the last piece are means of two values, the middle one of three:
    ///
    /// ```
    /// use plywood::ndarray::array;
    /// use plywood::prelude::*;
    ///
    /// let x = array![[[[0.0f32, 2.0, 4.0, 6.0, 8.0]]]].into_dyn();
    /// assert_eq!(AdaptiveAvgPool2d::to([1, 3]).forward(x)?, array![[[[1.0, 4.0, 7.0]]]].into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn to(size: impl Into<PerAxis>) -> Self {
        Self { size: size.into().0 }
    }

    /// Returns the shape of a batch's output, and the rows and columns of its input.
    fn shape(&self, input: &[usize]) -> Result<([usize; 4], [usize; 2])> {
        let (samples, sample) = window::batch(input)?;
        let [channels, rows, columns] = window::image(sample)?;
        let plane = [rows, columns];
        if self.size.contains(&0) || plane.contains(&0) {
            let sizes = format!("{:?} from {plane:?}", self.size);
            return Err(Error::argument("the size", "at least 1 along each axis", sizes)
                .help("`AdaptiveAvgPool2d::to(1)` is the mean of each channel."));
        }
        let shape = [samples, channels, self.size[0], self.size[1]];
        window::numbers("the output", &shape)?;
        window::numbers("the sample's output", &shape[1..])?;
        window::numbers("the rows", &[rows, self.size[0]])?;
        window::numbers("the columns", &[columns, self.size[1]])?;
        Ok((shape, plane))
    }

    /// Returns the pieces, and the shape of a batch's output.
    fn plan(&self, input: &[usize]) -> Result<(Spans, [usize; 4])> {
        let (shape, plane) = self.shape(input)?;
        let along = |n: usize, m: usize| {
            let span = |i: usize| {
                let (start, end) = (i * n / m, ((i + 1) * n).div_ceil(m));
                Span { start, end, count: end - start }
            };
            (0..m).map(span).collect()
        };
        let [rows, columns] = self.size;
        Ok((Spans { plane, rows: along(plane[0], rows), columns: along(plane[1], columns) }, shape))
    }
}

impl<F: Scalar> Layer<F> for AdaptiveAvgPool2d {
    const KIND: Kind = Kind::builtin("adaptive_avg_pool2d");
    /// The input's shape.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(self.shape(&[&[1], input].concat())?.0[1..].to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = self.plan(input.shape())?;
        Ok(spans.mean(input, &shape))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (spans, shape) = self.plan(&input)?;
        check_gradient(&grad, &shape)?;
        Ok(spans.back(grad, &input))
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
