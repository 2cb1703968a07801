//! The root mean squared error.

use super::batch::{Given, NumberBatch, check_width};
use super::counted::{Counted, metric};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The root mean squared error: `√(Σ_i w_i · (y_i - t_i)² / Σ_i w_i)`, with a root for each value of a sample, averaged
/// over these values.
///
/// Predictions and targets are tensors `[batch, …]` of the same shape. It is scikit-learn's `root_mean_squared_error`:
/// with several values per sample, each value has its own root, and the result is the mean of the roots. (Keras takes
/// one root over all values.) Its unit is that of the targets. Large errors weigh more: one error of 10 counts as much
/// as a hundred errors of 1; in the mean absolute error it counts as much as ten. The name is
/// "root_mean_squared_error".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut error = RMSE::default();
/// error.update(&arr2(&[[1.0f32], [9.0]]).into_dyn(), &arr2(&[[0.0], [2.0]]).into_dyn(), None)?;
/// assert_eq!(error.value(), 5.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RMSE {
    /// The weighted sum of squared errors for each value of a sample; empty before the first batch.
    sums: Vec<f64>,
    /// The sum of the weights of all samples seen.
    all: f64,
}

impl RMSE {
    fn add(&mut self, batch: &NumberBatch) -> Result<()> {
        check_width(self.sums.len(), batch.columns())?;
        self.sums.resize(batch.columns(), 0.0);
        for (output, target, weight) in batch.samples() {
            for (sum, (y, t)) in self.sums.iter_mut().zip(output.iter().zip(target)) {
                *sum += weight * (y - t) * (y - t);
            }
            self.all += weight;
        }
        Ok(())
    }
}

impl Counted for RMSE {
    fn direction(&self) -> Direction {
        Direction::Lower
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(&given.numbers()?)
    }

    fn value(&self) -> f64 {
        self.sums.iter().map(|sum| (sum / self.all).sqrt()).sum::<f64>() / self.sums.len() as f64
    }

    fn kind(&self) -> Kind {
        Kind::builtin("root_mean_squared_error")
    }

    fn state<F: Scalar>(&self) -> State<F> {
        State::new().list("sums", self.sums.iter().copied()).number("all", self.all)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        (self.sums, self.all) = (state.take_list("sums")?, state.take_number("all")?);
        Ok(())
    }
}

metric!(RMSE: Tensor<F>);
