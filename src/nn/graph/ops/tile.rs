//! An axis several times in a row, and an axis from its end to its beginning.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// The numbers along the axis, `times` times in a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Tile {
    pub axis: i64,
    pub times: usize,
}

impl Tile {
    /// Returns the numbers of a block, which is repeated.
    fn width(&self, shapes: Shapes<'_>) -> Result<usize> {
        let (n, inner) = shapes.inputs[0].extent(self.axis)?;
        Ok(n * inner)
    }
}

impl<F: Scalar> Op<F> for Tile {
    const KIND: Kind = Kind::builtin("tile");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.times == 0 {
            return Err(Error::argument("times", "at least 1", 0).help("1 leaves the axis as it is."));
        }
        let axis = inputs[0].axis(self.axis as isize)?;
        let mut sizes = inputs[0].sizes.clone();
        // More numbers than there may be are refused afterwards.
        sizes[axis] = sizes[axis].saturating_mul(self.times);
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::along(inputs[0], self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let width = self.width(shapes)?;
        for (x, out) in inputs[0].chunks_exact(width).zip(out.chunks_exact_mut(width * self.times)) {
            if let [x] = x {
                out.fill(*x);
            } else {
                out.chunks_exact_mut(width).for_each(|out| out.copy_from_slice(x));
            }
        }
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let width = self.width(pass.shapes())?;
        let mut back = pass.scratch(0);
        let blocks = slice(&grad).chunks_exact(width * self.times);
        for (grad, back) in blocks.zip(slice_mut(&mut back).chunks_exact_mut(width)) {
            if let [back] = back {
                *back = F::sum_in_lanes(grad);
            } else {
                F::sum_columns(grad, F::zero(), back);
            }
        }
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}

/// The numbers along the axis from the last to the first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Flip {
    pub axis: i64,
}

impl Flip {
    fn run<F: Scalar>(&self, shapes: Shapes<'_>, x: &[F], out: &mut [F]) -> Result<()> {
        let (n, inner) = shapes.output.extent(self.axis)?;
        let blocks = x.chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner));
        blocks.for_each(|(x, out)| F::flipped(x, inner, out));
        Ok(())
    }
}

impl<F: Scalar> Op<F> for Flip {
    const KIND: Kind = Kind::builtin("flip");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        inputs[0].axis(self.axis as isize)?;
        Ok(inputs[0].clone())
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::along(output, self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        self.run(shapes, inputs[0], out)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let mut back = pass.scratch(0);
        self.run(pass.shapes(), slice(&grad), slice_mut(&mut back))?;
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}
