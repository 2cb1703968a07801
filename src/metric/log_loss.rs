//! Log loss.

use super::batch::{ClassBatch, OverClasses, check_width, metric_of_classes, probability};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::state::State;

/// Cross-entropy as a metric: the mean of `-ln p` of the true class, `p` kept within `[ε, 1 - ε]`.
///
/// ```text
/// Σ_i w_i · -ln p_i / Σ_i w_i          ε = 2.2e-16
/// ```
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with that of class 1; targets are as for
/// [`Accuracy`](crate::Accuracy). It is scikit-learn's `log_loss`, with its clamp, so a probability of 0 costs 36.04
/// and not infinity. What it has beyond the loss of the same name is that a model trained with another loss can be
/// looked at by it. Its unit is the nat.
///
/// Logits are not probabilities: they are clamped, too, and the value means nothing.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.5f64, 0.25, 0.25]]).into_dyn();
/// let mut loss = LogLoss::default();
/// loss.update(&outputs, &[1usize][..], None)?;
/// assert!((loss.value() - 4f64.ln()).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LogLoss {
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// The weighted sum of `-ln p`.
    sum: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl OverClasses for LogLoss {
    fn title(&self) -> &str {
        "log_loss"
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, batch: &ClassBatch<'_>) -> Result<()> {
        check_width(self.columns, batch.columns())?;
        self.columns = batch.columns();
        for (row, label, weight) in batch.samples() {
            let p = probability(row, label).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            self.sum -= weight * p.ln();
            self.all += weight;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.sum / self.all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        State::new().count("columns", self.columns).number("sum", self.sum).number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.columns = state.take_count("columns")?;
        (self.sum, self.all) = (state.take_number("sum")?, state.take_number("all")?);
        Ok(())
    }
}

metric_of_classes!(LogLoss);
