//! Softmax along the last axis.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Give, Kept, Needs, Op, Site, Steps};
use crate::nn::graph::shape::Shape;
use crate::nn::output_activation::OutputActivation;
use crate::tensor::{Tensor, slice_mut};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Softmax;

/// The length of the last axis.
fn columns(site: Site<'_>) -> usize {
    site.output.sizes.last().copied().unwrap_or(1)
}

impl<F: Scalar> Op<F> for Softmax {
    const KIND: &'static str = "softmax";
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

    fn forward(&self, site: Site<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        out.copy_from_slice(inputs[0]);
        F::softmax_rows(out, columns(site));
        Ok(())
    }

    fn forward_in_place(&self, site: Site<'_>, x: &mut [F]) {
        F::softmax_rows(x, columns(site));
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::OUTPUT
    }

    fn backward(
        &self,
        site: Site<'_>,
        kept: &mut Kept<'_, '_, F>,
        mut grad: Tensor<F>,
        give: &mut Give<'_, F>,
    ) -> Result<()> {
        F::softmax_back_rows(kept.output()?, slice_mut(&mut grad), columns(site));
        give.whole(0, grad);
        Ok(())
    }

    fn activation(&self) -> OutputActivation {
        OutputActivation::Softmax
    }
}
