//! The ROC curve and the area under it.

use super::class_counts::Average;
use super::counted::metric;
use super::ranking::{Scored, Scores, ThresholdSums, rank};
use crate::codec::{checked, contradicts};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::check_weights;
use crate::shown::{count, listed};
use serde::{Deserialize, Serialize};

/// The area under the ROC curve: how often a sample of the class is ranked above one that is not of it.
///
/// ```text
/// AUC = P(score of a positive > score of a negative) + P(both equal) / 2
///     = Σ_t (FPR_t - FPR_t-1) · (TPR_t + TPR_t-1) / 2          over the distinct scores t, from the highest down
/// ```
///
/// Random scores give 0.5, a perfect order gives 1. The area needs no threshold, and does not change under increasing
/// functions of the scores, so a sigmoid's probabilities and their logits have the same area. Softmax is no such
/// function: it depends on all scores of a sample, and its probabilities may rank samples in another order than the
/// logits.
///
/// | predictions | what it is |
/// |---|---|
/// | `[batch, 1]` or `[batch, 2]`, without `multi_label` | the area of class 1 for every average but `Average::Class(0)` |
/// | `[batch, classes]` | the area of each class against the rest, averaged; by default the macro mean |
///
/// Targets are as for [`Accuracy`](crate::metrics::Accuracy); sample weights count. It is scikit-learn's
/// `roc_auc_score` with `multi_class="ovr"`, and treats ties in the same way. A class that all samples have, or none,
/// has no area: its value and the macro mean are NaN. The weighted mean leaves out a class without samples. For several
/// labels per sample, call [`multi_label`](RocAuc::multi_label).
///
/// It keeps 8 bytes for each score, and 16 for each sample's class and weight (with `multi_label` 16 for each score and 8
/// for each sample). It sorts the scores every time the value is requested, and does not approximate them by bins. Over
/// training data, a progress bar requests the value whenever it is redrawn.
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
pub struct RocAuc(Scores);

impl Default for RocAuc {
    /// Returns the metric for class 1 of two classes, or with the macro mean over more.
    fn default() -> Self {
        Self(Scores::of("roc_auc", area))
    }
}

impl RocAuc {
    /// Sets how the areas of the classes are averaged, and with it the metric's name: "roc_auc", "micro_roc_auc",
    /// "weighted_roc_auc", "roc_auc_3" for class 3.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.0.set_average(average);
        self
    }

    /// Expects several labels per sample: predictions and targets are `[batch, labels]`, and each target is 0 or 1.
    /// Each label has its own area, and the average is over labels; no threshold is needed. A label that no sample has,
    /// or that all samples have, has no area: its value and the macro mean are NaN.
    ///
    /// Outputs of mutually exclusive classes are refused.
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
        self.0.several = true;
        self
    }

    /// Returns the area of each class against the others, or of each label, in order; empty before the first batch.
    pub fn per_class(&self) -> Vec<f64> {
        self.0.per_class()
    }

    /// Returns the ROC curve of each class against the others, or of each label, in order; empty before the first
    /// batch. Without positives, the true positive rates of a curve are NaN; without negatives, its false positive
    /// rates are NaN. `plot::roc` leaves such a curve out.
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
        self.0.of_classes(|cuts| RocCurve::through(&cuts))
    }
}

metric!(RocAuc: [usize], Tensor<F>; self => self.0);

/// Returns the area by the trapezoidal rule; NaN if there are no positives or no negatives.
fn area(cuts: &[ThresholdSums]) -> f64 {
    let Some(last) = cuts.last() else { return f64::NAN };
    let (mut sum, mut hits, mut false_alarms) = (0.0, 0.0, 0.0);
    for cut in cuts {
        sum += (cut.false_alarms - false_alarms) * (cut.hits + hits) / 2.0;
        (hits, false_alarms) = (cut.hits, cut.false_alarms);
    }
    // Without positives or negatives it is 0 / 0, the documented NaN.
    sum / (last.hits * last.false_alarms)
}

/// The points of a ROC curve, for plots and for choosing a threshold. All three lists have the same length.
///
/// The first point is (0, 0), at an infinite threshold, where no sample is called positive. After it there is one point
/// for each distinct score, from the highest down; the last is (1, 1). Without positives or negatives, which only
/// [`RocAuc::curves`] permits, the rates that would divide by their number are NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct RocCurve {
    /// The thresholds, in decreasing order. A sample is called positive if its score is at or above the threshold.
    ///
    /// The `threshold` of a metric and the thresholds of `predict_labels` count only scores *above* them as positive:
    /// give those a number slightly below one of this list.
    #[serde(with = "crate::codec::words")]
    pub thresholds: Vec<f64>,
    /// The share of the negatives that are called positive: 1 - specificity.
    #[serde(with = "crate::codec::words")]
    pub false_positive_rates: Vec<f64>,
    /// The share of the positives that are called positive: sensitivity, or recall.
    #[serde(with = "crate::codec::words")]
    pub true_positive_rates: Vec<f64>,
}

checked!(RocCurve);

impl RocCurve {
    /// Checks that the values read do not contradict each other.
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
            // Without negatives the false positive rate is undefined, without positives the true positive rate.
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

/// Lists the first ten numbers, for an error.
fn shown(numbers: &[f64]) -> String {
    let shown: Vec<String> = numbers.iter().map(f64::to_string).collect();
    listed(&shown, 10)
}

impl RocCurve {
    /// Creates the curve through these points, with (0, 0) before them.
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

    /// Returns the area under the curve, as [`RocAuc`] computes it.
    pub fn area(&self) -> f64 {
        let points = self.false_positive_rates.iter().zip(&self.true_positive_rates);
        points
            .clone()
            .zip(points.skip(1))
            .map(|((x, y), (next_x, next_y))| (next_x - x) * (y + next_y) / 2.0)
            .sum()
    }
}

/// Returns the ROC curve of scores: the true positive rate against the false positive rate, at every threshold.
///
/// `truth` is true for the samples that are positive. For one class of several, compute it with
/// `labels.iter().map(|&label| label == class)` and give the class's column of the predictions. With weights, the rates
/// are shares of the weight. It is scikit-learn's `roc_curve` with `drop_intermediate=False`.
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
///     "ROC curve: the samples must include a positive and a negative one, each with a weight above 0, got no \
///      negative one. Use data that have both."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When the arguments differ in length, a score is NaN, a weight is negative or not finite, or there are no positives
/// or no negatives with a weight above 0.
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
        let missing = if positives == 0.0 { "no positive one" } else { "no negative one" };
        return Err(at(Error::data(
            "the samples",
            "include a positive and a negative one, each with a weight above 0",
            missing,
        )
        .help("Use data that have both.")));
    }
    Ok(RocCurve::through(&cuts))
}
