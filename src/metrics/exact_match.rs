//! Exact match.

use super::batch::{Given, check_width};
use super::counted::{Counted, metric_of_labels};
use super::decision::{Decision, Told};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::Thresholds;
use crate::state::State;

/// The share of samples of which every label is right: those that it has, and those that it has not.
///
/// ```text
/// Σ_i w_i · [all labels of sample i are right] / Σ_i w_i
/// ```
///
/// Where a sample may have several labels it is the strictest measure, and falls as labels grow in number;
/// [`HammingLoss`](crate::metrics::HammingLoss) counts them one by one. Predictions and targets are tensors `[batch,
/// labels]`, targets 0 or 1 in each number; a label is predicted where its number is above the threshold. Sample
/// weights count. It is scikit-learn's `accuracy_score` of such targets, also called subset accuracy. The name is
/// "exact_match".
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.9f32, 0.8], [0.2, 0.6]]).into_dyn();
/// let mut exact = ExactMatch::multi_label(0.5);
/// exact.update(&outputs, &arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn(), None)?;
/// assert_eq!(exact.value(), 0.5);
///
/// let error = exact.update(&outputs, &arr2(&[[1.0, 0.0], [0.0, 0.3]]).into_dyn(), None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "exact_match: the target of sample 1 in the batch must be 0 or 1 for each label, got 0.30000001192092896. \
///      A sample either has a label or does not; shares of labels cannot be counted."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExactMatch(LabelHits);

impl ExactMatch {
    /// With one threshold for all labels, or one for each: 0.5 for probabilities, 0 for logits.
    pub fn multi_label(thresholds: impl Into<Thresholds>) -> Self {
        Self(LabelHits::by(thresholds.into()))
    }
}

/// How many samples were right, as a measure of a sample's wrong labels says.
#[derive(Clone, Debug)]
pub(super) struct LabelHits {
    thresholds: Thresholds,
    /// How many labels there are; 0 before the first batch.
    columns: usize,
    /// The weighted sum.
    sum: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl LabelHits {
    pub(super) fn by(thresholds: Thresholds) -> Self {
        Self { thresholds, columns: 0, sum: 0.0, all: 0.0 }
    }

    pub(super) fn begin(&self, told: &Told) -> Result<()> {
        Decision::Labels(self.thresholds.clone()).begin(told)
    }

    pub(super) fn clear(&mut self) {
        (self.columns, self.sum, self.all) = (0, 0.0, 0.0);
    }

    /// Adds what `measure` makes of the number of wrong labels and of all labels of a sample.
    pub(super) fn add(&mut self, given: Given<'_>, measure: impl Fn(usize, usize) -> f64) -> Result<()> {
        let batch = given.labels()?;
        let (columns, predicted) = (batch.columns(), batch.predicted(&self.thresholds)?);
        check_width(self.columns, columns)?;
        self.columns = columns;
        for ((_, truth, weight), predicted) in batch.samples().zip(predicted.chunks_exact(columns)) {
            let wrong = truth.iter().zip(predicted).filter(|(truth, predicted)| truth != predicted).count();
            self.sum += weight * measure(wrong, columns);
            self.all += weight;
        }
        Ok(())
    }

    /// The mean over samples; NaN where there were none.
    pub(super) fn result(&self) -> f64 {
        self.sum / self.all
    }

    pub(super) fn save<F: Scalar>(&self) -> State<F> {
        State::new().integer("columns", self.columns as u64).number("sum", self.sum).number("all", self.all)
    }

    pub(super) fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.columns = state.take_integer("columns")?;
        (self.sum, self.all) = (state.take_number("sum")?, state.take_number("all")?);
        Ok(())
    }
}

/// [`Counted`] for a measure of the number of wrong labels among all labels of a sample.
macro_rules! counted_by_sample {
    ($metric:ident, $title:literal, $direction:ident, $measure:expr) => {
        impl Counted for $metric {
            type Batch<'a> = Given<'a>;
            const KIND: crate::state::Kind = crate::state::Kind::builtin($title);
            const DIRECTION: Direction = Direction::$direction;

            fn title(&self) -> &str {
                $title
            }

            fn begin(&mut self, told: &Told) -> Result<()> {
                self.0.begin(told)
            }

            fn clear(&mut self) {
                self.0.clear();
            }

            fn add(&mut self, given: Given<'_>) -> Result<()> {
                self.0.add(given, $measure)
            }

            fn result(&self) -> f64 {
                self.0.result()
            }

            fn save<F: Scalar>(&self) -> State<F> {
                self.0.save()
            }

            fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
                self.0.restore(state)
            }
        }
    };
}
pub(super) use counted_by_sample;

counted_by_sample!(ExactMatch, "exact_match", Higher, |wrong, _| f64::from(wrong == 0));
metric_of_labels!(ExactMatch);
