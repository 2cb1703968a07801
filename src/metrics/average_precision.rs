//! Average precision.

use super::class_counts::{Average, ratio};
use super::counted::metric;
use super::ranking::{Scores, ThresholdSums};

/// The average precision: the mean of the precision at every threshold, weighted by the increase in recall. It is the
/// area under the precision-recall curve, as a sum of steps.
///
/// ```text
/// AP = Σ_t (recall_t - recall_t-1) · precision_t        over the distinct scores t, from the highest down
/// ```
///
/// If positives are rare, it says more than [`RocAuc`](crate::metrics::RocAuc): random scores reach the share of the
/// positives, not 0.5. Predictions, targets, weights, averages and memory are as for `RocAuc`. With one or two outputs
/// it is the value of class 1; with more, each class is ranked against the rest, and the values are averaged. For
/// several labels per sample, call [`multi_label`](AveragePrecision::multi_label). It is scikit-learn's
/// `average_precision_score`; a class without samples has 0.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.1f64], [0.4], [0.35], [0.8]]).into_dyn();
/// let mut precision = AveragePrecision::default();
/// precision.update(&outputs, &[0usize, 0, 1, 1][..], None)?;
/// assert!((precision.value() - (0.5 * 1.0 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AveragePrecision(Scores);

impl Default for AveragePrecision {
    /// Returns the metric for class 1 of two classes, or with the macro mean over more.
    fn default() -> Self {
        Self(Scores::of("average_precision", area))
    }
}

impl AveragePrecision {
    /// Sets how the values of the classes are averaged, and with it the metric's name: "average_precision",
    /// "micro_average_precision", "weighted_average_precision", "average_precision_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.0.set_average(average);
        self
    }

    /// Expects several labels per sample, as [`RocAuc::multi_label`](crate::metrics::RocAuc::multi_label) does.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f64, 0.8], [0.2, 0.6], [0.4, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]).into_dyn();
    /// let mut precision = AveragePrecision::default().multi_label();
    /// precision.update(&outputs, &truth, None)?;
    /// assert!((precision.value() - (1.0 + (1.0 / 2.0 + 2.0 / 3.0 / 2.0)) / 2.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn multi_label(mut self) -> Self {
        self.0.several = true;
        self
    }

    /// Returns the average precision of each class against the others, or of each label, in order; empty before the
    /// first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.0.per_class()
    }
}

metric!(AveragePrecision: [usize], Tensor<F>; self => self.0);

/// Returns the sum of steps. Every cut has a weight above 0, so no precision is `0 / 0`.
fn area(cuts: &[ThresholdSums]) -> f64 {
    let (mut sum, mut hits) = (0.0, 0.0);
    for cut in cuts {
        sum += (cut.hits - hits) * (cut.hits / (cut.hits + cut.false_alarms));
        hits = cut.hits;
    }
    ratio(sum, hits)
}
