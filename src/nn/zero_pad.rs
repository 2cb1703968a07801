//! Zero padding.

use super::window::{self, PerAxis};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// Adds rows and columns of zeros around images: `[batch, channels, rows, columns]`, with more rows and columns.
///
/// Use it for padding that a convolution's own [`Padding`](crate::nn::Padding) cannot express, such as more on one side
/// than on the other. PyTorch's `nn.ZeroPad2d`, whose four numbers are (left, right, top, bottom), and Keras'
/// `ZeroPadding2D`.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let y = ZeroPad2d::sides([0, 1], [1, 0]).forward(array![[[[1.0f32, 2.0]]]].into_dyn())?;
/// assert_eq!(y, array![[[[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZeroPad2d {
    /// Rows above and below.
    rows: [usize; 2],
    /// Columns left and right.
    columns: [usize; 2],
}

impl ZeroPad2d {
    /// Creates a layer with the same padding on every side, or with one for above and below, and one for left and
    /// right.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// assert_eq!(ZeroPad2d::by([1, 2]), ZeroPad2d::sides([1, 1], [2, 2]));
    /// ```
    pub fn by(padding: impl Into<PerAxis>) -> Self {
        let PerAxis([rows, columns]) = padding.into();
        Self { rows: [rows; 2], columns: [columns; 2] }
    }

    /// Creates a layer with these numbers of rows above and below, and of columns left and right.
    pub fn sides(rows: [usize; 2], columns: [usize; 2]) -> Self {
        Self { rows, columns }
    }

    /// Returns the shape of a batch's output.
    fn shape(&self, input: &[usize]) -> Result<[usize; 4]> {
        let (samples, sample) = window::batch(input)?;
        let [channels, rows, columns] = window::image(sample)?;
        let sum = |n: usize, [before, after]: [usize; 2]| n.saturating_add(before).saturating_add(after);
        let shape = [samples, channels, sum(rows, self.rows), sum(columns, self.columns)];
        window::numbers("the output", &shape)?;
        window::numbers("the sample", &shape[1..])?;
        Ok(shape)
    }

    /// Copies between the planes of an image and the interior of larger ones; `inwards` copies from the larger ones.
    fn copy<F: Scalar>(&self, x: &[F], small: [usize; 2], large: [usize; 2], inwards: bool, out: &mut [F]) {
        let first = self.rows[0] * large[1] + self.columns[0];
        let [small_len, large_len] = [small, large].map(|[rows, columns]| (rows * columns).max(1));
        if small.contains(&0) {
            return;
        }
        if inwards {
            for (from, to) in x.chunks_exact(large_len).zip(out.chunks_exact_mut(small_len)) {
                F::copy_rows(&from[first..], large[1], to, small[1], small[1], small[0]);
            }
        } else {
            for (from, to) in x.chunks_exact(small_len).zip(out.chunks_exact_mut(large_len)) {
                F::copy_rows(from, small[1], &mut to[first..], large[1], small[1], small[0]);
            }
        }
    }
}

impl<F: Scalar> Layer<F> for ZeroPad2d {
    const KIND: Kind = Kind::builtin("zero_pad2d");
    /// The input's shape.
    type Cache = Vec<usize>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(self.shape(&[&[1], input].concat())?[1..].to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let shape @ [_, _, rows, columns] = self.shape(input.shape())?;
        let (input, mut output) = (standard(input), scratch(&shape));
        let small = [input.shape()[2], input.shape()[3]];
        slice_mut(&mut output).fill(F::zero());
        self.copy(slice(&input), small, [rows, columns], false, slice_mut(&mut output));
        recycle(input);
        Ok(output)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Vec<usize>)> {
        let shape = input.shape().to_vec();
        Ok((self.forward(input)?, shape))
    }

    fn backward(&mut self, input: Vec<usize>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let shape @ [_, _, rows, columns] = self.shape(&input)?;
        check_gradient(&grad, &shape)?;
        let (grad, mut back) = (standard(grad), scratch(&input));
        self.copy(slice(&grad), [input[2], input[3]], [rows, columns], true, slice_mut(&mut back));
        recycle(grad);
        Ok(back)
    }

    /// Ranges still hold for each value; distributions over a row do not.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input.of_numbers()
    }
}
