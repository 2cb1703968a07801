//! A chain as a layer of another chain.

use super::{Chain, InferChain, KIND};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::decode_scope::encode_layer;
use crate::nn::erased::ErasedInfer;
use crate::nn::io::Io;
use crate::nn::node::Node;
use crate::nn::output_activation::{OutputActivation, WithoutActivation};
use crate::nn::parts::{AnyLayer, Part};
use crate::nn::ports::Ports;
use crate::param::Param;
use crate::tensor::{CowTensor, Tensor, owned};

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> Chain<F, L> {
    /// [`Layer::forward_ports`](crate::nn::Layer::forward_ports).
    pub fn run_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let (input, lengths, wanted) = (io.take(0)?, io.take_if(1), io.wants(1));
        let (output, lengths) = self.run_with(input.into(), lengths, wanted, false)?;
        io.put(0, owned(output))?;
        io.put_if_wanted(1, lengths)
    }
}

/// A chain inside of a chain that only infers.
impl<F: Scalar> AnyLayer<F> for InferChain<F> {
    fn erased_kind(&self) -> &'static str {
        KIND
    }

    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.output_shape_for(input)
    }

    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.visit_params(visit);
    }

    fn erased_parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        self.parts()
    }

    fn erased_nodes(&self, _: &[usize]) -> Vec<Node> {
        self.list()
    }
}

impl<F: Scalar> ErasedInfer<F> for InferChain<F> {
    fn erased_forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.run(input, false)
    }

    fn erased_activation(&self) -> OutputActivation {
        self.activation()
    }

    fn erased_without_activation(&self) -> WithoutActivation {
        self.without_activation()
    }

    fn erased_forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.run(input.into(), true).map(owned)
    }

    fn erased_output_activation(&self, input: OutputActivation) -> OutputActivation {
        self.output_activation(input)
    }

    fn erased_keeps_steps(&self, _: &[usize]) -> bool {
        self.lengths.keeps_steps()
    }

    fn erased_ports(&self) -> Ports {
        self.lengths.ports()
    }

    fn erased_output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        self.lengths.ports().shapes_of_one(inputs, |input| self.output_shape_for(input))
    }

    fn erased_forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        self.run_ports(io)
    }

    fn erased_encode(&self) -> Result<Vec<u8>> {
        encode_layer(self)
    }

    fn erased_any(&self) -> &dyn AnyLayer<F> {
        self
    }
}
