//! A [`Sequential`] as a layer: forward and backward.

use super::Sequential;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{ErasedLayer, Mode, other_cache};
use crate::nn::io::Io;
use crate::nn::lengths::call_back;
use crate::nn::ports::Ports;
use crate::nn::{
    BoxedLayer, Layer, ModelCache, OutputActivation, Part, Wiring, WithoutActivation, chain, check_batch,
    check_gradient, names,
};
use crate::param::Param;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned};
use ndarray::Axis;

impl<F: Scalar> Sequential<F> {
    /// Runs a pass with a cache. If a layer fails, the boxes taken from `spare` are dropped with the slots; the next pass
    /// makes new ones.
    pub(super) fn run_in(
        &mut self,
        mode: Mode,
        input: Tensor<F>,
        to_logits: bool,
    ) -> Result<(Tensor<F>, ModelCache)> {
        self.run_with(mode, input, (&mut None, false), to_logits)
    }

    /// [`run_in`](Self::run_in) for an input that may have lengths. They become those of the output, if these are wanted.
    fn run_with(
        &mut self,
        mode: Mode,
        input: Tensor<F>,
        (lengths, wanted): (&mut Option<Tensor<F>>, bool),
        to_logits: bool,
    ) -> Result<(Tensor<F>, ModelCache)> {
        check_batch(&input, self.input_shape())?;
        let rows = input.len_of(Axis(0));
        let (mut x, count) = (input, self.chain.layers.len());
        let given = lengths.is_some();
        self.chain.lengths.ways(given)?;
        let mut slots = std::mem::take(&mut self.spare);
        slots.resize_with(count, || None);
        for (i, slot) in slots.iter_mut().enumerate() {
            let without = self.chain.without_activation_of(i, to_logits);
            let way = self.chain.lengths.ways(given)?[i];
            let layer = &mut self.chain.layers[i];
            x = match without {
                WithoutActivation::Nothing => {
                    return Ok((x, ModelCache { slots, ran: i, rows, lengths: (given, wanted) }));
                }
                WithoutActivation::Rest => layer.erased_forward_logits_in(mode, x, slot),
                WithoutActivation::Unsaid if way.is_plain(wanted) => {
                    way.pass(lengths);
                    layer.erased_forward_in(mode, x, slot)
                }
                WithoutActivation::Unsaid => {
                    let (ports, flags) = (layer.erased_ports(), (wanted, mode == Mode::Train));
                    let call = |io: &mut Io<'_, F>| layer.erased_forward_train_ports(io, slot);
                    way.call(ports, x, lengths, flags, call).map(|(y, ())| y)
                }
            }
            .map_err(|error| error.at(self.chain.place(i)))?;
        }
        Ok((x, ModelCache { slots, ran: count, rows, lengths: (given, wanted) }))
    }

    /// Runs backward from the last layer that ran down to `first`, and returns the gradient of its input if wanted.
    ///
    /// Layers from `ran` on did not run and have no cache; they are skipped.
    fn run_back(
        &mut self,
        mut cache: ModelCache,
        mut grad: Tensor<F>,
        first: usize,
        want_input: bool,
    ) -> Result<Option<Tensor<F>>> {
        if cache.slots.len() != self.chain.layers.len() {
            return Err(other_cache());
        }
        if grad.shape().split_first() != Some((&cache.rows, self.output_shape())) {
            check_gradient(&grad, &[&[cache.rows], self.output_shape()].concat())?;
        }
        let (given, wanted) = cache.lengths;
        for i in (first..cache.ran).rev() {
            let way = self.chain.lengths.ways(given)?[i];
            let (layer, slot) = (&mut self.chain.layers[i], &mut cache.slots[i]);
            let want = i > first || want_input;
            let result = if !way.is_plain(wanted) {
                let ports = layer.erased_ports();
                call_back(ports, grad, want, |ports| layer.erased_backward_ports(slot, ports))
            } else if want {
                layer.erased_backward(slot, grad).map(Some)
            } else {
                layer.erased_backward_params(slot, grad).map(|()| None)
            };
            match result.map_err(|error| error.at(self.chain.place(i)))? {
                Some(back) => grad = back,
                None => {
                    self.spare = cache.slots;
                    return Ok(None);
                }
            }
        }
        self.spare = cache.slots;
        Ok(Some(grad))
    }

    /// Returns the first layer with a trainable parameter, or the number of layers if there is none.
    ///
    /// A container counts as one layer: it repeats the search for its own layers.
    fn first_trainable(&self) -> usize {
        let trainable = |layer: &dyn ErasedLayer<F>| {
            let mut any = false;
            layer.erased_visit(&mut |_, param| any |= param.is_trainable());
            any
        };
        self.chain.layers.iter().position(|layer| trainable(&**layer)).unwrap_or(self.chain.layers.len())
    }
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    const KIND: Kind = Kind::builtin(chain::KIND);
    type Cache = ModelCache;

    /// A built block accepts only the shape that it was built for.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.chain.output_shape_for(input)
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    /// Each layer gets the output of the one before; the first gets the input itself, which it copies only if it must.
    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.chain.run(input, false)
    }

    fn keeps_steps(&self, _: &[usize]) -> bool {
        self.chain.lengths.keeps_steps()
    }

    /// One input and one output; and the lengths of sequences that a layer reads or makes.
    fn ports(&self) -> Ports {
        self.chain.lengths.ports()
    }

    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        self.chain.run_ports(io)
    }

    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<ModelCache> {
        let mode = if io.is_training() { Mode::Train } else { Mode::Eval };
        let (input, mut lengths, wanted) = (io.take(0)?, io.take_if(1), io.wants(1));
        let (output, cache) = self.run_with(mode, input, (&mut lengths, wanted), false)?;
        io.put(0, output)?;
        io.put_if_wanted(1, lengths)?;
        Ok(cache)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_in(Mode::Train, input, false)
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_in(Mode::Eval, input, false)
    }

    /// Runs all layers, since the gradient of the input is requested.
    fn backward(&mut self, cache: ModelCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let input = self.run_back(cache, grad, 0, true)?;
        input.ok_or_else(|| Error::custom("there must be a gradient of the input, got none"))
    }

    /// Training calls this method: it stops at the first layer with trainable parameters, and does nothing in a model
    /// without any.
    fn backward_params(&mut self, cache: ModelCache, grad: Tensor<F>) -> Result<()> {
        let first = self.first_trainable();
        self.run_back(cache, grad, first, false).map(drop)
    }

    /// Checks each layer.
    fn check_batch_size(&self, _: &[usize], samples: usize) -> Result<()> {
        let shapes = self.chain.shapes()?;
        let inputs = std::iter::once(self.input_shape()).chain(shapes.iter().map(Vec::as_slice));
        for (i, (layer, input)) in self.chain.layers.iter().zip(inputs).enumerate() {
            layer.erased_check_batch_size(input, samples).map_err(|error| error.at(self.chain.place(i)))?;
        }
        Ok(())
    }

    fn activation(&self) -> OutputActivation {
        self.chain.activation()
    }

    fn without_activation(&self) -> WithoutActivation {
        self.chain.without_activation()
    }

    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.chain.run(input.into(), true).map(owned)
    }

    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_in(Mode::Train, input, true)
    }

    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_in(Mode::Eval, input, true)
    }

    /// The layers, named by their numbers.
    fn parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        self.chain.parts()
    }

    fn wiring(&self) -> Wiring {
        Wiring::Row
    }

    fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
        self.chain.layers.iter().map(|layer| BoxedLayer::of(layer.erased_clone())).collect()
    }

    /// What is known of the outputs after all layers.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        self.chain.output_activation(input)
    }

    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        self.chain.activation_through(input, |layer, activation| layer.erased_training_activation(activation))
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.chain.visit_params(visit);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        let mut full = names::take();
        for (i, layer) in self.chain.layers.iter_mut().enumerate() {
            layer.erased_visit_mut(&mut |name, param| {
                names::write(&mut full, i, name);
                visit(&full, param);
            });
        }
        names::put(full);
    }
}
