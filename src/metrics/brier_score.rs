//! The Brier score.

use super::batch::Share;
use super::counted::metric;
use super::mean::{Mean, Measure};

/// The Brier score: the mean squared distance between the predicted probabilities and the true classes; 0 is best.
///
/// ```text
/// two classes:   (p - t)²             from 0 to 1; p and t of class 1
/// more:          Σ_j (p_j - t_j)²     from 0 to 2
/// ```
///
/// `t` is 1 for the true class and 0 for the others; if the target is a distribution, it is the share of the class.
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with the probability of class 1; anything else is
/// an error. Targets are as for [`Accuracy`](crate::metrics::Accuracy), and sample weights make it a weighted mean. It
/// is scikit-learn's `brier_score_loss`, which halves the sum over the classes if there are two. So does this metric
/// for two outputs.
///
/// Like log loss, it is smallest if the predicted probabilities are the true ones; unlike log loss, it is bounded. The
/// name is "brier_loss", because lower is better.
///
/// Brier, "Verification of forecasts expressed in terms of probability", 1950.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut brier = BrierScore::default();
/// brier.update(&arr2(&[[0.75f32], [0.5]]).into_dyn(), &[1usize, 0][..], None)?;
/// assert_eq!(brier.value(), (0.0625 + 0.25) / 2.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BrierScore(Mean);

impl Default for BrierScore {
    /// Returns the metric without any samples.
    fn default() -> Self {
        Self(Mean::of("brier_score", Measure::Probabilities(distance)).named("brier_loss"))
    }
}

metric!(BrierScore: [usize], Tensor<F>; self => self.0);

/// Returns the squared distance of a sample's probabilities from its target.
fn distance(row: &[f64], share: Share<'_>) -> f64 {
    let square = |p: f64, class| (p - share.of(class)) * (p - share.of(class));
    match *row {
        [p] => square(p, 1),
        [p, q] => (square(p, 0) + square(q, 1)) / 2.0,
        _ => row.iter().enumerate().map(|(class, &p)| square(p, class)).sum(),
    }
}
