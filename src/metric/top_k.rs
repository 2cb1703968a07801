//! Top-k accuracy.

use super::batch::{ClassBatch, OverClasses, check_width, metric_of_classes};
use crate::error::{Error, Result};
use crate::ops::class_of;
use crate::scalar::Scalar;
use crate::state::State;

/// The share of samples whose class is among the `k` most probable.
///
/// ```text
/// Σ_i w_i · [fewer than k classes are before class y_i] / Σ_i w_i
/// ```
///
/// Predictions are `[batch, classes]`, probabilities or logits; targets are as for [`Accuracy`](crate::Accuracy),
/// which is the case `k = 1` but for ties. Of equal scores those of higher classes come first, as in scikit-learn's
/// `top_k_accuracy_score`; a row with a NaN in it is never right. With `k` at or above the number of classes every
/// sample is right. The metric's name has `k` in it: "top_5_accuracy".
///
/// Russakovsky and others, "ImageNet large scale visual recognition challenge", 2015, made the top-5 error known.
///
/// ```
/// use ndarray::arr2;
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
        Self { k, name: format!("top_{k}_accuracy"), classes: 0, right: 0.0, all: 0.0 }
    }
}

/// Whether the label is among the first `k`.
fn is_right(row: &[f64], label: usize, k: usize) -> bool {
    if row.iter().any(|p| p.is_nan()) {
        return false;
    }
    match row {
        // A sigmoid's output.
        [_] => k > 1 || class_of(row) == label,
        _ => {
            let own = row[label];
            let before = (0..row.len()).filter(|&c| row[c] > own || (row[c] == own && c > label)).count();
            before < k
        }
    }
}

impl OverClasses for TopK {
    fn title(&self) -> &str {
        &self.name
    }

    fn clear(&mut self) {
        *self = Self::k(self.k);
    }

    fn add(&mut self, batch: &ClassBatch<'_>) -> Result<()> {
        if self.k == 0 {
            return Err(Error::argument("k", "at least 1", 0).help("Say how many classes to look at."));
        }
        check_width(self.classes, batch.columns())?;
        self.classes = batch.columns();
        for (row, label, weight) in batch.samples() {
            self.all += weight;
            if is_right(row, label, self.k) {
                self.right += weight;
            }
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        self.right / self.all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        State::new().count("classes", self.classes).number("right", self.right).number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        self.classes = state.take_count("classes")?;
        (self.right, self.all) = (state.take_number("right")?, state.take_number("all")?);
        Ok(())
    }
}

metric_of_classes!(TopK);
