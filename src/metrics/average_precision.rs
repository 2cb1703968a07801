//! Average precision.

use super::batch::Given;
use super::class_counts::{Average, ratio};
use super::counted::{Counted, metric_of_classes};
use super::decision::Told;
use super::ranking::{Scores, ThresholdSums};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The precision at every threshold, each weighted by the recall that it adds: the area under the precision-recall
/// curve, as a sum of steps.
///
/// ```text
/// AP = Σ_t (recall_t - recall_t-1) · precision_t        over the distinct scores t, from the highest down
/// ```
///
/// Where positives are rare it says more than [`RocAuc`](crate::metrics::RocAuc): a guess has the share of the
/// positives, not 0.5. Predictions, targets, weights, averages and memory are as there: of one or two outputs it is
/// that of class 1, of more each class against the rest, averaged; several labels at once are said by
/// [`multi_label`](AveragePrecision::multi_label). It is scikit-learn's `average_precision_score`; a class without
/// samples has 0.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.1f64], [0.4], [0.35], [0.8]]).into_dyn();
/// let mut precision = AveragePrecision::default();
/// precision.update(&outputs, &[0usize, 0, 1, 1][..], None)?;
/// assert!((precision.value() - (0.5 * 1.0 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AveragePrecision {
    average: Average,
    /// "average_precision", with what the average adds to it.
    name: String,
    scores: Scores,
}

impl Default for AveragePrecision {
    /// That of class 1 of two classes, the macro mean of more.
    fn default() -> Self {
        let average = Average::Macro;
        Self { average, name: average.title("average_precision"), scores: Scores::default() }
    }
}

impl AveragePrecision {
    /// How the classes' numbers become one, and with it the metric's name: "average_precision",
    /// "micro_average_precision", "weighted_average_precision", "average_precision_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.name = average.title("average_precision");
        self.average = average;
        self
    }

    /// Of several labels at once, as [`RocAuc::multi_label`](crate::metrics::RocAuc::multi_label).
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f64, 0.8], [0.2, 0.6], [0.4, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]).into_dyn();
    /// let mut precision = AveragePrecision::default().multi_label();
    /// precision.update(&outputs, &truth, None)?;
    /// assert!((precision.value() - (1.0 + (1.0 / 2.0 + 2.0 / 3.0 / 2.0)) / 2.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn multi_label(mut self) -> Self {
        self.scores.several = true;
        self
    }

    /// The average precision of each class against the others, or of each label, in order; empty before the first
    /// batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.scores.per_class(area)
    }
}

impl Counted for AveragePrecision {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("average_precision");
    const DIRECTION: Direction = Direction::Higher;

    fn title(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.scores.begin(told, self.average)
    }

    fn clear(&mut self) {
        self.scores.clear();
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        self.scores.add(given, self.average)
    }

    fn result(&self) -> f64 {
        self.scores.value(self.average, area)
    }

    fn save<F: Scalar>(&self) -> State<F> {
        self.scores.save()
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.scores.restore(state)
    }
}

metric_of_classes!(AveragePrecision);

/// The sum of steps. Every cut has a weight above 0, so no precision is `0 / 0`.
fn area(cuts: &[ThresholdSums]) -> f64 {
    let (mut sum, mut hits) = (0.0, 0.0);
    for cut in cuts {
        sum += (cut.hits - hits) * (cut.hits / (cut.hits + cut.false_alarms));
        hits = cut.hits;
    }
    ratio(sum, hits)
}
