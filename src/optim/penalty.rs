//! Penalties on weights and limits on their norms: what Keras calls regularizers and constraints.
//!
//! ```text
//! penalty     l1 · Σ|w| + l2 · Σw²             gradient     l1 · sign(w) + 2 · l2 · w
//! max norm    w = w · limit / (‖w‖ + 1e-7)     for each unit whose ‖w‖ is above the limit
//! ```
//!
//! A penalty is a part of the minimized objective, so its gradient is added before clipping (`clip.rs`), once per step,
//! however many batches the step has. The limit is applied after the rule's update, to values that are still in the
//! caches, and before averages are taken; a mean of weights within the limit is within the limit.

use super::update_param::columns_of;
use crate::kernels::Scalar;
use crate::param::{Param, PendingGradient};
use crate::tensor::{recycle, scratch, slice_mut};

/// The factors of a parameter's penalties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Penalty {
    /// The factor of the sum of magnitudes.
    pub l1: f64,
    /// The factor of the sum of squares.
    pub l2: f64,
}

impl Penalty {
    /// Adds the gradient of the penalty at these values.
    pub fn add<F: Scalar>(self, gradient: &mut [F], value: &[F]) {
        F::penalise(gradient, value, F::of(self.l1), F::of(2.0 * self.l2));
    }

    /// Returns the penalty of these values.
    pub fn value<F: Scalar>(self, value: &[F]) -> f64 {
        let mut magnitudes = [F::zero()];
        F::sum_magnitudes_rows(value, value.len().max(1), &mut magnitudes[..value.len().min(1)]);
        self.l1 * magnitudes[0].as_f64() + self.l2 * F::sum_squares(value)
    }
}

/// Limits the norm of each unit's weights: a column if the units are the last axis, else one index of axis 0. If the
/// gradient is sparse, only its rows can have changed.
pub(super) fn hold<F: Scalar>(param: &mut Param<F>, limit: f64) {
    if param.shape().len() < 2 {
        return;
    }
    let (limit, columns) = (F::of(limit), columns_of(param.shape()));
    if param.is_transposed() {
        hold_columns(param.as_slice_mut(), columns, limit);
    } else if let Some((value, PendingGradient::Rows(ids, _))) = param.pending() {
        for run in ids.chunk_by(|a, b| a + 1 == *b) {
            hold_rows(&mut value[run[0] * columns..][..run.len() * columns], columns, limit);
        }
    } else {
        hold_rows(param.as_slice_mut(), columns, limit);
    }
}

fn hold_rows<F: Scalar>(value: &mut [F], columns: usize, limit: F) {
    let mut factors = scratch(&[value.len() / columns.max(1)]);
    F::dot_rows(value, value, columns, slice_mut(&mut factors));
    if F::shortenings(slice_mut(&mut factors), limit) {
        F::scale_rows(value, columns, slice_mut(&mut factors));
    }
    recycle(factors);
}

fn hold_columns<F: Scalar>(value: &mut [F], columns: usize, limit: F) {
    let mut factors = scratch(&[columns]);
    F::dot_columns(value, value, F::zero(), slice_mut(&mut factors));
    if F::shortenings(slice_mut(&mut factors), limit) {
        F::scale_channels(value, 1, slice_mut(&mut factors));
    }
    recycle(factors);
}
