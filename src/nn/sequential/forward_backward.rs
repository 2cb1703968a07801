//! How a batch goes through a [`Sequential`]: forward, backward, and in search of what is not finite.

use super::Sequential;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Scalar;
use crate::nn::erased::{CacheSlot, ErasedLayer};
use crate::nn::{Layer, OutputActivation, Part, WithoutActivation, check_batch, check_batch_shape};
use crate::param::Param;
use crate::state::Kind;
use crate::target::CLEAN;
use crate::tensor::{CowTensor, Tensor, copy, owned, slice, standard};
use std::cell::RefCell;

/// What a [`Sequential`] needs to know of its forward pass: each layer's cache.
///
/// It goes to `backward` of the same model, once. Another model's is refused where the layers differ; a twin's
/// cannot be told apart.
///
/// ```
/// use plywood::prelude::*;
///
/// let mut model = Sequential::builder([2]).layer(Dense::units(2)).build()?;
/// let mut other = Sequential::builder([2]).layer(Dense::units(2)).layer(ReLU).build()?;
/// let (y, cache) = model.forward_train(Tensor::ones(vec![1, 2]))?;
/// let error = other.backward(cache, y).unwrap_err().to_string();
/// assert!(error.starts_with("the cache must be that of this model's `forward_train`, got another model's."));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Debug)]
pub struct SequentialCache {
    /// Empty from `ran` on.
    slots: Vec<CacheSlot>,
    /// How many layers ran: all, or all but the last where that is an activation left out.
    ran: usize,
}

impl<F: Scalar> Sequential<F> {
    /// What there is of layer `i` in a run to the logits: all of any layer but the last.
    fn without_activation_of(&self, i: usize, to_logits: bool) -> WithoutActivation {
        match self.layers.get(i) {
            Some(last) if to_logits && i + 1 == self.layers.len() => last.erased_without_activation(),
            _ => WithoutActivation::Unsaid,
        }
    }

    /// Inference, with or without the activation at the end.
    fn run<'a>(&self, input: CowTensor<'a, F>, to_logits: bool) -> Result<CowTensor<'a, F>> {
        check_batch_shape(input.shape(), &self.input)?;
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

    /// Where a layer fails, the boxes taken from `spare` are dropped with the slots; the next pass makes new ones.
    fn run_train(&mut self, input: Tensor<F>, to_logits: bool) -> Result<(Tensor<F>, SequentialCache)> {
        check_batch(&input, &self.input)?;
        let (mut x, count) = (input, self.layers.len());
        let mut slots = std::mem::take(&mut self.spare);
        slots.resize_with(count, || None);
        for (i, slot) in slots.iter_mut().enumerate() {
            let without = self.without_activation_of(i, to_logits);
            let layer = &mut self.layers[i];
            x = match without {
                WithoutActivation::Nothing => return Ok((x, SequentialCache { slots, ran: i })),
                WithoutActivation::Rest => layer.erased_forward_train_logits(x, slot),
                WithoutActivation::Unsaid => layer.erased_forward_train(x, slot),
            }
            .map_err(|error| error.at(self.place(i)))?;
        }
        Ok((x, SequentialCache { slots, ran: count }))
    }

    /// Backward through the layers from the last that ran down to `first`; the gradient at its input where wanted.
    ///
    /// Layers from `ran` on did not run and have no cache; they are not asked.
    fn run_back(
        &mut self,
        mut cache: SequentialCache,
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

    /// The first layer with something to train; the number of layers where there is none.
    ///
    /// A container counts as one layer: it asks itself the same question again.
    fn first_trainable(&self) -> usize {
        let trainable = |layer: &dyn ErasedLayer<F>| {
            let mut any = false;
            layer.erased_visit(&mut |_, param| any |= param.is_trainable());
            any
        };
        self.layers.iter().position(|layer| trainable(&**layer)).unwrap_or(self.layers.len())
    }

    /// The first thing in the order of computation that is not finite: the input, a parameter, a layer's output.
    ///
    /// Called when a loss is not finite, to say where it began. It runs in inference, so what only training does (a
    /// batch's own statistics, a mask) is not reproduced. A NaN in a parameter is reported before the output that it
    /// spoils.
    pub(crate) fn first_non_finite(&self, input: Tensor<F>) -> Result<Option<String>> {
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

    /// The error of a sample whose output nothing can be decided by, with the first thing on the way that is not
    /// finite; `input` has that sample alone.
    pub(crate) fn unusable(&self, input: Tensor<F>, sample: usize) -> Error {
        let what = match self.first_non_finite(input).ok().flatten() {
            Some(what) if what == "the input" => {
                let what = format!("{what} of sample {sample}");
                return Error::new(ErrorKind::NonFinite { what, step: None }).help(CLEAN);
            }
            found => found.unwrap_or_else(|| "the output".to_owned()),
        };
        Error::new(ErrorKind::NonFinite { what, step: None })
            .help("Check how the model was trained: the learning rate, clipping, the scale of the inputs.")
            .at(format!("sample {sample}"))
    }

    /// The first parameter or buffer that is not finite: "the parameter weight of layer 0 (dense)".
    pub(crate) fn first_non_finite_param(&self) -> Option<String> {
        (0..self.layers.len()).find_map(|i| self.first_non_finite_of(i))
    }

    /// That of one layer.
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
    /// What is known behind all layers, where `after` says what is known behind one.
    fn activation_through(
        &self,
        input: OutputActivation,
        after: impl Fn(&dyn ErasedLayer<F>, OutputActivation) -> OutputActivation,
    ) -> OutputActivation {
        let (mut activation, mut columns) = (input, self.input.last().copied());
        for (layer, &own) in self.layers.iter().zip(&self.columns) {
            let output = after(&**layer, activation);
            // A layer that hands numbers on, and does not make them so itself, has torn distributions apart where its
            // rows are of another length.
            let handed_on = output == activation && layer.erased_activation() != output;
            activation = if handed_on && own != columns { output.of_numbers() } else { output };
            columns = own;
        }
        activation
    }
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    const KIND: Kind = Kind::builtin("sequential");
    type Cache = SequentialCache;

    /// A block has been built for one shape and refuses any other.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.input {
            return Err(Error::shape("the input", format!("{:?}", self.input), input)
                .help("A model takes the shape it was built for; build it again for another."));
        }
        Ok(self.output.clone())
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    /// Each layer has what the one before puts out, and the first the input itself, unless it copies it.
    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.run(input, false)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, SequentialCache)> {
        self.run_train(input, false)
    }

    /// Runs all layers, since the input's gradient is asked for.
    fn backward(&mut self, cache: SequentialCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let input = self.run_back(cache, grad, 0, true)?;
        input.ok_or_else(|| Error::custom("there must be a gradient of the input, got none"))
    }

    /// What training calls: stops at the first layer with something to train, and does nothing in a model without
    /// any.
    fn backward_params(&mut self, cache: SequentialCache, grad: Tensor<F>) -> Result<()> {
        let first = self.first_trainable();
        self.run_back(cache, grad, first, false).map(drop)
    }

    /// Asks each layer.
    fn check_batch_size(&self, _: &[usize], samples: usize) -> Result<()> {
        let shapes = self.shapes()?;
        let inputs = std::iter::once(&self.input).chain(&shapes);
        for (i, (layer, input)) in self.layers.iter().zip(inputs).enumerate() {
            layer.erased_check_batch_size(input, samples).map_err(|error| error.at(self.place(i)))?;
        }
        Ok(())
    }

    /// The last layer's, if it can be left out: what [`forward_logits`](Layer::forward_logits) leaves out.
    fn activation(&self) -> OutputActivation {
        match self.layers.last() {
            Some(last) if last.erased_without_activation() != WithoutActivation::Unsaid => {
                last.erased_activation()
            }
            _ => OutputActivation::Unknown,
        }
    }

    fn without_activation(&self) -> WithoutActivation {
        match self.without_activation_of(self.layers.len().wrapping_sub(1), true) {
            WithoutActivation::Unsaid => WithoutActivation::Unsaid,
            _ => WithoutActivation::Rest,
        }
    }

    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.run(input.into(), true).map(owned)
    }

    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, SequentialCache)> {
        self.run_train(input, true)
    }

    /// The layers by their numbers.
    fn parts(&self, _: &[usize]) -> Vec<Part<'_, F>> {
        let shapes = self.shapes().unwrap_or_default();
        let inputs = std::iter::once(self.input.clone()).chain(shapes);
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

    /// Names are the layer's number, a full stop and its own name, as `nn.Sequential` has them: "0.weight",
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
    /// Buffers for names, to be used again: parameters are visited at every step. More than one where containers nest.
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for the names of a visit.
fn take_name() -> String {
    NAMES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a buffer for the next visit.
fn put_name(name: String) {
    NAMES.with_borrow_mut(|names| names.push(name));
}

/// Writes a parameter's whole name.
fn full_name(full: &mut String, i: usize, name: &str) {
    use std::fmt::Write;
    full.clear();
    // Writing to a String cannot fail.
    let _ = write!(full, "{i}.{name}");
}
