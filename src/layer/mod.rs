//! What a layer is.

pub(crate) mod elementwise;
pub(crate) mod erased;
pub(crate) mod registry;

use crate::error::{Error, Result};
use crate::param::Param;
use crate::random::Random;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, slice_mut, standard};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A step in a network: it maps a batch to a batch, knows its derivative, and owns its parameters.
///
/// There is no mode to forget. [`forward`](Layer::forward) borrows the layer shared: it is inference, and any number
/// of threads may run it at once. [`forward_train`](Layer::forward_train) borrows it exclusively: it is training,
/// where dropout drops and batch normalisation keeps count. What [`backward`](Layer::backward) needs to know of the
/// forward pass is a value, the cache, so it cannot be called without one and nothing stale hides in a layer.
///
/// Tensors are handed over, not lent: ReLU works in place, Dense keeps its input in its cache. All have the batch as
/// axis 0.
///
/// A layer without parameters, written out; docs/extending.md walks through it and through one with parameters:
///
/// ```
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// `y = x²`.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Square;
///
/// impl Layer for Square {
///     const KIND: &'static str = "mycrate.square";
///     type Cache = Tensor;
///     fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
///         Ok(input.to_vec())
///     }
///     fn forward(&self, input: Tensor) -> Result<Tensor> {
///         Ok(input.powi(2))
///     }
///     fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Tensor)> {
///         Ok((input.powi(2), input))
///     }
///     fn backward(&mut self, input: Tensor, grad: Tensor) -> Result<Tensor> {
///         Ok(grad * input * 2.0)
///     }
/// }
///
/// check_layer::<f32>(Square, &[3])?;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A struct that is generic over `F` needs `#[serde(bound = "")]` beside its derives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for models of `{F}`",
    note = "implement `plywood::Layer<{F}>`; it needs `Clone, Debug, Serialize, Deserialize`, \
            and `#[serde(bound = \"\")]` on a struct that is generic over the element type"
)]
pub trait Layer<F: Scalar = f32>:
    Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The stable name in saved files: "dense"; of your own layers "mycrate.swish".
    const KIND: &'static str;

    /// What `backward` needs to know of `forward_train`.
    type Cache: Send + Sync + 'static;

    /// The shape of one output for the shape of one input, both without the batch axis.
    ///
    /// # Errors
    /// When the layer cannot take such an input. Models call this when they are built, so that is when a user
    /// learns of it.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;

    /// Inference: the outputs of a batch. Each row must depend on its own input alone.
    ///
    /// # Errors
    /// When the input has the wrong shape or holds what the layer cannot take.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>>;

    /// Training: the outputs of a batch, and what `backward` will need.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)>;

    /// The gradient of the loss at the input, from that at the output; adds the parameters' gradients to them.
    ///
    /// # Errors
    /// When the gradient does not have the output's shape.
    fn backward(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>>;

    /// [`backward`](Layer::backward) where nobody wants the gradient at the input: in a model's first trainable
    /// layer, where it is a third of the work.
    ///
    /// # Errors
    /// As [`backward`](Layer::backward).
    fn backward_params(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<()> {
        self.backward(cache, grad).map(drop)
    }

    /// "I compute exactly this function, and nothing else": see [`Link`]. Few layers override it.
    fn link(&self) -> Link {
        Link::Identity
    }

    /// Shows each parameter and buffer with its name. The names of a layer's own are PyTorch's ("weight", "bias");
    /// a container puts the part's name in front ("0.weight").
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        let _ = visit;
    }

    /// [`visit_params`](Layer::visit_params), to change them; the same ones in the same order.
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        let _ = visit;
    }
}

/// What a layer is made from, once the shape of its input is known: `Dense::units(128)` learns its fan-in here.
///
/// Every [`Layer`] is its own spec. Write a spec of your own for a layer whose parameters depend on the input.
///
/// ```
/// use plywood::prelude::*;
///
/// /// Two Dense layers with a ReLU between, the first as wide as the input.
/// struct Block;
///
/// impl LayerSpec for Block {
///     type Layer = Sequential;
///     fn build(self, input: &[usize], random: &Random) -> Result<Sequential> {
///         let width = input.iter().product();
///         Sequential::block().layer(Dense::units(width)).layer(ReLU).layer(Dense::units(4)).build_for(input, random)
///     }
/// }
///
/// let model = Sequential::builder([8]).layer(Block).build()?;
/// assert_eq!(model.output_shape(), [4]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a layer nor a layer's spec, for models of `{F}`",
    note = "implement `plywood::Layer<{F}>` or `plywood::LayerSpec<{F}>` for it"
)]
pub trait LayerSpec<F: Scalar = f32> {
    /// The layer that comes of it.
    type Layer: Layer<F>;

    /// Makes the layer for inputs of this shape (without the batch axis), with initial values drawn at this place.
    ///
    /// # Errors
    /// When the layer cannot take such an input, or a hyper-parameter is out of range.
    fn build(self, input: &[usize], random: &Random) -> Result<Self::Layer>;
}

impl<F: Scalar, L: Layer<F>> LayerSpec<F> for L {
    type Layer = L;

    fn build(self, _: &[usize], _: &Random) -> Result<L> {
        Ok(self)
    }
}

/// The function that turns a model's last numbers into its predictions.
///
/// A loss may *absorb* it: cross-entropy after softmax has a simple, exact gradient at softmax's input (the logits),
/// while each of the two alone loses precision. So a model whose last layer says that it is exactly this function
/// can leave it out, and a loss that absorbs the function starts from the logits. Nobody has to ask for it, and
/// `predict` still gives probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// None: the predictions are the last numbers.
    #[default]
    Identity,
    /// Softmax over the last axis.
    Softmax,
    /// The logistic function of each number.
    Sigmoid,
}

impl Link {
    /// The predictions of these logits.
    pub fn apply<F: Scalar>(self, logits: Tensor<F>) -> Tensor<F> {
        let mut out = standard(logits);
        let columns = out.shape().last().copied().unwrap_or(1);
        match self {
            Self::Identity => {}
            Self::Softmax => F::softmax_rows(slice_mut(&mut out), columns),
            Self::Sigmoid => F::activate(crate::scalar::Activation::Sigmoid, slice_mut(&mut out)),
        }
        out
    }
}

/// Checks that a batch has the shape that a layer was built for, `sample` without the batch axis.
///
/// # Errors
/// When it does not, with the shapes in words and what to do.
pub fn check_batch<F: Scalar>(input: &Tensor<F>, sample: &[usize]) -> Result<()> {
    let found = input.shape();
    if found.len() == sample.len() + 1 && found[1..] == *sample {
        return Ok(());
    }
    Err(batch_error(found, sample))
}

/// The error of a batch that has another shape.
pub(crate) fn batch_error(found: &[usize], sample: &[usize]) -> Error {
    let help = if found == sample {
        "Axis 0 is the batch: give one sample as a batch of one, with `insert_axis(Axis(0))`."
    } else {
        "Axis 0 is the batch; the other axes must be what the layer was built for."
    };
    Error::shape("an input", crate::tensor::batch_shape(sample), found).help(help)
}

/// Checks that a gradient has the shape of the output it belongs to.
///
/// # Errors
/// When it does not.
pub fn check_gradient<F: Scalar>(grad: &Tensor<F>, output: &[usize]) -> Result<()> {
    if grad.shape() == output {
        return Ok(());
    }
    Err(Error::shape("a gradient", format!("{output:?}"), grad.shape())
        .help("The gradient at a layer's output has the output's shape."))
}
