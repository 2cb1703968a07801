//! The expected calibration error.

use super::batch::{Given, check_width, probability};
use super::counted::{Counted, metric_of_classes};
use super::decision::Told;
use crate::codec::{checked, contradicts, is_share};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::class_of;
use crate::state::{Kind, State, misfit};
use serde::{Deserialize, Serialize};

/// The largest number of bins: more would be a mistake, and its memory the program's end.
const MOST_BINS: usize = 1_000_000;

/// How far confidence and accuracy are apart: of the predictions made with a confidence of 0.8, 80 % should be right.
///
/// ```text
/// ECE = Σ_b (W_b / W) · |accuracy_b - confidence_b|
/// ```
///
/// The confidence of a sample is the probability of the class that it is predicted to have, `max(p, 1 - p)` of a
/// single output. Bin `b` of `B`, counted from 1, has the samples of a confidence in `((b - 1) / B, b / B]`, the
/// first also 0; `W_b` is their weight, `accuracy_b` the share of it that was right, `confidence_b` the mean
/// confidence. This is the definition of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks",
/// 2017, equation 3, with its 15 bins unless said. Targets are as for [`Accuracy`](crate::metrics::Accuracy); of a
/// distribution as target, its share of the predicted class was right. Predictions that are no probabilities are an
/// error.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Sure of itself to 0.9, and right every second time.
/// let outputs = arr2(&[[0.9f64, 0.1], [0.9, 0.1]]).into_dyn();
/// let mut error = CalibrationError::default();
/// error.update(&outputs, &[0usize, 1][..], None)?;
/// assert!((error.value() - 0.4).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The bins themselves, for a reliability diagram, are [`reliability`](CalibrationError::reliability).
#[derive(Clone, Debug)]
pub struct CalibrationError {
    /// How many bins there are to be.
    count: usize,
    /// How many numbers a sample has; 0 before the first batch.
    columns: usize,
    /// Empty before the first batch.
    bins: Vec<Sums>,
}

/// A bin's sums of weights.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: f64,
    right: f64,
    confidence: f64,
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct CalibrationBin {
    /// The lowest confidence, itself not in the bin, except 0 in the first.
    #[serde(with = "crate::codec::words")]
    pub low: f64,
    /// The highest confidence, itself in the bin.
    #[serde(with = "crate::codec::words")]
    pub high: f64,
    /// The weight of the samples in it: their number, where there are no weights.
    #[serde(with = "crate::codec::words")]
    pub weight: f64,
    /// Their mean confidence; NaN in an empty bin.
    #[serde(with = "crate::codec::words")]
    pub confidence: f64,
    /// The share of them that was right; NaN in an empty bin.
    #[serde(with = "crate::codec::words")]
    pub accuracy: f64,
}

checked!(CalibrationBin);

impl CalibrationBin {
    /// What is read must not contradict itself.
    fn check(&self) -> Result<()> {
        let edges = is_share(self.low) && is_share(self.high) && self.low <= self.high;
        if !edges || self.weight.is_nan() || self.weight < 0.0 {
            let found = format!("edges from {} to {} and a weight of {}", self.low, self.high, self.weight);
            return Err(contradicts(
                "the bin",
                "have edges in order, from 0 to 1, and a weight of at least 0",
                found,
            ));
        }
        let holds = |x: f64| if self.weight == 0.0 { x.is_nan() } else { is_share(x) };
        if !(holds(self.confidence) && holds(self.accuracy)) {
            let found = format!("{} and {} of weight {}", self.confidence, self.accuracy, self.weight);
            return Err(contradicts(
                "the confidence and accuracy of a bin",
                "be from 0 to 1, or NaN without weight",
                found,
            ));
        }
        Ok(())
    }
}

impl Default for CalibrationError {
    /// With 15 bins.
    fn default() -> Self {
        Self::bins(15)
    }
}

impl CalibrationError {
    /// With so many bins, at least 1 and at most a million, which the first batch checks.
    pub fn bins(bins: usize) -> Self {
        Self { count: bins, columns: 0, bins: Vec::new() }
    }

    /// The bins, from the lowest confidence to the highest; empty before the first batch.
    pub fn reliability(&self) -> Vec<CalibrationBin> {
        let edge = |i: usize| i as f64 / self.count as f64;
        let bin = |(i, sums): (usize, &Sums)| CalibrationBin {
            low: edge(i),
            high: edge(i + 1),
            weight: sums.all,
            confidence: sums.confidence / sums.all,
            accuracy: sums.right / sums.all,
        };
        self.bins.iter().enumerate().map(bin).collect()
    }

    fn check(&self) -> Result<()> {
        if (1..=MOST_BINS).contains(&self.count) {
            return Ok(());
        }
        Err(Error::argument("the number of bins", format!("from 1 to {MOST_BINS}"), self.count)
            .help("10 to 20 are usual."))
    }

    /// The bin of a confidence: the first whose upper edge is not below it.
    fn bin_of(&self, confidence: f64) -> usize {
        let last = self.count - 1;
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = (low + high) / 2;
            if (middle + 1) as f64 / self.count as f64 >= confidence {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

impl Counted for CalibrationError {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("calibration_error");
    const DIRECTION: Direction = Direction::Lower;

    fn title(&self) -> &str {
        "calibration_error"
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.check()?;
        told.of_probabilities()
    }

    fn clear(&mut self) {
        *self = Self::bins(self.count);
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        self.check()?;
        let batch = given.probabilities()?;
        check_width(self.columns, batch.columns())?;
        self.columns = batch.columns();
        self.bins.resize(self.count, Sums::default());
        for (row, share, weight) in batch.shares() {
            let class = class_of(row, 0.5);
            let confidence = probability(row, class);
            let place = self.bin_of(confidence);
            let bin = &mut self.bins[place];
            bin.all += weight;
            bin.right += weight * share.of(class);
            bin.confidence += weight * confidence;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let all: f64 = self.bins.iter().map(|bin| bin.all).sum();
        self.bins.iter().map(|bin| (bin.right - bin.confidence).abs()).sum::<f64>() / all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        let bins = self.bins.iter().flat_map(|bin| [bin.all, bin.right, bin.confidence]);
        State::new().integer("columns", self.columns as u64).list("bins", bins)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        let rows = state.take_rows("bins")?;
        if !rows.is_empty() && rows.len() != self.count {
            return Err(misfit("bins", format!("be {} in number", self.count), rows.len().to_string()));
        }
        self.bins =
            rows.into_iter().map(|[all, right, confidence]| Sums { all, right, confidence }).collect();
        self.columns = state.take_integer("columns")?;
        Ok(())
    }
}

metric_of_classes!(CalibrationError);
