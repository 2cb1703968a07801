//! Checks for layers, the crate's own and yours: [`check_layer`].
//!
//! A wrong derivative does not crash. It trains a little worse, and looks like a bad learning rate. [`LayerCheck`]
//! finds it by the definition of the derivative, with the loss `L = Σ c_i · y_i` for random `c`:
//!
//! ```text
//! ∂L/∂x_i  ≈  (L(x_i + h) - L(x_i - h)) / 2h
//! ```
//!
//! The error of the central difference has two parts. What the Taylor series leaves over is `h² / 6 · L‴`; what
//! rounding adds is about `ε · |L| / h`. Their sum is least near `h = ε^⅓`: 6e-6 in `f64` and 5e-3 in `f32`, and the
//! steps here are of that size.
//!
//! | | `f64` | `f32` |
//! |---|---|---|
//! | `h` | 1e-6 | 4e-3 |
//! | allowed, absolute | 1e-5 | 2e-2 |
//! | allowed, relative | 1e-3 | 2e-2 |
//!
//! So `f64` finds a factor that is wrong by more than a thousandth, and `f32` one that is wrong by some percent;
//! check in `f64` where the layer has it. `torch.autograd.gradcheck` works likewise.
//!
//! A random loss is needed: under `L = Σ y_i` the gradient of softmax is 0, and any mistake in it that scales would
//! pass.

mod checks;
mod differences;

use crate::codec;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::erased::ErasedLayer;
use crate::nn::{Layer, LayerSpec};
use crate::random::Random;
use crate::tensor::Tensor;
use std::fmt;

/// Checks a layer on random inputs of this shape (without the batch axis): see [`LayerCheck`] for what is checked.
///
/// In `f64` gradients are compared with finite differences to about three digits, in `f32` to about two.
///
/// ```
/// use plywood::prelude::*;
///
/// let report = check_layer::<f64>(Dense::units(3), &[4])?;
/// assert!(report.to_string().contains("the gradient at the input agrees with finite differences"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It takes a batch of five, and two forward passes for each number that is checked: at most 64 of the input and 64
/// of each parameter.
///
/// A derivative that is wrong by a factor of 2 is told apart from one that is right:
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
/// When a check fails; the error says which, where, and by how much.
pub fn check_layer<F: Scalar>(spec: impl LayerSpec<F>, input: &[usize]) -> Result<CheckReport> {
    LayerCheck::new(input).run(spec)
}

/// What cannot hold for a layer by its nature, so that it is not checked. Reports say so.
///
/// An exemption is a statement about the layer and not a switch for a check that fails: what is declared is printed
/// in the report, for whoever reads it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exemption {
    /// Training does something else than inference: dropout, batch normalization.
    ///
    /// Gradients are still checked, in training: each pass is made by a clone of the layer, so that all see one
    /// state.
    TrainingDiffers,
    /// The input has no gradient: ids of an embedding.
    ///
    /// The gradients of its parameters are still checked.
    InputGradient,
}

/// A battery of checks for a layer.
///
/// 1. The output's shape is what `output_shape` says, for batches of any size.
/// 2. Training puts out what inference does, unless [exempt](Exemption::TrainingDiffers).
/// 3. A batch puts out what its samples do one by one, and what it does as a view (`forward_cow`).
/// 4. The gradient at the input agrees with finite differences, unless [exempt](Exemption::InputGradient).
/// 5. The gradient of each trainable parameter agrees with finite differences, adds up over two backward passes, and
///    is the same from `backward_params`.
/// 6. `visit_params` and `visit_params_mut` show the same parameters, each name once.
/// 7. A layer that says it is an [`OutputActivation`](crate::nn::OutputActivation), or ends in one, computes that function:
///    of its input, or of what it puts out without it, from where it makes the same gradients.
/// 8. The layer saved and loaded puts out the same bits.
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
/// Before anything is computed, parameters are moved by up to 0.2 from where they began, and one training pass is
/// made, so that a bias of 0, a scale of 1 and fresh running statistics do not hide a mistake. The random numbers are
/// the same in every run.
///
/// It cannot see a mistake that shows only at other inputs (a branch for large numbers), at other shapes, or in
/// speed. Run it for two shapes and both element types.
#[derive(Clone, Debug)]
pub struct LayerCheck<F: Scalar> {
    shape: Vec<usize>,
    inputs: Option<Tensor<F>>,
    exemptions: Vec<Exemption>,
}

/// The samples of a checked batch, unless inputs are given.
///
/// Odd and above 1, so that rows and columns are not mistaken for each other by chance.
const BATCH: usize = 5;

/// What finite differences can be held to.
///
impl<F: Scalar> LayerCheck<F> {
    /// For inputs of this shape, without the batch axis: random numbers between 0.1 and 1 in magnitude, away from
    /// the kinks that many activations have at 0.
    ///
    /// A kink within `h` of an input would make the difference wrong; at 0 the check could not tell ReLU's
    /// derivative.
    pub fn new(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), inputs: None, exemptions: Vec::new() }
    }

    /// With these inputs, `[batch, …]`, instead of random ones: ids for an embedding.
    ///
    /// The shape given to [`new`](LayerCheck::new) still is what the layer is built for. For layers that are not
    /// defined everywhere, too:
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

    /// Declares what cannot hold for this layer.
    ///
    /// May be called twice, for both.
    #[must_use]
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exemptions.push(exemption);
        self
    }

    fn is_exempt(&self, exemption: Exemption) -> bool {
        self.exemptions.contains(&exemption)
    }

    /// Builds the layer and runs the checks.
    ///
    /// The first failure ends it: later checks build on what earlier ones found.
    ///
    /// # Errors
    /// When one fails, or the layer itself returns an error.
    pub fn run<S: LayerSpec<F>>(self, spec: S) -> Result<CheckReport> {
        let kind = <S::Layer as Layer<F>>::KIND.name();
        let random = Random::seed(7);
        let built = spec.build(&self.shape, &random.child("layer"));
        let load: Load<F> = |bytes| Ok(Box::new(codec::decode::<S::Layer>(bytes, "the saved layer")?));
        built
            .and_then(|mut layer| self.run_checks(&mut layer, &random, load))
            .map_err(|error| error.at(format!("check of layer {kind:?} in {}", F::NAME)))
    }
}

/// Decodes a layer of the kind that is checked.
type Load<F> = fn(&[u8]) -> Result<Box<dyn ErasedLayer<F>>>;

/// What was checked, and what was not; it prints as a list.
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
    kind: &'static str,
    lines: Vec<String>,
}

impl CheckReport {
    /// In the past: what holds.
    fn passed(&mut self, what: &str) {
        self.lines.push(format!("ok           {what}"));
    }

    /// With the exemption that was declared.
    fn skipped(&mut self, what: &str, why: Exemption) {
        self.lines.push(format!("not checked  {what} (declared: {why:?})"));
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {:?}", self.kind)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
