//! Hits by class, and the ratios of precision, recall and F-beta.
//!
//! For each class three sums of sample weights are enough, whether they come batch by batch or out of a
//! [`ConfusionMatrix`](super::ConfusionMatrix):
//!
//! ```text
//! hits       weight of the samples that are of the class and were predicted as it
//! predicted  weight of all that were predicted as it
//! support    weight of all that are of it
//! ```
//!
//! A ratio `0 / 0` is 0 and not NaN, so that means stay numbers: scikit-learn's `zero_division` at its default,
//! without the warning.

use super::batch::{Given, LabelBatch, check_width};
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::Thresholds;
use crate::state::State;

/// How the numbers of single classes, or of single labels, become one.
///
/// | | what it is | scikit-learn's `average` |
/// |---|---|---|
/// | `Macro` | the mean over classes, each counting alike | `"macro"` |
/// | `Micro` | the ratio of sums over all classes | `"micro"` |
/// | `Weighted` | the mean over classes, each by its samples (their weights) | `"weighted"` |
/// | `Class(c)` | that of class `c` against all others; of label `c` | `"binary"` with `pos_label=c` |
/// | `Samples` | the mean over samples, each of its own labels | `"samples"` |
///
/// The macro mean shows a rare class that is never found, the weighted mean hardly. Micro precision, recall and
/// F-beta of predictions with one class each are all the accuracy.
///
/// The macro means of precision, recall and F-beta leave out classes that occur neither among the targets nor among
/// the predictions, even with a weight of 0, as scikit-learn does: nothing was right or wrong about them. Where a
/// sample may have several labels (`.multi_label(..)`) every label counts, as there, too; `Samples` is for this case,
/// and for these three metrics.
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
    /// One class alone, against the others; one label alone.
    Class(usize),
    /// The mean over samples, of each sample's own labels. A sample with no label, true or predicted, counts as 0
    /// (scikit-learn's `zero_division=0`).
    Samples,
}

impl Average {
    /// The name of a metric that is averaged so: "recall", "micro_recall", "weighted_recall", "recall_3".
    pub(super) fn title(self, metric: &str) -> String {
        match self {
            Self::Macro => metric.to_owned(),
            Self::Micro => format!("micro_{metric}"),
            Self::Weighted => format!("weighted_{metric}"),
            Self::Class(class) => format!("{metric}_{class}"),
            Self::Samples => format!("samples_{metric}"),
        }
    }

    /// Whether there is such a class, and such a mean.
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

/// 0 where there is nothing to divide by, as scikit-learn has it.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// The mean of values by their weights; a weight of 0 leaves a value out, NaN or not.
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
    /// Whether it is among the targets or among the predictions, even with a weight of 0.
    pub(super) occurs: bool,
}

impl ClassCounts {
    /// Counts a label that a sample has or has not, and that was predicted or not.
    pub(super) fn count(&mut self, truth: bool, predicted: bool, weight: f64) {
        let if_so = |counts: bool| if counts { weight } else { 0.0 };
        self.hits += if_so(truth && predicted);
        self.predicted += if_so(predicted);
        self.support += if_so(truth);
        self.occurs |= truth || predicted;
    }

    /// The sums over all of them.
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

    /// `(1 + β²) · hits / (predicted + β² · support)`, which has a value where precision or recall have none.
    pub(super) fn f_beta(&self, beta: f64) -> f64 {
        let square = beta * beta;
        ratio((1.0 + square) * self.hits, self.predicted + square * self.support)
    }
}

/// The sums of all classes, added up over batches, and how predictions are read and averaged.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) decision: Decision,
    pub(super) average: Average,
    classes: Vec<ClassCounts>,
    /// The sum over samples of the value of each, by its weight; of several labels only.
    samples: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl Tally {
    /// Whether a sample may have several labels.
    fn several(&self) -> bool {
        matches!(self.decision, Decision::Labels(_))
    }

    /// Takes note of what the predictions are, or refuses them.
    pub(super) fn begin(&mut self, told: &Told) -> Result<()> {
        self.decision.begin(told)?;
        self.average.check(if self.several() { told.units } else { told.units.max(2) }, self.several())
    }

    /// Adds a batch, after checking that it has the classes of those before, and the class that is asked for.
    pub(super) fn add(&mut self, given: Given<'_>, value: impl Fn(&ClassCounts) -> f64) -> Result<()> {
        if let Decision::Labels(thresholds) = self.decision.clone() {
            return self.add_labels(&given.labels()?, &thresholds, value);
        }
        let batch = given.classes()?;
        self.widen(batch.classes())?;
        let predicted = self.decision.classes(&batch)?;
        for ((_, label, weight), predicted) in batch.samples().zip(predicted) {
            self.all += weight;
            self.classes[label].count(true, predicted == label, weight);
            if predicted != label {
                self.classes[predicted].count(false, true, weight);
            }
        }
        Ok(())
    }

    fn add_labels(
        &mut self,
        batch: &LabelBatch,
        thresholds: &Thresholds,
        value: impl Fn(&ClassCounts) -> f64,
    ) -> Result<()> {
        let predicted = batch.predicted(thresholds)?;
        self.widen(batch.columns())?;
        for ((_, truth, weight), predicted) in batch.samples().zip(predicted.chunks_exact(batch.columns())) {
            let mut sample = ClassCounts::default();
            for ((class, &truth), &predicted) in self.classes.iter_mut().zip(truth).zip(predicted) {
                class.count(truth, predicted, weight);
                sample.count(truth, predicted, 1.0);
            }
            self.samples += weight * value(&sample);
            self.all += weight;
        }
        Ok(())
    }

    /// Makes room for so many classes, unless there are others already.
    fn widen(&mut self, classes: usize) -> Result<()> {
        check_width(self.classes.len(), classes)?;
        self.average.check(classes, self.several())?;
        self.classes.resize(classes, ClassCounts::default());
        Ok(())
    }

    /// Forgets the sums, and keeps what was said.
    pub(super) fn clear(&mut self) {
        self.classes.clear();
        (self.samples, self.all) = (0.0, 0.0);
    }

    /// What was added up, for a checkpoint.
    pub(super) fn save<F: Scalar>(&self) -> State<F> {
        let sums = self
            .classes
            .iter()
            .flat_map(|class| [class.hits, class.predicted, class.support, f64::from(class.occurs)]);
        State::new().list("classes", sums).number("samples", self.samples).number("all", self.all)
    }

    /// The same back.
    pub(super) fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let rows = state.take_rows("classes")?.into_iter();
        let class = |[hits, predicted, support, occurs]: [f64; 4]| ClassCounts {
            hits,
            predicted,
            support,
            occurs: occurs != 0.0,
        };
        self.classes = rows.map(class).collect();
        (self.samples, self.all) = (state.take_number("samples")?, state.take_number("all")?);
        Ok(())
    }

    /// The value of each class.
    pub(super) fn per_class(&self, value: impl Fn(&ClassCounts) -> f64) -> Vec<f64> {
        self.classes.iter().map(value).collect()
    }

    /// The one number; NaN where no sample was seen.
    pub(super) fn value(&self, value: impl Fn(&ClassCounts) -> f64) -> f64 {
        if self.all == 0.0 {
            return f64::NAN;
        }
        let classes = self.classes.iter();
        let counts = |class: &ClassCounts| f64::from(self.several() || class.occurs);
        match self.average {
            Average::Macro => weighted_mean(classes.map(|class| (value(class), counts(class)))),
            Average::Weighted => weighted_mean(classes.map(|class| (value(class), class.support))),
            Average::Micro => value(&ClassCounts::total(&self.classes)),
            Average::Class(class) => self.classes.get(class).map_or(f64::NAN, value),
            Average::Samples => self.samples / self.all,
        }
    }
}
