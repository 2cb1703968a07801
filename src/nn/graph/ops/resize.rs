//! Images in another size.

use crate::error::{Error, Result};
use crate::kernels::{Between, Scalar, Span};
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// How [`Value::resize`](crate::nn::Value::resize) computes the pixels of an image in another size.
///
/// A pixel of the result is at a position of the image, along each axis: pixel `i` of `m` is at `i · n / m` of `n` if the
/// nearest one is taken, and at `(i + 1/2) · n / m - 1/2` in between, or at the edge if that is outside.
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::nn::ResizeMode;
/// use plywood::prelude::*;
///
/// let resized = |mode| {
///     let g = Graph::builder();
///     g.output("y", g.input("image", [1, 1, 2]).resize([1, 4], mode));
///     g.build()?.predict(&array![[[[0.0f32, 4.0]]]])
/// };
/// assert_eq!(resized(ResizeMode::Nearest)?, array![[[[0.0, 0.0, 4.0, 4.0]]]].into_dyn());
/// assert_eq!(resized(ResizeMode::Bilinear)?, array![[[[0.0, 1.0, 3.0, 4.0]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
// The order of the variants is part of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ResizeMode {
    /// The pixel at or before the position: PyTorch's `mode="nearest"`, Keras' `"nearest"` for whole factors.
    Nearest,
    /// The mean of the four pixels around the position, weighted by how near they are: PyTorch's `mode="bilinear"` with
    /// `align_corners=False`, Keras' `"bilinear"`, ONNX's `linear` with `half_pixel`. Nothing is smoothed before an image
    /// becomes smaller.
    Bilinear,
}

/// Images `[…, rows, columns]` in another size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Resize {
    /// The number of rows and of columns.
    pub sizes: [usize; 2],
    pub mode: ResizeMode,
}

/// Returns for each of `n` positions its copies among `m`, next to each other: none if it is left out.
fn copies(n: usize, m: usize) -> Vec<Span> {
    let first = |i: usize| (i as u64 * m as u64).div_ceil(n as u64) as usize;
    (0..n).map(|i| Span { start: first(i), end: first(i + 1), count: 1 }).collect()
}

/// Returns for each of `m` positions what it is between, of `n`.
fn between(n: usize, m: usize) -> Vec<Between> {
    let step = n as f64 / m as f64;
    let of = |i: usize| {
        let position = ((i as f64 + 0.5) * step - 0.5).max(0.0);
        let at = (position as usize).min(n - 1);
        Between { at, next: (at + 1).min(n - 1), share: (position - at as f64).min(1.0) }
    };
    (0..m).map(of).collect()
}

/// Returns the rows and columns of the images.
fn plane(of: &Shape) -> [usize; 2] {
    let n = of.sizes.len();
    [of.sizes[n - 2], of.sizes[n - 1]]
}

impl<F: Scalar> Op<F> for Resize {
    const KIND: Kind = Kind::builtin("resize");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let [channels, _, _] = inputs[0].sizes[..] else {
            return Err(Error::data(
                "the value",
                "be images, [batch, channels, rows, columns]",
                format!("shape {}", inputs[0]),
            )
            .help("Bring it into this form with `reshape` and `permute`."));
        };
        let [rows, columns] = self.sizes;
        if rows == 0 || columns == 0 {
            return Err(Error::argument("sizes", "at least 1 each", format!("{:?}", self.sizes))
                .help("They are the rows and columns of the result."));
        }
        Ok(Shape::new(inputs[0].batched, [channels, rows, columns]))
    }

    /// The first axis is the channels, each of which is computed by itself.
    fn steps(&self, _: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::Kept
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let ([h, w], [rows, columns]) = (plane(&shapes.inputs[0]), self.sizes);
        let mut room = scratch(&[w.max(columns)]);
        let room_of = slice_mut(&mut room);
        match self.mode {
            // What spreads a mean's gradient over its pixels repeats a pixel.
            ResizeMode::Nearest => {
                F::mean_spans_back(
                    inputs[0],
                    &copies(h, rows),
                    &copies(w, columns),
                    self.sizes,
                    room_of,
                    out,
                );
            }
            ResizeMode::Bilinear => {
                F::blend(inputs[0], &between(h, rows), &between(w, columns), [h, w], room_of, out);
            }
        }
        recycle(room);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let ([h, w], [rows, columns]) = (plane(&pass.shapes().inputs[0]), self.sizes);
        let (mut room, mut back) = (scratch(&[w.max(columns)]), pass.scratch(0));
        let (room_of, dx) = (slice_mut(&mut room), slice_mut(&mut back));
        let grad_of = slice(&grad);
        match self.mode {
            ResizeMode::Nearest => {
                F::mean_spans(grad_of, &copies(h, rows), &copies(w, columns), self.sizes, room_of, dx);
            }
            ResizeMode::Bilinear => {
                F::blend_back(grad_of, &between(h, rows), &between(w, columns), [h, w], room_of, dx);
            }
        }
        [room, grad].into_iter().for_each(recycle);
        pass.give(0, back);
        Ok(())
    }
}
