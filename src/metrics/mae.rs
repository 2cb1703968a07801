//! The mean absolute error as a metric.

use super::batch::{NumberBatch, check_width};
use super::counted::{Counted, metric_of_numbers};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The mean absolute error: `Σ_j |y_j - t_j| / m` for a sample of `m` numbers, averaged over all samples.
///
/// Predictions and targets are tensors `[batch, …]` of one shape; sample weights make a weighted mean. It is
/// scikit-learn's `mean_absolute_error`, and its unit that of the targets. It says the same as the loss
/// [`MeanAbsoluteError`](crate::losses::MeanAbsoluteError), of a model trained with any loss. The name is
/// "mean_absolute_error".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut error = MAE::default();
/// error.update(&arr2(&[[1.0f32], [5.0]]).into_dyn(), &arr2(&[[0.0], [2.0]]).into_dyn(), None)?;
/// assert_eq!(error.value(), 2.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MAE {
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// The weighted sum of magnitudes.
    sum: f64,
    /// The weights of all numbers seen.
    all: f64,
}

impl Counted for MAE {
    type Batch<'a> = NumberBatch;
    const KIND: Kind = Kind::builtin("mean_absolute_error");
    const DIRECTION: Direction = Direction::Lower;

    fn title(&self) -> &str {
        "mean_absolute_error"
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, batch: NumberBatch) -> Result<()> {
        check_width(self.columns, batch.columns())?;
        self.columns = batch.columns();
        for (output, target, weight) in batch.samples() {
            let magnitudes: f64 = output.iter().zip(target).map(|(y, t)| (y - t).abs()).sum();
            self.sum += weight * magnitudes;
            self.all += weight * output.len() as f64;
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

metric_of_numbers!(MAE);
