//! An operation outside of a graph, as its check calls it.

use super::contribution::{check_inputs, into_gradient, into_param};
use super::op::{InferOp, Needs, Op, Steps};
use super::op_backward::{Backward, Give, Held};
use super::shape::{Shape, Shapes};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::output_activation::OutputActivation;
use crate::param::Param;
use crate::tensor::{Tensor, slice, slice_mut};

/// An operation with the shapes of its inputs and of its output.
pub(crate) struct LoneOp<O> {
    pub op: O,
    pub inputs: Vec<Shape>,
    pub output: Shape,
}

impl<O> LoneOp<O> {
    pub fn new<F: Scalar>(op: O, inputs: &[Shape]) -> Result<Self>
    where
        O: Op<F>,
    {
        let inputs = inputs.iter().map(|shape| shape.clone().check()).collect::<Result<Vec<_>>>()?;
        let output = InferOp::<F>::shape(&op, &inputs.iter().collect::<Vec<_>>())?;
        Ok(Self { op, inputs, output })
    }

    fn shapes(&self, batch: usize) -> Shapes<'_> {
        Shapes { inputs: &self.inputs, output: &self.output, batch }
    }

    /// Computes the output, in an array that held `before`.
    pub fn forward<F: Scalar>(&self, inputs: &[Tensor<F>], batch: usize, before: F) -> Result<Tensor<F>>
    where
        O: Op<F>,
    {
        let mut out = Tensor::from_elem(self.output.whole(batch), before);
        let inputs: Vec<&[F]> = inputs.iter().map(slice).collect();
        Op::forward(&self.op, self.shapes(batch), &inputs, slice_mut(&mut out))?;
        Ok(out)
    }

    /// Computes the output in place of the only input, if the operation can.
    pub fn forward_in_place<F: Scalar>(&self, input: &Tensor<F>, batch: usize) -> Option<Tensor<F>>
    where
        O: Op<F>,
    {
        if !O::IN_PLACE {
            return None;
        }
        let mut numbers = slice(input).to_vec();
        Op::forward_in_place(&self.op, self.shapes(batch), &mut numbers);
        Tensor::from_shape_vec(self.output.whole(batch), numbers).ok()
    }

    /// Returns the inputs with the gradients at those that are wanted, from that at the output. Only what the operation
    /// asked for is there.
    pub fn backward<F: Scalar>(
        &self,
        inputs: &[Tensor<F>],
        output: &Tensor<F>,
        grad: Tensor<F>,
        wanted: &[bool],
        batch: usize,
    ) -> Result<Vec<Param<F>>>
    where
        O: Op<F>,
    {
        let wanted_of = (0..inputs.len()).filter(|&k| wanted[k]);
        let needs = wanted_of.fold(Needs::NOTHING, |all, k| all.and(Op::needs(&self.op, k)));
        let mut parts = Vec::new();
        let mut pass = Backward::new(self.shapes(batch), Give { wanted, parts: &mut parts });
        for (i, (held, x)) in pass.inputs.iter_mut().zip(inputs).enumerate() {
            if needs.has_input(i) {
                *held = Held::Own(x.clone());
            }
        }
        pass.output = Some(output).filter(|_| needs.has_output());
        Op::backward(&self.op, &mut pass, grad)?;
        pass.recycle();
        let mut params: Vec<_> = inputs.iter().map(|x| Param::new(x.clone())).collect();
        let mut sums: Vec<Option<Tensor<F>>> = inputs.iter().map(|_| None).collect();
        check_inputs(&parts, inputs.len())?;
        for (i, part) in parts.into_iter().filter(|(i, _)| wanted[*i]) {
            if self.inputs[i].batched {
                into_gradient(&mut sums[i], part, self.inputs[i].whole(batch))?;
            } else {
                into_param(&mut params[i], part)?;
            }
        }
        for (param, sum) in params.iter_mut().zip(sums) {
            sum.map_or(Ok(()), |sum| param.add_gradient(&sum))?;
        }
        Ok(params)
    }

    /// Returns the operation after it was saved and loaded.
    pub fn loaded<F: Scalar>(&self) -> Result<Self>
    where
        O: Op<F>,
    {
        let bytes = InferOp::<F>::encode(&self.op)?;
        Self::new(crate::codec::decode(&bytes, "the saved operation")?, &self.inputs)
    }

    /// Returns what becomes of the steps of an input.
    pub fn steps<F: Scalar>(&self, input: usize) -> Steps
    where
        O: Op<F>,
    {
        Op::steps(&self.op, &self.inputs.iter().collect::<Vec<_>>(), &self.output, input)
    }

    /// Returns the activation that it declares.
    pub fn activation<F: Scalar>(&self) -> OutputActivation
    where
        O: Op<F>,
    {
        Op::activation(&self.op)
    }
}
