//! Samples sorted by score, from which ROC and precision-recall curves are made.
//!
//! A threshold calls every sample positive whose score is at or above it. As the threshold falls from score to score,
//! the weights of the hits and of the false alarms grow. Samples of equal score pass the threshold together, so they
//! are a single point of the curve, and the area under the ROC curve counts each tie as a half. Ties are never put in
//! an arbitrary order.

use super::batch::{Given, Rows, check_width};
use super::class_counts::{Average, weighted_mean};
use super::counted::Counted;
use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State, misfit};

/// The sums at a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ThresholdSums {
    /// The threshold: a sample's score, or infinity at the first point of a curve.
    pub(super) threshold: f64,
    /// The weight of the positives at or above the threshold.
    pub(super) hits: f64,
    /// The weight of the negatives at or above the threshold.
    pub(super) false_alarms: f64,
}

/// A sample to rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub(super) score: f64,
    pub(super) positive: bool,
    pub(super) weight: f64,
}

/// Returns the sums at each distinct score, from the highest down. Samples without weight are left out; no score may be
/// NaN.
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

/// The scores, labels and weights of all samples seen, and the function that computes an area from them.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    kind: Kind,
    /// The name of the kind, with what the average adds to it.
    name: String,
    /// Computes the area under a class's curve.
    area: fn(&[ThresholdSums]) -> f64,
    average: Average,
    /// True if a sample may have several labels; otherwise it has one class.
    pub(super) several: bool,
    /// The scores, row by row.
    scores: Vec<f64>,
    /// The number of values of a row; 0 before the first batch.
    columns: usize,
    /// The class of each sample; with several labels per sample, 0 or 1 for each score.
    labels: Vec<usize>,
    weights: Vec<f64>,
}

impl Scores {
    /// Creates an empty list of scores with the macro mean, for one class per sample.
    pub(super) fn of(kind: &'static str, area: fn(&[ThresholdSums]) -> f64) -> Self {
        Self {
            kind: Kind::builtin(kind),
            name: kind.to_owned(),
            area,
            average: Average::Macro,
            several: false,
            scores: Vec::new(),
            columns: 0,
            labels: Vec::new(),
            weights: Vec::new(),
        }
    }

    pub(super) fn set_average(&mut self, average: Average) {
        self.name = average.title(self.kind.name());
        self.average = average;
    }

    /// Returns the area of each class against the others, or of each label.
    pub(super) fn per_class(&self) -> Vec<f64> {
        self.of_classes(|cuts| (self.area)(&cuts))
    }

    /// Applies `of` to the sums at all thresholds, for each class or label.
    pub(super) fn of_classes<T>(&self, of: impl Fn(Vec<ThresholdSums>) -> T) -> Vec<T> {
        (0..self.classes_of(self.columns)).map(|class| of(rank(self.of_class(class)))).collect()
    }

    /// Stores a batch.
    fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        if self.several {
            let batch = rows.labels()?;
            self.widen(batch.columns())?;
            for (row, truth, weight) in batch.samples() {
                self.scores.extend_from_slice(row);
                self.labels.extend(truth.iter().map(|&is| usize::from(is)));
                self.weights.push(weight);
            }
        } else {
            let batch = rows.classes()?;
            self.widen(batch.columns())?;
            for (row, label, weight) in batch.samples() {
                self.scores.extend_from_slice(row);
                self.labels.push(label);
                self.weights.push(weight);
            }
        }
        Ok(())
    }

    /// Records the number of columns. It is an error if earlier batches had another number.
    fn widen(&mut self, columns: usize) -> Result<()> {
        check_width(self.columns, columns)?;
        self.average.check(self.classes_of(columns), false)?;
        self.columns = columns;
        Ok(())
    }

    /// Returns each sample with its score for a class and whether it is of this class; with several labels, for a
    /// label.
    fn of_class(&self, class: usize) -> Vec<Scored> {
        let rows = self.scores.chunks_exact(self.columns.max(1)).zip(&self.weights);
        rows.enumerate()
            .map(|(i, (row, &weight))| {
                if self.several {
                    let positive = self.labels[i * self.columns + class] == 1;
                    return Scored { score: row[class], positive, weight };
                }
                let score = match *row {
                    // A single output ranks samples for class 1; negated, it ranks them for class 0.
                    [p] if class == 0 => -p,
                    [p] => p,
                    _ => row[class],
                };
                Scored { score, positive: self.labels[i] == class, weight }
            })
            .collect()
    }

    /// Returns the number of classes that rows of `columns` values stand for: 2 for a single output, 0 before the first
    /// batch. With several labels per sample, it is the number of labels, one per value.
    fn classes_of(&self, columns: usize) -> usize {
        match columns {
            1 if !self.several => 2,
            _ => columns,
        }
    }
}

impl Counted for Scores {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::Higher
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        if self.several { told.of_labels() } else { told.of_classes() }?;
        self.average.check(self.classes_of(told.units), false)
    }

    fn reset(&mut self) {
        (self.scores, self.columns, self.labels, self.weights) = (Vec::new(), 0, Vec::new(), Vec::new());
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(given.rows()?)
    }

    /// Returns the average. With two classes it is the area of class 1, unless class 0 is asked for.
    fn value(&self) -> f64 {
        let classes = self.classes_of(self.columns);
        if !self.weights.iter().any(|&w| w > 0.0) {
            return f64::NAN;
        }
        match self.average {
            Average::Class(class) if class < classes => (self.area)(&rank(self.of_class(class))),
            Average::Class(_) | Average::Samples => f64::NAN,
            _ if classes == 2 && !self.several => (self.area)(&rank(self.of_class(1))),
            Average::Micro => {
                (self.area)(&rank((0..classes).flat_map(|class| self.of_class(class)).collect()))
            }
            Average::Macro => weighted_mean(self.per_class().iter().map(|&value| (value, 1.0))),
            Average::Weighted => {
                let pairs =
                    self.of_classes(|cuts| ((self.area)(&cuts), cuts.last().map_or(0.0, |cut| cut.hits)));
                weighted_mean(pairs.into_iter())
            }
        }
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn state<F: Scalar>(&self) -> State<F> {
        State::new()
            .integer("columns", self.columns as u64)
            .list("scores", self.scores.iter().copied())
            .integers("labels", self.labels.iter().map(|&label| label as u64))
            .list("weights", self.weights.iter().copied())
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
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
}
