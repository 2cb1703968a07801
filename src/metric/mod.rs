//! Metrics: what people want to know of a model, added up batch by batch.

mod accuracy;
mod confusion;

pub use accuracy::Accuracy;
pub use confusion::{ClassReport, ClassificationReport, ConfusionMatrix};

use crate::error::Result;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A number that says how good predictions are, over all batches since the last reset.
///
/// It sees what [`predict`](crate::Sequential::predict) returns, also where the loss works on logits.
///
/// ```
/// use plywood::prelude::*;
///
/// /// The largest absolute error.
/// #[derive(Default)]
/// struct WorstError(f32);
///
/// impl Metric<Tensor> for WorstError {
///     fn name(&self) -> &str {
///         "worst_error"
///     }
///     fn reset(&mut self) {
///         self.0 = 0.0;
///     }
///     fn update(&mut self, output: &Tensor, target: &Tensor, _: Option<&[f32]>) -> Result<()> {
///         self.0 = (output - target).iter().fold(self.0, |worst, d| worst.max(d.abs()));
///         Ok(())
///     }
///     fn value(&self) -> f64 {
///         self.0.into()
///     }
/// }
///
/// let trainer = Trainer::new(MeanSquaredError, Adam::default()).metric(WorstError::default());
/// ```
pub trait Metric<T: ?Sized, F: Scalar = f32>: Send {
    /// The name in histories and progress lines: "accuracy".
    fn name(&self) -> &str;

    /// Forgets everything.
    fn reset(&mut self);

    /// Takes a batch into account.
    ///
    /// # Errors
    /// When predictions, targets and weights do not fit each other.
    fn update(&mut self, output: &Tensor<F>, target: &T, weights: Option<&[F]>) -> Result<()>;

    /// The value over everything since the last reset; NaN where there was nothing.
    fn value(&self) -> f64;
}
