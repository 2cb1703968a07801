//! An array of one number for each sample.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};

/// These sizes of one number, with the batch axis of the input, whose numbers are not read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Filled {
    #[serde(deserialize_with = "crate::codec::list::<_, _, { crate::codec::MAX_AXES }>")]
    pub sizes: Vec<usize>,
    pub number: f64,
}

impl<F: Scalar> Op<F> for Filled {
    const KIND: Kind = Kind::builtin("filled");

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.number.is_nan() {
            return Err(Error::argument("number", "a number", self.number).help("Results would be NaN."));
        }
        Ok(Shape::new(inputs[0].batched, &self.sizes[..]))
    }

    fn steps(&self, _: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::Read
    }

    fn forward(&self, _: Shapes<'_>, _: &[&[F]], out: &mut [F]) -> Result<()> {
        out.fill(F::of(self.number));
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        recycle(grad);
        Ok(())
    }
}
