//! The root mean squared error.

use super::batch::{Given, NumberBatch, check_width};
use super::counted::{Counted, metric};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The root mean squared error: `√(Σ_i w_i · (y_i - t_i)² / Σ_i w_i)`, a root for each number of a sample, and their
/// mean.
///
/// Predictions and targets are tensors `[batch, …]` of one shape. It is scikit-learn's `root_mean_squared_error`:
/// with several numbers a sample, each has its own root, and the value is the mean of these. (Keras has one root over
/// all numbers.) Its unit is that of the targets; an error of 10 counts like a hundred of 1, where the absolute error
/// takes it for ten. The name is "root_mean_squared_error".
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
    /// The weighted sum of squares of each number of a sample; empty before the first batch.
    sums: Vec<f64>,
    /// The weights of all samples seen.
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
