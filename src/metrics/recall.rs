//! Recall.

use super::tally::{Ratio, Tally, ratio_metric};

/// The recall: the share of the samples of a class that were found. It is low if there are misses.
///
/// ```text
/// hits / support
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). With sample weights, `hits` is the weight
/// of the samples of the class that were predicted as it, and `support` the weight of all samples of the class. An
/// [`Average`](crate::metrics::Average) combines the values of the classes into one; the default is the macro mean.
/// `0 / 0` is 0, as in scikit-learn's `recall_score`.
///
/// The recall of a single class is also called sensitivity, or true positive rate; the recall of class 0 against class
/// 1 is the specificity. If every class has samples, the macro mean is the balanced accuracy.
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
    /// Returns the metric with the macro mean.
    fn default() -> Self {
        Self(Tally::of(Ratio::Recall))
    }
}

ratio_metric!(
    Recall, "recall";
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
);
