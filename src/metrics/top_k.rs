//! Top-k accuracy.

use super::batch::{Given, Rows, check_width};
use super::counted::{Counted, metric};
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// The top-k accuracy: the share of samples whose class is among the `k` most probable ones.
///
/// ```text
/// Σ_i w_i · [fewer than k classes are before class y_i] / Σ_i w_i
/// ```
///
/// Predictions are `[batch, classes]`, probabilities or logits, or `[batch, 1]` for two classes (see
/// [`threshold`](TopK::threshold)); targets are as for [`Accuracy`](crate::metrics::Accuracy). With `k = 1` the value is the accuracy, except for ties: among equal scores,
/// higher classes come first, as in scikit-learn's `top_k_accuracy_score`. If `k` is at least the number of classes,
/// every sample is right. The metric's name contains `k`: "top_5_accuracy".
///
/// Russakovsky and others, "ImageNet large scale visual recognition challenge", 2015, made the top-5 error widely
/// known.
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
    /// The metric's name, such as "top_5_accuracy".
    name: String,
    decision: Decision,
    /// The number of values of a prediction; 0 before the first batch.
    classes: usize,
    /// The sum of the weights of the samples that were right.
    right: f64,
    /// The sum of the weights of all samples seen.
    all: f64,
}

impl TopK {
    /// Creates the metric for the `k` most probable classes; `k` is at least 1, which the first batch checks.
    pub fn k(k: usize) -> Self {
        let (name, decision) = (format!("top_{k}_accuracy"), Decision::default());
        Self { k, name, decision, classes: 0, right: 0.0, all: 0.0 }
    }

    /// Sets the threshold above which a single output means class 1, as
    /// [`Accuracy::threshold`](crate::metrics::Accuracy::threshold) does.
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

    fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        self.check()?;
        let batch = rows.classes()?;
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
}

/// Returns whether the label is among the first `k` of several scores.
fn is_among(row: &[f64], label: usize, k: usize) -> bool {
    let own = row[label];
    let before = (0..row.len()).filter(|&c| row[c] > own || (row[c] == own && c > label)).count();
    before < k
}

impl Counted for TopK {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::Higher
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.check()?;
        self.decision.begin(told)
    }

    fn reset(&mut self) {
        (self.classes, self.right, self.all) = (0, 0.0, 0.0);
    }

    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        self.add(given.rows()?)
    }

    fn value(&self) -> f64 {
        self.right / self.all
    }

    fn kind(&self) -> Kind {
        Kind::builtin("top_k")
    }

    fn state<F: Scalar>(&self) -> State<F> {
        State::new()
            .integer("classes", self.classes as u64)
            .number("right", self.right)
            .number("all", self.all)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.classes = state.take_integer("classes")?;
        (self.right, self.all) = (state.take_number("right")?, state.take_number("all")?);
        Ok(())
    }
}

metric!(TopK: [usize], Tensor<F>);
