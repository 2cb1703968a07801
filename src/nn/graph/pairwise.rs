//! A function of two arrays that broadcast, outside of a graph: layers join the outputs of branches by it.

use super::function::{Function, broadcast};
use super::op_backward::{Give, Part};
use super::ops::{expand, expand_back};
use super::program::{Code, Load, Program};
use super::shape::{Shape, Shapes};
use crate::error::Result;
use crate::kernels::{Binary, Scalar};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};
use ndarray::Dimension;

/// A function of two batches. Their shapes broadcast by the axes of a sample, from the last one on.
#[derive(Debug)]
pub(in crate::nn) struct Pairwise {
    own: [Shape; 2],
    /// The shapes that the program reads: the same, or that of the output.
    read: [Shape; 2],
    output: Shape,
    program: Program,
}

impl Pairwise {
    /// Returns the function for samples of these shapes.
    ///
    /// # Errors
    /// If they do not broadcast.
    pub fn new(function: Binary, a: &[usize], b: &[usize]) -> Result<Self> {
        let own = [Shape::batched(a), Shape::batched(b)];
        let output = broadcast(&own[0], &own[1])?.check()?;
        let read =
            own.clone().map(|own| if Load::of(&own, &output).is_some() { own } else { output.clone() });
        let loads = read.iter().filter_map(|read| Load::of(read, &output)).collect();
        let code = Code { function: Function::Binary(function), of: [0, 1, 0] };
        Ok(Self { own, read, output, program: Program::new(loads, vec![code]) })
    }

    /// Returns the shape of a sample of the result.
    pub fn shape(&self) -> &[usize] {
        &self.output.sizes
    }

    /// Returns the arrays that have to be expanded before they are read.
    fn expanded<F: Scalar>(&self, of: [&Tensor<F>; 2], batch: usize) -> [Option<Tensor<F>>; 2] {
        [0, 1].map(|i| {
            (self.read[i] != self.own[i]).then(|| {
                let mut out = scratch(self.output.whole(batch).slice());
                expand(slice(of[i]), &self.own[i], &self.output, batch, slice_mut(&mut out));
                out
            })
        })
    }

    /// Computes the result for two arrays in row-major order.
    pub fn forward<F: Scalar>(&self, a: &Tensor<F>, b: &Tensor<F>) -> Tensor<F> {
        let batch = a.shape()[0];
        let mut out = scratch(self.output.whole(batch).slice());
        let expanded = self.expanded([a, b], batch);
        let read = [a, b].map(slice);
        let read = [0, 1].map(|i| expanded[i].as_ref().map_or(read[i], slice));
        self.program.forward(&read, &mut [], slice_mut(&mut out));
        expanded.into_iter().flatten().for_each(recycle);
        out
    }

    /// Computes the gradients at both arrays.
    pub fn backward<F: Scalar>(&self, a: &Tensor<F>, b: &Tensor<F>, grad: &Tensor<F>) -> [Tensor<F>; 2] {
        let batch = a.shape()[0];
        let expanded = self.expanded([a, b], batch);
        let read = [a, b].map(slice);
        let read = [0, 1].map(|i| expanded[i].as_ref().map_or(read[i], slice));
        let mut parts = Vec::with_capacity(2);
        let shapes = Shapes { inputs: &self.read, output: &self.output, batch };
        let mut give = Give { wanted: &[true, true], parts: &mut parts };
        self.program.backward(&[read[0], read[1], &[]], shapes, slice(grad), &mut give);
        expanded.into_iter().flatten().for_each(recycle);
        let mut grads = [0, 1].map(|i| scratch(self.own[i].whole(batch).slice()));
        for (i, part) in parts {
            let Part::Whole(part) = part else { continue };
            let shapes = Shapes { inputs: &self.own[i..=i], output: &self.output, batch };
            let part = if self.read[i] == self.own[i] { part } else { expand_back(part, shapes) };
            recycle(std::mem::replace(&mut grads[i], part));
        }
        grads
    }
}
