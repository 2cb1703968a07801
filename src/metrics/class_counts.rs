//! The sums of each class, and the ratios precision, recall and F-beta.
//!
//! Three sums of sample weights are enough for each class, whether they are added batch by batch or come from a
//! [`ConfusionMatrix`](super::ConfusionMatrix):
//!
//! ```text
//! hits       weight of the samples that are of the class and were predicted as it
//! predicted  weight of all that were predicted as it
//! support    weight of all that are of it
//! ```
//!
//! A ratio `0 / 0` is 0 and not NaN, so that means stay numbers. This is scikit-learn's default for `zero_division`,
//! without its warning.

use crate::error::{Error, Result};

/// The way in which the values of single classes, or of single labels, are averaged into one number.
///
/// | | what it is | scikit-learn's `average` |
/// |---|---|---|
/// | `Macro` | the mean over classes, each with the same weight | `"macro"` |
/// | `Micro` | the ratio of the sums over all classes | `"micro"` |
/// | `Weighted` | the mean over classes, weighted by their samples (by the sum of the sample weights) | `"weighted"` |
/// | `Class(c)` | the value of class `c` against all others, or of label `c` | `"binary"` with `pos_label=c` |
/// | `Samples` | the mean over samples, each with the value of its own labels | `"samples"` |
///
/// The macro mean shows if a rare class is never found; the weighted mean hardly changes. If each prediction has one
/// class, micro precision, recall and F-beta are all equal to the accuracy.
///
/// The macro means of precision, recall and F-beta leave out classes that occur neither among the targets nor among the
/// predictions, as scikit-learn does: nothing was right or wrong about them. A class that occurs only with a weight of
/// 0 is not left out. If a sample may have several labels (`.multi_label(..)`), every label counts, again as in
/// scikit-learn. `Samples` is for several labels only, and for these three metrics only.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::metrics::Average;
/// use plywood::prelude::*;
///
/// // Three of four are of class 0, and the model says 0 always.
/// let outputs = arr2(&[[0.9f32, 0.1]; 4]).into_dyn();
/// let recall = |average| -> Result<f64> {
///     let mut recall = Recall::default().average(average);
///     recall.update(&outputs, &[0, 0, 0, 1][..], None)?;
///     Ok(recall.value())
/// };
/// assert_eq!(recall(Average::Macro)?, 0.5);
/// assert_eq!(recall(Average::Weighted)?, 0.75);
/// assert_eq!(recall(Average::Class(1))?, 0.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Average {
    /// The mean over classes.
    #[default]
    Macro,
    /// One ratio of the sums over all classes.
    Micro,
    /// The mean over classes, weighted by their support.
    Weighted,
    /// One class against the others, or one label.
    Class(usize),
    /// The mean over samples, each with the value of its own labels. A sample with no label, true or predicted, counts
    /// as 0 (scikit-learn's `zero_division=0`).
    Samples,
}

impl Average {
    /// Returns the name of a metric with this average: "recall", "micro_recall", "weighted_recall", "recall_3".
    pub(super) fn title(self, metric: &str) -> String {
        match self {
            Self::Macro => metric.to_owned(),
            Self::Micro => format!("micro_{metric}"),
            Self::Weighted => format!("weighted_{metric}"),
            Self::Class(class) => format!("{metric}_{class}"),
            Self::Samples => format!("samples_{metric}"),
        }
    }

    /// Checks that the class exists, and that the metric has this mean.
    pub(super) fn check(self, classes: usize, of_samples: bool) -> Result<()> {
        match self {
            Self::Class(class) if class >= classes => {
                Err(Error::argument("the class", format!("below {classes}, the number of classes"), class)
                    .help("Classes count from 0."))
            }
            Self::Samples if !of_samples => {
                Err(Error::argument("the average", "`Macro`, `Micro`, `Weighted` or `Class(c)`", "`Samples`")
                    .help("`Samples` is for Precision, Recall and FBeta with `.multi_label(..)`."))
            }
            _ => Ok(()),
        }
    }
}

/// Returns `a / b`, or 0 if `b` is 0, as scikit-learn does.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Returns the weighted mean of pairs of a value and a weight. A value of weight 0 is left out, even if it is NaN.
pub(super) fn weighted_mean(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let pairs = pairs.filter(|(_, weight)| *weight > 0.0);
    let total = pairs.clone().map(|(_, weight)| weight).sum();
    ratio(pairs.map(|(value, weight)| weight * value).sum(), total)
}

/// The three sums of a class, or of a sample's labels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ClassCounts {
    pub(super) hits: f64,
    pub(super) predicted: f64,
    pub(super) support: f64,
    /// True if the class is among the targets or among the predictions, even with a weight of 0.
    pub(super) occurs: bool,
}

impl ClassCounts {
    /// Counts a label, given whether a sample has it and whether it was predicted.
    pub(super) fn count(&mut self, truth: bool, predicted: bool, weight: f64) {
        let if_so = |counts: bool| if counts { weight } else { 0.0 };
        self.hits += if_so(truth && predicted);
        self.predicted += if_so(predicted);
        self.support += if_so(truth);
        self.occurs |= truth || predicted;
    }

    /// Returns the sums over all classes.
    pub(super) fn total(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |sum, one| Self {
            hits: sum.hits + one.hits,
            predicted: sum.predicted + one.predicted,
            support: sum.support + one.support,
            occurs: sum.occurs || one.occurs,
        })
    }

    pub(super) fn precision(&self) -> f64 {
        ratio(self.hits, self.predicted)
    }

    pub(super) fn recall(&self) -> f64 {
        ratio(self.hits, self.support)
    }

    /// Returns `(1 + β²) · hits / (predicted + β² · support)`, which is defined even if precision or recall is not.
    pub(super) fn f_beta(&self, beta: f64) -> f64 {
        let square = beta * beta;
        ratio((1.0 + square) * self.hits, self.predicted + square * self.support)
    }
}
