//! Samples in the order of their scores: what ROC and precision-recall curves are made from.
//!
//! A threshold calls every sample positive whose score is at or above it. As it falls from score to score, the
//! weights of the positives found and of the false alarms grow. Samples of one score pass it together, so a run of
//! equal scores is one point, and the area under the curve counts each tie as a half: no order among equals is made
//! up.

use super::batch::{ClassBatch, check_width};
use super::tally::{Average, weighted_mean};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::state::{State, misfit, whole};

/// The sums at a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// The score itself.
    pub(super) threshold: f64,
    /// The weight of the positives at or above it.
    pub(super) hits: f64,
    /// The weight of the negatives at or above it.
    pub(super) false_alarms: f64,
}

/// A sample to be ranked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub(super) score: f64,
    pub(super) positive: bool,
    pub(super) weight: f64,
}

/// A cut for each distinct score, from the highest down. Samples without weight are left out; no score may be NaN.
pub(super) fn rank(mut samples: Vec<Scored>) -> Vec<Cut> {
    samples.retain(|sample| sample.weight > 0.0);
    samples.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut cuts: Vec<Cut> = Vec::new();
    let (mut hits, mut false_alarms) = (0.0, 0.0);
    for Scored { score, positive, weight } in samples {
        *(if positive { &mut hits } else { &mut false_alarms }) += weight;
        let cut = Cut { threshold: score, hits, false_alarms };
        match cuts.last_mut() {
            Some(last) if last.threshold == score => *last = cut,
            _ => cuts.push(cut),
        }
    }
    cuts
}

/// The scores, labels and weights of all samples seen, for metrics that rank them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    /// Row by row.
    scores: Vec<f64>,
    /// How many numbers a row has; 0 before the first batch.
    columns: usize,
    labels: Vec<usize>,
    weights: Vec<f64>,
    /// Whether a score was NaN: then there is no order.
    nan: bool,
}

impl Scores {
    /// Keeps a batch.
    pub(super) fn add(&mut self, batch: &ClassBatch<'_>, average: Average) -> Result<()> {
        check_width(self.columns, batch.columns())?;
        average.check(batch.classes())?;
        self.columns = batch.columns();
        for (row, label, weight) in batch.samples() {
            self.nan |= row.iter().any(|score| score.is_nan());
            self.scores.extend_from_slice(row);
            self.labels.push(label);
            self.weights.push(weight);
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of it, for a checkpoint.
    pub(super) fn save<F: Scalar>(&self) -> State<F> {
        State::new()
            .count("columns", self.columns)
            .list("scores", self.scores.iter().copied())
            .list("labels", self.labels.iter().map(|&label| label as f64))
            .list("weights", self.weights.iter().copied())
    }

    /// The same back.
    pub(super) fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let columns = state.take_count("columns")?;
        let (scores, weights) = (state.take_list("scores")?, state.take_list("weights")?);
        let labels = state.take_list("labels")?;
        let rows = labels.len();
        if weights.len() != rows
            || columns.checked_mul(rows) != Some(scores.len())
            || (columns == 0) != (rows == 0)
        {
            let found = format!("{} scores and {} weights", scores.len(), weights.len());
            return Err(misfit("scores", format!("{columns} for each of {rows} labels"), found));
        }
        let label = |label| whole(label).ok_or_else(|| misfit("labels", "whole numbers", label.to_string()));
        self.labels = labels.into_iter().map(label).collect::<Result<_>>()?;
        self.nan = scores.iter().any(|score| score.is_nan());
        (self.columns, self.scores, self.weights) = (columns, scores, weights);
        Ok(())
    }

    /// The samples by their score for a class, of which they are or are not.
    fn of_class(&self, class: usize) -> Vec<Scored> {
        let rows = self.scores.chunks_exact(self.columns.max(1));
        rows.zip(&self.labels)
            .zip(&self.weights)
            .map(|((row, &label), &weight)| {
                let score = match *row {
                    // A sigmoid's output ranks for class 1, and the other way round for class 0.
                    [p] => {
                        if class == 0 {
                            -p
                        } else {
                            p
                        }
                    }
                    _ => row[class],
                };
                Scored { score, positive: label == class, weight }
            })
            .collect()
    }

    /// How many classes there are: 2 for a single output, 0 before the first batch.
    fn classes(&self) -> usize {
        if self.columns == 0 { 0 } else { self.columns.max(2) }
    }

    /// The value of each class against the others; all NaN where a score was.
    pub(super) fn per_class(&self, value: impl Fn(&[Cut]) -> f64) -> Vec<f64> {
        let of = |class| if self.nan { f64::NAN } else { value(&rank(self.of_class(class))) };
        (0..self.classes()).map(of).collect()
    }

    /// The one number; NaN where no sample was seen, or a score was NaN.
    ///
    /// Of two classes it is that of class 1, unless class 0 is asked for.
    pub(super) fn value(&self, average: Average, value: impl Fn(&[Cut]) -> f64) -> f64 {
        let classes = self.classes();
        if self.nan || !self.weights.iter().any(|&w| w > 0.0) {
            return f64::NAN;
        }
        match average {
            Average::Class(class) => value(&rank(self.of_class(class))),
            _ if classes == 2 => value(&rank(self.of_class(1))),
            Average::Micro => value(&rank((0..classes).flat_map(|class| self.of_class(class)).collect())),
            Average::Macro => weighted_mean(self.per_class(value).iter().map(|&value| (value, 1.0))),
            Average::Weighted => {
                let support = |class| {
                    let of_class =
                        self.labels.iter().zip(&self.weights).filter(|(label, _)| **label == class);
                    of_class.map(|(_, weight)| weight).sum::<f64>()
                };
                let values = self.per_class(value);
                let supports: Vec<f64> = (0..classes).map(support).collect();
                weighted_mean(values.iter().copied().zip(supports.iter().copied()))
            }
        }
    }
}
