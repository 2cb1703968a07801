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

use super::batch::{ClassBatch, check_width, predicted};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::state::State;

/// How the numbers of single classes become one.
///
/// | | what it is | scikit-learn's `average` |
/// |---|---|---|
/// | `Macro` | the mean over classes, each counting alike | `"macro"` |
/// | `Micro` | the ratio of sums over all classes | `"micro"` |
/// | `Weighted` | the mean over classes, each by its samples (their weights) | `"weighted"` |
/// | `Class(c)` | that of class `c` against all others | `"binary"` with `pos_label=c` |
///
/// The macro mean shows a rare class that is never found, the weighted mean hardly. Micro precision, recall and
/// F-beta of predictions with one class each are all the accuracy. Every class counts, also one without samples, as
/// if scikit-learn were given all of them in `labels`.
///
/// ```
/// use ndarray::arr2;
/// use plywood::Average;
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
    /// One class alone, against the others.
    Class(usize),
}

impl Average {
    /// The name of a metric that is averaged so: "recall", "micro_recall", "weighted_recall", "recall_3".
    pub(super) fn title(self, metric: &str) -> String {
        match self {
            Self::Macro => metric.to_owned(),
            Self::Micro => format!("micro_{metric}"),
            Self::Weighted => format!("weighted_{metric}"),
            Self::Class(class) => format!("{metric}_{class}"),
        }
    }

    /// Whether there is such a class.
    pub(super) fn check(self, classes: usize) -> Result<()> {
        match self {
            Self::Class(class) if class >= classes => {
                Err(Error::argument("a class", format!("below {classes}, the number of classes"), class)
                    .help("Classes count from 0."))
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

/// The three sums of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ClassCounts {
    pub(super) hits: f64,
    pub(super) predicted: f64,
    pub(super) support: f64,
}

impl ClassCounts {
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

/// The sums of all classes, added up over batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    classes: Vec<ClassCounts>,
}

impl Tally {
    /// Adds a batch, after checking that it has the classes of those before, and the class that is asked for.
    pub(super) fn add(&mut self, batch: &ClassBatch<'_>, average: Average) -> Result<()> {
        check_width(self.classes.len(), batch.classes())?;
        average.check(batch.classes())?;
        self.classes.resize(batch.classes(), ClassCounts::default());
        for (row, label, weight) in batch.samples() {
            self.classes[label].support += weight;
            // NaN predicts nothing, so it is a miss of its class and no one's false alarm.
            if let Some(class) = predicted(row) {
                self.classes[class].predicted += weight;
                if class == label {
                    self.classes[class].hits += weight;
                }
            }
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.classes.clear();
    }

    /// What was added up, for a checkpoint.
    pub(super) fn save<F: Scalar>(&self) -> State<F> {
        let sums = self.classes.iter().flat_map(|class| [class.hits, class.predicted, class.support]);
        State::new().list("classes", sums)
    }

    /// The same back.
    pub(super) fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let rows = state.take_rows("classes")?.into_iter();
        let class = |[hits, predicted, support]: [f64; 3]| ClassCounts { hits, predicted, support };
        self.classes = rows.map(class).collect();
        Ok(())
    }

    /// The value of each class.
    pub(super) fn per_class(&self, value: impl Fn(&ClassCounts) -> f64) -> Vec<f64> {
        self.classes.iter().map(value).collect()
    }

    /// The one number; NaN where no sample was seen.
    pub(super) fn value(&self, average: Average, value: impl Fn(&ClassCounts) -> f64) -> f64 {
        let all = self.classes.iter().fold(ClassCounts::default(), |sum, class| ClassCounts {
            hits: sum.hits + class.hits,
            predicted: sum.predicted + class.predicted,
            support: sum.support + class.support,
        });
        if all.support == 0.0 {
            return f64::NAN;
        }
        match average {
            Average::Macro => weighted_mean(self.classes.iter().map(|class| (value(class), 1.0))),
            Average::Weighted => {
                weighted_mean(self.classes.iter().map(|class| (value(class), class.support)))
            }
            Average::Micro => value(&all),
            Average::Class(class) => self.classes.get(class).map_or(f64::NAN, value),
        }
    }
}
