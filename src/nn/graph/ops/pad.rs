//! A number in front of an axis and behind it.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::graph::function::check_number;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// The axis with `before` positions more in front and `after` more behind, all of which hold `value`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Pad {
    pub axis: i64,
    pub before: usize,
    pub after: usize,
    #[serde(with = "crate::codec::words")]
    pub value: f64,
}

impl Pad {
    /// Returns the numbers of a block of the input, their position in a block of the output, and the size of the latter.
    fn columns(&self, shapes: Shapes<'_>) -> Result<(usize, usize, usize)> {
        let (n, inner) = shapes.inputs[0].extent(self.axis)?;
        Ok((n * inner, self.before * inner, (self.before + n + self.after) * inner))
    }
}

impl<F: Scalar> Op<F> for Pad {
    const KIND: Kind = Kind::builtin("pad");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_number::<F>("pad", self.value)?;
        let axis = inputs[0].axis(self.axis as isize)?;
        let mut sizes = inputs[0].sizes.clone();
        // More numbers than there may be are refused afterwards.
        sizes[axis] = sizes[axis].saturating_add(self.before).saturating_add(self.after);
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::along(inputs[0], self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (width, offset, columns) = self.columns(shapes)?;
        out.fill(F::of(self.value));
        F::put_columns(inputs[0], width, offset, out, columns);
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let (width, offset, columns) = self.columns(pass.shapes())?;
        let mut back = pass.scratch(0);
        F::take_columns(slice(&grad), columns, offset, slice_mut(&mut back), width);
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}
