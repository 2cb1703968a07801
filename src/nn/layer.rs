//! What a layer is.
//!
//! Three traits, from the one that most layers need to the one that few do:
//!
//! | trait | for | written by hand |
//! |---|---|---|
//! | [`Elementwise`](super::Elementwise) | a function of one number | the function and its derivative |
//! | [`Layer`] | everything else | five methods, two more with parameters |
//! | [`LayerSpec`] | a layer whose parameters depend on its input's shape | `build` |
//!
//! The contract between a layer and what trains it is reverse-mode differentiation by hand (Rumelhart, Hinton and
//! Williams, "Learning representations by back-propagating errors", 1986). For a layer `y = f(x, w)` and a loss `L`:
//!
//! ```text
//! forward_train:  x                 ->  y, cache
//! backward:       cache, ∂L/∂y      ->  ∂L/∂x = (∂y/∂x)ᵀ ∂L/∂y,   and  ∂L/∂w = (∂y/∂w)ᵀ ∂L/∂y  added to w's gradient
//! ```
//!
//! There is no tape: what would be recorded on it is the cache, of a type that the layer chooses. The loss is already
//! averaged over the batch, so no layer divides by the batch's size.

use super::output_activation::{OutputActivation, WithoutActivation};
use super::parts::Part;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A step in a network: it maps a batch to a batch, knows its derivative, and owns its parameters.
///
/// There is no mode to forget. [`forward`](Layer::forward) borrows the layer shared: it is inference, and any number
/// of threads may run it at once. [`forward_train`](Layer::forward_train) borrows it exclusively: it is training,
/// where dropout drops and batch normalization keeps count. What [`backward`](Layer::backward) needs to know of the
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
///     const KIND: Kind = Kind::own("mycrate.square");
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
    note = "implement `plywood::nn::Layer<{F}>`; it needs `Clone, Debug, Serialize, Deserialize`, \
            and `#[serde(bound = \"\")]` on a struct that is generic over the element type"
)]
pub trait Layer<F: Scalar = f32>:
    Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The stable name in saved files: "dense"; of your own layers `Kind::own("mycrate.swish")`.
    ///
    /// Two layers of one `KIND` cannot be in one registry; the crate's own have no full stop in theirs.
    const KIND: Kind;

    /// What `backward` needs to know of `forward_train`.
    ///
    /// `()` where the derivative depends on nothing but the gradient. `Send + Sync` let a training step move to
    /// another thread between its halves.
    type Cache: Send + Sync + 'static;

    /// The shape of one output for the shape of one input, both without the batch axis.
    ///
    /// # Errors
    /// When the layer cannot take such an input. Models call this when they are built, so that is when a user
    /// learns of it.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;

    /// Inference: the outputs of a batch. Each row must depend on its own input alone.
    ///
    /// The input belongs to the layer and may be changed in place and handed back. The same bits have to come out for
    /// the same row in any batch: prediction in pieces and on several threads rests on it, and
    /// [`LayerCheck`](crate::testing::LayerCheck) checks it.
    ///
    /// # Errors
    /// When the input has the wrong shape or holds what the layer cannot take.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>>;

    /// [`forward`](Layer::forward) of an input that may be the caller's: a view in place of a tensor.
    ///
    /// By itself it copies a view and goes forward. A layer that only reads its input, as Dense does, or that hands it
    /// on, as Flatten does, overrides it to spare the copy; what comes out has the same bits.
    /// [`predict`](crate::nn::Sequential::predict) calls it. Shapes are those of `forward`, `[batch, …]`; a view may
    /// lie in memory in any order.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let images = Tensor::<f32>::ones(vec![2, 28, 28]);
    /// let flat = Flatten.forward_cow(images.view().into())?;
    /// assert!(flat.is_view() && flat.shape() == [2, 784]); // the caller's numbers under another shape
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.forward(owned(input)).map(CowTensor::from)
    }

    /// Training: the outputs of a batch, and what `backward` will need.
    ///
    /// It may change the layer: running means, a count of steps. It is called once for each `backward`; a call whose
    /// cache is dropped is allowed and costs only its time.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)>;

    /// The gradient of the loss at the input, from that at the output; adds the parameters' gradients to them.
    ///
    /// Add to the gradients of parameters by [`Param::add_gradient`] or [`Param::accumulate`], never set them: a
    /// parameter may be reached twice before the optimizer steps. Do not change the values; that is the optimizer's
    /// part.
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

    /// Whether the layer can be trained in batches of so many samples, of this shape without the batch axis; all
    /// layers can, unless it is written.
    ///
    /// [`Trainer::fit`](crate::train::Trainer::fit) asks before the first step, with its batch size: a shorter batch at
    /// the end of an epoch is not asked about. [`Trainer::step`](crate::train::Trainer::step) and
    /// [`accumulate`](crate::train::accumulate) ask about a single sample. [`BatchNorm`](crate::nn::BatchNorm) needs
    /// two numbers a feature to have a variance. A container of your own asks its parts.
    ///
    /// # Errors
    /// When such a batch would teach it nothing.
    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        let _ = (input, samples);
        Ok(())
    }

    /// The function that the outputs come from, and that a loss may compute in its place:
    /// [`OutputActivation::Softmax`] or [`OutputActivation::Sigmoid`]. Few layers override it.
    ///
    /// By itself it only says what the outputs are. That the function may be left out says
    /// [`without_activation`](Layer::without_activation).
    fn activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }

    /// What there is of the layer without its [`activation`](Layer::activation); unless it is written nothing is said,
    /// and the layer is run as it is.
    ///
    /// A layer that is exactly this function and nothing else returns [`WithoutActivation::Nothing`]: at a model's end
    /// it is then not called while a loss that fuses the function is trained with. A container that ends in a layer
    /// with an activation returns what that layer does, or [`WithoutActivation::Rest`], and overrides
    /// [`forward_logits`](Layer::forward_logits) and [`forward_train_logits`](Layer::forward_train_logits).
    /// [`LayerCheck`](crate::testing::LayerCheck) compares either with the function.
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Unsaid
    }

    /// [`forward`](Layer::forward) that leaves the [`activation`](Layer::activation) at the end out: the numbers before
    /// softmax or sigmoid. [`OutputActivation::apply`] of the activation gives the rest.
    ///
    /// A layer is asked for it where it says [`WithoutActivation::Rest`]; a [`Sequential`](crate::nn::Sequential) always
    /// has it, and goes forward where there is nothing to leave out. For losses and scores of your own that want
    /// logits, as PyTorch's `F.cross_entropy` does:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([2]).layer(Dense::units(3)).layer(Softmax).build()?;
    /// let x = Tensor::<f32>::ones(vec![1, 2]);
    /// let logits = model.forward_logits(x.clone())?;
    /// assert_eq!(model.activation().apply(logits), model.forward(x)?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Layer::forward), and when the layer has none.
    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let _ = input;
        Err(no_logits("forward_logits", Self::KIND.name()))
    }

    /// [`forward_train`](Layer::forward_train) that leaves the activation at the end out; `backward` of this cache
    /// takes the gradient at the logits.
    ///
    /// [`accumulate`](crate::train::accumulate) and the trainer call it where the loss fuses the model's activation.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    /// let (z, cache) = model.forward_train_logits(Tensor::ones(vec![1, 2]))?;
    /// let p = model.activation().apply(z);
    /// let target = plywood::ndarray::arr2(&[[0.0, 1.0]]).into_dyn();
    /// model.backward_params(cache, p - target)?; // the gradient of cross-entropy at the logits
    /// model.visit_params(&mut |_, param| assert!(param.gradient().is_some()));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward_train`](Layer::forward_train), and when the layer has none.
    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let _ = input;
        Err(no_logits("forward_train_logits", Self::KIND.name()))
    }

    /// The layers inside, for an input of this shape (without the batch axis); none unless it is written.
    ///
    /// A container hands out its own, in order; theirs are asked of them. The printed summary has a row for each.
    fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        let _ = input;
        Vec::new()
    }

    /// What is known of the numbers of an output, where `input` is what is known of those of the input.
    ///
    /// Losses and metrics that take probabilities, or logits, are held against it before the first step. By default it
    /// is [`activation`](Layer::activation), and so [`OutputActivation::Unknown`] for most of your own layers: then
    /// outputs are checked batch by batch. A layer that only moves numbers returns `input`; one whose outputs may be
    /// any real numbers, as Dense, returns [`OutputActivation::Linear`].
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        let _ = input;
        self.activation()
    }

    /// [`output_activation`](Layer::output_activation) in training, where that is another: behind softmax, what
    /// [`Dropout`](crate::nn::Dropout) hands on is a distribution at inference alone.
    ///
    /// Training asks for it before the first step. A container asks its parts.
    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        self.output_activation(input)
    }

    /// Shows each parameter and buffer with its name. The names of a layer's own are PyTorch's ("weight", "bias");
    /// a container puts the part's name in front ("0.weight").
    ///
    /// No name twice, and the same order on every call: the optimizer finds its state by it.
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
///
/// A spec is used up by `build`. Keras' layers are both things at once and build their weights at the first call;
/// PyTorch's want the input's size written out (`nn.Linear(784, 128)`) or come as `LazyLinear`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a layer nor a layer's spec, for models of `{F}`",
    note = "implement `plywood::nn::Layer<{F}>` or `plywood::nn::LayerSpec<{F}>` for it"
)]
pub trait LayerSpec<F: Scalar = f32> {
    /// The layer that comes of it.
    type Layer: Layer<F>;

    /// Makes the layer for inputs of this shape (without the batch axis), with initial values drawn at this place.
    ///
    /// Draw a parameter at `random.child("its name")`, so that adding one leaves the others' initial values alone.
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

/// The error of a layer that says `Rest` and has only half of what belongs to it.
fn no_logits(method: &str, kind: &str) -> Error {
    Error::data(kind, format!("have a method `{method}` beside its `WithoutActivation::Rest`"), "none")
        .help("Write it: the layer without its last activation.")
}

/// Checks that a batch has the shape that a layer was built for, `sample` without the batch axis.
///
/// For the first line of a `forward`. The advice tells the two usual mistakes apart:
///
/// ```
/// use plywood::nn::check_batch;
/// use plywood::Tensor;
///
/// assert!(check_batch(&Tensor::<f32>::zeros(vec![32, 28, 28]), &[28, 28]).is_ok());
/// let one = Tensor::<f32>::zeros(vec![28, 28]);
/// assert_eq!(
///     check_batch(&one, &[28, 28]).unwrap_err().to_string(),
///     "the input must have shape [batch, 28, 28], got [28, 28]. Axis 0 is the batch: give one sample as a batch \
///      of one, with `insert_axis(Axis(0))`."
/// );
/// ```
///
/// # Errors
/// When it does not, with the shapes in words and what to do.
pub fn check_batch<F: Scalar>(input: &Tensor<F>, sample: &[usize]) -> Result<()> {
    check_batch_shape(input.shape(), sample)
}

/// [`check_batch`] of a shape.
pub(crate) fn check_batch_shape(found: &[usize], sample: &[usize]) -> Result<()> {
    if found.len() == sample.len() + 1 && found[1..] == *sample {
        return Ok(());
    }
    Err(batch_error(found, sample))
}

/// The error of a batch that has another shape.
///
/// Apart from [`check_batch`] because `predict` has a view and no tensor.
pub(crate) fn batch_error(found: &[usize], sample: &[usize]) -> Error {
    let help = if found == sample {
        "Axis 0 is the batch: give one sample as a batch of one, with `insert_axis(Axis(0))`."
    } else {
        "Axis 0 is the batch; the other axes must be what the layer was built for."
    };
    Error::shape("the input", crate::tensor::batch_shape(sample), found).help(help)
}

/// Checks that a gradient has the shape of the output it belongs to.
///
/// `output` includes the batch axis: it is the shape of what `forward_train` returned. For the first line of a
/// `backward`; `ndarray`'s arithmetic would broadcast a gradient of another shape, or panic.
///
/// ```
/// use plywood::nn::check_gradient;
/// use plywood::Tensor;
///
/// let grad = Tensor::<f32>::zeros(vec![32, 1]);
/// assert_eq!(
///     check_gradient(&grad, &[32, 10]).unwrap_err().to_string(),
///     "the gradient must have shape [32, 10], got [32, 1]. The gradient at a layer's output has the output's \
///      shape."
/// );
/// ```
///
/// # Errors
/// When it does not.
pub fn check_gradient<F: Scalar>(grad: &Tensor<F>, output: &[usize]) -> Result<()> {
    if grad.shape() == output {
        return Ok(());
    }
    Err(Error::shape("the gradient", format!("{output:?}"), grad.shape())
        .help("The gradient at a layer's output has the output's shape."))
}
