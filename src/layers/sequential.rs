//! The container: layers one after the other.
//!
//! Composition is the chain rule. With `x_0` the input and `x_i = f_i(x_{i-1})`, the forward pass goes up and keeps
//! each layer's cache; the backward pass goes down:
//!
//! ```text
//! ∂L/∂x_{i-1} = (∂f_i/∂x_{i-1})ᵀ · ∂L/∂x_i          for i = n, …, first trainable
//! ```
//!
//! Two things are left out where nobody would see them. Below the first layer with something to train no gradient is
//! wanted, so [`backward_params`](Layer::backward_params) stops there, and that layer computes none for its input.
//! And a [`Link`] at the end is not run where the loss absorbs it, also where it stands at the end of a container at
//! the end.
//!
//! The layers are kept without their types ([`ErasedLayer`]). A container inside is recognised by a downcast, which
//! is how links at its end are found and how the summary lists its layers.
//!
//! What is in force between methods:
//!
//! - each layer takes the shape that the one before puts out: [`Sequential::from_layers`] checks it for models that
//!   are built and for those that are loaded;
//! - a [`SequentialCache`] has as many slots as the model has layers; one that has not came from another model;
//! - errors of a layer carry its place, "layer 2 (dense)", counted from 0 as in the names of parameters.

use super::builder::SequentialBuilder;
use crate::codec::Bytes;
use crate::error::{Error, Result};
use crate::layer::erased::{CacheSlot, ErasedLayer};
use crate::layer::registry::Registry;
use crate::layer::{Layer, batch_error};
use crate::ops;
use crate::param::Param;
use crate::pool;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};
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
///
/// | | Plywood | Keras `Sequential` | PyTorch `nn.Sequential` |
/// |---|---|---|---|
/// | input's shape | given first | given, or at the first call | never known |
/// | shapes checked | when built | when built | in the forward pass |
/// | names of parameters | `0.weight` | `dense/kernel` | `0.weight` |
/// | training mode | `forward_train` | `training=True` | `model.train()` |
///
/// `Display` prints the summary: layers, output shapes, numbers of parameters, bytes. A clone copies all parameters
/// and gradients. There is one input and one output; for branches write a container of your own (docs/extending.md).
pub struct Sequential<F: Scalar = f32> {
    /// Without the batch axis.
    pub(super) input: Vec<usize>,
    pub(super) layers: Vec<Box<dyn ErasedLayer<F>>>,
    /// Boxes for caches, from the last backward pass to the next forward pass.
    ///
    /// A clone begins without them, and a second forward pass before the backward pass of the first makes its own.
    pub(super) spare: Vec<CacheSlot>,
}

/// How many samples go through the layers at once in `predict`: memory is bounded by this, not by the input.
///
/// A piece of 784 pixels in `f32` takes 0.8 MB, and has enough rows to keep the product of matrices busy.
const PREDICT_BATCH: usize = 256;

impl Sequential<f32> {
    /// Begins a model for inputs of this shape (without the batch axis), in `f32`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2, 3]).seed(7).layer(Flatten).layer(Dense::units(4)).layer(Tanh).build()?;
    /// assert_eq!((model.input_shape(), model.output_shape()), (&[2, 3][..], vec![4]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn builder(input: impl Into<Vec<usize>>) -> SequentialBuilder<f32> {
        Self::builder_of(input)
    }

    /// Begins a block of layers that learns its input's shape where it is put: a spec for a place inside a model.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let block = |units| Sequential::block().layer(Dense::units(units)).layer(ReLU).layer(Dropout::rate(0.2));
    /// let model = Sequential::builder([16]).layer(block(12)).layer(block(4)).build()?;
    /// let mut names = Vec::new();
    /// model.visit_params(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
    /// assert_eq!(names, ["0.0.weight [16, 12]", "0.0.bias [12]", "1.0.weight [12, 4]", "1.0.bias [4]"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn block() -> SequentialBuilder<f32> {
        Self::block_of()
    }
}

impl<F: Scalar> Sequential<F> {
    /// [`builder`](Sequential::builder) for any element type: `Sequential::<f64>::builder_of([28, 28])`.
    ///
    /// `f64` is for checks against finite differences and against references; it costs twice the memory.
    pub fn builder_of(input: impl Into<Vec<usize>>) -> SequentialBuilder<F> {
        SequentialBuilder::new(Some(input.into()))
    }

    /// [`block`](Sequential::block) for any element type.
    pub fn block_of() -> SequentialBuilder<F> {
        SequentialBuilder::new(None)
    }

    /// Puts layers together, checking that each takes what the one before puts out.
    ///
    /// The only way in, for the builder and for files.
    pub(super) fn from_layers(input: Vec<usize>, layers: Vec<Box<dyn ErasedLayer<F>>>) -> Result<Self> {
        let model = Self { input, layers, spare: Vec::new() };
        model.shapes()?;
        Ok(model)
    }

    /// The shape of one input, without the batch axis.
    ///
    /// What [`predict`](Sequential::predict) wants behind the batch axis, and a data set's samples must have.
    pub fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// The shape of one output, without the batch axis.
    ///
    /// The last layer's; a model without layers hands its input on.
    pub fn output_shape(&self) -> Vec<usize> {
        self.shapes().ok().and_then(|mut shapes| shapes.pop()).unwrap_or_else(|| self.input.clone())
    }

    /// How many layers it has; a container inside counts as one.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let head = Sequential::block().layer(Dense::units(2)).layer(Softmax);
    /// let model = Sequential::builder([4]).layer(Dense::units(3)).layer(head).build()?;
    /// assert_eq!(model.len(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether it has no layers, and hands its input on.
    ///
    /// Such a model is legal: a block of no layers is the identity.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// How many numbers it is made of: trainable, frozen, and buffers together.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([784])
    ///     .layer(Dense::units(128).without_bias()).layer(BatchNorm::new()).layer(ReLU)
    ///     .build()?;
    /// assert_eq!(model.parameter_count(), 784 * 128 + 4 * 128); // scale, shift and two running statistics
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn parameter_count(&self) -> usize {
        let mut count = 0;
        self.visit_params(&mut |_, param| count += param.len());
        count
    }

    /// Freezes every parameter whose name begins with `prefix` ("" for all, "0." for the first layer's); returns how
    /// many. They keep their values in training, and no gradient is computed for them.
    ///
    /// Every name that matches is counted: buffers, which keep running, and what was frozen before. The prefix is
    /// compared letter by letter, so write the full stop: "1" is the beginning of "10.weight", too.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([4]).layer(Dense::units(3)).layer(ReLU).layer(Dense::units(2)).build()?;
    /// assert_eq!(model.freeze("0."), 2); // 0.weight and 0.bias
    /// model.visit_params(&mut |name, param| assert_eq!(param.is_trainable(), name.starts_with("2.")));
    /// assert_eq!(model.unfreeze(""), 4);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The layers below the first trainable one are then run forward only: training the last layer of a deep model
    /// costs little more than its inference.
    pub fn freeze(&mut self, prefix: &str) -> usize {
        self.each_named(prefix, |param| param.freeze())
    }

    /// Undoes [`freeze`](Sequential::freeze).
    ///
    /// Returns how many names matched. Gradients begin at none; the optimiser's state for the names is still there.
    pub fn unfreeze(&mut self, prefix: &str) -> usize {
        self.each_named(prefix, |param| param.unfreeze())
    }

    /// The names are those of `visit_params`, with the numbers of the layers in front.
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
    /// | | shape |
    /// |---|---|
    /// | `input` | `[batch, …]`, the model's input shape behind the batch |
    /// | the answer | `[batch, …]`, the model's output shape behind the batch |
    ///
    /// Pieces of 256 samples go to the threads ([`set_threads`](crate::set_threads)), so activations inside the model
    /// are there for 256 samples a thread at most; the outputs are held twice while they are put together. Links are
    /// applied: a model that ends in softmax gives probabilities. An empty batch gives an empty answer.
    ///
    /// ```
    /// use ndarray::{Array2, Axis, s};
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([3]).seed(1).layer(Dense::units(4)).layer(Softmax).build()?;
    /// let x = Array2::from_shape_fn((1000, 3), |(i, j)| (i as f32 * 0.01).sin() + j as f32);
    /// let all = model.predict(&x)?;
    /// let some = model.predict(&x.slice(s![300..303, ..]))?; // a view
    /// assert_eq!(some.index_axis(Axis(0), 1), all.index_axis(Axis(0), 301)); // to the bit
    ///
    /// let error = model.predict(&x.row(0)).unwrap_err().to_string();
    /// assert!(error.starts_with("predict: expected an input of shape [batch, 3], found [3]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
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
    /// Of equals the first; NaN counts as the largest (see [`argmax_rows`](crate::argmax_rows)).
    ///
    /// ```
    /// use ndarray::{Array2, arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// struct Given;
    /// impl LayerSpec for Given {
    ///     type Layer = Dense;
    ///     fn build(self, _: &[usize], _: &Random) -> Result<Dense> {
    ///         Dense::from_weights(Array2::eye(3), Some(arr1(&[0.0, 0.0, 1.0])))
    ///     }
    /// }
    ///
    /// let model = Sequential::builder([3]).layer(Given).layer(Softmax).build()?;
    /// assert_eq!(model.predict_classes(&arr2(&[[5.0, 0.0, 0.0], [0.0, 0.5, 0.0]]))?, [0, 2]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Sequential::predict).
    pub fn predict_classes<S: Data<Elem = F>, D: Dimension>(
        &self,
        input: &ArrayBase<S, D>,
    ) -> Result<Vec<usize>> {
        Ok(ops::classes(&self.predict(input)?))
    }

    /// A piece is copied into a spare buffer, because a layer may change what it is given and the caller keeps the
    /// array.
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

    /// The shape of one output of each layer.
    ///
    /// Asked when a model is built and again by `predict`; it costs a few small allocations a layer.
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
    ///
    /// For the summary.
    pub(super) fn parts(&self) -> impl Iterator<Item = &dyn ErasedLayer<F>> {
        self.layers.iter().map(|layer| &**layer)
    }

    pub(super) fn place(&self, i: usize) -> String {
        place(i, self.layers[i].erased_kind())
    }
}

/// The form in which errors name a layer; the builder uses the same words.
pub(super) fn place(i: usize, kind: &str) -> String {
    format!("layer {i} ({kind})")
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
    /// The input's shape, then kind and bytes of each layer.
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
