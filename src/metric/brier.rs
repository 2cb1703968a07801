//! The Brier score.

use super::batch::{ClassBatch, OverClasses, check_width, metric_of_classes};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::state::State;

/// The mean squared distance between the probabilities and what came true: 0 is best.
///
/// ```text
/// two classes:   (p - y)²                       from 0 to 1; p of class 1, y = 0 or 1
/// more:          Σ_j (p_j - [j = label])²       from 0 to 2
/// ```
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with that of class 1; targets are as for
/// [`Accuracy`](crate::Accuracy), and sample weights make a weighted mean. It is scikit-learn's `brier_score_loss`,
/// which halves the sum over classes where there are two. Of two outputs it is half the sum, too.
///
/// Like log loss it is least where the probabilities are the true ones, and unlike it, it is bounded. The name is
/// "brier_loss", as lower is better.
///
/// Brier, "Verification of forecasts expressed in terms of probability", 1950.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut brier = BrierScore::default();
/// brier.update(&arr2(&[[0.75f32], [0.5]]).into_dyn(), &[1usize, 0][..], None)?;
/// assert_eq!(brier.value(), (0.0625 + 0.25) / 2.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BrierScore {
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// The weighted sum of squares.
    sum: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl OverClasses for BrierScore {
    fn title(&self) -> &str {
        "brier_loss"
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, batch: &ClassBatch<'_>) -> Result<()> {
        check_width(self.columns, batch.columns())?;
        self.columns = batch.columns();
        for (row, label, weight) in batch.samples() {
            let square = |p: f64, is: bool| (p - f64::from(is)) * (p - f64::from(is));
            let distance = match *row {
                [p] => square(p, label == 1),
                [p, q] => (square(p, label == 0) + square(q, label == 1)) / 2.0,
                _ => row.iter().enumerate().map(|(class, &p)| square(p, class == label)).sum(),
            };
            self.sum += weight * distance;
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

metric_of_classes!(BrierScore);
