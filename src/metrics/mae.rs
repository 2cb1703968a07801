//! The mean absolute error as a metric.

use super::counted::metric;
use super::mean::{Mean, Measure};

/// The mean absolute error: `Σ_j |y_j - t_j| / m` for a sample of `m` numbers, averaged over all samples.
///
/// Predictions and targets are tensors `[batch, …]` of the same shape; sample weights make it a weighted mean. It is
/// scikit-learn's `mean_absolute_error`, and its unit is that of the targets. It computes the same as the loss
/// [`MeanAbsoluteError`](crate::losses::MeanAbsoluteError), but for a model trained with any loss. The name is
/// "mean_absolute_error".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut error = MAE::default();
/// error.update(&arr2(&[[1.0f32], [5.0]]).into_dyn(), &arr2(&[[0.0], [2.0]]).into_dyn(), None)?;
/// assert_eq!(error.value(), 2.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MAE(Mean);

impl Default for MAE {
    /// Returns the metric without any samples.
    fn default() -> Self {
        Self(Mean::of("mean_absolute_error", Measure::Numbers(magnitudes)))
    }
}

metric!(MAE: Tensor<F>; self => self.0);

fn magnitudes(output: &[f64], target: &[f64]) -> f64 {
    output.iter().zip(target).map(|(y, t)| (y - t).abs()).sum()
}
