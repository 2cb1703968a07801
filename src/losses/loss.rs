//! The trait [`Loss`], and the parts of a loss of several outputs.

use super::LossSum;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs, Port};
use crate::shown::{cut, type_name};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// A loss: a measure of how far predictions are from targets, sample by sample, and its gradient.
///
/// A loss of your own is written most easily as a formula, from which its gradient follows:
/// [`GraphLoss`](super::GraphLoss). To implement this trait, you also write the gradient;
/// [`check_loss`](crate::testing::check_loss) compares it with finite differences.
///
/// With sample weights `w` the value of a batch is the pair `Σ w_i · l_i` and `Σ w_i` ([`LossSum`]), and its gradient
/// is that of `Σ w_i · l_i / divisor`. A sample of weight 0 adds nothing to either.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::losses::{LossSum, sample_weights};
///
/// /// `ln cosh(prediction - target)`; one element per sample.
/// #[derive(Debug)]
/// struct LogCosh;
///
/// impl Loss for LogCosh {
///     type Target = Tensor;
///     fn value_and_grad(
///         &self,
///         output: Tensor,
///         target: &Tensor,
///         weights: Option<&[f32]>,
///         divisor: f64,
///     ) -> Result<(LossSum, Tensor)> {
///         if output.shape() != target.shape() {
///             // ndarray would broadcast [n, 1] - [n] to [n, n].
///             return Err(Error::shape("the targets", format!("{:?}", output.shape()), target.shape()));
///         }
///         let mut sum = LossSum::default();
///         let mut grad = output - target;
///         let weights = sample_weights(weights, grad.len())?;
///         for (g, w) in grad.iter_mut().zip(weights) {
///             sum.add(w.into(), g.cosh().ln().into());
///             *g = w * g.tanh() / divisor as f32;
///         }
///         Ok((sum, grad))
///     }
/// }
/// ```
///
/// The gradient enters the model's backward pass unchanged. The divisor is the number of samples in the optimizer's
/// step, which is that of the batch if the step has one batch; it is at least 1.
///
/// A loss must be a function of its arguments, and a sample's loss must not depend on the others.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Three samples, the second with weight 2, the third with weight 0.
/// let (y, t) = (arr2(&[[1.0f64], [2.0], [9.0]]).into_dyn(), arr2(&[[0.0], [0.0], [0.0]]).into_dyn());
/// let (value, grad) = MeanSquaredError.value_and_grad(y, &t, Some(&[1.0, 2.0, 0.0]), 3.0)?;
/// assert_eq!(value.mean(), (1.0 * 1.0 + 2.0 * 4.0) / 3.0);
/// assert_eq!((grad[[0, 0]], grad[[2, 0]]), (2.0 / 3.0, 0.0));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A boxed loss is a loss, so the loss can be chosen at run time:
///
/// ```
/// use plywood::prelude::*;
///
/// fn loss(name: &str) -> Box<dyn Loss<Target = [usize]>> {
///     match name {
///         "focal" => Box::new(Focal::default()),
///         _ => Box::new(CrossEntropy::default()),
///     }
/// }
///
/// let trainer = Trainer::new(loss("focal"), Adam::default());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a loss for models of `{F}`",
    note = "implement `plywood::losses::Loss<{F}>` for it"
)]
pub trait Loss<F: Scalar = f32>: Send {
    /// The type of a batch's targets: `[usize]` for class indices, [`Tensor<F>`](Tensor) for numbers.
    ///
    /// A data set fits a loss if its targets implement [`AsTarget`](super::AsTarget) for this type: `Vec<usize>` for
    /// `[usize]`, a tensor for itself.
    type Target: ?Sized;

    /// Returns the loss of these predictions, and its gradient with respect to them, in the predictions' shape.
    ///
    /// `output` is passed by value, so that its buffer can become the gradient. `weights` contains a number of at least
    /// 0 per sample, or is `None`; [`sample_weights`](super::sample_weights) checks it and covers both cases.
    ///
    /// The value may be infinite or NaN. That is no error here, as the caller can report it better. (The trainer then
    /// skips the step, and names the first place that is not finite.)
    ///
    /// # Errors
    /// If predictions, targets and weights do not fit each other, or a target is out of range.
    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)>;

    /// Returns the name used in error messages; by default the type's name without its path.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// Returns what the loss expects of a model's outputs. The default is [`Outputs::Unknown`], which accepts every
    /// model.
    ///
    /// A model whose outputs cannot be of that kind is an error before the first step, and metrics are given this
    /// value, too. A loss that takes the logarithms of distributions returns [`Outputs::Distributions`], and is never
    /// given a model that ends in Dense.
    fn outputs(&self) -> Outputs {
        Outputs::Unknown
    }

    /// Checks the shape of one output, without the batch. Training and evaluation call it before the first step. The
    /// default accepts all.
    ///
    /// # Errors
    /// If the loss cannot take such an output.
    fn check_output(&self, output: &[usize]) -> Result<()> {
        let _ = output;
        Ok(())
    }

    /// Checks targets against the shape of one output, without the batch. The default accepts all.
    ///
    /// Training and evaluation call it for all targets before the first step, if the data set can read them alone
    /// ([`Dataset::read_targets`](crate::data::Dataset::read_targets)). For other data sets only `value_and_grad` sees
    /// the targets, batch by batch, so it must make the same checks itself. Targets come in parts: name a row by
    /// [`Error::sample`](crate::Error::sample), and its position in the data set replaces it.
    ///
    /// # Errors
    /// If a target is out of range, or does not have the shape that the output requires.
    fn check_target(&self, output: &[usize], target: &Self::Target) -> Result<()> {
        let _ = (output, target);
        Ok(())
    }

    /// Returns the [`OutputActivation`] that [`value_and_grad_logits`](Loss::value_and_grad_logits) includes:
    /// [`OutputActivation::Softmax`] or [`OutputActivation::Sigmoid`]. A model that ends in it skips that activation.
    ///
    /// The default is [`OutputActivation::Unknown`]: no activation is skipped.
    fn fused_activation(&self) -> OutputActivation {
        OutputActivation::Unknown
    }

    /// Returns the loss of these logits, the inputs of the activation that this loss fuses, and its gradient with
    /// respect to them.
    ///
    /// It is called only if [`fused_activation`](Loss::fused_activation) names an activation and the model ends in it.
    /// The default implementation calls [`value_and_grad`](Loss::value_and_grad).
    ///
    /// # Errors
    /// As [`value_and_grad`](Loss::value_and_grad).
    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.value_and_grad(logits, target, weights, divisor)
    }

    /// Returns the losses of the outputs that this one consists of; `None` for a loss of one output. Only
    /// [`Losses`](super::Losses) has parts.
    #[doc(hidden)]
    fn terms(&self) -> Option<&Terms<F, Self::Target>> {
        None
    }
}

/// A boxed loss behaves as the loss inside.
// A default method that is missing here would be called in place of the loss's own, and change results silently.
#[deny(clippy::missing_trait_methods)]
impl<F: Scalar, L: Loss<F> + ?Sized> Loss<F> for Box<L> {
    type Target = L::Target;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        (**self).value_and_grad(output, target, weights, divisor)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn outputs(&self) -> Outputs {
        (**self).outputs()
    }

    fn check_output(&self, output: &[usize]) -> Result<()> {
        (**self).check_output(output)
    }

    fn check_target(&self, output: &[usize], target: &Self::Target) -> Result<()> {
        (**self).check_target(output, target)
    }

    fn fused_activation(&self) -> OutputActivation {
        (**self).fused_activation()
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Self::Target,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        (**self).value_and_grad_logits(logits, target, weights, divisor)
    }

    fn terms(&self) -> Option<&Terms<F, Self::Target>> {
        (**self).terms()
    }
}

/// The parts of a loss of several outputs.
#[doc(hidden)]
pub struct Terms<F: Scalar, T: ?Sized> {
    pub(crate) list: Vec<Term<F, T>>,
    /// The outputs that are allowed to have no loss.
    pub(crate) without: Vec<String>,
}

/// The loss of one output.
pub(crate) struct Term<F: Scalar, T: ?Sized> {
    pub output: String,
    pub weight: f64,
    pub loss: Box<dyn Loss<F, Target = T>>,
    /// Whether the loss reads a target.
    pub reads: bool,
    pub weights_of: WeightsOf<F, T>,
}

/// The weights of an output's targets times those of the samples.
pub(crate) type WeightsOf<F, T> = for<'a> fn(&'a T, &str, Option<&'a [F]>) -> Result<Option<Cow<'a, [F]>>>;

impl<F: Scalar, T: ?Sized> Terms<F, T> {
    /// Checks the names of the outputs, that each has a loss, and the weights.
    pub(crate) fn check(&self, outputs: &[Port]) -> Result<()> {
        let listed = || outputs.iter().map(|port| cut(port.name())).collect::<Vec<_>>().join(", ");
        let named = self.list.iter().map(|term| &term.output).chain(&self.without);
        for (at, name) in named.clone().enumerate() {
            if !outputs.iter().any(|port| port.name() == name) {
                return Err(Error::data(
                    "the outputs with a loss",
                    format!("be among those of the model: {}", listed()),
                    format!("{:?}", cut(name)),
                )
                .help("Name the outputs as in the model."));
            }
            if named.clone().take(at).any(|before| before == name) {
                return Err(Error::data(
                    "the losses",
                    "name each output once",
                    format!("{:?} twice", cut(name)),
                )
                .help("Write one loss of both parts, with `GraphLoss`."));
            }
        }
        if let Some(port) = outputs.iter().find(|port| !named.clone().any(|name| name == port.name())) {
            let name = cut(port.name());
            return Err(Error::data("each output of the model", "have a loss", format!("none for {name:?}"))
                .help(format!("Add one by `and`, or call `without_loss({name:?})` if it is only read.")));
        }
        if let Some(term) = self.list.iter().find(|term| !(term.weight.is_finite() && term.weight >= 0.0)) {
            let what = format!("the weight of the loss of {:?}", cut(&term.output));
            return Err(Error::argument(&what, "at least 0 and finite", term.weight).help("1 is usual."));
        }
        if let Some(term) = self.list.iter().find(|t| t.output == "val" || t.output.starts_with("val_")) {
            let expected = "not begin with \"val\", which is for values over validation data";
            let found = format!("{:?}", cut(&term.output));
            return Err(Error::data("the name of an output with a loss", expected, found)
                .help("Name the output otherwise in the model."));
        }
        if self.list.iter().all(|term| term.weight == 0.0) {
            return Err(Error::data("the weights of the losses", "include one above 0", "only 0")
                .help("An output of weight 0 is evaluated, and not trained."));
        }
        Ok(())
    }
}
