//! The mean of a measure over samples: the weighted sum of the samples' values, and the sum of the weights.

use super::batch::{ClassBatch, Given, LabelBatch, NumberBatch, Share, check_width};
use super::counted::Counted;
use super::decision::{Decision, Told};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::Thresholds;
use crate::state::{Kind, State};

/// How the value of a sample is computed.
#[derive(Clone, Debug)]
pub(super) enum Measure {
    /// The sum over the predicted and the true numbers of a sample; the mean is over numbers and not over samples.
    Numbers(fn(&[f64], &[f64]) -> f64),
    /// The value from the probabilities and the target of a sample.
    Probabilities(fn(&[f64], Share<'_>) -> f64),
    /// The value from the number of wrong labels of a sample and the number of its labels.
    Labels(Thresholds, fn(usize, usize) -> f64),
}

/// A mean, accumulated over batches.
#[derive(Clone, Debug)]
pub(super) struct Mean {
    kind: Kind,
    name: &'static str,
    direction: Direction,
    measure: Measure,
    /// The number of values of a sample; 0 before the first batch.
    columns: usize,
    /// The weighted sum of the values.
    sum: f64,
    /// The sum of the weights of all samples seen, or of all their numbers.
    all: f64,
}

impl Mean {
    /// Creates a mean with the name of its kind; lower is better.
    pub(super) fn of(kind: &'static str, measure: Measure) -> Self {
        let (name, kind, direction) = (kind, Kind::builtin(kind), Direction::Lower);
        Self { kind, name, direction, measure, columns: 0, sum: 0.0, all: 0.0 }
    }

    pub(super) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(super) fn higher_is_better(self) -> Self {
        Self { direction: Direction::Higher, ..self }
    }

    fn add_numbers(&mut self, batch: &NumberBatch, of: fn(&[f64], &[f64]) -> f64) -> Result<()> {
        let term = |(output, target, weight): (&[f64], &[f64], f64)| {
            (weight * of(output, target), weight * output.len() as f64)
        };
        self.add(batch.columns(), batch.samples().map(term))
    }

    fn add_probabilities(&mut self, batch: &ClassBatch<'_>, of: fn(&[f64], Share<'_>) -> f64) -> Result<()> {
        self.add(
            batch.columns(),
            batch.shares().map(|(row, share, weight)| (weight * of(row, share), weight)),
        )
    }

    fn add_labels(
        &mut self,
        batch: &LabelBatch,
        thresholds: &Thresholds,
        of: fn(usize, usize) -> f64,
    ) -> Result<()> {
        let (columns, predicted) = (batch.columns(), batch.predicted(thresholds)?);
        let samples = batch.samples().zip(predicted.chunks_exact(columns));
        let terms = samples.map(|((_, truth, weight), predicted)| {
            let wrong = truth.iter().zip(predicted).filter(|(truth, predicted)| truth != predicted).count();
            (weight * of(wrong, columns), weight)
        });
        self.add(columns, terms)
    }

    /// Adds the weighted value and the weight of each sample.
    fn add(&mut self, columns: usize, terms: impl Iterator<Item = (f64, f64)>) -> Result<()> {
        check_width(self.columns, columns)?;
        self.columns = columns;
        for (value, weight) in terms {
            self.sum += value;
            self.all += weight;
        }
        Ok(())
    }
}

impl Counted for Mean {
    fn name(&self) -> &str {
        self.name
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        match &self.measure {
            Measure::Numbers(_) => Ok(()),
            Measure::Probabilities(_) => told.of_probabilities(),
            Measure::Labels(thresholds, _) => Decision::Labels(thresholds.clone()).begin(told),
        }
    }

    fn reset(&mut self) {
        (self.columns, self.sum, self.all) = (0, 0.0, 0.0);
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        match self.measure.clone() {
            Measure::Numbers(of) => self.add_numbers(&given.numbers()?, of),
            Measure::Probabilities(of) => self.add_probabilities(&given.rows()?.probabilities()?, of),
            Measure::Labels(thresholds, of) => self.add_labels(&given.rows()?.labels()?, &thresholds, of),
        }
    }

    fn value(&self) -> f64 {
        self.sum / self.all
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn state<F: Scalar>(&self) -> State<F> {
        State::new().integer("columns", self.columns as u64).number("sum", self.sum).number("all", self.all)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.columns = state.take_integer("columns")?;
        (self.sum, self.all) = (state.take_number("sum")?, state.take_number("all")?);
        Ok(())
    }
}
