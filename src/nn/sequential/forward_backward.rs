//! The passes of a [`Sequential`]: forward, backward, and the search for non-finite values.

use super::Sequential;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedLayer;
use crate::nn::{
    Layer, ModelCache, OutputActivation, Part, WithoutActivation, check_batch, check_batch_shape,
};
use crate::param::Param;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, copy, owned, slice, standard};
use std::cell::RefCell;

impl<F: Scalar> Sequential<F> {
    /// Returns what remains of layer `i` in a pass to the logits: of all layers but the last, the whole layer.
    fn without_activation_of(&self, i: usize, to_logits: bool) -> WithoutActivation {
        match self.layers.get(i) {
            Some(last)
                if to_logits && i + 1 == self.layers.len() && last.erased_activation().can_be_fused() =>
            {
                last.erased_without_activation()
            }
            _ => WithoutActivation::Unsaid,
        }
    }

    /// Runs inference, with or without the final activation.
    pub(super) fn run<'a>(&self, input: CowTensor<'a, F>, to_logits: bool) -> Result<CowTensor<'a, F>> {
        check_batch_shape(input.shape(), self.input_shape())?;
        let mut x = input;
        for (i, layer) in self.layers.iter().enumerate() {
            x = match self.without_activation_of(i, to_logits) {
                WithoutActivation::Nothing => return Ok(x),
                WithoutActivation::Rest => layer.erased_forward_logits(owned(x)).map(CowTensor::from),
                WithoutActivation::Unsaid => layer.erased_forward_cow(x),
            }
            .map_err(|error| error.at(self.place(i)))?;
        }
        Ok(x)
    }

    /// Runs a training pass. If a layer fails, the boxes taken from `spare` are dropped with the slots; the next pass
    /// makes new ones.
    pub(super) fn run_train(&mut self, input: Tensor<F>, to_logits: bool) -> Result<(Tensor<F>, ModelCache)> {
        check_batch(&input, self.input_shape())?;
        let (mut x, count) = (input, self.layers.len());
        let mut slots = std::mem::take(&mut self.spare);
        slots.resize_with(count, || None);
        for (i, slot) in slots.iter_mut().enumerate() {
            let without = self.without_activation_of(i, to_logits);
            let layer = &mut self.layers[i];
            x = match without {
                WithoutActivation::Nothing => return Ok((x, ModelCache { slots, ran: i })),
                WithoutActivation::Rest => layer.erased_forward_train_logits(x, slot),
                WithoutActivation::Unsaid => layer.erased_forward_train(x, slot),
            }
            .map_err(|error| error.at(self.place(i)))?;
        }
        Ok((x, ModelCache { slots, ran: count }))
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
        if cache.slots.len() != self.layers.len() {
            return Err(Error::custom(
                "the cache must be that of this model's `forward_train`, got another model's",
            )
            .help("Give `backward` the cache that `forward_train` of the same model returned."));
        }
        for i in (first..cache.ran).rev() {
            let (layer, slot) = (&mut self.layers[i], &mut cache.slots[i]);
            let result = if i == first && !want_input {
                layer.erased_backward_params(slot, grad).map(|()| None)
            } else {
                layer.erased_backward(slot, grad).map(Some)
            };
            match result.map_err(|error| error.at(self.place(i)))? {
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
        self.layers.iter().position(|layer| trainable(&**layer)).unwrap_or(self.layers.len())
    }

    /// Finds the first non-finite item in the order of computation: the input, a parameter, or a layer's output.
    ///
    /// Called when a loss is not finite, to report the origin. It runs inference, so what only training does (batch
    /// statistics, a mask) is not reproduced. A NaN in a parameter is reported before the output that it affects.
    pub(super) fn first_non_finite(&self, input: Tensor<F>) -> Result<Option<String>> {
        let mut x = standard(input);
        if !F::all_finite(slice(&x)) {
            return Ok(Some("the input".to_owned()));
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let bad = self.first_non_finite_of(i);
            if bad.is_some() {
                return Ok(bad);
            }
            x = standard(layer.erased_forward(copy(&x)).map_err(|error| error.at(self.place(i)))?);
            if !F::all_finite(slice(&x)) {
                return Ok(Some(format!("the output of {}", self.place(i))));
            }
        }
        Ok(None)
    }

    /// Returns the first parameter or buffer that is not finite: "the parameter weight of layer 0 (dense)".
    pub(super) fn first_non_finite_param(&self) -> Option<String> {
        (0..self.layers.len()).find_map(|i| self.first_non_finite_of(i))
    }

    /// Returns the first one of layer `i`.
    fn first_non_finite_of(&self, i: usize) -> Option<String> {
        let mut bad = None;
        self.layers[i].erased_visit(&mut |name, param| {
            if bad.is_none() && !F::all_finite(param.as_slice()) {
                bad = Some(format!("the parameter {name} of {}", self.place(i)));
            }
        });
        bad
    }
}

impl<F: Scalar> Sequential<F> {
    /// Returns what is known of the output of the last layer; `after` says what is known after one layer.
    fn activation_through(
        &self,
        input: OutputActivation,
        after: impl Fn(&dyn ErasedLayer<F>, OutputActivation) -> OutputActivation,
    ) -> OutputActivation {
        let (mut activation, mut columns) = (input, self.input_shape().last().copied());
        for (layer, &own) in self.layers.iter().zip(&self.columns) {
            let output = after(&**layer, activation);
            // A layer that passes values on, and does not compute the activation itself, breaks distributions up if the
            // length of its rows changes.
            let handed_on = output == activation && layer.erased_activation() != output;
            activation = if handed_on && own != columns { output.of_numbers() } else { output };
            columns = own;
        }
        activation
    }
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    const KIND: Kind = Kind::builtin("sequential");
    type Cache = ModelCache;

    /// A built block accepts only the shape that it was built for.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.input_shape() {
            return Err(Error::shape("the input", format!("{:?}", self.input_shape()), input)
                .help("A model takes the shape it was built for; build it again for another."));
        }
        Ok(self.output.shape().to_vec())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    /// Each layer gets the output of the one before; the first gets the input itself, which it copies only if it must.
    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.run(input, false)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_train(input, false)
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
        let shapes = self.shapes()?;
        let inputs = std::iter::once(self.input_shape()).chain(shapes.iter().map(Vec::as_slice));
        for (i, (layer, input)) in self.layers.iter().zip(inputs).enumerate() {
            layer.erased_check_batch_size(input, samples).map_err(|error| error.at(self.place(i)))?;
        }
        Ok(())
    }

    /// The last layer's activation, if [`forward_logits`](Layer::forward_logits) can leave it out.
    fn activation(&self) -> OutputActivation {
        match self.layers.last() {
            Some(last) if last.erased_without_activation() != WithoutActivation::Unsaid => {
                Some(last.erased_activation())
                    .filter(|activation| activation.can_be_fused())
                    .unwrap_or_default()
            }
            _ => OutputActivation::Unknown,
        }
    }

    /// It asks the last layer alone, and not for its activation: in nested models the cost would grow as a power of
    /// the depth. It is used only where [`activation`](Layer::activation) can be left out.
    fn without_activation(&self) -> WithoutActivation {
        match self.layers.last().map(|last| last.erased_without_activation()) {
            None | Some(WithoutActivation::Unsaid) => WithoutActivation::Unsaid,
            _ => WithoutActivation::Rest,
        }
    }

    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.run(input.into(), true).map(owned)
    }

    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ModelCache)> {
        self.run_train(input, true)
    }

    /// The layers, named by their numbers.
    fn parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        let shapes = self.shapes().unwrap_or_default();
        let inputs = std::iter::once(self.input_shape().to_vec()).chain(shapes);
        let layers = self.layers.iter().zip(inputs).enumerate();
        layers.map(|(i, (layer, input))| Part::new(i.to_string(), input, &**layer)).collect()
    }

    /// What is known of the outputs after all layers.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        self.activation_through(input, |layer, activation| layer.erased_output_activation(activation))
    }

    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        self.activation_through(input, |layer, activation| layer.erased_training_activation(activation))
    }

    /// A name consists of the layer's number, a full stop and the layer's own name, as in `nn.Sequential`: "0.weight",
    /// "2.1.bias".
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        let mut full = take_name();
        for (i, layer) in self.layers.iter().enumerate() {
            layer.erased_visit(&mut |name, param| {
                full_name(&mut full, i, name);
                visit(&full, param);
            });
        }
        put_name(full);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        let mut full = take_name();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.erased_visit_mut(&mut |name, param| {
                full_name(&mut full, i, name);
                visit(&full, param);
            });
        }
        put_name(full);
    }
}

thread_local! {
    /// Reusable buffers for names, because parameters are visited at every step. There are several if containers are
    /// nested.
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Takes a buffer for the names of a visit.
fn take_name() -> String {
    NAMES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Returns a buffer for the next visit.
fn put_name(name: String) {
    NAMES.with_borrow_mut(|names| names.push(name));
}

/// Writes a parameter's full name.
fn full_name(full: &mut String, i: usize, name: &str) {
    use std::fmt::Write;
    full.clear();
    // Writing to a String cannot fail.
    let _ = write!(full, "{i}.{name}");
}
