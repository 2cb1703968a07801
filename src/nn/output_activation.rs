//! What is known of a model's outputs, and how losses and metrics interpret them.

use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice_mut, standard};

/// What is known of a layer's output: the function that produces it, or the range of its values.
///
/// | | the values of a row | from |
/// |---|---|---|
/// | `Unknown` | anything | custom layers, by default |
/// | `Linear` | any real numbers | Dense, convolutions, normalization |
/// | `NonNegative` | at least 0 | ReLU, ReLU6, Softplus |
/// | `Bounded` | from -1 to 1 | Tanh, Softsign |
/// | `UnitInterval` | from 0 to 1, independent of each other; both ends occur | HardSigmoid |
/// | `Softmax` | a distribution: at least 0, and their sum is 1 | [`Softmax`](crate::nn::Softmax) |
/// | `LogSoftmax` | the logarithms of a distribution | [`LogSoftmax`](crate::nn::LogSoftmax) |
/// | `Sigmoid` | from 0 to 1, independent of each other | [`Sigmoid`](crate::nn::Sigmoid) |
///
/// # Fusing
///
/// A loss may compute softmax or the sigmoid itself, *fused* with the loss: cross-entropy after softmax has a simple,
/// exact gradient with respect to the logits (the input of softmax), while each of the two alone loses precision. A
/// model can fuse if its last layer says which function it ends in
/// ([`Layer::activation`](crate::nn::Layer::activation)) and what remains without it
/// ([`Layer::without_activation`](crate::nn::Layer::without_activation)). Under a loss that fuses the function
/// ([`Loss::fused_activation`](crate::losses::Loss::fused_activation)), the model then leaves it out, and the loss
/// starts from the logits. This is automatic, and `predict` still returns probabilities.
///
/// | activation | predictions | fused by | gradient at the logits |
/// |---|---|---|---|
/// | `Softmax` | `e^z_i / Σ_j e^z_j` | [`CrossEntropy`](crate::losses::CrossEntropy) | `w · (p - t) / divisor` |
/// | `Sigmoid` | `1 / (1 + e^-z)` | [`BinaryCrossEntropy`](crate::losses::BinaryCrossEntropy) | the same |
///
/// In Keras you request this with `from_logits=True`, and in PyTorch by leaving the softmax out of the model; in both
/// you must remember it again for prediction, and neither library notices a loss that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputActivation {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Any real numbers.
    Linear,
    /// Numbers of at least 0.
    NonNegative,
    /// Numbers from -1 to 1.
    Bounded,
    /// Numbers from 0 to 1, independent of each other, both ends included.
    UnitInterval,
    /// Softmax over the last axis.
    ///
    /// One distribution for each row of `[…, classes]`.
    Softmax,
    /// The logarithm of softmax over the last axis.
    LogSoftmax,
    /// The logistic function of each number.
    ///
    /// One independent probability for each number.
    Sigmoid,
}

/// What remains of a layer without its [`activation`](crate::nn::Layer::activation), if the loss computes that: the
/// result of [`Layer::without_activation`](crate::nn::Layer::without_activation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutActivation {
    /// The layer does not say. It runs whole, and the loss takes its outputs as they are.
    #[default]
    Unsaid,
    /// Nothing: the layer computes its activation and nothing else, as [`Softmax`](crate::nn::Softmax), and is skipped.
    Nothing,
    /// Something that [`forward_logits`](crate::nn::Layer::forward_logits) and
    /// [`forward_train_logits`](crate::nn::Layer::forward_train_logits) run: the layer is a container that ends in the
    /// activation.
    Rest,
}

impl OutputActivation {
    /// Returns the predictions for these logits: their softmax or sigmoid. For all other variants it returns them
    /// unchanged.
    ///
    /// Takes any shape; `Softmax` works along the last axis. Works in place, after a copy if the input is not
    /// row-major.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::OutputActivation;
    ///
    /// let logits = arr2(&[[0.0f64, 3.0f64.ln()]]).into_dyn();
    /// assert_eq!(OutputActivation::Linear.apply(logits.clone()), logits);
    /// let p = OutputActivation::Softmax.apply(logits.clone());
    /// assert!((p[[0, 1]] - 0.75).abs() < 1e-12);
    /// let p = OutputActivation::Sigmoid.apply(logits);
    /// assert!((p[[0, 0]] - 0.5).abs() < 1e-12 && (p[[0, 1]] - 0.75).abs() < 1e-12); // the same for two classes
    /// ```
    pub fn apply<F: Scalar>(self, logits: Tensor<F>) -> Tensor<F> {
        let mut out = standard(logits);
        let columns = out.shape().last().copied().unwrap_or(1);
        match self {
            Self::Softmax => F::softmax_rows(slice_mut(&mut out), columns),
            Self::Sigmoid => F::activate(crate::kernels::Activation::Sigmoid, slice_mut(&mut out)),
            _ => {}
        }
        out
    }

    /// Returns whether [`apply`](OutputActivation::apply) computes the function and a loss may fuse it.
    pub(crate) fn can_be_fused(self) -> bool {
        matches!(self, Self::Softmax | Self::Sigmoid)
    }

    /// What still holds after values have moved between rows: ranges hold for each value, distributions do not.
    pub(crate) fn of_numbers(self) -> Self {
        match self {
            Self::Softmax | Self::LogSoftmax => Self::Unknown,
            known => known,
        }
    }

    /// What still holds after each value is multiplied by its own factor of at least 0.
    pub(crate) fn scaled(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::NonNegative | Self::UnitInterval | Self::Softmax | Self::Sigmoid => Self::NonNegative,
            Self::Linear | Self::Bounded | Self::LogSoftmax => Self::Linear,
        }
    }

    /// What is known if the outputs are of this activation or of `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }
}

/// The meaning of a model's outputs, for losses and metrics.
///
/// | | a row of `[batch, …]` | losses |
/// |---|---|---|
/// | `Unknown` | anything | custom losses, by default; a model that ends in a custom layer, ReLU or Tanh |
/// | `Numbers` | numbers of any kind | squared and absolute error, Huber |
/// | `Distributions` | probabilities of mutually exclusive classes | cross-entropy, focal, KL divergence |
/// | `Logits` | its softmax is a distribution | the same, `from_logits` |
/// | `Probabilities` | independent probabilities | binary cross-entropy |
/// | `BinaryLogits` | the sigmoid of each value is an independent probability | the same, `from_logits` |
/// | `Scores` | the largest value, or the sign of a single one, gives the class | hinge |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outputs {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Numbers of any kind.
    Numbers,
    /// Probabilities of mutually exclusive classes: each row is a distribution.
    Distributions,
    /// Logits of mutually exclusive classes: the softmax of each row is a distribution.
    Logits,
    /// Independent probabilities.
    Probabilities,
    /// Binary logits: the sigmoid of each value is an independent probability.
    BinaryLogits,
    /// Scores: the largest value of a row, or the sign of a single one, gives the class.
    Scores,
}

impl Outputs {
    /// Returns what outputs of `units` values per sample mean if no loss says so.
    ///
    /// One linear unit is a binary logit, several are the logits of classes.
    ///
    /// ```
    /// use plywood::nn::{OutputActivation, Outputs};
    ///
    /// assert_eq!(Outputs::of(OutputActivation::Softmax, 10), Outputs::Distributions);
    /// assert_eq!(Outputs::of(OutputActivation::Linear, 1), Outputs::BinaryLogits);
    /// assert_eq!(Outputs::of(OutputActivation::Unknown, 1), Outputs::Unknown);
    /// ```
    pub fn of(activation: OutputActivation, units: usize) -> Self {
        match activation {
            OutputActivation::Softmax => Self::Distributions,
            OutputActivation::Sigmoid | OutputActivation::UnitInterval => Self::Probabilities,
            OutputActivation::Linear if units == 1 => Self::BinaryLogits,
            OutputActivation::Linear | OutputActivation::LogSoftmax => Self::Logits,
            OutputActivation::Unknown | OutputActivation::NonNegative | OutputActivation::Bounded => {
                Self::Unknown
            }
        }
    }

    /// Returns the threshold above which a single output means class 1: 0.5 for probabilities, 0 for logits and scores,
    /// `None` if unknown.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    ///
    /// assert_eq!(Outputs::Probabilities.threshold(), Some(0.5));
    /// assert_eq!(Outputs::BinaryLogits.threshold(), Some(0.0));
    /// assert_eq!(Outputs::Numbers.threshold(), None);
    /// ```
    pub fn threshold(self) -> Option<f64> {
        match self {
            Self::Distributions | Self::Probabilities => Some(0.5),
            Self::Logits | Self::BinaryLogits | Self::Scores => Some(0.0),
            Self::Unknown | Self::Numbers => None,
        }
    }

    /// Returns whether they are probabilities, independent or of mutually exclusive classes.
    pub fn are_probabilities(self) -> bool {
        matches!(self, Self::Distributions | Self::Probabilities)
    }
}
