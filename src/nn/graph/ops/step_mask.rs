//! Lengths as a mask.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::nn::io::length_of;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// 1 for each step of the first input that is real by the lengths, the second; 0 for padding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct StepMask;

impl<F: Scalar> Op<F> for StepMask {
    const KIND: Kind = Kind::builtin("step_mask");
    const INPUTS: RangeInclusive<usize> = 2..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (x, lengths) = (inputs[0], inputs[1]);
        match x.sizes.first() {
            Some(&steps) if x.batched && lengths.batched && lengths.sizes.is_empty() => {
                Ok(Shape::new(true, [steps]))
            }
            _ => Err(no_steps(x, lengths)),
        }
    }

    fn steps(&self, _: &[&Shape], _: &Shape, _: usize) -> Steps {
        Steps::Read
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let steps = shapes.output.len();
        for (i, (row, &length)) in out.chunks_exact_mut(steps).zip(inputs[1]).enumerate() {
            let (real, padding) = row.split_at_mut(length_of(length, i, steps)?);
            real.fill(F::one());
            padding.fill(F::zero());
        }
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        recycle(grad);
        Ok(())
    }
}

/// The error of a value that has no steps, or of lengths that are no lengths.
pub(in crate::nn::graph) fn no_steps(value: &Shape, lengths: &Shape) -> Error {
    let expected = "be [batch, steps, …], and its lengths [batch]";
    Error::data("the value", expected, format!("{value} and {lengths}"))
        .help("Lengths are an input of shape `[]`: one number for each sample.")
}
