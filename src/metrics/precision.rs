//! Precision.

use super::class_counts::Average;
use super::counted::metric;
use super::decision::Decision;
use super::tally::{Ratio, Tally};
use crate::predictions::Thresholds;

/// The precision: the share of the samples predicted as a class that are of this class. It is low if there are false
/// alarms.
///
/// ```text
/// hits / predicted
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). With sample weights, `hits` is the weight
/// of the samples of the class that were predicted as it, and `predicted` the weight of all samples predicted as it. An
/// [`Average`] combines the values of the classes into one; the default is the macro mean. `0 / 0` is 0, as in
/// scikit-learn's `precision_score`.
///
/// It is also called positive predictive value.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::metrics::Average;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f32, 0.1], [0.2, 0.8], [0.3, 0.7]]).into_dyn();
/// let mut precision = Precision::default().average(Average::Class(1));
/// precision.update(&outputs, &[0usize, 1, 0][..], None)?;
/// assert_eq!(precision.value(), 0.5);
/// assert_eq!(precision.per_class(), [1.0, 0.5]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Precision(Tally);

impl Default for Precision {
    /// Returns the metric with the macro mean.
    fn default() -> Self {
        Self(Tally::of(Ratio::Precision))
    }
}

impl Precision {
    /// Sets how the values of the classes are averaged, and with it the metric's name: "precision", "micro_precision",
    /// "weighted_precision", "samples_precision", "precision_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.0.set_average(average);
        self
    }

    /// Returns the precision of each class, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.0.per_class()
    }

    /// Sets the threshold above which a single output means class 1: 0.5 for probabilities, 0 for logits.
    ///
    /// By default, a trainer derives the threshold from the loss ([`Metric::begin`](crate::metrics::Metric::begin)).
    /// Without a trainer, the default is 0.5, and values outside 0 to 1 are an error.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.0.decision.set_threshold(threshold);
        self
    }

    /// Expects several labels per sample: predictions and targets are `[batch, labels]`, each target is 0 or 1, and a
    /// label is predicted if its value is above its threshold.
    ///
    /// There is one threshold for all labels, or one for each ([`Thresholds`]). The average is over labels, or over
    /// samples with [`Average::Samples`]. Outputs of mutually exclusive classes are refused.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::metrics::Average;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f32, 0.8, 0.1], [0.2, 0.6, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0f32, 0.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn();
    /// let mut precision = Precision::default().multi_label(0.5).average(Average::Micro);
    /// precision.update(&outputs, &truth, None)?;
    /// assert_eq!(precision.value(), 3.0 / 4.0); // of four labels that were predicted, three are right
    /// assert_eq!(precision.per_class(), [1.0, 0.5, 1.0]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn multi_label(mut self, thresholds: impl Into<Thresholds>) -> Self {
        self.0.decision = Decision::Labels(thresholds.into());
        self
    }
}

metric!(Precision: [usize], Tensor<F>; self => self.0);
