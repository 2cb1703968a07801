//! Products of matrices.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// `a · b` over the last axis of `a` and the second-to-last of `b`.
///
/// | `a` | `b` | result |
/// |---|---|---|
/// | `[…, k]` | `[k, m]`, shared by all samples | `[…, m]` |
/// | `[…, n, k]` | `[…, k, m]`, the same axes in front | `[…, n, m]` |
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct MatMul {
    /// Whether `b` is given as its transpose, `[m, k]` or `[…, m, k]`.
    pub transposed: bool,
}

/// The sizes of one product, `[n, k] · [k, m]`.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    k: usize,
    m: usize,
    /// Whether there is one `b` for all rows of `a`.
    shared: bool,
}

fn view<F>(x: &[F], rows: usize, columns: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((rows, columns), x).expect("a matrix of these sizes")
}

fn view_mut<F>(x: &mut [F], rows: usize, columns: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((rows, columns), x).expect("a matrix of these sizes")
}

impl MatMul {
    /// Returns the sizes for inputs whose shapes were accepted.
    fn sizes(&self, shapes: Shapes<'_>) -> Sizes {
        let (a, b) = (&shapes.inputs[0], &shapes.inputs[1]);
        let last = |of: &Shape, back: usize| of.sizes.len().checked_sub(back).map_or(1, |i| of.sizes[i]);
        let k = last(a, 1);
        let m = if self.transposed { last(b, 2) } else { last(b, 1) };
        let shared = b.sizes.len() == 2 && !b.batched;
        let n = if shared { a.whole_len(shapes.batch) / k } else { last(a, 2) };
        Sizes { n, k, m, shared }
    }

    /// `b` as it was given, for a product of these sizes.
    fn right<'a, F>(&self, b: &'a [F], Sizes { k, m, .. }: Sizes) -> ArrayView2<'a, F> {
        if self.transposed { view(b, m, k).reversed_axes() } else { view(b, k, m) }
    }
}

impl<F: Scalar> Op<F> for MatMul {
    const KIND: Kind = Kind::builtin("matmul");
    const INPUTS: RangeInclusive<usize> = 2..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (a, b) = (inputs[0], inputs[1]);
        let fail = |expected: &str| {
            let given = if self.transposed { " (transposed)" } else { "" };
            Err(Error::data("the factors", expected, format!("{a} and {b}{given}")).help(
                "A product is over the last axis of the first and the second-to-last axis of the second; \
                 `x.matmul(y.t())` takes the second transposed.",
            ))
        };
        let (Some(&k), [lead @ .., rows, columns]) = (a.sizes.last(), &b.sizes[..]) else {
            return fail("be […, k] and [k, m], or […, n, k] and […, k, m]");
        };
        let (inner, m) = if self.transposed { (*columns, *rows) } else { (*rows, *columns) };
        if inner != k {
            return fail(&format!("have the same size along the axes that are multiplied, {k} and {inner}"));
        }
        if b.batched || !lead.is_empty() {
            let same = a.batched == b.batched && a.sizes.len() == b.sizes.len();
            if !same || a.sizes[..lead.len()] != *lead {
                return fail("have the same axes in front of the last two, or a second of [k, m]");
            }
        }
        let mut sizes = a.sizes.clone();
        if let Some(last) = sizes.last_mut() {
            *last = m;
        }
        Ok(Shape::new(a.batched, sizes))
    }

    /// A product is row by row, and pair by pair where both have axes in front.
    fn steps(&self, inputs: &[&Shape], _: &Shape, input: usize) -> Steps {
        Steps::kept_if(inputs[input].sizes.len() > input + 1)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (a, b, sizes) = (inputs[0], inputs[1], self.sizes(shapes));
        let Sizes { n, k, m, shared } = sizes;
        if shared {
            F::matmul(view(a, n, k), self.right(b, sizes), F::zero(), view_mut(out, n, m));
            return Ok(());
        }
        let each = a.chunks_exact(n * k).zip(b.chunks_exact(k * m));
        for ((a, b), out) in each.zip(out.chunks_exact_mut(n * m)) {
            F::matmul_alone(view(a, n, k), self.right(b, sizes), F::zero(), view_mut(out, n, m));
        }
        Ok(())
    }

    fn needs(&self, input: usize) -> Needs {
        Needs::input(1 - input)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let sizes = self.sizes(shapes);
        let Sizes { n, k, m, shared } = sizes;
        if pass.wants(0) {
            let (b, mut back) = (pass.input(1)?, pass.scratch(0));
            let (of, into) = (slice(&grad), slice_mut(&mut back));
            if shared {
                let right = self.right(b, sizes).reversed_axes();
                F::matmul(view(of, n, m), right, F::zero(), view_mut(into, n, k));
            } else {
                let each = of.chunks_exact(n * m).zip(b.chunks_exact(k * m));
                for ((grad, b), into) in each.zip(into.chunks_exact_mut(n * k)) {
                    let right = self.right(b, sizes).reversed_axes();
                    F::matmul_alone(view(grad, n, m), right, F::zero(), view_mut(into, n, k));
                }
            }
            pass.give(0, back);
        }
        if !pass.wants(1) {
            recycle(grad);
        } else if shared {
            let a = pass.take_input(0)?;
            if self.transposed { pass.give_product(1, grad, a) } else { pass.give_product(1, a, grad) }
        } else {
            let (a, mut back) = (pass.input(0)?, pass.scratch(1));
            let each = a.chunks_exact(n * k).zip(slice(&grad).chunks_exact(n * m));
            for ((a, grad), into) in each.zip(slice_mut(&mut back).chunks_exact_mut(k * m)) {
                let (a, grad) = (view(a, n, k), view(grad, n, m));
                let (left, right, rows, columns) =
                    if self.transposed { (grad, a, m, k) } else { (a, grad, k, m) };
                F::matmul_alone(left.reversed_axes(), right, F::zero(), view_mut(into, rows, columns));
            }
            recycle(grad);
            pass.give(1, back);
        }
        Ok(())
    }
}
