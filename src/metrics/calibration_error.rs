//! The expected calibration error.

use super::batch::{Given, Rows, check_width, probability};
use super::counted::{Counted, metric};
use super::decision::Told;
use crate::codec::{checked, contradicts, is_share};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::class_of;
use crate::state::{Kind, State, misfit};
use serde::{Deserialize, Serialize};

/// The largest number of bins. A larger number is a mistake, and could exhaust the memory.
const MOST_BINS: usize = 1_000_000;

/// The expected calibration error: how far confidence and accuracy are apart. Of the predictions made with a confidence
/// of 0.8, 80 % should be right.
///
/// ```text
/// ECE = Σ_b (W_b / W) · |accuracy_b - confidence_b|
/// ```
///
/// The confidence of a sample is the probability of its predicted class; for a single output this is `max(p, 1 - p)`.
/// Bin `b` of `B`, counted from 1, holds the samples with a confidence in `((b - 1) / B, b / B]`; the first bin also
/// holds 0. `W_b` is the weight of these samples, `accuracy_b` the share of it that was right, and `confidence_b` the
/// mean confidence. This is equation 3 of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks",
/// 2017, with their 15 bins by default. Targets are as for [`Accuracy`](crate::metrics::Accuracy); if a target is a
/// distribution, its share of the predicted class counts as right. Predictions that are not probabilities are an error.
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
/// The method [`reliability`](CalibrationError::reliability) returns the bins, for a reliability diagram.
#[derive(Clone, Debug)]
pub struct CalibrationError {
    /// The number of bins.
    count: usize,
    /// The number of values of a sample; 0 before the first batch.
    columns: usize,
    /// Empty before the first batch.
    bins: Vec<Sums>,
}

/// The weighted sums of a bin.
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
    /// The lower edge. It is not part of the bin, except for 0 in the first bin.
    #[serde(with = "crate::codec::words")]
    pub low: f64,
    /// The upper edge. It is part of the bin.
    #[serde(with = "crate::codec::words")]
    pub high: f64,
    /// The weight of the samples in the bin; without weights, their number.
    #[serde(with = "crate::codec::words")]
    pub weight: f64,
    /// The mean confidence of these samples; NaN for an empty bin.
    #[serde(with = "crate::codec::words")]
    pub confidence: f64,
    /// The share of these samples that was right; NaN for an empty bin.
    #[serde(with = "crate::codec::words")]
    pub accuracy: f64,
}

checked!(CalibrationBin);

impl CalibrationBin {
    /// Checks that the values read do not contradict each other.
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
    /// Returns the metric with 15 bins.
    fn default() -> Self {
        Self::bins(15)
    }
}

impl CalibrationError {
    /// Creates the metric with `bins` bins: at least 1 and at most a million, which the first batch checks.
    pub fn bins(bins: usize) -> Self {
        Self { count: bins, columns: 0, bins: Vec::new() }
    }

    /// Returns the bins, from the lowest confidence to the highest; empty before the first batch.
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

    fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        self.check()?;
        let batch = rows.probabilities()?;
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

    /// Returns the bin of a confidence: the first one whose upper edge is not below it.
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
    fn direction(&self) -> Direction {
        Direction::Lower
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.check()?;
        told.of_probabilities()
    }

    fn reset(&mut self) {
        *self = Self::bins(self.count);
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(given.rows()?)
    }

    fn value(&self) -> f64 {
        let all: f64 = self.bins.iter().map(|bin| bin.all).sum();
        self.bins.iter().map(|bin| (bin.right - bin.confidence).abs()).sum::<f64>() / all
    }

    fn kind(&self) -> Kind {
        Kind::builtin("calibration_error")
    }

    fn state<F: Scalar>(&self) -> State<F> {
        let bins = self.bins.iter().flat_map(|bin| [bin.all, bin.right, bin.confidence]);
        State::new().integer("columns", self.columns as u64).list("bins", bins)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
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

metric!(CalibrationError: [usize], Tensor<F>);
