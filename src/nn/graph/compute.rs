//! The steps of a plan that are no layers: operations, programs, and repeated values.

use super::op::{InferOp, lost};
use super::ops::expand;
use super::plan::{Action, Step};
use super::program::MAX_LOADS;
use super::shape::{MAX_INPUTS, Shapes};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::io::Io;
use crate::nn::ports::{MAX_PORTS, Ports};
use crate::tensor::{Tensor, recycle, reshape, scratch, slice_mut, standard};
use ndarray::Dimension;

/// The maximum number of values that a step reads.
pub(super) const MAX_READS: usize = if MAX_LOADS > MAX_INPUTS { MAX_LOADS } else { MAX_INPUTS };

/// Runs a step. `read` returns the value of a slot; `free` is the first input itself, if nobody else needs it. `kept` gets
/// what a program keeps for its backward pass.
pub(super) fn compute<'v, F: Scalar, O: InferOp<F> + ?Sized>(
    step: &Step<O>,
    shapes: Shapes<'_>,
    free: Option<Tensor<F>>,
    kept: &mut [Option<Tensor<F>>],
    read: impl Fn(usize) -> Result<&'v [F]>,
) -> Result<Tensor<F>> {
    let shape = shapes.output.whole(shapes.batch);
    if let Some(mut x) = free {
        if let Action::Op(op) = &step.action {
            op.forward_in_place(shapes, slice_mut(&mut x));
        } else {
            // A sum, of this and the other.
            let slot = step.inputs.get(1).copied().flatten().ok_or_else(lost)?;
            F::add_scaled(slice_mut(&mut x), F::one(), read(slot)?);
        }
        return Ok(reshape(x, shape));
    }
    let mut inputs: [&[F]; MAX_READS] = [&[]; MAX_READS];
    for (place, slot) in inputs.iter_mut().zip(&step.inputs) {
        *place = read(slot.ok_or_else(lost)?)?;
    }
    let inputs = &inputs[..step.inputs.len()];
    let mut out = scratch(shape.slice());
    match &step.action {
        Action::Op(op) => op.forward(shapes, inputs, slice_mut(&mut out))?,
        Action::Program(program) => program.forward(inputs, kept, slice_mut(&mut out)),
        Action::Expand => {
            expand(inputs[0], &shapes.inputs[0], shapes.output, shapes.batch, slice_mut(&mut out));
        }
        Action::Layer(_) => return Err(lost()),
    }
    Ok(out)
}

/// Returns whether a step can work in place of its first input.
pub(super) fn may_be_in_place<F: Scalar, O: InferOp<F> + ?Sized>(step: &Step<O>) -> bool {
    match &step.action {
        Action::Op(op) => op.is_in_place() && step.inputs.len() == 1,
        Action::Program(program) => program.is_sum(),
        _ => false,
    }
}

/// Calls a layer of several ports. `input` gives it an array that it may keep, and `put` gets its outputs.
pub(super) fn call_ports<F: Scalar, O: ?Sized>(
    step: &Step<O>,
    ports: Ports,
    training: bool,
    mut input: impl FnMut(usize, usize) -> Result<Tensor<F>>,
    call: impl FnOnce(&mut Io<'_, F>) -> Result<()>,
    mut put: impl FnMut(usize, Tensor<F>),
) -> Result<()> {
    let mut inputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
    let mut outputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
    let mut wanted = [false; MAX_PORTS];
    for (i, slot) in step.inputs.iter().enumerate() {
        inputs[i] = slot.map(|slot| input(i, slot)).transpose()?;
    }
    wanted.iter_mut().zip(&step.outputs).for_each(|(wanted, (_, read))| *wanted = *read);
    let (count, made) = (step.inputs.len(), step.outputs.len());
    call(&mut Io::new(ports, &mut inputs[..count], &mut outputs[..made], &wanted[..made], training))?;
    for (i, ((slot, read), output)) in step.outputs.iter().zip(outputs).enumerate() {
        match output {
            Some(output) => put(*slot, standard(output)),
            None if *read => return Err(ports.missing_output(i)),
            None => {}
        }
    }
    inputs.into_iter().flatten().for_each(recycle);
    Ok(())
}
