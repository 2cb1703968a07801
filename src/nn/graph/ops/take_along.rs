//! Numbers along an axis by ids.

use super::gather::{Below, read};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The numbers of the first input along an axis that the second, the ids, names: an id for each of the other axes, or
/// several, along the axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct TakeAlong {
    pub axis: i64,
}

impl TakeAlong {
    /// Calls `each` with the position of each number that is taken, and with that of its id.
    fn each<F: Scalar>(
        &self,
        shapes: Shapes<'_>,
        ids: &[F],
        mut each: impl FnMut(usize, usize),
    ) -> Result<()> {
        let (x, of_ids) = (&shapes.inputs[0], &shapes.inputs[1]);
        let (n, inner) = x.extent(self.axis)?;
        // How many are taken along the axis.
        let k = if of_ids.rank() == x.rank() { of_ids.extent(self.axis)?.0 } else { 1 };
        let help = "Ids are positions along the axis, from 0.";
        let below = Below { limit: n, what: "the size of the axis", help };
        for (i, id) in read(ids, of_ids, below).enumerate() {
            each(i / (k * inner) * n * inner + id? * inner + i % inner, i);
        }
        Ok(())
    }
}

impl<F: Scalar> Op<F> for TakeAlong {
    const KIND: Kind = Kind::builtin("take_along");
    const INPUTS: RangeInclusive<usize> = 2..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (x, ids) = (inputs[0], inputs[1]);
        let axis = x.axis(self.axis as isize)?;
        let mut without = x.sizes.clone();
        without.remove(axis);
        let fits = if ids.sizes.len() == x.sizes.len() {
            ids.sizes[..axis] == x.sizes[..axis] && ids.sizes[axis + 1..] == x.sizes[axis + 1..]
        } else {
            ids.sizes == without
        };
        if !fits || ids.batched != x.batched {
            let expected =
                format!("be {} or that with any size of axis {}", Shape::new(x.batched, without), self.axis);
            return Err(Error::data(format!("the ids for a value of shape {x}"), expected, ids).help(
                "Give an id for each place but along the axis; `reshape` them if they have other axes.",
            ));
        }
        Ok(ids.clone())
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::along(inputs[0], self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        self.each(shapes, inputs[1], |from, to| out[to] = inputs[0][from])
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::input(1)
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        if pass.wants(0) {
            let mut back = pass.scratch(0);
            back.fill(F::zero());
            let (into, grads) = (slice_mut(&mut back), slice(&grad));
            self.each(pass.shapes(), pass.input(1)?, |from, to| into[from] += grads[to])?;
            pass.give(0, back);
        }
        recycle(grad);
        Ok(())
    }
}
