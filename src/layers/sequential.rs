//! The container: layers one after the other.

use super::builder::SequentialBuilder;
use crate::codec::Bytes;
use crate::error::{Error, Result};
use crate::layer::erased::{CacheSlot, ErasedLayer};
use crate::layer::registry::Registry;
use crate::layer::{Layer, Link, batch_error, check_batch};
use crate::ops;
use crate::param::Param;
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, copy, recycle, scratch, slice, slice_mut, standard};
use ndarray::{ArrayBase, ArrayViewD, Axis, Data, Dimension, Slice};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Layers one after the other: the model that is built, trained, saved and asked for predictions.
///
/// It is a [`Layer`] itself, so one may stand inside another. It is `Send` and `Sync` and predicts through `&self`:
/// any number of threads may share one model.
///
/// ```
/// use ndarray::Array3;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28]).seed(42)
///     .layer(Flatten)
///     .layer(Dense::units(128)).layer(ReLU)
///     .layer(Dense::units(10)).layer(Softmax)
///     .build()?;
/// let images = Array3::<f32>::zeros((5, 28, 28));
/// let probabilities = model.predict(&images)?;
/// assert_eq!(probabilities.shape(), [5, 10]);
/// # Ok::<(), plywood::Error>(())
/// ```
pub struct Sequential<F: Scalar = f32> {
    input: Vec<usize>,
    layers: Vec<Box<dyn ErasedLayer<F>>>,
    /// Boxes for caches, from the last backward pass to the next forward pass.
    spare: Vec<CacheSlot>,
}

/// What a [`Sequential`] needs to know of its forward pass: each layer's cache.
#[derive(Debug)]
pub struct SequentialCache {
    slots: Vec<CacheSlot>,
    /// How many layers ran: all, or all but the last where that is a link left out.
    ran: usize,
}

/// How many samples go through the layers at once in `predict`: memory is bounded by this, not by the input.
const PREDICT_BATCH: usize = 256;

impl Sequential<f32> {
    /// Begins a model for inputs of this shape (without the batch axis), in `f32`.
    pub fn builder(input: impl Into<Vec<usize>>) -> SequentialBuilder<f32> {
        Self::builder_of(input)
    }

    /// Begins a block of layers that learns its input's shape where it is put: a spec for a place inside a model.
    pub fn block() -> SequentialBuilder<f32> {
        Self::block_of()
    }
}

impl<F: Scalar> Sequential<F> {
    /// [`builder`](Sequential::builder) for any element type: `Sequential::<f64>::builder_of([28, 28])`.
    pub fn builder_of(input: impl Into<Vec<usize>>) -> SequentialBuilder<F> {
        SequentialBuilder::new(Some(input.into()))
    }

    /// [`block`](Sequential::block) for any element type.
    pub fn block_of() -> SequentialBuilder<F> {
        SequentialBuilder::new(None)
    }

    /// Puts layers together, checking that each takes what the one before puts out.
    pub(super) fn from_layers(input: Vec<usize>, layers: Vec<Box<dyn ErasedLayer<F>>>) -> Result<Self> {
        let model = Self { input, layers, spare: Vec::new() };
        model.shapes()?;
        Ok(model)
    }

    /// The shape of one input, without the batch axis.
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// The shape of one output, without the batch axis.
    pub fn output_shape(&self) -> Vec<usize> {
        self.shapes().ok().and_then(|mut shapes| shapes.pop()).unwrap_or_else(|| self.input.clone())
    }

    /// How many layers it has; a container inside counts as one.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether it has no layers, and hands its input on.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// How many numbers it is made of: trainable, frozen, and buffers together.
    pub fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit_params(&mut |_, param| count += param.len());
        count
    }

    /// Freezes every parameter whose name begins with `prefix` ("" for all, "0." for the first layer's); returns how
    /// many. They keep their values in training, and no gradient is computed for them.
    pub fn freeze(&mut self, prefix: &str) -> usize {
        self.each_named(prefix, |param| param.freeze())
    }

    /// Undoes [`freeze`](Sequential::freeze).
    pub fn unfreeze(&mut self, prefix: &str) -> usize {
        self.each_named(prefix, |param| param.unfreeze())
    }

    fn each_named(&mut self, prefix: &str, change: impl Fn(&mut Param<F>)) -> usize {
        let mut count = 0;
        self.visit_params_mut(&mut |name, param| {
            if name.starts_with(prefix) {
                change(param);
                count += 1;
            }
        });
        count
    }

    /// The predictions for a batch, `[batch, …]`, from an array or a view in any order of memory.
    ///
    /// The batch goes through in pieces, so memory stays bounded; a sample's bits do not depend on its company.
    ///
    /// # Errors
    /// When the input's shape is not `[batch, …]` with the model's input shape behind the batch axis, or holds what
    /// a layer cannot take.
    pub fn predict<S: Data<Elem = F>, D: Dimension>(&self, input: &ArrayBase<S, D>) -> Result<Tensor<F>> {
        self.predict_view(input.view().into_dyn()).map_err(|error| error.at("predict"))
    }

    /// The most probable class of each sample: the position of the largest prediction, or with a single output (a
    /// sigmoid's) 1 where it is above 0.5.
    ///
    /// # Errors
    /// As [`predict`](Sequential::predict).
    pub fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
    ) -> Result<Vec<usize>> {
        Ok(ops::classes(&self.predict(input)?))
    }

    fn predict_view(&self, input: ArrayViewD<'_, F>) -> Result<Tensor<F>> {
        if input.ndim() != self.input.len() + 1 || input.shape()[1..] != *self.input {
            return Err(batch_error(input.shape(), &self.input));
        }
        let batch = input.len_of(Axis(0));
        let shapes = self.shapes()?;
        let mut shape = vec![batch];
        shape.extend(shapes.last().unwrap_or(&self.input));
        let mut out = Tensor::zeros(shape);
        let piece = |i: usize| Slice::from(i * PREDICT_BATCH..batch.min((i + 1) * PREDICT_BATCH));
        let outputs = pool::map(batch.div_ceil(PREDICT_BATCH), |i| {
            let view = input.slice_axis(Axis(0), piece(i));
            let mut x = scratch(view.shape());
            match view.as_slice() {
                Some(values) => slice_mut(&mut x).copy_from_slice(values),
                None => x.assign(&view),
            }
            self.forward(x).map(standard)
        });
        for (i, output) in outputs.into_iter().enumerate() {
            let (y, mut place) = (output?, out.slice_axis_mut(Axis(0), piece(i)));
            match place.as_slice_mut() {
                Some(values) if values.len() == y.len() => values.copy_from_slice(slice(&y)),
                _ => {
                    return Err(Error::shape("an output", format!("{:?}", place.shape()), y.shape()).help(
                        "A layer's `output_shape` does not say what its `forward` does; mend the layer.",
                    ));
                }
            }
            recycle(y);
        }
        Ok(out)
    }

    /// [`forward`](Layer::forward) that leaves a link at the end out: the numbers before softmax or sigmoid, also
    /// inside a container that comes last. [`Link::apply`] of the model's [`link`](Layer::link) gives the rest.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    pub fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.run(input, true)
    }

    /// [`forward_train`](Layer::forward_train) that leaves a link at the end out; `backward` of this cache takes the
    /// gradient at the logits.
    ///
    /// # Errors
    /// As [`forward_train`](Layer::forward_train).
    pub fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, SequentialCache)> {
        self.run_train(input, true)
    }

    /// What comes last, if there is anything to be said of it: a container to look into, or a link to leave out.
    fn end(layer: &dyn ErasedLayer<F>) -> End<'_, F> {
        match layer.as_any().downcast_ref::<Self>() {
            Some(inner) => End::Inner(inner),
            None if layer.erased_link() != Link::Identity => End::Link,
            None => End::Layer,
        }
    }

    fn run(&self, input: Tensor<F>, to_logits: bool) -> Result<Tensor<F>> {
        check_batch(&input, &self.input)?;
        let mut x = input;
        for (i, layer) in self.layers.iter().enumerate() {
            let last = to_logits && i + 1 == self.layers.len();
            x = match Self::end(&**layer) {
                End::Link if last => return Ok(x),
                End::Inner(inner) if last => inner.run(x, true),
                _ => layer.erased_forward(x),
            }
            .map_err(|error| error.at(self.place(i)))?;
        }
        Ok(x)
    }

    fn run_train(&mut self, input: Tensor<F>, to_logits: bool) -> Result<(Tensor<F>, SequentialCache)> {
        check_batch(&input, &self.input)?;
        let (mut x, count) = (input, self.layers.len());
        let mut slots = std::mem::take(&mut self.spare);
        slots.resize_with(count, || None);
        let mut ran = count;
        for (i, (layer, slot)) in self.layers.iter_mut().zip(&mut slots).enumerate() {
            let last = to_logits && i + 1 == count;
            let kind = layer.erased_kind();
            let result = match Self::end(&**layer) {
                End::Link if last => {
                    ran = i;
                    break;
                }
                End::Inner(_) if last => match layer.as_any_mut().downcast_mut::<Self>() {
                    Some(inner) => inner.run_train(x, true).map(|(x, cache)| {
                        *slot = Some(Box::new(Some(cache)));
                        x
                    }),
                    None => Ok(x),
                },
                _ => layer.erased_forward_train(x, slot),
            };
            x = result.map_err(|error| error.at(place(i, kind)))?;
        }
        Ok((x, SequentialCache { slots, ran }))
    }

    /// Backward through the layers from the last that ran down to `first`; the gradient at its input where wanted.
    fn run_back(
        &mut self,
        mut cache: SequentialCache,
        mut grad: Tensor<F>,
        first: usize,
        want_input: bool,
    ) -> Result<Option<Tensor<F>>> {
        if cache.slots.len() != self.layers.len() {
            return Err(Error::custom(
                "expected the cache of this model's forward_train, found another model's",
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
    fn first_trainable(&self) -> usize {
        let trainable = |layer: &dyn ErasedLayer<F>| {
            let mut any = false;
            layer.erased_visit(&mut |_, param| any |= param.is_trainable());
            any
        };
        self.layers.iter().position(|layer| trainable(&**layer)).unwrap_or(self.layers.len())
    }

    /// The shape of one output of each layer.
    pub(crate) fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let input = shapes.last().unwrap_or(&self.input);
            let shape = layer.erased_output_shape(input).map_err(|error| error.at(self.place(i)))?;
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// The kinds of the layers, and of those inside containers with their depth, in order.
    pub(super) fn parts(&self) -> impl Iterator<Item = &dyn ErasedLayer<F>> {
        self.layers.iter().map(|layer| &**layer)
    }

    fn place(&self, i: usize) -> String {
        place(i, self.layers[i].erased_kind())
    }

    /// The first thing in the order of computation that is not finite: the input, a parameter, a layer's output.
    pub(crate) fn first_non_finite(&self, input: Tensor<F>) -> Result<Option<String>> {
        let mut x = standard(input);
        if !F::all_finite(slice(&x)) {
            return Ok(Some("the input".to_owned()));
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let mut bad = None;
            layer.erased_visit(&mut |name, param| {
                if bad.is_none() && !F::all_finite(param.as_slice()) {
                    bad = Some(format!("{name} of {}", self.place(i)));
                }
            });
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
}

enum End<'a, F: Scalar> {
    Inner(&'a Sequential<F>),
    Link,
    Layer,
}

fn place(i: usize, kind: &str) -> String {
    format!("layer {i} ({kind})")
}

impl<F: Scalar> Layer<F> for Sequential<F> {
    const KIND: &'static str = "sequential";
    type Cache = SequentialCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.input {
            return Err(Error::shape("an input", format!("{:?}", self.input), input)
                .help("A model takes the shape it was built for; build it anew for another."));
        }
        Ok(self.shapes()?.pop().unwrap_or_else(|| self.input.clone()))
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.run(input, false)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, SequentialCache)> {
        self.run_train(input, false)
    }

    fn backward(&mut self, cache: SequentialCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let input = self.run_back(cache, grad, 0, true)?;
        input.ok_or_else(|| Error::custom("expected the input's gradient, found none"))
    }

    fn backward_params(&mut self, cache: SequentialCache, grad: Tensor<F>) -> Result<()> {
        let first = self.first_trainable();
        self.run_back(cache, grad, first, false).map(drop)
    }

    /// The last layer's.
    fn link(&self) -> Link {
        self.layers.last().map_or(Link::Identity, |layer| layer.erased_link())
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        let mut full = String::new();
        for (i, layer) in self.layers.iter().enumerate() {
            layer.erased_visit(&mut |name, param| {
                full_name(&mut full, i, name);
                visit(&full, param);
            });
        }
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        let mut full = String::new();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.erased_visit_mut(&mut |name, param| {
                full_name(&mut full, i, name);
                visit(&full, param);
            });
        }
    }
}

fn full_name(full: &mut String, i: usize, name: &str) {
    use std::fmt::Write;
    full.clear();
    // Writing to a String cannot fail.
    let _ = write!(full, "{i}.{name}");
}

impl<F: Scalar> Clone for Sequential<F> {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| layer.erased_clone()).collect();
        Self { input: self.input.clone(), layers, spare: Vec::new() }
    }
}

impl<F: Scalar> std::fmt::Debug for Sequential<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequential").field("input", &self.input).field("layers", &self.layers).finish()
    }
}

impl<F: Scalar> Serialize for Sequential<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let bytes = layer.erased_encode().map_err(|e| serde::ser::Error::custom(e.at(self.place(i))))?;
            layers.push((layer.erased_kind(), Bytes(bytes)));
        }
        (&self.input, layers).serialize(serializer)
    }
}

impl<'de, F: Scalar> Deserialize<'de> for Sequential<F> {
    /// Layers inside are looked up in the registry of the loading call under way, else among the built-in ones.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (input, parts) = <(Vec<usize>, Vec<(String, Bytes)>)>::deserialize(deserializer)?;
        let mut layers = Vec::new();
        for (kind, Bytes(bytes)) in parts {
            layers.push(Registry::decode_layer(&kind, &bytes, Registry::builtin).map_err(D::Error::custom)?);
        }
        Self::from_layers(input, layers).map_err(D::Error::custom)
    }
}
