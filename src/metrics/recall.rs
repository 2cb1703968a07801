//! Recall.

use super::class_counts::Average;
use super::counted::metric;
use super::decision::Decision;
use super::tally::{Ratio, Tally};
use crate::predictions::Thresholds;

/// Of the samples of a class, the share that was found: low where there are misses.
///
/// ```text
/// hits / support
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). Sample weights count in all three sums of
/// `class_counts.rs`: hits, predicted and support. What single classes have becomes one number by an [`Average`], the
/// macro mean unless said; `0 / 0` is 0, as scikit-learn's `recall_score` has it.
///
/// Of one class it is also called sensitivity, or true positive rate; that of class 0 against class 1 is the
/// specificity. The macro mean is the balanced accuracy, where each class has
/// samples.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Three of four are of class 0, and the model says 0 always.
/// let outputs = arr2(&[[0.9f32, 0.1]; 4]).into_dyn();
/// let mut recall = Recall::default();
/// recall.update(&outputs, &[0usize, 0, 0, 1][..], None)?;
/// assert_eq!(recall.value(), 0.5);
/// assert_eq!(recall.per_class(), [1.0, 0.0]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recall(Tally);

impl Default for Recall {
    /// The macro mean.
    fn default() -> Self {
        Self(Tally::of(Ratio::Recall))
    }
}

impl Recall {
    /// How the classes' numbers become one, and with it the metric's name: "recall", "micro_recall",
    /// "weighted_recall", "samples_recall", "recall_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.0.set_average(average);
        self
    }

    /// The recall of each class, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.0.per_class()
    }

    /// Above which number a single output stands for class 1, as
    /// [`Precision::threshold`](crate::metrics::Precision::threshold).
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.0.decision.set_threshold(threshold);
        self
    }

    /// Of several labels at once, as [`Precision::multi_label`](crate::metrics::Precision::multi_label).
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f32, 0.4, 0.1], [0.2, 0.6, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0f32, 1.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn();
    /// let mut recall = Recall::default().multi_label([0.5, 0.5, 0.8]);
    /// recall.update(&outputs, &truth, None)?;
    /// assert_eq!(recall.per_class(), [1.0, 0.5, 0.0]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn multi_label(mut self, thresholds: impl Into<Thresholds>) -> Self {
        self.0.decision = Decision::Labels(thresholds.into());
        self
    }
}

metric!(Recall: [usize], Tensor<F>; self => self.0);
