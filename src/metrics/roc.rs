//! The ROC curve and the area under it.

use super::batch::Given;
use super::class_counts::Average;
use super::counted::{Counted, metric_of_classes};
use super::decision::Told;
use super::ranking::{Scored, Scores, ThresholdSums, rank};
use crate::codec::{checked, contradicts};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::check_weights;
use crate::shown::{count, listed};
use crate::state::{Kind, State};
use serde::{Deserialize, Serialize};

/// The area under the ROC curve: how often a sample of the class is ranked above one that is not of it.
///
/// ```text
/// AUC = P(score of a positive > score of a negative) + P(both equal) / 2
///     = Σ_t (FPR_t - FPR_t-1) · (TPR_t + TPR_t-1) / 2          over the distinct scores t, from the highest down
/// ```
///
/// 0.5 is what guessing has, 1 a perfect order. It needs no threshold, and does not change under increasing functions
/// of the scores, so probabilities and logits do alike.
///
/// | predictions | what it is |
/// |---|---|
/// | `[batch, 1]` or `[batch, 2]` | that of class 1, whatever the average, unless class 0 is asked for |
/// | `[batch, classes]` | each class against the rest, averaged: the macro mean unless said |
///
/// Targets are as for [`Accuracy`](crate::metrics::Accuracy); sample weights count. It is scikit-learn's
/// `roc_auc_score` with `multi_class="ovr"`, ties and all. A class of which all samples are, or none, has no area: its
/// own value and the macro mean are NaN. The weighted mean leaves out a class without samples. For several labels at
/// once say [`multi_label`](RocAuc::multi_label).
///
/// It keeps the scores of all samples, 8 bytes for each number (16 with `multi_label`), and sorts them when the value
/// is asked for: nothing is approximated by bins. Over training data, every redrawing of a progress bar asks.
///
/// Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.1f32], [0.4], [0.35], [0.8]]).into_dyn();
/// let mut auc = RocAuc::default();
/// auc.update(&outputs, &[0usize, 0, 1, 1][..], None)?;
/// assert_eq!(auc.value(), 0.75); // of four pairs, one in the wrong order
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RocAuc {
    average: Average,
    /// "roc_auc", with what the average adds to it.
    name: String,
    scores: Scores,
}

impl Default for RocAuc {
    /// That of class 1 of two classes, the macro mean of more.
    fn default() -> Self {
        Self { average: Average::Macro, name: Average::Macro.title("roc_auc"), scores: Scores::default() }
    }
}

impl RocAuc {
    /// How the classes' areas become one, and with it the metric's name: "roc_auc", "micro_roc_auc",
    /// "weighted_roc_auc", "roc_auc_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.name = average.title("roc_auc");
        self.average = average;
        self
    }

    /// Of several labels at once: predictions and targets are `[batch, labels]`, targets 0 or 1 in each number. Each
    /// label has its own area, and the average is over labels; no threshold is needed. A label that no sample has, or
    /// every one, has no area: its value and the macro mean are NaN.
    ///
    /// Classes that exclude each other are refused.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let outputs = arr2(&[[0.9f32, 0.8], [0.2, 0.6], [0.4, 0.7]]).into_dyn();
    /// let truth = arr2(&[[1.0f32, 1.0], [0.0, 1.0], [1.0, 0.0]]).into_dyn();
    /// let mut auc = RocAuc::default().multi_label();
    /// auc.update(&outputs, &truth, None)?;
    /// assert_eq!(auc.per_class(), [1.0, 0.5]);
    /// assert_eq!(auc.value(), 0.75);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn multi_label(mut self) -> Self {
        self.scores.several = true;
        self
    }

    /// The area of each class against the others, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.scores.per_class(area)
    }

    /// The curve of each class against the others, or of each label, in order; empty before the first batch. One
    /// without positives or without negatives has NaN for rates, and `plot::roc` leaves it out.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let mut auc = RocAuc::default().multi_label();
    /// let truth = arr2(&[[1.0f32, 0.0], [0.0, 1.0]]).into_dyn();
    /// auc.update(&arr2(&[[0.9f32, 0.8], [0.2, 0.6]]).into_dyn(), &truth, None)?;
    /// let curves = auc.curves();
    /// assert_eq!((curves[0].area(), curves[1].area()), (1.0, 0.0));
    /// # #[cfg(feature = "plots")]
    /// let figure = plot::roc(["rain", "wind"].into_iter().zip(&curves))?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn curves(&self) -> Vec<RocCurve> {
        self.scores.of_classes(|cuts| RocCurve::through(&cuts))
    }
}

impl Counted for RocAuc {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("roc_auc");
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

metric_of_classes!(RocAuc);

/// The area by trapezia; NaN where there are no positives or no negatives.
fn area(cuts: &[ThresholdSums]) -> f64 {
    let Some(last) = cuts.last() else { return f64::NAN };
    let (mut sum, mut hits, mut false_alarms) = (0.0, 0.0, 0.0);
    for cut in cuts {
        sum += (cut.false_alarms - false_alarms) * (cut.hits + hits) / 2.0;
        (hits, false_alarms) = (cut.hits, cut.false_alarms);
    }
    // 0 / 0 without positives or negatives: the NaN that is promised.
    sum / (last.hits * last.false_alarms)
}

/// The points of a ROC curve, for plots and for the choice of a threshold; all three lists are of one length.
///
/// The first point is (0, 0), at an infinite threshold, where no sample is called positive; the last is (1, 1).
/// Between them is one for each distinct score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct RocCurve {
    /// Falling: a sample is called positive where its score is at or above the threshold.
    #[serde(with = "crate::codec::words")]
    pub thresholds: Vec<f64>,
    /// The share of the negatives that are called positive: 1 - specificity.
    #[serde(with = "crate::codec::words")]
    pub false_positive_rates: Vec<f64>,
    /// The share of the positives that are called positive: sensitivity, recall.
    #[serde(with = "crate::codec::words")]
    pub true_positive_rates: Vec<f64>,
}

checked!(RocCurve);

impl RocCurve {
    /// What is read must not contradict itself.
    fn check(&self) -> Result<()> {
        let Self { thresholds, false_positive_rates, true_positive_rates } = self;
        let n = thresholds.len();
        if false_positive_rates.len() != n || true_positive_rates.len() != n {
            let found = format!("{} and {}", false_positive_rates.len(), true_positive_rates.len());
            return Err(contradicts(
                "the ROC curve",
                format!("have two rates for each of {}", count(n, "threshold", "thresholds")),
                found,
            ));
        }
        let falling = thresholds.is_sorted_by(|a, b| a >= b) && thresholds.iter().all(|t| !t.is_nan());
        if !falling {
            return Err(contradicts(
                "the thresholds of the ROC curve",
                "be falling numbers",
                shown(thresholds),
            ));
        }
        for (what, rates) in [("false", false_positive_rates), ("true", true_positive_rates)] {
            // Without negatives, or positives, there is no rate at all.
            let none = rates.iter().all(|rate| rate.is_nan());
            let shares = rates.iter().all(|rate| (0.0..=1.0).contains(rate));
            if !(none || shares && rates.is_sorted()) {
                let what = format!("the {what} positive rates of the ROC curve");
                return Err(contradicts(&what, "be from 0 to 1 and rising, or all NaN", shown(rates)));
            }
        }
        Ok(())
    }
}

/// The first of these numbers.
fn shown(numbers: &[f64]) -> String {
    let shown: Vec<String> = numbers.iter().map(f64::to_string).collect();
    listed(&shown, 10)
}

impl RocCurve {
    /// Through these points, and (0, 0) before them.
    fn through(cuts: &[ThresholdSums]) -> Self {
        let (positives, negatives) = cuts.last().map_or((0.0, 0.0), |last| (last.hits, last.false_alarms));
        let first = ThresholdSums { threshold: f64::INFINITY, hits: 0.0, false_alarms: 0.0 };
        let cuts = || std::iter::once(&first).chain(cuts);
        Self {
            thresholds: cuts().map(|cut| cut.threshold).collect(),
            false_positive_rates: cuts().map(|cut| cut.false_alarms / negatives).collect(),
            true_positive_rates: cuts().map(|cut| cut.hits / positives).collect(),
        }
    }

    /// The area under the curve, as [`RocAuc`] has it.
    pub fn area(&self) -> f64 {
        let points = self.false_positive_rates.iter().zip(&self.true_positive_rates);
        points
            .clone()
            .zip(points.skip(1))
            .map(|((x, y), (next_x, next_y))| (next_x - x) * (y + next_y) / 2.0)
            .sum()
    }
}

/// The ROC curve of scores: the true positive rate over the false positive rate, at every threshold.
///
/// `truth` says which samples are positive. For one class of several, say so by `labels.iter().map(|&label| label ==
/// class)` and give the class's column of the predictions. With weights, rates are shares of weights. It is
/// scikit-learn's `roc_curve` with `drop_intermediate=False`.
///
/// ```
/// use plywood::metrics::roc_curve;
///
/// let curve = roc_curve(&[false, false, true, true], &[0.1f32, 0.4, 0.35, 0.8], None)?;
/// assert_eq!(curve.false_positive_rates, [0.0, 0.0, 0.5, 0.5, 1.0]);
/// assert_eq!(curve.true_positive_rates, [0.0, 0.5, 0.5, 1.0, 1.0]);
/// assert_eq!(curve.area(), 0.75);
///
/// let error = roc_curve(&[true, true], &[0.1, 0.4], None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "ROC curve: the samples must be both positive and negative, got none negative. A curve needs both kinds, \
///      with weights above 0."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When there are not as many of one argument as of another, a score is NaN, a weight is negative or not finite, or
/// positives or negatives are missing.
pub fn roc_curve<F: Scalar>(truth: &[bool], scores: &[F], weights: Option<&[F]>) -> Result<RocCurve> {
    let at = |error: Error| error.at("ROC curve");
    if truth.len() != scores.len() {
        return Err(at(Error::data(
            "the number of scores",
            format!("be {}, one for each sample", truth.len()),
            scores.len(),
        )
        .help("Give one score for each sample.")));
    }
    check_weights(weights, truth.len()).map_err(at)?;
    if let Some(i) = scores.iter().position(|score| score.is_nan()) {
        return Err(at(Error::data(format!("the score of sample {i}"), "be a number", "NaN")
            .help("NaN has no place in an order; check the model that made it.")));
    }
    let sample = |i: usize| Scored {
        score: scores[i].as_f64(),
        positive: truth[i],
        weight: weights.map_or(1.0, |w| w[i].as_f64()),
    };
    let cuts = rank((0..truth.len()).map(sample).collect());
    let (positives, negatives) = cuts.last().map_or((0.0, 0.0), |last| (last.hits, last.false_alarms));
    if positives == 0.0 || negatives == 0.0 {
        let missing = if positives == 0.0 { "none positive" } else { "none negative" };
        return Err(at(Error::data("the samples", "be both positive and negative", missing)
            .help("A curve needs both kinds, with weights above 0.")));
    }
    Ok(RocCurve::through(&cuts))
}
