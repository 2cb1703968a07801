//! The coefficient of determination.

use super::batch::{Given, NumberBatch, check_width};
use super::counted::{Counted, metric};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The coefficient of determination, R²: the share of the targets' variance that the predictions account for.
///
/// ```text
/// R² = 1 - Σ_i w_i · (y_i - t_i)² / Σ_i w_i · (t_i - t̄)²           t̄ the weighted mean of the targets
/// ```
///
/// Exact predictions give 1, predicting the mean gives 0, and worse predictions give less than 0. Predictions and
/// targets are tensors `[batch, …]` of the same shape; with several values per sample, each has its own R², and the
/// result is their mean, as in scikit-learn's `r2_score`. As there, targets without variance give 1 if every prediction
/// is exact, else 0, and fewer than two samples give NaN. (A sample of weight 0 is not counted.)
///
/// The mean of the targets is known only after the last batch. The sum of squares about it is updated with each sample
/// by the recurrence of Welford, "Note on a method for calculating corrected sums of squares and products", 1962, in
/// the weighted form of West, 1979, which loses no digits if the mean is large and the variance small.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut r2 = R2::default();
/// r2.update(&arr2(&[[1.0f32], [2.0], [3.0]]).into_dyn(), &arr2(&[[1.0], [2.0], [5.0]]).into_dyn(), None)?;
/// assert!((r2.value() - (1.0 - 4.0 / (26.0 / 3.0))).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct R2 {
    /// The sums of each value of a sample; empty before the first batch.
    sums: Vec<Sums>,
    /// The sum of the weights of all samples seen.
    all: f64,
    /// The number of samples with a weight above 0.
    samples: usize,
}

/// The sums of one value of a sample.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// The weighted mean of the targets.
    mean: f64,
    /// The weighted sum of the squared differences of the targets from their mean.
    spread: f64,
    /// The weighted sum of squared errors.
    error: f64,
}

impl R2 {
    fn add(&mut self, batch: &NumberBatch) -> Result<()> {
        check_width(self.sums.len(), batch.columns())?;
        self.sums.resize(batch.columns(), Sums::default());
        for (output, target, weight) in batch.samples() {
            self.samples += 1;
            self.all += weight;
            for (sums, (y, t)) in self.sums.iter_mut().zip(output.iter().zip(target)) {
                let before = t - sums.mean;
                sums.mean += before * (weight / self.all);
                sums.spread += weight * before * (t - sums.mean);
                sums.error += weight * (y - t) * (y - t);
            }
        }
        Ok(())
    }
}

impl Counted for R2 {
    fn direction(&self) -> Direction {
        Direction::Higher
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(&given.numbers()?)
    }

    fn value(&self) -> f64 {
        if self.samples < 2 {
            return f64::NAN;
        }
        let of = |sums: &Sums| match (sums.spread, sums.error) {
            (0.0, 0.0) => 1.0,
            (0.0, _) => 0.0,
            (spread, error) => 1.0 - error / spread,
        };
        self.sums.iter().map(of).sum::<f64>() / self.sums.len() as f64
    }

    fn kind(&self) -> Kind {
        Kind::builtin("r2")
    }

    fn state<F: Scalar>(&self) -> State<F> {
        let sums = self.sums.iter().flat_map(|sums| [sums.mean, sums.spread, sums.error]);
        State::new().list("sums", sums).number("all", self.all).integer("samples", self.samples as u64)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let rows = state.take_rows("sums")?;
        self.sums = rows.into_iter().map(|[mean, spread, error]| Sums { mean, spread, error }).collect();
        (self.all, self.samples) = (state.take_number("all")?, state.take_integer("samples")?);
        Ok(())
    }
}

metric!(R2: Tensor<F>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;
    use crate::tensor::Tensor;

    #[test]
    fn targets_without_variance_and_single_samples() {
        let column = |values: &[f64]| Tensor::from_shape_vec(vec![values.len(), 1], values.to_vec()).unwrap();
        let of = |y: &[f64], t: &[f64], w: Option<&[f64]>| {
            let mut r2 = R2::default();
            Metric::update(&mut r2, &column(y), &column(t), w).unwrap();
            r2.value()
        };
        let weights = [0.3, 1.7, 0.9];
        assert_eq!(of(&[1.5; 3], &[1.5; 3], Some(&weights)), 1.0);
        assert_eq!(of(&[1.5, 1.5, 2.0], &[1.5; 3], Some(&weights)), 0.0);
        assert!(of(&[1.0], &[1.0], None).is_nan());
        assert!(of(&[1.0, 2.0], &[1.0, 2.0], Some(&[1.0, 0.0])).is_nan());
    }
}
