//! The Brier score.

use super::batch::{Given, check_width};
use super::counted::{Counted, metric_of_classes};
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The mean squared distance between the probabilities and what came true: 0 is best.
///
/// ```text
/// two classes:   (p - t)²             from 0 to 1; p and t of class 1
/// more:          Σ_j (p_j - t_j)²     from 0 to 2
/// ```
///
/// `t` is 1 for the true class and 0 for the others, or what a distribution as target says.
///
/// Predictions are probabilities `[batch, classes]`, or `[batch, 1]` with that of class 1, and an error where they
/// are none; targets are as for [`Accuracy`](crate::metrics::Accuracy), and sample weights make a weighted mean. It is
/// scikit-learn's `brier_score_loss`, which halves the sum over classes where there are two. Of two outputs it is
/// half the sum, too.
///
/// Like log loss it is least where the probabilities are the true ones, and unlike it, it is bounded. The name is
/// "brier_loss", as lower is better.
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
#[derive(Clone, Debug, Default)]
pub struct BrierScore {
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// The weighted sum of squares.
    sum: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl Counted for BrierScore {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("brier_score");
    const DIRECTION: Direction = Direction::Lower;

    fn title(&self) -> &str {
        "brier_loss"
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
        for (row, share, weight) in batch.shares() {
            let square = |p: f64, class| (p - share.of(class)) * (p - share.of(class));
            let distance = match *row {
                [p] => square(p, 1),
                [p, q] => (square(p, 0) + square(q, 1)) / 2.0,
                _ => row.iter().enumerate().map(|(class, &p)| square(p, class)).sum(),
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
        State::new().integer("columns", self.columns as u64).number("sum", self.sum).number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.columns = state.take_integer("columns")?;
        (self.sum, self.all) = (state.take_number("sum")?, state.take_number("all")?);
        Ok(())
    }
}

metric_of_classes!(BrierScore);
