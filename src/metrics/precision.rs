//! Precision.

use super::class_counts::Average;
use super::counted::metric;
use super::decision::Decision;
use super::tally::{Ratio, Tally};
use crate::predictions::Thresholds;

/// Of the samples predicted as a class, the share that is of it: low where there are false alarms.
///
/// ```text
/// hits / predicted
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). Sample weights count in all three sums of
/// `class_counts.rs`: hits, predicted and support. What single classes have becomes one number by an [`Average`], the
/// macro mean unless said; `0 / 0` is 0, as scikit-learn's `precision_score` has it.
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
    /// The macro mean.
    fn default() -> Self {
        Self(Tally::of(Ratio::Precision))
    }
}

impl Precision {
    /// How the classes' numbers become one, and with it the metric's name: "precision", "micro_precision",
    /// "weighted_precision", "samples_precision", "precision_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.0.set_average(average);
        self
    }

    /// The precision of each class, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.0.per_class()
    }

    /// Above which number a single output stands for class 1: 0.5 for probabilities, 0 for logits.
    ///
    /// A trainer tells the metric by the loss ([`Metric::begin`](crate::metrics::Metric::begin)); by hand 0.5 is taken
    /// for numbers from 0 to 1, and others are an error.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.0.decision.set_threshold(threshold);
        self
    }

    /// Of several labels at once: predictions and targets are `[batch, labels]`, targets 0 or 1 in each number, and a
    /// label is predicted where its number is above the threshold.
    ///
    /// One threshold for all labels, or one for each ([`Thresholds`]). The average is over labels, or over samples
    /// ([`Average::Samples`]). Classes that exclude each other are refused.
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
