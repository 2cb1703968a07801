//! Log loss.

use super::batch::{Share, probability};
use super::counted::metric;
use super::mean::{Mean, Measure};

/// The log loss: cross-entropy as a metric, the mean of `-ln p` of the true class, with `p` kept within `[ε, 1 - ε]`.
///
/// ```text
/// Σ_i w_i · -Σ_c t_ic · ln p_ic / Σ_i w_i          ε = 2.2e-16
/// ```
///
/// `t` is 1 for the true class and 0 for the others; if the target is a distribution, it is the share of the class.
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with the probability of class 1; targets are as
/// for [`Accuracy`](crate::metrics::Accuracy). It is scikit-learn's `log_loss`, with the same clamp, so a probability
/// of 0 costs 36.04 and not infinity. Unlike the loss, the metric can also be used on a model that was trained with
/// another loss. Its unit is the nat.
///
/// Logits are an error: each value must be between 0 and 1, and the sum of several must be 1 within a thousandth.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.5f64, 0.25, 0.25]]).into_dyn();
/// let mut loss = LogLoss::default();
/// loss.update(&outputs, &[1usize][..], None)?;
/// assert!((loss.value() - 4f64.ln()).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogLoss(Mean);

impl Default for LogLoss {
    /// Returns the metric without any samples.
    fn default() -> Self {
        Self(Mean::of("log_loss", Measure::Probabilities(loss)))
    }
}

metric!(LogLoss: [usize], Tensor<F>; self => self.0);

/// Returns `-Σ_c t_c · ln p_c` of a sample.
fn loss(row: &[f64], share: Share<'_>) -> f64 {
    let of = |class| match share.of(class) {
        0.0 => 0.0,
        share => -share * probability(row, class).clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln(),
    };
    (0..row.len().max(2)).map(of).sum()
}
