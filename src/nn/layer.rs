//! [`Layer`], and the three layer traits.
//!
//! There are three traits, from the one that most custom layers need to the one that few do:
//!
//! | trait | for | you write |
//! |---|---|---|
//! | [`Elementwise`](super::Elementwise) | a function of one number | the function and its derivative |
//! | [`Layer`] | everything else | five methods, two more with parameters |
//! | [`LayerSpec`](super::LayerSpec) | a layer whose parameters depend on its input's shape | `build` |
//!
//! A layer implements reverse-mode differentiation by hand (Rumelhart, Hinton and Williams, "Learning representations
//! by back-propagating errors", 1986). For a layer `y = f(x, w)` and a loss `L`:
//!
//! ```text
//! forward_train:  x                 ->  y, cache
//! backward:       cache, ∂L/∂y      ->  ∂L/∂x = (∂y/∂x)ᵀ ∂L/∂y,   and  ∂L/∂w = (∂y/∂w)ᵀ ∂L/∂y  added to w's gradient
//! ```
//!
//! There is no tape: the layer keeps what it needs for the backward pass in a cache, whose type it chooses. The loss is
//! already averaged over the batch, so no layer divides by the batch size.

use super::io::{Io, PortGradients};
use super::node::Node;
use super::output_activation::{OutputActivation, WithoutActivation};
use super::parts::{BoxedLayer, Part};
use super::ports::Ports;
use super::wiring::Wiring;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::param::Param;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A step in a network: it maps a batch to a batch, implements its derivative, and owns its parameters.
///
/// There is no training mode to switch on or off. [`forward`](Layer::forward) takes `&self`: it is inference, and any
/// number of threads may run it at once. [`forward_train`](Layer::forward_train) takes `&mut self`: it is training,
/// where dropout is active and batch normalization updates its running statistics. Everything that
/// [`backward`](Layer::backward) needs from the forward pass is in a value, the cache: `backward` cannot be called
/// without one, and a layer holds no stale state.
///
/// Tensors are passed by value: ReLU works in place, and Dense keeps its input in its cache. Axis 0 of every tensor is
/// the batch.
///
/// This is a complete layer without parameters. docs/extending.md explains it, and a layer with parameters.
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
/// A struct that is generic over `F` needs `#[serde(bound = "")]` in addition to its derives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for models of `{F}`",
    note = "implement `plywood::nn::Layer<{F}>`; it needs `Clone, Debug, Serialize, Deserialize`, \
            and `#[serde(bound = \"\")]` on a struct that is generic over the element type"
)]
pub trait Layer<F: Scalar = f32>:
    Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The stable name in saved files: "dense"; for custom layers, `Kind::own("mycrate.swish")`.
    ///
    /// Two layers with the same `KIND` cannot be in one registry; the names of the built-in layers have no full stop.
    const KIND: Kind;

    /// Returns the name in the summary and in errors: by default the [`KIND`](Layer::KIND). A
    /// [`Graph::layer`](crate::nn::Graph::layer) has a label of its own.
    fn label(&self) -> &str {
        Self::KIND.name()
    }

    /// What `backward` needs from `forward_train`.
    ///
    /// Use `()` if the derivative depends only on the gradient. `Send + Sync` allows a training step to move to another
    /// thread between its two halves.
    type Cache: Send + Sync + 'static;

    /// Returns the shape of one output for the shape of one input, both without the batch axis.
    ///
    /// # Errors
    /// When the layer cannot take such an input. Models call this when they are built, so the user sees the error then.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;

    /// Inference: returns the outputs of a batch. Each row must depend only on its own input.
    ///
    /// The layer owns the input and may change it in place and return it. A row must give bit-identical output in any
    /// batch: prediction in chunks and on several threads relies on it, and [`LayerCheck`](crate::testing::LayerCheck)
    /// checks it.
    ///
    /// # Errors
    /// When the input has the wrong shape or holds values that the layer cannot take.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>>;

    /// [`forward`](Layer::forward) for an input that may be borrowed: a view or a tensor.
    ///
    /// The default implementation copies a view and calls `forward`. A layer that only reads its input, such as Dense,
    /// or passes it on, such as Flatten, overrides it to avoid the copy; the output must be bit-identical.
    /// [`predict`](crate::nn::Predict::predict) calls it. Shapes are those of `forward`, `[batch, …]`; a view may
    /// have any memory layout.
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

    /// Training: returns the outputs of a batch, and the cache for `backward`.
    ///
    /// It may change the layer: running means, a count of steps. It is called once for each `backward`; a call whose
    /// cache is dropped is allowed and costs only its time.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)>;

    /// Inference with a cache for [`backward`](Layer::backward): returns what [`forward`](Layer::forward) returns, and
    /// changes nothing of the layer.
    ///
    /// With it [`input_gradient`](crate::train::input_gradient) differentiates the function that predicts. The default
    /// calls [`forward_train`](Layer::forward_train), which is right for a layer that computes the same in training and
    /// leaves itself unchanged. Others override it: dropout passes its input on, batch normalization takes the running
    /// statistics. A container calls this method of its parts. [`LayerCheck`](crate::testing::LayerCheck) checks it.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let mut layer = LayerSpec::<f32>::build(Dropout::rate(0.5), &[3], &Random::seed(1))?;
    /// let ones = || Tensor::<f32>::ones(vec![2, 3]);
    /// let (y, cache) = layer.forward_eval(ones())?;
    /// assert_eq!(y, ones());
    /// assert_eq!(layer.backward(cache, ones())?, ones());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// PyTorch does the same after `model.eval()`, Keras with `training=False` inside of a gradient tape.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        self.forward_train(input)
    }

    /// Returns the gradient of the loss with respect to the input, given that with respect to the output, and adds to
    /// the gradients of the parameters.
    ///
    /// Add to the parameters' gradients with [`Param::add_gradient`] or [`Param::accumulate`]; never overwrite them:
    /// `backward` may run several times before the optimizer steps. Do not change the values: only the optimizer does.
    ///
    /// # Errors
    /// When the gradient does not have the output's shape.
    fn backward(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>>;

    /// [`backward`](Layer::backward) without the gradient with respect to the input. It is called on a model's first
    /// trainable layer, where that gradient is not needed and would be a third of the work.
    ///
    /// # Errors
    /// As [`backward`](Layer::backward).
    fn backward_params(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<()> {
        self.backward(cache, grad).map(drop)
    }

    /// Checks that the layer can be trained in batches of `samples` samples. `input` is the shape of one sample,
    /// without the batch axis. The default implementation accepts every batch.
    ///
    /// [`Trainer::fit`](crate::train::Trainer::fit) calls it before the first step, with its batch size; a shorter
    /// batch at the end of an epoch is not checked. [`Trainer::step`](crate::train::Trainer::step) and
    /// [`accumulate`](crate::train::accumulate) call it only for a single sample. [`BatchNorm`](crate::nn::BatchNorm)
    /// needs two values per feature to compute a variance. A custom container forwards the call to its parts.
    ///
    /// # Errors
    /// When the layer cannot learn from such a batch.
    fn check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        let _ = (input, samples);
        Ok(())
    }

    /// Returns the function that produces the outputs, if a loss may compute it instead: [`OutputActivation::Softmax`]
    /// or [`OutputActivation::Sigmoid`]. Few layers override it.
    ///
    /// This method only says what the outputs are. [`without_activation`](Layer::without_activation) says that the
    /// function may be left out.
    fn activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }

    /// Returns what remains of the layer without its [`activation`](Layer::activation). By default this is
    /// [`WithoutActivation::Unsaid`], and the layer always runs whole.
    ///
    /// A layer that is exactly this function and nothing else returns [`WithoutActivation::Nothing`]: at the end of a
    /// model, it is then not called in training with a loss that fuses the function. A container returns
    /// [`WithoutActivation::Rest`] if its last layer returns `Nothing` or `Rest`, and then overrides
    /// [`forward_logits`](Layer::forward_logits), [`forward_train_logits`](Layer::forward_train_logits) and
    /// [`forward_eval_logits`](Layer::forward_eval_logits). [`LayerCheck`](crate::testing::LayerCheck) checks what it returns.
    fn without_activation(&self) -> WithoutActivation {
        WithoutActivation::Unsaid
    }

    /// [`forward`](Layer::forward) without the final [`activation`](Layer::activation): returns the logits, the values
    /// before softmax or sigmoid. Apply [`OutputActivation::apply`] of the activation to them to get the outputs.
    ///
    /// It is called on a layer that returns [`WithoutActivation::Rest`]. A [`Sequential`](crate::nn::Sequential) always
    /// has it, and calls `forward` if there is no activation to leave out. Use it for custom losses and metrics that
    /// take logits, as PyTorch's `F.cross_entropy` does:
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
    /// As [`forward`](Layer::forward), and when the layer does not implement it.
    fn forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let _ = input;
        Err(no_logits("forward_logits", Self::KIND.name()))
    }

    /// [`forward_train`](Layer::forward_train) without the final activation. `backward` with this cache takes the
    /// gradient with respect to the logits.
    ///
    /// [`accumulate`](crate::train::accumulate) and the trainer call it if the loss fuses the model's activation.
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
    /// As [`forward_train`](Layer::forward_train), and when the layer does not implement it.
    fn forward_train_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let _ = input;
        Err(no_logits("forward_train_logits", Self::KIND.name()))
    }

    /// [`forward_eval`](Layer::forward_eval) without the final activation.
    ///
    /// It is called on a layer that returns [`WithoutActivation::Rest`].
    ///
    /// # Errors
    /// As [`forward_eval`](Layer::forward_eval), and when the layer does not implement it.
    fn forward_eval_logits(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let _ = input;
        Err(no_logits("forward_eval_logits", Self::KIND.name()))
    }

    /// Returns the layers inside this one, for an input of this shape (without the batch axis). The default is none.
    ///
    /// A container returns its own layers, in order, but not the layers inside them. The printed summary has a row for
    /// each.
    fn parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        let _ = input;
        Vec::new()
    }

    /// Returns how the [`parts`](Layer::parts) are connected, in their order, to compute [`forward`](Layer::forward). The
    /// default says nothing, and the container is one node wherever a model is drawn or taken apart.
    fn wiring(&self) -> Wiring {
        Wiring::Unsaid
    }

    /// Returns copies of the [`parts`](Layer::parts), for [`Graph::expanded`](crate::nn::Graph::expanded). The default is none.
    fn boxed_parts(&self) -> Vec<BoxedLayer<F>> {
        Vec::new()
    }

    /// Returns the nodes inside of a container, for [`Node::parts`].
    #[doc(hidden)]
    fn inner_nodes(&self, input: &[usize]) -> Vec<Node> {
        let parts = self.parts(input);
        if parts.is_empty() && self.wiring() != Wiring::Row {
            return Vec::new();
        }
        self.wiring().nodes(input, &parts, &self.output_shape(input).unwrap_or_default())
    }

    /// Returns what is known of the values of the output, given what is known of those of the input.
    ///
    /// Before the first step, losses and metrics that take probabilities or logits are checked against it. By default
    /// it is [`activation`](Layer::activation), which is [`OutputActivation::Unknown`] for most custom layers; outputs
    /// are then checked batch by batch. A layer that only moves values returns `input`; one whose outputs may be any
    /// real numbers, such as Dense, returns [`OutputActivation::Linear`].
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        let _ = input;
        self.activation()
    }

    /// [`output_activation`](Layer::output_activation) in training, where it may differ: after softmax, the output of
    /// [`Dropout`](crate::nn::Dropout) is a distribution only at inference.
    ///
    /// Training calls it before the first step. A container asks its parts.
    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        self.output_activation(input)
    }

    /// Returns whether each step of the output is computed from the same step of the input alone, so that padding at the
    /// end of a sequence stays apart. `input` is the shape of a sample; its steps are its first axis.
    ///
    /// The output of such a layer then has the lengths of its input (see [`Ports`]). By default it is false, and an
    /// input with lengths is an error when the model is built. A Dense layer keeps the steps of `[steps, features]`, and
    /// mixes those of `[steps]`:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let dense: Dense = Dense::units(3).build(&[4], &Random::seed(0))?;
    /// assert!(dense.keeps_steps(&[7, 4]) && !dense.keeps_steps(&[4]));
    /// assert!(!Layer::<f32>::keeps_steps(&Flatten, &[7, 4]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// [`LayerCheck`](crate::testing::LayerCheck) checks it.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        let _ = input;
        false
    }

    /// Returns the inputs and outputs of a layer that has several: see [`Ports`]. The default is one of each.
    ///
    /// Such a layer implements this method, [`output_shapes`](Layer::output_shapes),
    /// [`forward_ports`](Layer::forward_ports), [`forward_train_ports`](Layer::forward_train_ports) and
    /// [`backward_ports`](Layer::backward_ports). Its methods for one input and one output call
    /// [`first_output_shape`](super::first_output_shape), [`first_output`](super::first_output),
    /// [`first_output_train`](super::first_output_train) (in [`forward_train`](Layer::forward_train) and in
    /// [`forward_eval`](Layer::forward_eval)) and [`first_input_gradient`](super::first_input_gradient). A layer with one
    /// input and one output implements none of these.
    fn ports(&self) -> Ports {
        Ports::ONE
    }

    /// [`output_shape`](Layer::output_shape) of a layer with several ports: the shapes of all outputs, for those of the
    /// inputs. `None` is an optional input that is left out.
    ///
    /// # Errors
    /// When the layer cannot take such inputs.
    fn output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        let ports = self.ports();
        if !ports.is_one_to_one() {
            return Err(Error::data(
                Self::KIND.name(),
                "have a method `output_shapes`, as it has several ports",
                "none",
            )
            .help("Write it: the shapes of all outputs."));
        }
        ports.shapes_of_one(inputs, |input| self.output_shape(input))
    }

    /// [`forward`](Layer::forward) of a layer with several ports.
    ///
    /// # Errors
    /// When an input is missing, has the wrong shape or holds values that the layer cannot take.
    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        let output = self.forward(io.take(0)?)?;
        io.put(0, output)
    }

    /// [`forward_train`](Layer::forward_train) of a layer with several ports, and
    /// [`forward_eval`](Layer::forward_eval) if [`Io::is_training`] is false.
    ///
    /// # Errors
    /// As [`forward_ports`](Layer::forward_ports).
    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<Self::Cache> {
        let input = io.take(0)?;
        let (output, cache) =
            if io.is_training() { self.forward_train(input)? } else { self.forward_eval(input)? };
        io.put(0, output)?;
        Ok(cache)
    }

    /// [`backward`](Layer::backward) of a layer with several ports: takes the gradients at the outputs, adds to those of
    /// the parameters, and puts those at the inputs that are wanted.
    ///
    /// # Errors
    /// When a gradient does not have its output's shape.
    fn backward_ports(&mut self, cache: Self::Cache, gradients: &mut PortGradients<'_, F>) -> Result<()> {
        let Some(gradient) = gradients.take(0) else { return Ok(()) };
        if !gradients.wants(0) {
            return self.backward_params(cache, gradient);
        }
        let input = self.backward(cache, gradient)?;
        gradients.put(0, input)
    }

    /// Calls `visit` with each parameter and buffer and its name. A layer's own names are those of PyTorch ("weight",
    /// "bias"); a container puts the name of the part in front ("0.weight").
    ///
    /// Each name must be unique, and the order the same on every call: the optimizer finds its state by them.
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        let _ = visit;
    }

    /// [`visit_params`](Layer::visit_params) with mutable access; the same parameters in the same order.
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        let _ = visit;
    }
}

/// The error of a layer that returns `Rest` but does not implement `method`.
fn no_logits(method: &str, kind: &str) -> Error {
    Error::data(kind, format!("have a method `{method}` beside its `WithoutActivation::Rest`"), "none")
        .help("Write it: the layer without its last activation.")
}
