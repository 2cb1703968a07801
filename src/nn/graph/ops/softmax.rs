//! Softmax along the last axis.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::nn::output_activation::OutputActivation;
use crate::state::Kind;
use crate::tensor::{Tensor, slice_mut};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Softmax;

/// The length of the last axis.
fn columns(shapes: Shapes<'_>) -> usize {
    shapes.output.sizes.last().copied().unwrap_or(1)
}

impl<F: Scalar> Op<F> for Softmax {
    const KIND: Kind = Kind::builtin("softmax");
    const IN_PLACE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        if inputs[0].sizes.is_empty() {
            return Err(Error::data("the value", "have an axis other than the batch axis", inputs[0])
                .help("Softmax is over the last axis."));
        }
        Ok(inputs[0].clone())
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::kept_if(output.sizes.len() > 1)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        out.copy_from_slice(inputs[0]);
        F::softmax_rows(out, columns(shapes));
        Ok(())
    }

    fn forward_in_place(&self, shapes: Shapes<'_>, x: &mut [F]) {
        F::softmax_rows(x, columns(shapes));
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::OUTPUT
    }

    fn backward(&self, pass: &mut Backward<'_, F>, mut grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        F::softmax_back_rows(pass.output()?, slice_mut(&mut grad), columns(shapes));
        pass.give(0, grad);
        Ok(())
    }

    fn activation(&self) -> OutputActivation {
        OutputActivation::Softmax
    }
}
