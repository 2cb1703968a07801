//! Log loss.

use super::batch::{Given, check_width, probability};
use super::counted::{Counted, metric_of_classes};
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// Cross-entropy as a metric: the mean of `-ln p` of the true class, `p` kept within `[ε, 1 - ε]`.
///
/// ```text
/// Σ_i w_i · -Σ_c t_ic · ln p_ic / Σ_i w_i          ε = 2.2e-16
/// ```
///
/// `t` is 1 for the true class and 0 for the others, or what a distribution as target says.
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with that of class 1; targets are as for
/// [`Accuracy`](crate::metrics::Accuracy). It is scikit-learn's `log_loss`, with its clamp, so a probability of 0 costs
/// 36.04 and not infinity. What it has beyond the loss of the same name is that a model trained with another loss can
/// be looked at by it. Its unit is the nat.
///
/// Logits are not probabilities, and an error: every number lies between 0 and 1, and of several the sum is 1 within
/// a thousandth.
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
#[derive(Clone, Debug, Default)]
pub struct LogLoss {
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// The weighted sum of `-ln p`.
    sum: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl Counted for LogLoss {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("log_loss");
    const DIRECTION: Direction = Direction::Lower;

    fn title(&self) -> &str {
        "log_loss"
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        told.of_probabilities()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        let batch = given.probabilities()?;
        check_width(self.columns, batch.columns())?;
        self.columns = batch.columns();
        let classes = batch.classes();
        for (row, share, weight) in batch.shares() {
            let loss = |class| match share.of(class) {
                0.0 => 0.0,
                share => -share * probability(row, class).clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln(),
            };
            self.sum += weight * (0..classes).map(loss).sum::<f64>();
            self.all += weight;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.sum / self.all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        State::new().integer("columns", self.columns as u64).number("sum", self.sum).number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.columns = state.take_integer("columns")?;
        (self.sum, self.all) = (state.take_number("sum")?, state.take_number("all")?);
        Ok(())
    }
}

metric_of_classes!(LogLoss);
