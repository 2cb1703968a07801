//! The Hamming loss.

use super::counted::metric;
use super::mean::{Mean, Measure};
use crate::predictions::Thresholds;

/// The Hamming loss: the share of labels that are wrong, for samples that may have several labels.
///
/// ```text
/// Σ_i w_i · (wrong labels of sample i / labels) / Σ_i w_i
/// ```
///
/// A label that a sample does not have and that was not predicted counts as right. If labels are rare, predicting none
/// of them has a low loss, so look at recall too. Predictions and targets are tensors `[batch, labels]`, and each
/// target is 0 or 1; a label is predicted if its value is above its threshold. Sample weights count. It is
/// scikit-learn's `hamming_loss`, and lower is better. The name is "hamming_loss".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f32, 0.8], [0.2, 0.6]]).into_dyn();
/// let mut loss = HammingLoss::multi_label(0.5);
/// loss.update(&outputs, &arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn(), None)?;
/// assert_eq!(loss.value(), 0.25); // one of four
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HammingLoss(Mean);

impl HammingLoss {
    /// Creates the metric with one threshold for all labels, or one for each: 0.5 for probabilities, 0 for logits.
    pub fn multi_label(thresholds: impl Into<Thresholds>) -> Self {
        let share = |wrong, labels| wrong as f64 / labels as f64;
        Self(Mean::of("hamming_loss", Measure::Labels(thresholds.into(), share)))
    }
}

metric!(HammingLoss: Tensor<F>; self => self.0);
