//! Operations on predictions.
//!
//! They turn scores into decisions: the class of a row, or the labels above their [`Thresholds`]. The metrics and
//! `predict_classes` use them on probabilities and on logits alike, since softmax is increasing and does not change
//! which value is the largest; for a single output, the caller chooses the threshold. The module also has the checks of
//! sample weights and of NaN that losses and metrics share.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// Returns the index of the largest value in each row, along the last axis. Ties go to the lowest index. NaN is treated
/// as larger than any number, so that it is not hidden.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::argmax_rows;
///
/// assert_eq!(argmax_rows(&arr2(&[[0.1, 0.9], [0.7, 0.3]]).into_dyn()), [1, 0]);
/// ```
///
/// | | shape |
/// |---|---|
/// | `predictions` | `[…, columns]` |
/// | result | one index per row: as many as the product of the axes before the last |
///
/// NumPy's `argmax(axis=-1)` and PyTorch's treat NaN the same way. For an array without columns the result is empty.
/// The cost is one comparison per value; an array that is not row-major is copied first.
pub fn argmax_rows<F: Scalar>(predictions: &Tensor<F>) -> Vec<usize> {
    rows(predictions, argmax)
}

/// Applies `of_row` to each row along the last axis.
fn rows<F: Scalar, T>(predictions: &Tensor<F>, of_row: impl Fn(&[F]) -> T) -> Vec<T> {
    let columns = predictions.shape().last().copied().unwrap_or(0);
    if columns == 0 {
        return Vec::new();
    }
    let values = predictions.as_standard_layout();
    values.as_slice().unwrap_or_default().chunks_exact(columns).map(of_row).collect()
}

/// Returns the values of a tensor in row-major order, as `f64`.
pub(crate) fn numbers<F: Scalar>(tensor: &Tensor<F>) -> Vec<f64> {
    let values = tensor.as_standard_layout();
    let mut out = vec![0.0; values.len()];
    F::to_f64s(values.as_slice().unwrap_or_default(), &mut out);
    out
}

/// Returns the first sample of `[batch, …]` that contains a NaN.
pub(crate) fn nan_sample<F: Scalar>(tensor: &Tensor<F>) -> Option<usize> {
    let values = tensor.as_standard_layout();
    let values = values.as_slice().unwrap_or_default();
    if F::all_finite(values) {
        return None;
    }
    let each = tensor.shape().iter().skip(1).product::<usize>().max(1);
    values.iter().position(|value| value.is_nan()).map(|i| i / each)
}

/// Refuses NaN; the error names the sample that has it: "the prediction of sample 3 in the batch".
pub(crate) fn check_nan<F: Scalar>(what: &str, tensor: &Tensor<F>) -> Result<()> {
    match nan_sample(tensor) {
        None => Ok(()),
        Some(row) => Err(Error::sample(what, row, "be a number", "NaN").help(NAN)),
    }
}

/// The advice for a NaN.
const NAN: &str = "NaN is neither right nor wrong; look at the data and at the model that it comes from.";

/// Returns the class that each row of predictions [stands for](class_of).
pub(crate) fn classes<F: Scalar>(predictions: &Tensor<F>, threshold: f64) -> Vec<usize> {
    rows(predictions, |row| class_of(row, threshold))
}

/// Returns, row by row, whether each value of `[batch, columns]` is above its column's threshold.
pub(crate) fn labels<F: Scalar>(predictions: &Tensor<F>, thresholds: &Thresholds) -> Vec<bool> {
    let columns = predictions.shape().last().copied().unwrap_or(0);
    above(&numbers(predictions), columns, thresholds, rounded::<F>)
}

/// Rounds a threshold to the predictions' type: 0.3 in `f32` is not above 0.3.
pub(crate) fn rounded<F: Scalar>(threshold: f64) -> f64 {
    F::of(threshold).as_f64()
}

/// Returns whether each value is above its column's threshold, after rounding the threshold to the values' type.
pub(crate) fn above(
    values: &[f64],
    columns: usize,
    thresholds: &Thresholds,
    round: fn(f64) -> f64,
) -> Vec<bool> {
    let thresholds: Vec<f64> = (0..columns).map(|column| round(thresholds.of(column))).collect();
    values.iter().zip(thresholds.iter().cycle()).map(|(value, threshold)| value > threshold).collect()
}

/// Returns whether the values are probabilities of mutually exclusive classes: each is from 0 to 1, and if there are
/// several, their sum is 1 within a thousandth. A single one is the probability of class 1.
pub(crate) fn is_distribution(row: &[f64]) -> bool {
    let valid = row.iter().all(|p| (0.0..=1.0).contains(p));
    valid && (row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() <= 1e-3)
}

/// Returns the probability of each given class; `None` for a row whose values are not probabilities.
pub(crate) fn confidences<F: Scalar>(predictions: &Tensor<F>, classes: &[usize]) -> Vec<Option<f64>> {
    let columns = predictions.shape().last().copied().unwrap_or(0).max(1);
    let values = numbers(predictions);
    let sure = |(row, &class): (&[f64], &usize)| match *row {
        _ if !is_distribution(row) => None,
        [p] => Some(if class == 1 { p } else { 1.0 - p }),
        _ => row.get(class).copied(),
    };
    values.chunks_exact(columns).zip(classes).map(sure).collect()
}

/// Returns the class of a row, whatever it holds: the index of the largest value, as in [`argmax_rows`]; for a single
/// value, 1 if it is above the threshold, else 0.
pub(crate) fn class_of<F: Scalar>(row: &[F], threshold: f64) -> usize {
    if let [number] = *row { usize::from(number > F::of(threshold)) } else { argmax(row) }
}

/// The thresholds above which a label is predicted, for samples that may have several labels: one number for all
/// labels, or one for each.
///
/// ```
/// use plywood::metrics::Thresholds;
/// use plywood::prelude::*;
///
/// let same = Precision::default().multi_label(0.5);
/// let own = Precision::default().multi_label([0.5, 0.3, 0.8]); // or a `Vec`
/// # let _: (Thresholds, Thresholds) = (0.5.into(), vec![0.5, 0.3].into());
/// # let _ = (same, own);
/// ```
///
/// They are compared with the predictions as they are: 0.5 is usual for probabilities, and 0 is equivalent for logits.
/// A label is predicted only if the prediction is above its threshold, not if it is equal. Thresholds are first rounded
/// to the predictions' type.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds(Given);

#[derive(Clone, Debug, PartialEq)]
enum Given {
    One(f64),
    Each(Vec<f64>),
}

impl From<f64> for Thresholds {
    fn from(threshold: f64) -> Self {
        Self(Given::One(threshold))
    }
}

impl From<Vec<f64>> for Thresholds {
    fn from(thresholds: Vec<f64>) -> Self {
        Self(Given::Each(thresholds))
    }
}

impl<const N: usize> From<[f64; N]> for Thresholds {
    fn from(thresholds: [f64; N]) -> Self {
        Self(Given::Each(thresholds.to_vec()))
    }
}

impl Thresholds {
    /// Returns the threshold of a label, which exists after [`check`](Self::check).
    pub(crate) fn of(&self, label: usize) -> f64 {
        match &self.0 {
            Given::One(threshold) => *threshold,
            Given::Each(thresholds) => thresholds.get(label).copied().unwrap_or(f64::NAN),
        }
    }

    /// Checks that there is a finite threshold for each of `labels` labels.
    pub(crate) fn check(&self, labels: usize) -> Result<()> {
        let all = match &self.0 {
            Given::One(threshold) => std::slice::from_ref(threshold),
            Given::Each(thresholds) if thresholds.len() == labels => thresholds,
            Given::Each(thresholds) => {
                let expected = format!("1 or {labels}, one for each label");
                return Err(Error::argument("the number of thresholds", expected, thresholds.len())
                    .help("Give one for each of the model's outputs."));
            }
        };
        match all.iter().find(|threshold| !threshold.is_finite()) {
            None => Ok(()),
            Some(bad) => Err(Error::argument("each threshold", "a finite number", bad)
                .help("0.5 is usual for probabilities, 0 for logits.")),
        }
    }

    /// Checks that each is strictly between 0 and 1, so that probabilities can be on both sides of it.
    pub(crate) fn check_probabilities(&self, labels: usize) -> Result<()> {
        match (0..labels).map(|label| self.of(label)).find(|t| !(*t > 0.0 && *t < 1.0)) {
            None => Ok(()),
            Some(bad) => Err(Error::argument("each threshold", "above 0 and below 1 for probabilities", bad)
                .help("0.5 is usual; 0 is for logits.")),
        }
    }
}

/// Returns the index of the largest value, as in [`argmax_rows`].
///
/// The result for an empty row is 0; the callers never pass one.
fn argmax<F: Scalar>(row: &[F]) -> usize {
    let (mut best, mut largest) = (0, F::neg_infinity());
    for (i, &value) in row.iter().enumerate() {
        // Branch-free, since the position of the largest value cannot be predicted.
        let better = !(value <= largest || largest.is_nan());
        (best, largest) = if better { (i, value) } else { (best, largest) };
    }
    best
}

/// Checks the weights of `samples` samples, for losses and metrics alike.
pub(crate) fn check_weights<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<()> {
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != samples {
        return Err(Error::data(
            "the number of weights",
            format!("be {samples}, one for each sample"),
            weights.len(),
        )
        .help("Give one weight for each sample."));
    }
    match weights.iter().position(|w| !(w.is_finite() && *w >= F::zero())) {
        None => Ok(()),
        Some(i) => Err(Error::sample("the weight", i, "be finite and at least 0", weights[i])
            .help("A weight of 0 leaves a sample out.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_and_nan_before_all() {
        assert_eq!(argmax(&[1.0f32, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[1.0f32, f32::NAN, 3.0, f32::NAN]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY; 2]), 0);
    }
}
