//! F-beta.

use super::tally::{Ratio, Tally, ratio_metric};

/// The F-beta score: the harmonic mean of precision and recall, in which recall counts `β` times as much. The default
/// is F1.
///
/// ```text
/// F_β = (1 + β²) · precision · recall / (β² · precision + recall)
///     = (1 + β²) · hits / (predicted + β² · support)
/// ```
///
/// It is computed in the second form, which is defined even if precision or recall is not. Predictions and targets are
/// as for [`Accuracy`](crate::metrics::Accuracy); averages, weights and `0 / 0` are as for
/// [`Precision`](crate::metrics::Precision), and as in scikit-learn's `fbeta_score`.
///
/// van Rijsbergen, "Information retrieval", 1979, chapter 7.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f64, 0.1], [0.2, 0.8], [0.3, 0.7]]).into_dyn();
/// let mut f1 = FBeta::default();
/// f1.update(&outputs, &[0usize, 1, 0][..], None)?;
/// assert!((f1.value() - 2.0 / 3.0).abs() < 1e-12);
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).metric(FBeta::beta(2.0)); // "f2"
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FBeta(Tally);

impl Default for FBeta {
    /// Returns F1 with the macro mean.
    fn default() -> Self {
        Self::beta(1.0)
    }
}

impl FBeta {
    /// Creates the metric with this `β`: 2 favours recall over precision, 0.5 the reverse. It must be at least 0 and
    /// finite, which the first batch checks.
    pub fn beta(beta: f64) -> Self {
        Self(Tally::of(Ratio::FBeta(beta)))
    }
}

ratio_metric!(
    FBeta, "f1";
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::metrics::Average;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f64, 0.8, 0.1], [0.2, 0.6, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]).into_dyn();
    /// let mut f1 = FBeta::default().multi_label(0.5).average(Average::Samples);
    /// f1.update(&outputs, &truth, None)?;
    /// assert!((f1.value() - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
);
