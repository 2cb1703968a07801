//! Precision.

use super::tally::{Ratio, Tally, ratio_metric};

/// The precision: the share of the samples predicted as a class that are of this class. It is low if there are false
/// alarms.
///
/// ```text
/// hits / predicted
/// ```
///
/// Predictions and targets are as for [`Accuracy`](crate::metrics::Accuracy). With sample weights, `hits` is the weight
/// of the samples of the class that were predicted as it, and `predicted` the weight of all samples predicted as it. An
/// [`Average`](crate::metrics::Average) combines the values of the classes into one; the default is the macro mean.
/// `0 / 0` is 0, as in scikit-learn's `precision_score`.
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

ratio_metric!(
    Precision, "precision";
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
);
