//! Exact match.

use super::counted::metric;
use super::mean::{Mean, Measure};
use crate::predictions::Thresholds;

/// The exact match: the share of samples whose labels are all right, those that a sample has and those that it does not
/// have.
///
/// ```text
/// Σ_i w_i · [all labels of sample i are right] / Σ_i w_i
/// ```
///
/// For samples that may have several labels it is the strictest measure, and it falls as the number of labels grows;
/// [`HammingLoss`](crate::metrics::HammingLoss) counts the labels one by one. Predictions and targets are tensors
/// `[batch, labels]`, and each target is 0 or 1; a label is predicted if its value is above its threshold. Sample
/// weights count. It is scikit-learn's `accuracy_score` for such targets, also called subset accuracy. The name is
/// "exact_match".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f32, 0.8], [0.2, 0.6]]).into_dyn();
/// let mut exact = ExactMatch::multi_label(0.5);
/// exact.update(&outputs, &arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn(), None)?;
/// assert_eq!(exact.value(), 0.5);
///
/// let error = exact.update(&outputs, &arr2(&[[1.0, 0.0], [0.0, 0.3]]).into_dyn(), None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "exact_match: the target of sample 1 in the batch must be 0 or 1 for each label, got 0.3. \
///      A sample either has a label or does not; shares of labels cannot be counted."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExactMatch(Mean);

impl ExactMatch {
    /// Creates the metric with one threshold for all labels, or one for each: 0.5 for probabilities, 0 for logits.
    pub fn multi_label(thresholds: impl Into<Thresholds>) -> Self {
        let is_right = |wrong, _| f64::from(wrong == 0);
        Self(Mean::of("exact_match", Measure::Labels(thresholds.into(), is_right)).higher_is_better())
    }
}

metric!(ExactMatch: Tensor<F>; self => self.0);
