//! Top-k accuracy.

use super::batch::{Given, check_width};
use super::counted::{Counted, metric_of_classes};
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The share of samples whose class is among the `k` most probable.
///
/// ```text
/// Σ_i w_i · [fewer than k classes are before class y_i] / Σ_i w_i
/// ```
///
/// Predictions are `[batch, classes]`, probabilities or logits; targets are as for
/// [`Accuracy`](crate::metrics::Accuracy), which is the case `k = 1` but for ties. Of equal scores those of higher
/// classes come first, as in scikit-learn's `top_k_accuracy_score`. With `k` at or above the number of classes every
/// sample is right. The metric's name has `k` in it: "top_5_accuracy".
///
/// Russakovsky and others, "ImageNet large scale visual recognition challenge", 2015, made the top-5 error known.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let outputs = arr2(&[[0.5f32, 0.3, 0.2], [0.5, 0.3, 0.2]]).into_dyn();
/// let mut top = TopK::k(2);
/// top.update(&outputs, &[1usize, 2][..], None)?;
/// assert_eq!(top.value(), 0.5);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// "top_5_accuracy".
    name: String,
    decision: Decision,
    /// The number of classes; 0 before the first batch.
    classes: usize,
    /// The weights of the samples that were right.
    right: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl TopK {
    /// Among the `k` most probable; `k` is at least 1, which the first batch checks.
    pub fn k(k: usize) -> Self {
        let (name, decision) = (format!("top_{k}_accuracy"), Decision::default());
        Self { k, name, decision, classes: 0, right: 0.0, all: 0.0 }
    }

    /// Above which number a single output stands for class 1, as
    /// [`Accuracy::threshold`](crate::metrics::Accuracy::threshold).
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.decision.set_threshold(threshold);
        self
    }

    fn check(&self) -> Result<()> {
        match self.k {
            0 => Err(Error::argument("k", "at least 1", 0).help("It is the number of classes to look at.")),
            _ => Ok(()),
        }
    }
}

/// Whether the label is among the first `k` of several scores.
fn is_among(row: &[f64], label: usize, k: usize) -> bool {
    let own = row[label];
    let before = (0..row.len()).filter(|&c| row[c] > own || (row[c] == own && c > label)).count();
    before < k
}

impl Counted for TopK {
    type Batch<'a> = Given<'a>;
    const KIND: Kind = Kind::builtin("top_k");
    const DIRECTION: Direction = Direction::Higher;

    fn title(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.check()?;
        self.decision.begin(told)
    }

    fn clear(&mut self) {
        (self.classes, self.right, self.all) = (0, 0.0, 0.0);
    }

    fn add(&mut self, given: Given<'_>) -> Result<()> {
        self.check()?;
        let batch = given.classes()?;
        check_width(self.classes, batch.columns())?;
        let predicted = self.decision.classes(&batch)?;
        self.classes = batch.columns();
        for ((row, label, weight), predicted) in batch.samples().zip(predicted) {
            self.all += weight;
            let is_right = match row {
                [_] => self.k > 1 || predicted == label,
                _ => is_among(row, label, self.k),
            };
            if is_right {
                self.right += weight;
            }
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.right / self.all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        State::new()
            .integer("classes", self.classes as u64)
            .number("right", self.right)
            .number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.classes = state.take_integer("classes")?;
        (self.right, self.all) = (state.take_number("right")?, state.take_number("all")?);
        Ok(())
    }
}

metric_of_classes!(TopK);
