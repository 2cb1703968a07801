//! Softmax and its logarithm along an axis.

use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::graph::op::{Needs, Op, Steps};
use crate::nn::graph::op_backward::Backward;
use crate::nn::graph::shape::{Shape, Shapes};
use crate::nn::output_activation::OutputActivation;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};
use serde::{Deserialize, Serialize};

/// Softmax along an axis, or its logarithm. Each is a kind of its own in files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::nn::graph) struct Softmax<const LOG: bool> {
    /// -1 for the last axis, whichever way it was written.
    pub axis: i64,
}

/// Writes each block `[rows, columns]` of `x` as `[columns, rows]`.
fn turn<F: Scalar>(x: &[F], (rows, columns): (usize, usize), out: &mut [F]) {
    let blocks = x.chunks_exact(rows * columns).zip(out.chunks_exact_mut(rows * columns));
    blocks.for_each(|(x, out)| F::transpose(x, columns, out));
}

impl<const LOG: bool> Softmax<LOG> {
    /// Computes the function in place. What is not along the last axis is transposed to rows and back, so that it has
    /// the bits of a row.
    fn run<F: Scalar>((n, inner): (usize, usize), x: &mut [F]) {
        let rows = if LOG { F::log_softmax_rows } else { F::softmax_rows };
        if inner == 1 {
            return rows(x, n);
        }
        let mut turned = scratch(&[x.len()]);
        turn(x, (n, inner), slice_mut(&mut turned));
        rows(slice_mut(&mut turned), n);
        turn(slice(&turned), (inner, n), x);
        recycle(turned);
    }
}

impl<F: Scalar, const LOG: bool> Op<F> for Softmax<LOG> {
    const KIND: Kind = Kind::builtin(if LOG { "log_softmax" } else { "softmax" });
    const IN_PLACE: bool = true;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape> {
        inputs[0].axis(self.axis as isize)?;
        Ok(inputs[0].clone())
    }

    fn steps(&self, _: &[&Shape], output: &Shape, _: usize) -> Steps {
        Steps::along(output, self.axis)
    }

    fn forward(&self, shapes: Shapes<'_>, inputs: &[&[F]], out: &mut [F]) -> Result<()> {
        out.copy_from_slice(inputs[0]);
        Self::run(shapes.output.extent(self.axis)?, out);
        Ok(())
    }

    fn forward_in_place(&self, shapes: Shapes<'_>, x: &mut [F]) {
        // `shape` has accepted the axis.
        if let Ok(extent) = shapes.output.extent(self.axis) {
            Self::run(extent, x);
        }
    }

    fn needs(&self, _: usize) -> Needs {
        Needs::OUTPUT
    }

    fn backward(&self, pass: &mut Backward<'_, F>, mut grad: Tensor<F>) -> Result<()> {
        let (n, inner) = pass.shapes().output.extent(self.axis)?;
        let (y, g) = (pass.output()?, slice_mut(&mut grad));
        let rows = if LOG { F::log_softmax_back_rows } else { F::softmax_back_rows };
        if inner == 1 {
            rows(y, g, n);
        } else {
            let mut turned = [scratch(&[y.len()]), scratch(&[y.len()])];
            let [of_y, of_g] = &mut turned;
            turn(y, (n, inner), slice_mut(of_y));
            turn(g, (n, inner), slice_mut(of_g));
            rows(slice(of_y), slice_mut(of_g), n);
            turn(slice(of_g), (inner, n), g);
            turned.into_iter().for_each(recycle);
        }
        pass.give(0, grad);
        Ok(())
    }

    fn activation(&self) -> OutputActivation {
        match (self.axis, LOG) {
            (-1, false) => OutputActivation::Softmax,
            (-1, true) => OutputActivation::LogSoftmax,
            _ => OutputActivation::Unknown,
        }
    }
}
