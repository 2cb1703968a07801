//! Ids as rows with a single 1.

use super::gather::{Below, read};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};

/// `ids […]` to `[…, classes]`: 1 at the id, else 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct OneHot {
    pub classes: usize,
}

impl<F: Scalar> Op<F> for OneHot {
    const KIND: Kind = Kind::builtin("one_hot");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.classes == 0 {
            return Err(Error::argument("classes", "at least 1", 0).help("Ids are integers below it."));
        }
        let sizes = [&inputs[0].sizes[..], &[self.classes]].concat();
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::kept_if(!inputs[0].sizes.is_empty())
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let below = Below {
            limit: self.classes,
            what: "the number of classes",
            help: "Count the classes from 0, or give more of them.",
        };
        out.fill(F::zero());
        let ids = read(inputs[0], &shapes.inputs[0], below);
        for (out, id) in out.chunks_exact_mut(self.classes).zip(ids) {
            out[id?] = F::one();
        }
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        recycle(grad);
        Ok(())
    }
}
