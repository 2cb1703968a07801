//! The sequential container: layers one after the other.
//!
//! Composition is the chain rule. With `x_0` the input and `x_i = f_i(x_{i-1})`, the forward pass runs through the
//! layers and keeps their caches; the backward pass runs in reverse order:
//!
//! ```text
//! ∂L/∂x_{i-1} = (∂f_i/∂x_{i-1})ᵀ · ∂L/∂x_i          for i = n, …, first trainable
//! ```
//!
//! Two computations are skipped because nothing uses their result. Before the first layer with trainable parameters no
//! gradient is needed, so [`backward_params`](Layer::backward_params) stops there, and that layer does not compute the
//! gradient of its input. And a final [`OutputActivation`] is not run if the loss fuses it, even if it is the last
//! layer of a container that is itself the last layer.
//!
//! The layers are type-erased ([`ErasedLayer`]). An inner container, including a custom one, reports what it is without
//! its final activation ([`Layer::without_activation`]) and which layers it has ([`Layer::parts`]).
//!
//! Invariants between method calls:
//!
//! - each layer takes the output shape of the one before: [`Sequential::from_layers`] checks it for models that
//!   are built and for those that are loaded;
//! - a [`ModelCache`] has one slot per layer of the model; one of another length came from another model;
//! - errors of a layer carry its position, "layer 2 (dense)", counted from 0 as in the names of parameters.

mod builder;
mod forward_backward;
mod model;

pub use builder::SequentialBuilder;

use super::window::MOST;
use crate::codec::{Bytes, MAX_AXES, Shape};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::nn::decode_scope::{count_container, keep_first};
use crate::nn::erased::{CacheSlot, ErasedLayer};
use crate::nn::{Port, Registry};
use serde::de::{Error as _, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A sequence of layers: the model that you build, train, save and predict with.
///
/// It is itself a [`Layer`](crate::nn::Layer), so one may be a layer of another. It is `Send` and `Sync` and predicts through `&self`:
/// any number of threads may share one model.
///
/// ```
/// use plywood::ndarray::Array3;
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
/// What every model can do is in traits, which the prelude contains:
///
/// | trait | methods |
/// |---|---|
/// | [`Predict`](crate::nn::Predict) | `predict`, `predict_into`, `predict_classes`, `predict_labels` |
/// | [`Save`](crate::io::Save) | `save`, `save_with` class names and notes, `to_bytes`, `write_to` |
/// | [`Weights`](crate::io::Weights) | `save_weights`, `load_weights`, `state_dict`, `load_state_dict`, `load_matching` |
/// | [`Parameters`](crate::nn::Parameters) | `parameter_count`, `freeze`, `unfreeze`, `each_param` |
/// | [`Infer`](crate::nn::Infer), [`Model`](crate::nn::Model) | `inputs`, `outputs`; the two halves of a training step |
///
/// | | Plywood | Keras `Sequential` | PyTorch `nn.Sequential` |
/// |---|---|---|---|
/// | input shape | given first | given, or at the first call | never known |
/// | shapes checked | when built | when built | in the forward pass |
/// | names of parameters | `0.weight` | `dense/kernel` | `0.weight` |
/// | training mode | `forward_train` | `training=True` | `model.train()` |
///
/// `Display` prints the summary: layers, output shapes, numbers of parameters, bytes. A clone copies all parameters and
/// gradients. There is one input and one output; for branches in between, use [`Residual`](crate::nn::Residual),
/// [`Concat`](crate::nn::Concat) and [`Add`](crate::nn::Add).
pub struct Sequential<F: Scalar = f32> {
    pub(in crate::nn) input: Port,
    /// Its shape is computed once, as the layers do not change.
    pub(in crate::nn) output: Port,
    pub(in crate::nn) layers: Vec<Box<dyn ErasedLayer<F>>>,
    /// The row length of each layer's output: the last size of its shape.
    pub(in crate::nn) columns: Vec<Option<usize>>,
    /// Boxes for caches, kept from the last backward pass to the next forward pass.
    ///
    /// A clone starts without them, and a second forward pass before the backward pass of the first makes its own.
    pub(in crate::nn) spare: Vec<CacheSlot>,
}

impl<F: Scalar> Sequential<F> {
    /// Creates a model from layers, checking that each takes the output of the one before.
    ///
    /// The only constructor, used by the builder and for files.
    ///
    /// It refuses a shape with more axes than a file can hold or more values than memory could, and an input without
    /// values.
    pub(in crate::nn) fn from_layers(
        input: Vec<usize>,
        layers: Vec<Box<dyn ErasedLayer<F>>>,
    ) -> Result<Self> {
        check_level()?;
        check_input(&input)?;
        let output = Port::new("output", input.clone());
        let input = Port::new("input", input);
        let mut model = Self { input, layers, output, columns: Vec::new(), spare: Vec::new() };
        let mut shapes = model.shapes()?;
        model.columns = shapes.iter().map(|shape| shape.last().copied()).collect();
        if let Some(last) = shapes.pop() {
            model.output = Port::new("output", last);
        }
        Ok(model)
    }

    /// Returns the shape of one input, without the batch axis.
    ///
    /// [`predict`](crate::nn::Predict::predict) expects it after the batch axis, and the samples of a data set must have it.
    pub fn input_shape(&self) -> &[usize] {
        self.input.shape()
    }

    /// Returns the shape of one output, without the batch axis.
    ///
    /// It is that of the last layer; a model without layers returns its input.
    pub fn output_shape(&self) -> &[usize] {
        self.output.shape()
    }

    /// Returns the number of layers; a container inside counts as one.
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

    /// Returns whether the model has no layers, and so returns its input.
    ///
    /// Such a model is valid: an empty block is the identity.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Splits the model: it keeps its first `at` layers; the others are returned as a new model, whose input shape is
    /// that of the first of them.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut trunk = Sequential::builder([4])
    ///     .layer(Dense::units(8)).layer(ReLU).layer(Dense::units(3)).layer(Softmax)
    ///     .build()?;
    /// let x = plywood::ndarray::Array2::<f32>::ones((5, 4));
    /// let whole = trunk.predict(&x)?;
    /// let head = trunk.split_off(2)?;
    /// assert_eq!((trunk.output_shape(), head.input_shape(), head.len()), (&[8][..], &[8][..], 2));
    /// assert_eq!(head.predict(&trunk.predict(&x)?)?, whole);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Parameters keep their values and stay frozen if they were; in the returned part their names count from 0 again.
    /// It is `Vec::split_off` for layers; in Keras you create a new model over the layers' outputs, in PyTorch
    /// `model[:at]` and `model[at:]`. To add other layers instead, see [`into_builder`](Sequential::into_builder).
    ///
    /// # Errors
    /// When the model has fewer than `at` layers, or the output of the last layer that it keeps has no values.
    pub fn split_off(&mut self, at: usize) -> Result<Self> {
        if at > self.layers.len() {
            let expected = format!("at most {}, the number of layers", self.layers.len());
            return Err(Error::argument("the number of layers to keep", expected, at)
                .help("Count from the end: `model.split_off(model.len() - 2)`."));
        }
        let shapes = self.shapes()?;
        let middle = at.checked_sub(1).map_or(self.input_shape(), |last| &shapes[last]).to_vec();
        check_input(&middle)?;
        let rest = Self::from_layers(middle.clone(), self.layers.split_off(at))?;
        self.output = Port::new("output", middle);
        self.columns.truncate(at);
        self.spare.clear();
        Ok(rest)
    }

    /// Returns the shape of one output of each layer.
    ///
    /// Called when a model is built, and by the summary.
    pub(crate) fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let input = shapes.last().map_or(self.input_shape(), Vec::as_slice);
            let shape = layer.erased_output_shape(input).and_then(|shape| {
                check_sizes("the output", &shape)?;
                Ok(shape)
            });
            shapes.push(shape.map_err(|error| error.at(self.place(i)))?);
        }
        Ok(shapes)
    }

    /// Returns the text with which errors name the layer that the outputs come from.
    pub(crate) fn last_place(&self) -> String {
        self.layers
            .len()
            .checked_sub(1)
            .map_or_else(|| "a model without layers".to_owned(), |i| self.place(i))
    }

    pub(in crate::nn) fn place(&self, i: usize) -> String {
        place(i, self.layers[i].erased_kind())
    }
}

/// Refuses the shape of an input without values, or one that no tensor can have, for models that are built or loaded.
pub(in crate::nn) fn check_input(input: &[usize]) -> Result<()> {
    if input.contains(&0) {
        return Err(Error::shape("the input", "[…] with sizes of at least 1", input)
            .help("Give the shape of one sample, without the batch axis."));
    }
    check_sizes("the input", input)
}

/// Refuses a shape that no tensor can have: with too many axes, or with more values than can be counted.
pub(in crate::nn) fn check_sizes(what: &str, shape: &[usize]) -> Result<()> {
    if shape.len() > MAX_AXES {
        return Err(Error::argument("the number of axes", format!("at most {MAX_AXES}"), shape.len())
            .help("Merge axes with `Reshape`."));
    }
    let numbers = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n.max(1)));
    if numbers.is_some_and(|numbers| numbers <= MOST) {
        return Ok(());
    }
    Err(Error::shape(what, "[…], small enough to fit into memory", shape)
        .help("Make the layer or its input smaller."))
}

/// Returns the text with which errors name a layer; the builder uses the same.
pub(in crate::nn) fn place(i: usize, kind: &str) -> String {
    format!("layer {i} ({kind})")
}

impl<F: Scalar> Clone for Sequential<F> {
    fn clone(&self) -> Self {
        let layers = self.layers.iter().map(|layer| layer.erased_clone()).collect();
        let (input, output, columns) = (self.input.clone(), self.output.clone(), self.columns.clone());
        Self { input, layers, output, columns, spare: Vec::new() }
    }
}

impl<F: Scalar> std::fmt::Debug for Sequential<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequential")
            .field("input", &self.input_shape())
            .field("layers", &self.layers)
            .finish()
    }
}

impl<F: Scalar> Serialize for Sequential<F> {
    /// Writes the input shape, then the kind and bytes of each layer.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        count_container().map_err(|e| serde::ser::Error::custom(keep_first(e)))?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let bytes = layer.erased_encode().map_err(|e| keep_first(e.at(self.place(i))));
            layers.push((layer.erased_kind(), Bytes(bytes.map_err(serde::ser::Error::custom)?.into())));
        }
        (Shape(self.input_shape().to_vec()), layers).serialize(serializer)
    }
}

impl<'de, F: Scalar> Deserialize<'de> for Sequential<F> {
    /// Looks the layers inside up in the registry of the current loading call, or else among the built-in ones.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count_container().map_err(D::Error::custom)?;
        let (Shape(input), Parts(layers)) = <(Shape, Parts<F>)>::deserialize(deserializer)?;
        Self::from_layers(input, layers).map_err(D::Error::custom)
    }
}

/// Layers, each decoded as soon as its bytes are read, so that no list of bytes is kept.
struct Parts<F: Scalar>(Vec<Box<dyn ErasedLayer<F>>>);

/// A layer's kind and bytes, borrowed if the format allows.
#[derive(Deserialize)]
struct Part<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Bytes<'a>);

impl<'de, F: Scalar> Deserialize<'de> for Parts<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<F>(PhantomData<F>);
        impl<'de, F: Scalar> serde::de::Visitor<'de> for Visitor<F> {
            type Value = Parts<F>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("layers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parts<F>, A::Error> {
                let mut layers = Vec::new();
                while let Some(Part(kind, Bytes(bytes))) = seq.next_element()? {
                    let layer = Registry::decode_layer(&kind, &bytes, Registry::builtin);
                    layers.push(layer.map_err(A::Error::custom)?);
                }
                Ok(Parts(layers))
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}
