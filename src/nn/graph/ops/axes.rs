//! Operations that move numbers and compute none: other orders of axes, and other shapes.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, reshape, slice, slice_mut};
use ndarray::{ArrayViewD, ArrayViewMutD, Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// The axes in another order, those of the whole array.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Permute {
    #[serde(deserialize_with = "crate::codec::list::<_, _, { crate::codec::MAX_AXES }>")]
    pub axes: Vec<i64>,
}

/// The last two axes exchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Transpose;

/// Writes `x` with its axes in another order: axis `i` of `out` is axis `order(i)` of `x`.
fn permuted<F: Scalar>(x: &[F], from: IxDyn, order: impl Fn(usize) -> usize, out: &mut [F]) {
    let (mut axes, mut to) = (IxDyn::zeros(from.ndim()), IxDyn::zeros(from.ndim()));
    for i in 0..from.ndim() {
        axes[i] = order(i);
        to[i] = from[axes[i]];
    }
    let x = ArrayViewD::from_shape(from, x).expect("as many numbers");
    ArrayViewMutD::from_shape(to, out).expect("as many numbers").assign(&x.permuted_axes(axes));
}

impl Permute {
    /// Returns the axis of the input that is axis `i` of the output, where the axes were accepted.
    fn order(&self, i: usize) -> usize {
        let axis = self.axes[i];
        (if axis < 0 { axis + self.axes.len() as i64 } else { axis }) as usize
    }

    fn inverse(&self, axis: usize) -> usize {
        (0..self.axes.len()).find(|&i| self.order(i) == axis).unwrap_or(axis)
    }
}

impl<F: Scalar> Op<F> for Permute {
    const KIND: Kind = Kind::builtin("permute");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (of, rank) = (inputs[0], inputs[0].rank());
        let in_range = self.axes.iter().all(|&axis| axis.unsigned_abs() as usize <= rank);
        let mut sorted = vec![false; rank];
        let count = self.axes.len();
        if in_range && count == rank {
            (0..count).map(|i| self.order(i)).filter(|&i| i < rank).for_each(|i| sorted[i] = true);
        }
        let batch_stays = !of.batched || count == 0 || count == rank && self.order(0) == 0;
        if count != rank || sorted.contains(&false) || !batch_stays {
            let first = if of.batched { ", the batch axis 0 first" } else { "" };
            let expected = format!("each axis of {of} once{first}");
            return Err(Error::argument("axes", expected, format!("{:?}", self.axes))
                .help("`axes[i]` is the axis of the value that becomes axis `i`."));
        }
        let sizes: Vec<usize> = (of.lead()..rank).map(|i| of.sizes[self.order(i) - of.lead()]).collect();
        Ok(Shape::new(of.batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        let lead = inputs[0].lead();
        Steps::kept_if(lead < self.axes.len() && self.order(lead) == lead)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        permuted(inputs[0], shapes.inputs[0].whole(shapes.batch), |i| self.order(i), out);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let mut back = pass.scratch(0);
        let from = shapes.output.whole(shapes.batch);
        permuted(slice(&grad), from, |axis| self.inverse(axis), slice_mut(&mut back));
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}

/// Exchanges the last two axes of `from`: matrices of `rows` by `columns`, one after the other.
fn transposed<F: Scalar>(x: &[F], of: &Shape, out: &mut [F]) {
    let &[.., rows, columns] = &of.sizes[..] else { return };
    let each = x.chunks_exact(rows * columns).zip(out.chunks_exact_mut(rows * columns));
    each.for_each(|(x, out)| F::transpose(x, columns, out));
}

impl<F: Scalar> Op<F> for Transpose {
    const KIND: Kind = Kind::builtin("transpose");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let mut sizes = inputs[0].sizes.clone();
        let [.., rows, columns] = &mut sizes[..] else {
            let of = inputs[0];
            return Err(Error::data(
                "the value",
                "have two axes that can be exchanged",
                format!("shape {of}"),
            )
            .help("The batch axis stays in front."));
        };
        std::mem::swap(rows, columns);
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::kept_if(inputs[0].sizes.len() > 2)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        transposed(inputs[0], &shapes.inputs[0], out);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let mut back = pass.scratch(0);
        transposed(slice(&grad), shapes.output, slice_mut(&mut back));
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}

/// The same numbers in another shape, that of a sample; -1 is what the others leave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Reshape {
    #[serde(deserialize_with = "crate::codec::list::<_, _, { crate::codec::MAX_AXES }>")]
    pub sizes: Vec<i64>,
}

impl Reshape {
    /// Returns the sizes for so many numbers, if there are any.
    fn sizes(&self, numbers: usize) -> Option<Vec<usize>> {
        let open = self.sizes.iter().filter(|&&n| n == -1).count();
        let mut known = 1usize;
        for &n in self.sizes.iter().filter(|&&n| n != -1) {
            known = usize::try_from(n).ok().filter(|&n| n > 0).and_then(|n| known.checked_mul(n))?;
        }
        let fits = if open == 0 { numbers == known } else { open == 1 && numbers.is_multiple_of(known) };
        let size = |&n: &i64| if n == -1 { numbers / known } else { n as usize };
        fits.then(|| self.sizes.iter().map(size).collect())
    }
}

impl<F: Scalar> Op<F> for Reshape {
    const KIND: Kind = Kind::builtin("reshape");
    /// There is nothing to do: the numbers stay where they are.
    const IN_PLACE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let of = inputs[0];
        let sizes = self.sizes(of.len()).ok_or_else(|| {
            let expected = format!("sizes of {} numbers in all, with at most one -1", of.len());
            Error::argument("sizes", expected, format!("{:?} for {of}", self.sizes)).help(
                "Give the sizes of one sample, without the batch axis; -1 is the size that the others leave.",
            )
        })?;
        Ok(Shape::new(of.batched, sizes))
    }

    /// Numbers are in row-major order, so an equal first size keeps what belongs to each step.
    fn steps(&self, inputs: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::kept_if(!output.sizes.is_empty() && inputs[0].sizes.first() == output.sizes.first())
    }

    fn forward(&self, _: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        out.copy_from_slice(inputs[0]);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        pass.give(0, reshape(grad, shapes.inputs[0].whole(shapes.batch)));
        Ok(())
    }
}
