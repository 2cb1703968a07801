//! A [`Graph`] with one input and one output as a layer.

use super::infer::KIND;
use super::keep::TrainDag;
use super::{Graph, InferGraph};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Layer;
use crate::nn::check_gradient;
use crate::nn::decode_scope::encode_layer;
use crate::nn::erased::{ErasedInfer, Mode};
use crate::nn::io::Io;
use crate::nn::model::{Infer, Model, ModelCache};
use crate::nn::names;
use crate::nn::node::Node;
use crate::nn::output_activation::{OutputActivation, WithoutActivation};
use crate::nn::parts::{AnyLayer, Part};
use crate::nn::ports::Ports;
use crate::param::Param;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned};
use ndarray::Dimension;

/// The methods of a graph as a layer that only inference needs, for both tables.
impl<F: Scalar, L: ErasedInfer<F> + ?Sized + 'static, O: super::op::OpTable<F> + ?Sized + 'static>
    super::Dag<F, L, O>
{
    /// The error of a graph that is no layer.
    fn not_one(&self) -> Error {
        let found = format!("{} and {}", self.in_ports.len(), self.out_ports.len());
        Error::data("a graph as a layer", "have one input and one output", format!("{found} of them"))
            .help("A graph with several of them is a model of its own.")
    }

    /// [`Layer::label`].
    fn label(&self) -> &str {
        if self.label.is_empty() { KIND } else { &self.label }
    }

    /// [`Layer::keeps_steps`]: whether the output has the lengths that the input would have.
    fn keeps_steps(&self) -> bool {
        let ([_], [(_, end)]) = (&self.in_ports[..], &self.ends[..]) else { return false };
        self.source
            .lengths_if_inputs_had(|k| &*self.layers[k].1)
            .is_some_and(|lengths| lengths[*end] == Some(0))
    }

    /// [`Layer::output_shape`].
    fn output_shape_for(&self, input: &[usize]) -> Result<Vec<usize>> {
        let ([own], [output]) = (&self.in_ports[..], &self.out_ports[..]) else { return Err(self.not_one()) };
        if own.shape() != input {
            return Err(Error::shape("the input", format!("{:?}", own.shape()), input)
                .help("A graph takes the shape it was built for: see `Graph::with_input_shapes`."));
        }
        if output.has_lengths() {
            let found = "a value with lengths, which it would not pass on";
            return Err(Error::data("the output of a graph as a layer", "have no padding", found).help(
                "Reduce the steps in the graph, or give the output as `y.without_lengths()`; then padding counts.",
            ));
        }
        Ok(output.shape().to_vec())
    }

    /// Runs inference of a graph that is a layer.
    fn infer_one<'a>(&self, input: CowTensor<'a, F>, to_logits: bool) -> Result<CowTensor<'a, F>> {
        let mut outputs = [None];
        if self.ends.len() != 1 || self.in_ports.len() != 1 {
            return Err(self.not_one());
        }
        self.infer(&mut [Some(input)], &[to_logits], &mut outputs)?;
        let [output] = outputs;
        output.ok_or_else(super::op::lost)
    }

    /// [`Layer::without_activation`].
    fn without(&self) -> WithoutActivation {
        if self.ends.len() == 1 && self.end(0).is_some() {
            WithoutActivation::Rest
        } else {
            WithoutActivation::Unsaid
        }
    }
}

impl<F: Scalar> Graph<F> {
    fn forward_one(&mut self, mode: Mode, input: Tensor<F>, logits: bool) -> Result<(Tensor<F>, ModelCache)> {
        let mut outputs = [None];
        if self.dag.ends.len() != 1 || self.dag.in_ports.len() != 1 {
            return Err(self.dag.not_one());
        }
        let cache = self.run_in(mode, true, &mut [Some(input)], &[logits], &mut outputs)?;
        let [output] = outputs;
        Ok((output.ok_or_else(super::op::lost)?, cache))
    }

    /// The shapes of the output and the input of a batch.
    fn check_back(&self, cache: &ModelCache, grad: &Tensor<F>) -> Result<Vec<usize>> {
        let (TrainDag { plan, .. }, rows) = (&self.dag, cache.rows);
        let (input, output) = (plan.inputs[0], plan.outputs[0]);
        check_gradient(grad, plan.slots[output].shape.whole(rows).slice())?;
        Ok(plan.slots[input].shape.whole(rows).slice().to_vec())
    }
}

impl<F: Scalar> Layer<F> for Graph<F> {
    const KIND: Kind = Kind::builtin(KIND);
    type Cache = ModelCache;

    /// The label of a [`Graph::layer`], or "graph".
    fn label(&self) -> &str {
        self.dag.label()
    }

    fn keeps_steps(&self, _: &[usize]) -> bool {
        self.dag.keeps_steps()
    }

    /// A built graph accepts only the shape that it was built for.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.dag.output_shape_for(input)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.dag.infer_one(input, false)
    }

    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.dag.infer_one(input.into(), true).map(owned)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.forward_one(Mode::Train, input, false)
    }

    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.forward_one(Mode::Train, input, true)
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.forward_one(Mode::Eval, input, false)
    }

    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.forward_one(Mode::Eval, input, true)
    }

    fn backward(&mut self, cache: ModelCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let shape = self.check_back(&cache, &grad)?;
        let mut inputs = [None];
        self.run_back(cache, &mut [Some(grad)], Some(&mut inputs))?;
        let [input] = inputs;
        // An input that is read only as ids or as a condition has no gradient.
        Ok(input.unwrap_or_else(|| Tensor::zeros(shape)))
    }

    fn backward_params(&mut self, cache: ModelCache, grad: Tensor<F>) -> Result<()> {
        self.run_back(cache, &mut [Some(grad)], None)
    }

    fn check_batch_size(&self, _: &[usize], samples: usize) -> Result<()> {
        self.check_samples(samples)
    }

    fn activation(&self) -> OutputActivation {
        self.dag.final_activation(0)
    }

    fn without_activation(&self) -> WithoutActivation {
        self.dag.without()
    }

    fn parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        self.dag.parts()
    }

    fn inner_nodes(&self, _: &[usize]) -> Vec<Node> {
        self.dag.list()
    }

    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        self.dag.known_values(0)
    }

    fn training_activation(&self, _: OutputActivation) -> OutputActivation {
        self.known_in_training.first().copied().unwrap_or_default()
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.dag.each_param(visit);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        for named in self.dag.params.iter_mut().filter(|named| !named.name.is_empty()) {
            visit(&named.name, &mut named.param);
        }
        let mut full = names::take();
        for (name, layer) in &mut self.dag.layers {
            layer.erased_visit_mut(&mut |own, param| {
                names::write(&mut full, &*name, own);
                visit(&full, param);
            });
        }
        names::put(full);
    }
}

/// A graph inside of a model that only infers.
impl<F: Scalar> AnyLayer<F> for InferGraph<F> {
    fn erased_kind(&self) -> &'static str {
        KIND
    }

    fn erased_label(&self) -> &str {
        self.label()
    }

    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.output_shape_for(input)
    }

    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.each_param(visit);
    }

    fn erased_parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        self.parts()
    }

    fn erased_nodes(&self, _: &[usize]) -> Vec<Node> {
        self.list()
    }
}

impl<F: Scalar> ErasedInfer<F> for InferGraph<F> {
    fn erased_forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.infer_one(input, false)
    }

    fn erased_activation(&self) -> OutputActivation {
        self.final_activation(0)
    }

    fn erased_without_activation(&self) -> WithoutActivation {
        self.without()
    }

    fn erased_forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.infer_one(input.into(), true).map(owned)
    }

    fn erased_output_activation(&self, _: OutputActivation) -> OutputActivation {
        self.known_values(0)
    }

    fn erased_keeps_steps(&self, _: &[usize]) -> bool {
        self.keeps_steps()
    }

    fn erased_ports(&self) -> Ports {
        Ports::ONE
    }

    fn erased_output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        Ports::ONE.shapes_of_one(inputs, |input| self.output_shape_for(input))
    }

    fn erased_forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let output = self.infer_one(io.take(0)?.into(), false).map(owned)?;
        io.put(0, output)
    }

    fn erased_encode(&self) -> Result<Vec<u8>> {
        encode_layer(self)
    }

    fn erased_any(&self) -> &dyn AnyLayer<F> {
        self
    }
}
