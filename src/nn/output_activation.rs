//! What is known of a model's outputs, and what losses and metrics take them for.

use crate::kernels::Scalar;
use crate::tensor::{Tensor, slice_mut, standard};

/// What is known of the numbers that a layer puts out: the function that they come from, or their range.
///
/// | | the numbers of a row | from |
/// |---|---|---|
/// | `Unknown` | nothing is said | your own layers, unless they say it |
/// | `Linear` | any real numbers | Dense, convolutions, normalization |
/// | `NonNegative` | at least 0 | ReLU, ReLU6, Softplus |
/// | `Bounded` | from -1 to 1 | Tanh, Softsign |
/// | `UnitInterval` | from 0 to 1, each by itself, both ends reached | HardSigmoid |
/// | `Softmax` | a distribution: at least 0, and their sum is 1 | [`Softmax`](crate::nn::Softmax) |
/// | `LogSoftmax` | the logarithms of a distribution | [`LogSoftmax`](crate::nn::LogSoftmax) |
/// | `Sigmoid` | from 0 to 1, each by itself | [`Sigmoid`](crate::nn::Sigmoid) |
///
/// # Fusing
///
/// A loss may compute softmax or the sigmoid itself, *fused* with the loss: cross-entropy after softmax has a simple,
/// exact gradient at softmax's input (the logits), while each of the two alone loses precision. So a model whose last
/// layer says that it ends in this function ([`Layer::activation`](crate::nn::Layer::activation)), and what it is
/// without ([`Layer::without_activation`](crate::nn::Layer::without_activation)), leaves it out under a loss that fuses it ([`Loss::fused_activation`](crate::losses::Loss::fused_activation)), and the loss starts
/// from the logits. Nobody has to ask for it, and `predict` still gives probabilities.
///
/// | activation | predictions | fused by | gradient at the logits |
/// |---|---|---|---|
/// | `Softmax` | `e^z_i / Σ_j e^z_j` | [`CrossEntropy`](crate::losses::CrossEntropy) | `w · (p - t) / divisor` |
/// | `Sigmoid` | `1 / (1 + e^-z)` | [`BinaryCrossEntropy`](crate::losses::BinaryCrossEntropy) | the same |
///
/// Keras asks for the same by `from_logits=True`, and PyTorch by leaving the softmax out of the model; both have to be
/// remembered again for prediction, and neither library notices a loss that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputActivation {
    /// Nothing is said.
    #[default]
    Unknown,
    /// Any real numbers.
    Linear,
    /// Numbers of at least 0.
    NonNegative,
    /// Numbers from -1 to 1.
    Bounded,
    /// Numbers from 0 to 1, each by itself, that reach both ends.
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

/// What there is of a layer where its [`activation`](crate::nn::Layer::activation) is left out, because the loss
/// computes it: [`Layer::without_activation`](crate::nn::Layer::without_activation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutActivation {
    /// The layer does not say. It is run as it is, and the loss takes its outputs for what they are.
    #[default]
    Unsaid,
    /// Nothing: the layer is this function and nothing else. It is left out whole, as [`Softmax`](crate::nn::Softmax).
    Nothing,
    /// A rest, which [`forward_logits`](crate::nn::Layer::forward_logits) and
    /// [`forward_train_logits`](crate::nn::Layer::forward_train_logits) run: the layer is a container that ends in it.
    Rest,
}

impl OutputActivation {
    /// The predictions of these logits: softmax or the sigmoid of them, and for everything else the numbers themselves.
    ///
    /// Any shape; `Softmax` works along the last axis. In place, after a copy where the input is not row-major.
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

    /// Whether it is a function that [`apply`](OutputActivation::apply) computes and a loss may fuse.
    pub(crate) fn can_be_fused(self) -> bool {
        matches!(self, Self::Softmax | Self::Sigmoid)
    }

    /// What is left of it where rows are torn apart or put together: ranges hold for every number, distributions do
    /// not.
    pub(crate) fn of_numbers(self) -> Self {
        match self {
            Self::Softmax | Self::LogSoftmax => Self::Unknown,
            known => known,
        }
    }

    /// What is left of it where each number is multiplied by one of its own, of at least 0.
    pub(crate) fn scaled(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::NonNegative | Self::UnitInterval | Self::Softmax | Self::Sigmoid => Self::NonNegative,
            Self::Linear | Self::Bounded | Self::LogSoftmax => Self::Linear,
        }
    }

    /// What is known where outputs are of this activation or of the other.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }
}

/// What a model's outputs mean: what a loss takes them for, and what metrics are told.
///
/// | | a row of `[batch, …]` | losses |
/// |---|---|---|
/// | `Unknown` | nothing is said | your own losses, unless they say it; a model that ends in your own layer, ReLU or Tanh |
/// | `Numbers` | numbers of any kind | squared and absolute error, Huber |
/// | `Distributions` | the probabilities of classes that exclude each other | cross-entropy, focal, KL divergence |
/// | `Logits` | softmax of it is a distribution | the same, `from_logits` |
/// | `Probabilities` | each number a probability by itself | binary cross-entropy |
/// | `BinaryLogits` | the sigmoid of each number is a probability | the same, `from_logits` |
/// | `Scores` | the largest, or of a single one its sign, says the class | hinge |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outputs {
    /// Nothing is said.
    #[default]
    Unknown,
    /// Numbers of any kind.
    Numbers,
    /// Probabilities of classes that exclude each other: a distribution in each row.
    Distributions,
    /// What softmax makes distributions of.
    Logits,
    /// Probabilities, each by itself.
    Probabilities,
    /// What the sigmoid makes probabilities of, each by itself.
    BinaryLogits,
    /// Scores: the largest of a row, or the sign of a single one, says the class.
    Scores,
}

impl Outputs {
    /// What outputs of `units` numbers a sample mean by themselves, where no loss says it.
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

    /// Above which number a single output stands for class 1: 0.5 for probabilities, 0 for logits and scores, none
    /// where it is not known.
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

    /// Whether they are probabilities, of either kind.
    pub fn are_probabilities(self) -> bool {
        matches!(self, Self::Distributions | Self::Probabilities)
    }
}
