//! One number for all numbers along an axis. Along the steps of a value with lengths, padding is left out.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::nn::reduction::{Extent, Reduction};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The sum of the numbers along the axis.
pub(in crate::nn::graph) const SUM: u8 = 0;
/// Their mean.
pub(in crate::nn::graph) const MEAN: u8 = 1;
/// The largest of them; the first of equal ones gets the gradient.
pub(in crate::nn::graph) const MAX: u8 = 2;
/// The smallest of them; the first of equal ones gets the gradient.
pub(in crate::nn::graph) const MIN: u8 = 3;
/// Their product.
pub(in crate::nn::graph) const PRODUCT: u8 = 4;

/// A reduction: `R` is one of the constants above. Each is a kind of its own in files.
///
/// A second input is the lengths of the samples, for a reduction over the steps. Without any real step the result is 0, that of
/// a product 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Reduce<const R: u8> {
    pub axis: i64,
    /// Whether the axis stays, with a size of 1.
    pub keepdim: bool,
}

impl<const R: u8> Reduce<R> {
    fn extent<'a, F>(&self, shapes: Shapes<'_>, lengths: Option<&'a [F]>) -> Result<Extent<'a, F>> {
        let (n, inner) = shapes.inputs[0].extent(self.axis)?;
        Ok(Extent { n, inner, lengths })
    }

    /// What is computed.
    const REDUCTION: Reduction = match R {
        MEAN => Reduction::Mean,
        MAX => Reduction::Max,
        MIN => Reduction::Min,
        PRODUCT => Reduction::Product,
        _ => Reduction::Sum,
    };
}

impl<F: Scalar, const R: u8> Op<F> for Reduce<R> {
    const KIND: Kind = Kind::builtin(["sum", "mean", "max", "min", "prod"][R as usize]);
    const INPUTS: RangeInclusive<usize> = 1..=2;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let axis = inputs[0].axis(self.axis as isize)?;
        if let Some(lengths) = inputs.get(1)
            && (axis > 0 || !inputs[0].batched || !lengths.batched || !lengths.sizes.is_empty())
        {
            let found = format!("those of {lengths} along axis {} of {}", self.axis, inputs[0]);
            return Err(Error::data("lengths", "be [batch], along the axis after the batch axis", found)
                .help("They say how many steps of each sample are real."));
        }
        let mut sizes = inputs[0].sizes.clone();
        if self.keepdim {
            sizes[axis] = 1;
        } else {
            sizes.remove(axis);
        }
        Ok(Shape::new(inputs[0].batched, sizes))
    }

    fn steps(&self, inputs: &[&Shape], _: &Shape, _: usize) -> Steps {
        match inputs[0].axis(self.axis as isize) {
            Ok(0) if inputs.len() == 2 => Steps::Read,
            axis => Steps::kept_if(axis.is_ok_and(|axis| axis > 0)),
        }
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let extent = self.extent(shapes, inputs.get(1).copied())?;
        Self::REDUCTION.forward(inputs[0], extent, out)
    }

    fn needs(&self, _: usize) -> Needs {
        let lengths = Needs::input(1);
        if Self::REDUCTION.reads_input() { lengths.and(Needs::input(0)) } else { lengths }
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let mut back = pass.scratch(0);
        let lengths = if shapes.inputs.len() == 2 { Some(pass.input(1)?) } else { None };
        let extent = self.extent(shapes, lengths)?;
        let x = if Self::REDUCTION.reads_input() { pass.input(0)? } else { &[] };
        Self::REDUCTION.backward(x, slice(&grad), extent, slice_mut(&mut back))?;
        recycle(grad);
        pass.give(0, back);
        Ok(())
    }
}
