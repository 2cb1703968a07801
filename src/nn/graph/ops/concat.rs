//! Values one after the other along an axis.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::graph::op::{Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{MAX_INPUTS, Shape, Shapes};
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, slice, slice_mut};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Concat {
    pub axis: i64,
}

impl Concat {
    /// Returns for each input its position in a block of the output and its numbers there, with the size of the block.
    fn columns<'a>(
        &self,
        shapes: Shapes<'a>,
    ) -> Result<(usize, impl Iterator<Item = (usize, usize)> + use<'a>)> {
        let axis = shapes.output.axis(self.axis as isize)?;
        let (n, inner) = shapes.output.extent(self.axis)?;
        let widths = shapes.inputs.iter().map(move |shape| shape.sizes[axis] * inner);
        let places = widths.scan(0, |offset, width| {
            let at = *offset;
            *offset += width;
            Some((at, width))
        });
        Ok((n * inner, places))
    }
}

impl<F: Scalar> Op<F> for Concat {
    const KIND: Kind = Kind::builtin("concat");
    const INPUTS: RangeInclusive<usize> = 1..=MAX_INPUTS;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        let first = inputs[0];
        let axis = first.axis(self.axis as isize)?;
        let mut sizes = first.sizes.clone();
        for other in &inputs[1..] {
            let fits = other.batched == first.batched
                && other.sizes.len() == sizes.len()
                && (0..sizes.len()).all(|i| i == axis || other.sizes[i] == sizes[i]);
            if !fits {
                let expected = format!("have equal shapes but for axis {}", self.axis);
                return Err(Error::data("the values", expected, format!("{first} and {other}"))
                    .help("A parameter has no batch axis: add it to a value of the batch first."));
            }
            // Sizes are bounded, so that many of them can be added up.
            sizes[axis] = sizes[axis].saturating_add(other.sizes[axis]);
        }
        Ok(Shape::new(first.batched, sizes))
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::along(output, self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        let (block, places) = self.columns(shapes)?;
        for (x, (offset, width)) in inputs.iter().zip(places) {
            F::put_columns(x, width, offset, out, block);
        }
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_, F>, grad: Tensor<F>) -> Result<()> {
        let shapes = pass.shapes();
        let (block, places) = self.columns(shapes)?;
        for (i, (offset, width)) in places.enumerate() {
            if pass.wants(i) {
                let mut part = pass.scratch(i);
                F::take_columns(slice(&grad), block, offset, slice_mut(&mut part), width);
                pass.give(i, part);
            }
        }
        recycle(grad);
        Ok(())
    }
}
