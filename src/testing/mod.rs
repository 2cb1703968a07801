//! Checks for layers, operations and losses, built-in and custom: [`check_layer`], [`check_op`], [`check_loss`].
//!
//! A wrong derivative does not crash. The model trains a little worse, which looks like a bad learning rate.
//! [`LayerCheck`] finds it with the definition of the derivative, for the loss `L = Σ c_i · y_i` with random `c`:
//!
//! ```text
//! ∂L/∂x_i  ≈  (L(x_i + h) - L(x_i - h)) / 2h
//! ```
//!
//! The error of the central difference has two parts. The truncation of the Taylor series contributes `h² / 6 · L‴`,
//! and rounding about `ε · |L| / h`. Their sum is smallest near `h = ε^⅓`: 6e-6 in `f64` and 5e-3 in `f32`, and the
//! steps used here are of that size.
//!
//! | | `f64` | `f32` |
//! |---|---|---|
//! | `h` | 1e-6 | 4e-3 |
//! | absolute tolerance | 1e-5 | 2e-2 |
//! | relative tolerance | 1e-3 | 2e-2 |
//!
//! So a check in `f64` finds a factor that is wrong by more than a thousandth, and one in `f32` a factor that is wrong
//! by a few percent; use `f64` if the layer supports it. `torch.autograd.gradcheck` works the same way.
//!
//! The loss must be random: with `L = Σ y_i` the gradient of softmax is 0, and any multiplicative error in it would
//! pass.

mod checks;
mod differences;
mod lengths;
mod loss;
mod op;
mod ports;

pub use loss::check_loss;
pub use op::{OpCheck, check_op};

use crate::codec;
use crate::error::{ErrorKind, Result};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedLayer;
use crate::nn::{Layer, LayerSpec, Registry};
use crate::random::Random;
use crate::tensor::Tensor;
use std::fmt;

/// Checks a layer on random inputs of this shape (without the batch axis): see [`LayerCheck`] for the list of checks.
///
/// Gradients are compared with finite differences, in `f64` to about three digits, in `f32` to about two.
///
/// ```
/// use plywood::prelude::*;
///
/// let report = check_layer::<f64>(Dense::units(3), &[4])?;
/// assert!(report.to_string().contains("the gradient at the input agrees with finite differences"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It uses a batch of five samples, and two forward passes per checked value: at most 64 values of the input and 64 of
/// each parameter.
///
/// A derivative that is wrong by a factor of 2 is detected:
///
/// ```
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Cube;
///
/// impl Elementwise for Cube {
///     const KIND: Kind = Kind::own("mycrate.cube");
///     fn value<F: Scalar>(&self, x: F) -> F { x * x * x }
///     fn derivative<F: Scalar>(&self, x: F, _: F) -> F { F::of(6.0) * x * x } // 3x² is right
/// }
///
/// let error = check_layer::<f64>(Cube, &[2]).unwrap_err().to_string();
/// assert!(error.starts_with("check of layer \"mycrate.cube\" in f64: the gradient at number"));
/// ```
///
/// # Errors
/// When a check fails; the error says which one, where, and by how much.
pub fn check_layer<F: Scalar>(spec: impl LayerSpec<F>, input: &[usize]) -> Result<CheckReport> {
    LayerCheck::new(input).run(spec)
}

/// A property that a layer cannot have by its nature, and that is therefore not checked. Reports list it.
///
/// An exemption is a statement about the layer, not a switch for a failing check: the report prints it for later
/// readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exemption {
    /// Training and inference compute different functions: dropout, batch normalization.
    ///
    /// Gradients are still checked, in training: each pass is made by a clone of the layer, so that all start from the
    /// same state.
    TrainingDiffers,
    /// The input has no gradient, as for the ids of an embedding.
    ///
    /// The gradients of its parameters are still checked.
    InputGradient,
}

/// A set of checks for a layer.
///
/// 1. The output has the shape that `output_shape` returns, for batches of any size.
/// 2. Training and inference give the same output, unless [exempt](Exemption::TrainingDiffers).
/// 3. A batch gives the same output as its samples one by one, and as a view of it (`forward_cow`).
/// 4. The gradient of the input agrees with finite differences, unless [exempt](Exemption::InputGradient).
/// 5. The gradient of each trainable parameter agrees with finite differences, adds up over two backward passes, and
///    is the same from `backward_params`.
/// 6. `visit_params` and `visit_params_mut` show the same parameters, each name once.
/// 7. A layer that declares an [`OutputActivation`](crate::nn::OutputActivation) computes that function: of its input,
///    or of its logits, from which the gradients are the same.
/// 8. `forward_eval` gives the output of inference and leaves the layer as it is; the gradient at the input from its
///    cache is that of training, or agrees with finite differences of `forward` if training differs.
/// 9. The layer, saved and loaded, gives bit-identical output.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::testing::{Exemption, LayerCheck};
///
/// let report = LayerCheck::<f64>::new(&[6]).exempt(Exemption::TrainingDiffers).run(Dropout::rate(0.5))?;
/// assert!(report.to_string().contains("not checked"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Before anything is computed, the parameters are moved by up to 0.2 from their initial values, and one training pass
/// is made, so that a bias of 0, a scale of 1 and initial running statistics do not hide a mistake. The random numbers
/// are the same in every run.
///
/// It cannot detect a mistake that shows only for other inputs (a branch for large numbers), for other shapes, or in
/// speed. Run it for two shapes and both element types.
#[derive(Clone, Debug)]
pub struct LayerCheck<F: Scalar> {
    shape: Vec<usize>,
    inputs: Option<Tensor<F>>,
    exemptions: Vec<Exemption>,
    /// `None`: the built-in layers.
    registry: Option<Registry<F>>,
    /// The other inputs of a layer with several: name, shape, tensor.
    ports: Vec<(String, Vec<usize>, Option<Tensor<F>>)>,
    /// The inputs that have no gradient.
    without_gradient: Vec<String>,
}

/// The number of samples in a checked batch, unless inputs are given.
///
/// It is odd and above 1, so that rows and columns are not confused by chance.
const BATCH: usize = 5;

/// Settings of the check, and [`run`](LayerCheck::run).
impl<F: Scalar> LayerCheck<F> {
    /// Creates a check for inputs of this shape, without the batch axis. The inputs are random numbers between 0.1 and
    /// 1 in magnitude, away from the kinks that many activations have at 0.
    ///
    /// A kink within `h` of an input would make the difference wrong; at 0 the check could not determine ReLU's
    /// derivative.
    pub fn new(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            inputs: None,
            exemptions: Vec::new(),
            registry: None,
            ports: Vec::new(),
            without_gradient: Vec::new(),
        }
    }

    /// Uses these inputs, `[batch, …]`, instead of random ones, e.g. ids for an embedding.
    ///
    /// The layer is still built for the shape given to [`new`](LayerCheck::new). Also use it for layers that are not
    /// defined everywhere:
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    /// use plywood::testing::LayerCheck;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct SquareRoot;
    ///
    /// impl Elementwise for SquareRoot {
    ///     const KIND: Kind = Kind::own("mycrate.square_root");
    ///     fn value<F: Scalar>(&self, x: F) -> F { x.sqrt() }
    ///     fn derivative<F: Scalar>(&self, _: F, y: F) -> F { F::of(0.5) / y }
    /// }
    ///
    /// let positive = arr2(&[[0.5, 1.0], [2.0, 4.0]]).into_dyn();
    /// LayerCheck::<f64>::new(&[2]).inputs(positive).run(SquareRoot)?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn inputs(mut self, inputs: Tensor<F>) -> Self {
        self.inputs = Some(inputs);
        self
    }

    /// Declares a property that this layer cannot have.
    ///
    /// May be called several times.
    #[must_use]
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exemptions.push(exemption);
        self
    }

    /// Sets the kinds of layers inside of a checked container; by default the built-in ones. The checked layer itself
    /// needs no entry.
    #[must_use]
    pub fn registry(mut self, registry: Registry<F>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Adds another input of a layer with several ([`Layer::ports`]), of this shape without the batch axis. Its numbers
    /// are random. The layer is checked with all inputs that are given, and with the required ones alone.
    ///
    /// [`new`](LayerCheck::new) and [`inputs`](LayerCheck::inputs) set the first input.
    #[must_use]
    pub fn port(mut self, name: &str, shape: &[usize]) -> Self {
        self.ports.push((name.to_owned(), shape.to_vec(), None));
        self
    }

    /// Adds another input with this tensor, `[batch, …]`, with as many samples as the others: 5 by default.
    #[must_use]
    pub fn port_inputs(mut self, name: &str, inputs: Tensor<F>) -> Self {
        let shape = inputs.shape().get(1..).unwrap_or_default().to_vec();
        self.ports.push((name.to_owned(), shape, Some(inputs)));
        self
    }

    /// Declares that an input of a layer with several has no gradient: ids, lengths, a mask.
    #[must_use]
    pub fn without_gradient(mut self, name: &str) -> Self {
        self.without_gradient.push(name.to_owned());
        self
    }

    /// Returns the layer that was saved as these bytes.
    fn loaded(&self, bytes: &[u8], load: Load<F>) -> Result<Box<dyn ErasedLayer<F>>> {
        let registry = self.registry.clone().unwrap_or_else(Registry::builtin);
        registry.decoding(|| load(bytes)).map_err(|error| match error.kind() {
            ErrorKind::UnknownLayer { .. } => error.help(
                "It is inside of the layer: give the check a registry that has it, \
                 `.registry(Registry::builtin().with::<YourLayer>())`.",
            ),
            _ => error,
        })
    }

    fn is_exempt(&self, exemption: Exemption) -> bool {
        self.exemptions.contains(&exemption)
    }

    /// Builds the layer and runs the checks.
    ///
    /// It stops at the first failure, since later checks depend on earlier ones.
    ///
    /// # Errors
    /// When a check fails, or the layer itself returns an error.
    pub fn run<S: LayerSpec<F>>(self, spec: S) -> Result<CheckReport> {
        let mut label = <S::Layer as Layer<F>>::KIND.name().to_owned();
        let random = Random::seed(7);
        let others: Vec<(&str, &[usize])> =
            self.ports.iter().map(|(name, shape, _)| (name.as_str(), &shape[..])).collect();
        let registry = self.registry.clone().unwrap_or_else(Registry::builtin);
        let built = registry.within(|| spec.build_ports(&self.shape, &others, &random.child("layer")));
        let load: Load<F> = |bytes| Ok(Box::new(codec::decode::<S::Layer>(bytes, "the saved layer")?));
        built
            .and_then(|mut layer| {
                Layer::label(&layer).clone_into(&mut label);
                self.check_names(layer.ports())?;
                layer.ports().check_lengths()?;
                let mut draws = random.child("lengths").at(0, 0);
                let mut report = match layer.ports().is_one_to_one() {
                    true => self.run_checks(&mut layer, &random, load)?,
                    false => self.run_port_checks(&mut layer, &random, load)?,
                };
                let inputs = self.tensors(&layer, &mut draws)?;
                if layer.ports().is_one_to_one() && inputs.iter().flatten().count() > 1 {
                    for line in self.port_pattern(&layer, &inputs, &mut draws, load)? {
                        report.passed(&format!("with lengths, {line}"));
                    }
                }
                Self::run_length_checks(&layer, &inputs, &mut report)?;
                Ok(report)
            })
            .map_err(|error| error.at(format!("check of layer {label:?} in {}", F::NAME)))
    }
}

/// A function that decodes a layer of the checked kind.
type Load<F> = fn(&[u8]) -> Result<Box<dyn ErasedLayer<F>>>;

/// The result of a check: what was checked, and what was not. It prints as a list.
///
/// ```
/// use plywood::prelude::*;
///
/// let report = check_layer::<f64>(Tanh, &[3])?.to_string();
/// assert!(report.starts_with("layer \"tanh\"\n  ok           parameters have one name each, in one order"));
/// assert!(!report.contains("not checked"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// What was checked: `layer "dense"`.
    label: String,
    lines: Vec<String>,
}

impl CheckReport {
    /// Adds a line for a check that passed.
    fn passed(&mut self, what: &str) {
        self.lines.push(format!("ok           {what}"));
    }

    /// Adds a line for a check that was skipped, with the declared exemption.
    fn skipped(&mut self, what: &str, why: Exemption) {
        self.lines.push(format!("not checked  {what} (declared: {why:?})"));
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
