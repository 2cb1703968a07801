//! Small operations on predictions.
//!
//! They are the step from scores to a decision: the class of a row, or the labels above their [`Thresholds`]. The
//! metrics and `predict_classes` use them on probabilities and on logits alike, since softmax is increasing and does
//! not change which number is the largest; the threshold of a single number is the caller's affair. Beside them are
//! the checks of sample weights and of NaN that losses and metrics share.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// The position of the largest number in each row, along the last axis; of equals the first. A NaN counts as the
/// largest, so that it shows.
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
/// | the answer | one position for each row, as many as the axes before the last multiply to |
///
/// NumPy's `argmax(axis=-1)` and PyTorch's do the same for a NaN. An array without columns has an
/// empty answer. Costs one comparison a number; an array that is not row-major is copied first.
pub fn argmax_rows<F: Scalar>(predictions: &Tensor<F>) -> Vec<usize> {
    rows(predictions, argmax)
}

/// What is made of each row along the last axis.
fn rows<F: Scalar, T>(predictions: &Tensor<F>, of_row: impl Fn(&[F]) -> T) -> Vec<T> {
    let columns = predictions.shape().last().copied().unwrap_or(0);
    if columns == 0 {
        return Vec::new();
    }
    let values = predictions.as_standard_layout();
    values.as_slice().unwrap_or_default().chunks_exact(columns).map(of_row).collect()
}

/// The numbers of a tensor in row-major order.
pub(crate) fn numbers<F: Scalar>(tensor: &Tensor<F>) -> Vec<f64> {
    let values = tensor.as_standard_layout();
    let mut out = vec![0.0; values.len()];
    F::to_f64s(values.as_slice().unwrap_or_default(), &mut out);
    out
}

/// The first sample of `[batch, …]` that has a NaN in it.
pub(crate) fn nan_sample<F: Scalar>(tensor: &Tensor<F>) -> Option<usize> {
    let values = tensor.as_standard_layout();
    let values = values.as_slice().unwrap_or_default();
    if F::all_finite(values) {
        return None;
    }
    let each = tensor.shape().iter().skip(1).product::<usize>().max(1);
    values.iter().position(|value| value.is_nan()).map(|i| i / each)
}

/// Refuses NaN, and names the sample that has it: "the prediction of sample 3 in the batch".
pub(crate) fn check_nan<F: Scalar>(what: &str, tensor: &Tensor<F>) -> Result<()> {
    match nan_sample(tensor) {
        None => Ok(()),
        Some(row) => Err(Error::sample(what, row, "be a number", "NaN").help(NAN)),
    }
}

/// What to do about a NaN.
const NAN: &str = "NaN is neither right nor wrong; look at the data and at the model that it comes from.";

/// The class that each row of predictions [stands for](class_of).
pub(crate) fn classes<F: Scalar>(predictions: &Tensor<F>, threshold: f64) -> Vec<usize> {
    rows(predictions, |row| class_of(row, threshold))
}

/// Whether each number of `[batch, columns]` is above its column's threshold, row by row.
pub(crate) fn labels<F: Scalar>(predictions: &Tensor<F>, thresholds: &Thresholds) -> Vec<bool> {
    let columns = predictions.shape().last().copied().unwrap_or(0);
    above(&numbers(predictions), columns, thresholds, rounded::<F>)
}

/// A threshold as a number of the predictions' type: 0.3 of `f32` is not above 0.3.
pub(crate) fn rounded<F: Scalar>(threshold: f64) -> f64 {
    F::of(threshold).as_f64()
}

/// Whether each number is above its column's threshold, after rounding that to the numbers' type.
pub(crate) fn above(
    values: &[f64],
    columns: usize,
    thresholds: &Thresholds,
    round: fn(f64) -> f64,
) -> Vec<bool> {
    let thresholds: Vec<f64> = (0..columns).map(|column| round(thresholds.of(column))).collect();
    values.iter().zip(thresholds.iter().cycle()).map(|(value, threshold)| value > threshold).collect()
}

/// Whether numbers are the probabilities of classes that exclude each other: from 0 to 1, and of several their sum is
/// 1, within a thousandth. A single one is that of class 1.
pub(crate) fn is_distribution(row: &[f64]) -> bool {
    let valid = row.iter().all(|p| (0.0..=1.0).contains(p));
    valid && (row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() <= 1e-3)
}

/// How sure the outputs are of these classes; `None` for a row whose numbers are no probabilities.
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

/// The class that a row stands for, whatever is in it: the position of its largest number as [`argmax_rows`] has it, or
/// of a single number 1 where it is above the threshold.
pub(crate) fn class_of<F: Scalar>(row: &[F], threshold: f64) -> usize {
    if let [number] = *row { usize::from(number > F::of(threshold)) } else { argmax(row) }
}

/// Above which number a label is predicted, where a sample may have several labels: one number for all of them, or
/// one for each.
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
/// They are compared with the predictions as they are: 0.5 is usual for probabilities, and 0 is the same for logits.
/// A number has to be above its threshold, so one that is equal predicts nothing. Thresholds are rounded to the
/// predictions' type before.
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
    /// That of a label; there is one, after [`check`](Self::check).
    pub(crate) fn of(&self, label: usize) -> f64 {
        match &self.0 {
            Given::One(threshold) => *threshold,
            Given::Each(thresholds) => thresholds.get(label).copied().unwrap_or(f64::NAN),
        }
    }

    /// Checks that there is a finite one for each of so many labels.
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

    /// Checks that probabilities can be on both sides of each.
    pub(crate) fn check_probabilities(&self, labels: usize) -> Result<()> {
        match (0..labels).map(|label| self.of(label)).find(|t| !(*t > 0.0 && *t < 1.0)) {
            None => Ok(()),
            Some(bad) => Err(Error::argument("each threshold", "above 0 and below 1 for probabilities", bad)
                .help("0.5 is usual; 0 is for logits.")),
        }
    }
}

/// The position of the largest number, as [`argmax_rows`].
///
/// An empty row has position 0; the callers never have one.
fn argmax<F: Scalar>(row: &[F]) -> usize {
    let (mut best, mut largest) = (0, F::neg_infinity());
    for (i, &value) in row.iter().enumerate() {
        // Without a branch, since where the largest number is cannot be foreseen.
        let better = !(value <= largest || largest.is_nan());
        (best, largest) = if better { (i, value) } else { (best, largest) };
    }
    best
}

/// Checks the weights of so many samples, for losses and metrics alike.
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
