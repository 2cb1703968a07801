//! The conversion of a data set's targets to those of a loss.

mod forms;
mod named;

pub use forms::{ClassTargets, MixedTargets, OfName};
pub(crate) use named::FromNamed;
pub use named::NamedTargets;

use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// Targets of a data set that can be passed to a loss with targets of type `T`.
///
/// | the data set has | the loss takes | losses |
/// |---|---|---|
/// | `Vec<usize>` | `[usize]` | [`CrossEntropy`](crate::losses::CrossEntropy), [`Focal`](crate::losses::Focal), [`Hinge`](crate::losses::Hinge), [`BinaryCrossEntropy`](crate::losses::BinaryCrossEntropy) |
/// | [`Tensor<F>`](Tensor) | `Tensor<F>` | [`MeanSquaredError`](crate::losses::MeanSquaredError), [`MeanAbsoluteError`](crate::losses::MeanAbsoluteError), [`Huber`](crate::losses::Huber), [`SoftCrossEntropy`](crate::losses::SoftCrossEntropy), [`KLDivergence`](crate::losses::KLDivergence), [`SoftBinaryCrossEntropy`](crate::losses::SoftBinaryCrossEntropy) |
///
/// For a model with several outputs, the data set has [`NamedTargets`] and the loss is
/// [`Losses`](crate::losses::Losses).
///
/// A custom data set and a custom loss may use their own target type. It is the data set's
/// [`Target`](crate::data::Dataset::Target), with a `Default`, and the loss's [`Target`](crate::losses::Loss::Target):
///
/// ```
/// use plywood::losses::AsTarget;
///
/// /// Where something is, and what.
/// #[derive(Default)]
/// struct Boxes(Vec<[f32; 5]>);
///
/// impl AsTarget<Boxes> for Boxes {
///     fn as_target(&self) -> &Boxes {
///         self
///     }
///     fn first_non_finite(&self) -> Option<usize> {
///         self.0.iter().position(|numbers| numbers.iter().any(|x| !x.is_finite()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "this loss takes targets of `{T}`, and the data set has `{Self}`",
    label = "these targets do not fit the loss",
    note = "class indices (`Vec<usize>`) go with CrossEntropy, Focal, Hinge, BinaryCrossEntropy and GraphLoss::classes",
    note = "numbers (a tensor: an array of the model's element type) go with MeanSquaredError, MeanAbsoluteError, Huber \
            and GraphLoss::new, and rows of probabilities with SoftCrossEntropy, KLDivergence and SoftBinaryCrossEntropy; `OneHot` \
            makes rows of class indices; to predict a label as a number, make it an array `[samples, 1]`",
    note = "targets by name (`NamedTargets`, of `TargetArrays`) go with `Losses::of(output, loss)`"
)]
pub trait AsTarget<T: ?Sized> {
    /// Returns the targets in the form that the loss takes.
    fn as_target(&self) -> &T;

    /// Returns the first row with a value that is not finite. The default is `None`, for targets that cannot hold one.
    ///
    /// Training and evaluation call it for each batch and refuse such a target with an error that names its sample.
    fn first_non_finite(&self) -> Option<usize> {
        None
    }

    /// Forgets the targets, whose buffers the next batch is read into: one that is not set then is missing.
    #[doc(hidden)]
    fn forget(&mut self) {}

    /// The name of the target that [`first_non_finite`](AsTarget::first_non_finite) has found, of several.
    #[doc(hidden)]
    fn non_finite_name(&self) -> Option<&str> {
        None
    }
}

impl AsTarget<[usize]> for Vec<usize> {
    fn as_target(&self) -> &[usize] {
        self
    }
}

/// For losses that read no targets: [`GraphLoss::output`](crate::losses::GraphLoss::output).
impl AsTarget<()> for Vec<usize> {
    fn as_target(&self) -> &() {
        &()
    }
}

/// Data without targets, for losses that read none.
impl AsTarget<()> for () {
    fn as_target(&self) -> &() {
        self
    }
}

/// For losses that read no targets.
impl<F: Scalar> AsTarget<()> for Tensor<F> {
    fn as_target(&self) -> &() {
        &()
    }
}

impl<F: Scalar> AsTarget<Tensor<F>> for Tensor<F> {
    fn as_target(&self) -> &Tensor<F> {
        self
    }

    fn first_non_finite(&self) -> Option<usize> {
        first_non_finite_row(self)
    }
}

/// The advice for data that are not finite.
pub(crate) const CLEAN: &str = "Clean the data: leave such samples out, or fill in what is missing.";

/// Returns the first row along axis 0 with a value that is not finite.
pub(crate) fn first_non_finite_row<F: Scalar>(tensor: &Tensor<F>) -> Option<usize> {
    match tensor.as_slice() {
        Some(numbers) if F::all_finite(numbers) => None,
        _ => tensor.outer_iter().position(|row| row.iter().any(|x| !x.is_finite())),
    }
}
