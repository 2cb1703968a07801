//! Samples in the order of their scores: what ROC and precision-recall curves are made from.
//!
//! A threshold calls every sample positive whose score is at or above it. As it falls from score to score, the
//! weights of the positives found and of the false alarms grow. Samples of one score pass it together, so a run of
//! equal scores is one point, and the area under the curve counts each tie as a half: no order among equals is made
//! up.

use super::batch::{Given, check_width};
use super::class_counts::{Average, weighted_mean};
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::{State, misfit};

/// The sums at a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ThresholdSums {
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
pub(super) fn rank(mut samples: Vec<Scored>) -> Vec<ThresholdSums> {
    samples.retain(|sample| sample.weight > 0.0);
    samples.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut cuts: Vec<ThresholdSums> = Vec::new();
    let (mut hits, mut false_alarms) = (0.0, 0.0);
    for Scored { score, positive, weight } in samples {
        *(if positive { &mut hits } else { &mut false_alarms }) += weight;
        let cut = ThresholdSums { threshold: score, hits, false_alarms };
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
    /// Whether a sample may have several labels; else it has one class.
    pub(super) several: bool,
    /// Row by row.
    scores: Vec<f64>,
    /// How many numbers a row has; 0 before the first batch.
    columns: usize,
    /// The class of each sample; of several labels, 0 or 1 for each score.
    labels: Vec<usize>,
    weights: Vec<f64>,
}

impl Scores {
    /// Refuses predictions that would be misread.
    pub(super) fn begin(&self, told: &Told, average: Average) -> Result<()> {
        if self.several { told.of_labels() } else { told.of_classes() }?;
        average.check(self.classes_of(told.units), false)
    }

    /// Keeps a batch.
    pub(super) fn add(&mut self, given: Given<'_>, average: Average) -> Result<()> {
        if self.several {
            let batch = given.labels()?;
            self.widen(batch.columns(), average)?;
            for (row, truth, weight) in batch.samples() {
                self.scores.extend_from_slice(row);
                self.labels.extend(truth.iter().map(|&is| usize::from(is)));
                self.weights.push(weight);
            }
        } else {
            let batch = given.classes()?;
            self.widen(batch.columns(), average)?;
            for (row, label, weight) in batch.samples() {
                self.scores.extend_from_slice(row);
                self.labels.push(label);
                self.weights.push(weight);
            }
        }
        Ok(())
    }

    /// Takes note of the width, unless there is another already.
    fn widen(&mut self, columns: usize, average: Average) -> Result<()> {
        check_width(self.columns, columns)?;
        average.check(self.classes_of(columns), false)?;
        self.columns = columns;
        Ok(())
    }

    /// Forgets the samples, and keeps what was said.
    pub(super) fn clear(&mut self) {
        *self = Self { several: self.several, ..Self::default() };
    }

    /// All of it, for a checkpoint.
    pub(super) fn save<F: Scalar>(&self) -> State<F> {
        State::new()
            .integer("columns", self.columns as u64)
            .list("scores", self.scores.iter().copied())
            .integers("labels", self.labels.iter().map(|&label| label as u64))
            .list("weights", self.weights.iter().copied())
    }

    /// The same back.
    pub(super) fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let columns = state.take_integer::<usize>("columns")?;
        let (scores, weights) = (state.take_list("scores")?, state.take_list("weights")?);
        let labels = state.take_integers("labels")?;
        let rows = weights.len();
        let expected = if self.several { scores.len() } else { rows };
        if labels.len() != expected
            || columns.checked_mul(rows) != Some(scores.len())
            || (columns == 0) != (rows == 0)
        {
            let found = format!("{} scores and {} labels", scores.len(), labels.len());
            return Err(misfit("scores", format!("be {columns} for each of {rows} weights"), found));
        }
        if scores.iter().any(|score| score.is_nan()) {
            return Err(misfit("scores", "be numbers", "NaN"));
        }
        let label = |label: u64| {
            usize::try_from(label).map_err(|_| misfit("labels", "be classes", label.to_string()))
        };
        self.labels = labels.into_iter().map(label).collect::<Result<_>>()?;
        (self.columns, self.scores, self.weights) = (columns, scores, weights);
        Ok(())
    }

    /// The samples by their score for a class, of which they are or are not, or for a label.
    fn of_class(&self, class: usize) -> Vec<Scored> {
        let rows = self.scores.chunks_exact(self.columns.max(1)).zip(&self.weights);
        rows.enumerate()
            .map(|(i, (row, &weight))| {
                if self.several {
                    let positive = self.labels[i * self.columns + class] == 1;
                    return Scored { score: row[class], positive, weight };
                }
                let score = match *row {
                    // A single output ranks for class 1, and the other way round for class 0.
                    [p] if class == 0 => -p,
                    [p] => p,
                    _ => row[class],
                };
                Scored { score, positive: self.labels[i] == class, weight }
            })
            .collect()
    }

    /// How many classes such rows stand for: 2 of a single output, none before the first batch. Labels are as many as
    /// there are numbers.
    fn classes_of(&self, columns: usize) -> usize {
        match columns {
            1 if !self.several => 2,
            _ => columns,
        }
    }

    /// What is made of the cuts of each class or label.
    pub(super) fn of_classes<T>(&self, of: impl Fn(Vec<ThresholdSums>) -> T) -> Vec<T> {
        (0..self.classes_of(self.columns)).map(|class| of(rank(self.of_class(class)))).collect()
    }

    /// The value of each class against the others, or of each label.
    pub(super) fn per_class(&self, value: impl Fn(&[ThresholdSums]) -> f64) -> Vec<f64> {
        self.of_classes(|cuts| value(&cuts))
    }

    /// The one number; NaN where no sample was seen.
    ///
    /// Of two classes it is that of class 1, unless class 0 is asked for.
    pub(super) fn value(&self, average: Average, value: impl Fn(&[ThresholdSums]) -> f64) -> f64 {
        let classes = self.classes_of(self.columns);
        if !self.weights.iter().any(|&w| w > 0.0) {
            return f64::NAN;
        }
        match average {
            Average::Class(class) if class < classes => value(&rank(self.of_class(class))),
            Average::Class(_) | Average::Samples => f64::NAN,
            _ if classes == 2 && !self.several => value(&rank(self.of_class(1))),
            Average::Micro => value(&rank((0..classes).flat_map(|class| self.of_class(class)).collect())),
            Average::Macro => weighted_mean(self.per_class(value).iter().map(|&value| (value, 1.0))),
            Average::Weighted => {
                let pairs = self.of_classes(|cuts| (value(&cuts), cuts.last().map_or(0.0, |cut| cut.hits)));
                weighted_mean(pairs.into_iter())
            }
        }
    }
}
