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
//! Inference is that of the [`Chain`] of layers; this module adds training. The layers are type-erased
//! ([`ErasedLayer`]). An inner container, including a custom one, reports what it is without
//! its final activation ([`Layer::without_activation`]) and which layers it has ([`Layer::parts`]).
//!
//! Invariants between method calls:
//!
//! - each layer takes the output shape of the one before: [`Chain::new`] checks it for models that are built and for
//!   those that are loaded;
//! - a [`ModelCache`] has one slot per layer of the model; one of another length came from another model;
//! - errors of a layer carry its position, "layer 2 (dense)", counted from 0 as in the names of parameters.

mod builder;
mod forward_backward;
mod model;

pub use builder::SequentialBuilder;

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::chain::Chain;
use crate::nn::erased::{CacheSlot, ErasedLayer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A sequence of layers: the model that you build, train, save and predict with.
///
/// It is itself a [`Layer`](crate::nn::Layer), so one may be a layer of another. It is `Send` and `Sync` and predicts
/// through `&self`: any number of threads may share one model.
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
    pub(in crate::nn) chain: Chain<F, dyn ErasedLayer<F>>,
    /// Boxes for caches, kept from the last backward pass to the next forward pass.
    ///
    /// A clone starts without them, and a second forward pass before the backward pass of the first makes its own.
    pub(in crate::nn) spare: Vec<CacheSlot>,
}

impl<F: Scalar> Sequential<F> {
    /// Creates a model from layers, checking that each takes the output of the one before.
    ///
    /// The only constructor, used by the builder and for files.
    pub(in crate::nn) fn from_layers(
        input: Vec<usize>,
        layers: Vec<Box<dyn ErasedLayer<F>>>,
    ) -> Result<Self> {
        Ok(Self { chain: Chain::new(input, layers)?, spare: Vec::new() })
    }

    /// Returns the shape of one input, without the batch axis.
    ///
    /// [`predict`](crate::nn::Predict::predict) expects it after the batch axis, and the samples of a data set must have it.
    pub fn input_shape(&self) -> &[usize] {
        self.chain.input.shape()
    }

    /// Returns the shape of one output, without the batch axis.
    ///
    /// It is that of the last layer; a model without layers returns its input.
    pub fn output_shape(&self) -> &[usize] {
        self.chain.output.shape()
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
        self.chain.layers.len()
    }

    /// Returns whether the model has no layers, and so returns its input.
    ///
    /// Such a model is valid: an empty block is the identity.
    pub fn is_empty(&self) -> bool {
        self.chain.layers.is_empty()
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
    /// When the model has fewer than `at` layers, the output of the last layer that it keeps has no values, or the second
    /// part reads the lengths of sequences ([`Ports`](crate::nn::Ports)) that the first part makes.
    pub fn split_off(&mut self, at: usize) -> Result<Self> {
        if at > self.chain.layers.len() {
            let expected = format!("at most {}, the number of layers", self.chain.layers.len());
            return Err(Error::argument("the number of layers to keep", expected, at)
                .help("Count from the end: `model.split_off(model.len() - 2)`."));
        }
        let rest = self.chain.split_off(at)?;
        self.spare.clear();
        Ok(Self { chain: rest, spare: Vec::new() })
    }
}

impl<F: Scalar> Clone for Sequential<F> {
    fn clone(&self) -> Self {
        let layers = self.chain.layers.iter().map(|layer| layer.erased_clone()).collect();
        Self { chain: self.chain.with_layers(layers), spare: Vec::new() }
    }
}

impl<F: Scalar> fmt::Debug for Sequential<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain.fmt(f)
    }
}

impl<F: Scalar> fmt::Display for Sequential<F> {
    /// Prints the summary: layers, output shapes, parameters, memory.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([3]).layer(Dense::units(2)).layer(BatchNorm::new()).build()?;
    /// model.freeze("0.")?;
    /// let text = model.to_string();
    /// assert!(text.ends_with("16 parameters, 4 trainable, 8 frozen, 4 in buffers; 64 bytes in f32"), "{text}");
    /// # Ok::<(), plywood::Error>(())
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.chain, f)
    }
}

impl<F: Scalar> Serialize for Sequential<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.chain.serialize(serializer)
    }
}

impl<'de, F: Scalar> Deserialize<'de> for Sequential<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { chain: Chain::deserialize(deserializer)?, spare: Vec::new() })
    }
}
