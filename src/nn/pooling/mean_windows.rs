//! Means over parts of images, and their derivative: the passes of the average pooling layers and of `Upsample`.
//!
//! An output pixel covers a span of rows and a span of columns. Its value is the sum over both, divided by both counts;
//! its gradient, divided likewise, is added to every pixel of the spans.
//!
//! | layer | fine side | spans | counts |
//! |---|---|---|---|
//! | `AvgPool2d`, `AvgPool1d` | the input | windows | the window's size |
//! | `AdaptiveAvgPool2d` | the input | pieces, which may overlap | the pieces' sizes |
//! | `GlobalAvgPool` | the input | all axes after the channels | all of it |
//! | `Upsample` | the output | the copies of a pixel | 1 |

use crate::kernels::{Scalar, Span, threads};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// The minimum number of values of the larger side per thread.
const LEAST_WORK: usize = 1 << 16;

/// The mapping between the two sides: planes `[rows, columns]` on the fine side, and a span of them for each pixel of
/// the coarse side.
#[derive(Debug)]
pub(in crate::nn) struct Spans {
    /// Rows and columns of the fine side.
    pub plane: [usize; 2],
    /// For each row of the coarse side, its span of rows on the fine side.
    pub rows: Vec<Span>,
    /// For each column of the coarse side, its span of columns on the fine side.
    pub columns: Vec<Span>,
}

impl Spans {
    /// Returns the number of values of a plane on the fine and on the coarse side.
    fn sizes(&self) -> (usize, usize) {
        (self.plane[0] * self.plane[1], self.rows.len() * self.columns.len())
    }

    /// Returns the number of planes of each side in a thread's part.
    fn share(&self, planes: usize) -> usize {
        let (fine, coarse) = self.sizes();
        planes.div_ceil(threads::parts(planes * fine.max(coarse), LEAST_WORK)).max(1)
    }

    /// Computes the means: from the fine side to the coarse one, whose shape is `shape`.
    pub fn mean<F: Scalar>(&self, input: Tensor<F>, shape: &[usize]) -> Tensor<F> {
        let (input, mut output) = (standard(input), scratch(shape));
        let (fine, coarse) = self.sizes();
        let share = self.share(output.len() / coarse.max(1));
        let parts = slice(&input).chunks(share * fine).zip(slice_mut(&mut output).chunks_mut(share * coarse));
        threads::each(parts, |(x, y)| {
            let mut room = scratch(&[self.plane[1]]);
            F::mean_spans(x, &self.rows, &self.columns, self.plane, slice_mut(&mut room), y);
            recycle(room);
        });
        recycle(input);
        output
    }

    /// Computes the derivative of the means: from the coarse side to the fine one, whose shape is `shape`.
    pub fn back<F: Scalar>(&self, grad: Tensor<F>, shape: &[usize]) -> Tensor<F> {
        let (grad, mut back) = (standard(grad), scratch(shape));
        let (fine, coarse) = self.sizes();
        let share = self.share(grad.len() / coarse.max(1));
        let parts = slice(&grad).chunks(share * coarse).zip(slice_mut(&mut back).chunks_mut(share * fine));
        threads::each(parts, |(grad, dx)| {
            let mut room = scratch(&[self.plane[1]]);
            F::mean_spans_back(grad, &self.rows, &self.columns, self.plane, slice_mut(&mut room), dx);
            recycle(room);
        });
        recycle(grad);
        back
    }
}
