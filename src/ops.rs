//! Small operations on predictions.
//!
//! They are the step from scores to a decision: the metrics and `predict_classes` use them on probabilities and on
//! logits alike, since softmax and sigmoid are increasing and do not change which number is the largest. Beside them
//! is the check of sample weights that losses and metrics share.

use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// The position of the largest number in each row, along the last axis; of equals the first. A NaN counts as the
/// largest, so that it shows.
///
/// ```
/// use ndarray::arr2;
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

/// The class that each row of predictions [stands for](class_of).
pub(crate) fn classes<F: Scalar>(predictions: &Tensor<F>) -> Vec<usize> {
    rows(predictions, class_of)
}

/// How sure the outputs are of these classes; `None` for a row whose numbers are no probabilities.
pub(crate) fn confidences<F: Scalar>(predictions: &Tensor<F>, classes: &[usize]) -> Vec<Option<f64>> {
    let rows = predictions.outer_iter().map(|row| row.iter().map(|x| x.as_f64()).collect::<Vec<f64>>());
    rows.zip(classes)
        .map(|(row, &class)| {
            let valid = row.iter().all(|p| (0.0..=1.0).contains(p));
            match row.len() {
                1 if valid => Some(if class == 1 { row[0] } else { 1.0 - row[0] }),
                2.. if valid && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3 => row.get(class).copied(),
                _ => None,
            }
        })
        .collect()
}

/// The class that a row stands for, whatever is in it: the position of its largest number as [`argmax_rows`] has it, or
/// of a single number (a sigmoid's) 1 where it is above 0.5.
pub(crate) fn class_of<F: Scalar>(row: &[F]) -> usize {
    if let [number] = *row { usize::from(number > F::of(0.5)) } else { argmax(row) }
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
        return Err(Error::data("weights", format!("for {samples} samples"), weights.len())
            .help("Give one weight for each sample."));
    }
    match weights.iter().position(|w| !(w.is_finite() && *w >= F::zero())) {
        None => Ok(()),
        Some(i) => Err(Error::data(format!("the weight of sample {i}"), "finite and at least 0", weights[i])
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
