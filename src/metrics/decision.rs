//! Turns rows of predictions into classes or labels, and refuses predictions that a metric would misread.

use super::batch::{ClassBatch, SEVERAL, not_indices};
use crate::error::{Error, Result};
use crate::nn::Outputs;
use crate::predictions::{Thresholds, class_of};
use crate::shown::short;

/// A description of the predictions, given to a metric before the first batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) outputs: Outputs,
    /// The number of values in a sample's prediction.
    pub(super) units: usize,
    /// True if targets are class indices, false if they are tensors.
    pub(super) indices: bool,
}

impl Told {
    /// Refuses independent outputs, for metrics of mutually exclusive classes.
    ///
    /// Such outputs pass if the targets are class indices, which imply that the classes are mutually exclusive.
    pub(super) fn of_classes(&self) -> Result<()> {
        match self.outputs {
            Outputs::Probabilities | Outputs::BinaryLogits if self.units > 1 && !self.indices => {
                let found = format!("{} independent outputs", self.units);
                Err(Error::data("the predictions", "be of classes that exclude each other", found)
                    .help(SEVERAL))
            }
            _ => Ok(()),
        }
    }

    /// Refuses outputs of mutually exclusive classes, and class indices as targets, for metrics of several labels per
    /// sample.
    pub(super) fn of_labels(&self) -> Result<()> {
        if self.indices {
            return Err(not_indices());
        }
        match self.outputs {
            Outputs::Distributions | Outputs::Logits | Outputs::Scores => {
                let expected = "be independent answers for the labels";
                let found = "those of classes that exclude each other";
                Err(Error::data("the predictions", expected, found).help(
                    "Leave `.multi_label(..)` out, or end the model in Sigmoid and train it with \
                     SoftBinaryCrossEntropy.",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses outputs that are not probabilities of classes. Unknown outputs pass, because every batch is checked.
    pub(super) fn of_probabilities(&self) -> Result<()> {
        let found = match self.outputs {
            Outputs::Probabilities if self.units > 1 => "several independent ones",
            Outputs::Unknown | Outputs::Distributions | Outputs::Probabilities => return Ok(()),
            Outputs::Logits | Outputs::BinaryLogits => "logits",
            Outputs::Scores => "scores",
            _ => "numbers of any kind",
        };
        Err(Error::data("the predictions", "be the probabilities of classes", found)
            .help("End the model in Softmax, or in a single Sigmoid, and leave `from_logits` out."))
    }
}

/// How a row of predictions becomes a class, or several labels.
#[derive(Clone, Debug)]
pub(super) enum Decision {
    /// One class: that of the largest value; for a single output, 1 if it is above a threshold, else 0.
    Class {
        /// The threshold set by the user.
        said: Option<f64>,
        /// The threshold that follows from what the outputs mean.
        told: Option<f64>,
    },
    /// Several labels: each is predicted if its value is above its threshold.
    Labels(Thresholds),
}

impl Default for Decision {
    fn default() -> Self {
        Self::Class { said: None, told: None }
    }
}

impl Decision {
    /// Sets the threshold.
    pub(super) fn set_threshold(&mut self, threshold: f64) {
        *self = match self {
            Self::Class { told, .. } => Self::Class { said: Some(threshold), told: *told },
            Self::Labels(_) => Self::Labels(threshold.into()),
        };
    }

    /// Records what the predictions are, or refuses them.
    pub(super) fn begin(&mut self, told: &Told) -> Result<()> {
        match self {
            Self::Labels(thresholds) => {
                told.of_labels()?;
                thresholds.check(told.units)?;
                match told.outputs {
                    Outputs::Probabilities => thresholds.check_probabilities(told.units),
                    _ => Ok(()),
                }
            }
            Self::Class { said, told: known } => {
                told.of_classes()?;
                check_said(*said, told.units)?;
                *known = None;
                if told.units != 1 {
                    return Ok(());
                }
                *known = told.outputs.threshold();
                match (*said, *known) {
                    (Some(said), _) if told.outputs.are_probabilities() => {
                        Thresholds::from(said).check_probabilities(1)
                    }
                    (None, None) => {
                        let found = "a single output without one";
                        Err(Error::data("the predictions", "have a known threshold", found)
                            .help("Set `.threshold(0.5)` for probabilities, `.threshold(0.0)` for logits."))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Returns the threshold for rows of `columns` values; only rows of a single value need one. `outside` returns the
    /// first sample whose value is not from 0 to 1, and that value.
    ///
    /// If no threshold was set and `begin` was not called, single values are read as probabilities and must be from 0 to
    /// 1. (`begin` refuses a single output whose threshold is not known.)
    pub(super) fn threshold(
        &self,
        columns: usize,
        outside: impl FnOnce() -> Option<(usize, f64)>,
    ) -> Result<f64> {
        let Self::Class { said, told } = *self else { return Err(not_indices()) };
        check_said(said, columns)?;
        match said.or(told) {
            Some(threshold) => Ok(threshold),
            None if columns != 1 => Ok(0.5),
            None => match outside() {
                None => Ok(0.5),
                Some((row, number)) => {
                    let expected = "be from 0 to 1 where no threshold is set";
                    Err(Error::sample("the prediction", row, expected, short(number))
                        .help("Set `.threshold(0.0)` for logits, or end the model in Sigmoid."))
                }
            },
        }
    }

    /// Returns the class of each row of a batch.
    pub(super) fn classes(&self, batch: &ClassBatch<'_>) -> Result<Vec<usize>> {
        let outside = || {
            let mut samples = batch.samples().enumerate();
            samples.find(|(_, (row, ..))| !(0.0..=1.0).contains(&row[0])).map(|(i, (row, ..))| (i, row[0]))
        };
        let threshold = batch.rounded(self.threshold(batch.columns(), outside)?);
        Ok(batch.samples().map(|(row, ..)| class_of(row, threshold)).collect())
    }
}

/// Checks that a threshold set by the user is finite and applies to a single output.
fn check_said(said: Option<f64>, columns: usize) -> Result<()> {
    let Some(threshold) = said else { return Ok(()) };
    Thresholds::from(threshold).check(columns)?;
    if columns == 1 {
        return Ok(());
    }

    Err(Error::argument("the number of outputs", "1 where a threshold is set", columns)
        .help("Leave `.threshold(..)` out: of several numbers, the largest gives the class."))
}
