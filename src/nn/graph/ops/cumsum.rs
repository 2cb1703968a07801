//! The sums along an axis so far.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// At each position along the axis the sum of the numbers up to there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct CumSum {
    pub axis: i64,
}

impl<F: Scalar> Op<F> for CumSum {
    const KIND: Kind = Kind::builtin("cumsum");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        inputs[0].axis(self.axis as isize)?;
        Ok(inputs[0].clone())
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::along(output, self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (n, inner) = shapes.output.extent(self.axis)?;
        let blocks = inputs[0].chunks_exact(n * inner).zip(out.chunks_exact_mut(n * inner));
        blocks.for_each(|(x, out)| F::running_sums(x, inner, out));
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let (n, inner) = pass.shapes().output.extent(self.axis)?;
        let mut back = pass.scratch(0);
        let blocks =
            slice(&grad).chunks_exact(n * inner).zip(slice_mut(&mut back).chunks_exact_mut(n * inner));
        blocks.for_each(|(grad, back)| F::running_sums_back(grad, inner, back));
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}
