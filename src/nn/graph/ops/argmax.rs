//! The position of the largest number along an axis.

use crate::error::{Error, Result};
use crate::kernels::{Most, Scalar};
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};

/// The position of the largest number along the axis, which goes: the first of equal ones, and NaN before all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct ArgMax {
    pub axis: i64,
}

impl<F: Scalar> Op<F> for ArgMax {
    const KIND: Kind = Kind::builtin("argmax");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let axis = inputs[0].axis(self.axis as isize)?;
        let mut sizes = inputs[0].sizes.clone();
        let size = sizes.remove(axis);
        // All integers up to here are numbers of the type.
        let most = 2.0 / F::epsilon().as_f64();
        if size as f64 > most {
            let what = format!("the size of axis {}", self.axis);
            let expected = format!("at most {most}, as positions are numbers in {}", F::NAME);
            return Err(Error::argument(what, expected, size).help("Split the axis into two with `reshape`."));
        }
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::along(inputs[0], self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (n, inner) = shapes.inputs[0].extent(self.axis)?;
        for (x, out) in inputs[0].chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
            F::most_positions(Most::Largest, x, inner, out);
        }
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        recycle(grad);
        Ok(())
    }
}
