//! Accuracy.
//!
//! It is computed from two sums: the weights of the samples that were right, and the weights of all samples. Both are
//! `f64`, so counts are exact up to 2^53.

use super::batch::{Given, Targets, check_labels, classes_of, target_numbers};
use super::counted::{Counted, metric};
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::predictions::{check_nan, check_weights, class_of};
use crate::state::{Kind, State};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// The accuracy: the share of samples whose most probable class is the right one.
///
/// Predictions are `[batch, classes]`. Targets are class indices, or a tensor of the predictions' shape with a
/// distribution in each row, whose largest value marks the class. With a single output, the class is 1 if it is above a
/// threshold (0.5 for probabilities, 0 for logits), else 0. Sample weights count.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut accuracy = Accuracy::default();
/// let probabilities = arr2(&[[0.9f32, 0.1], [0.4, 0.6]]).into_dyn();
/// accuracy.update(&probabilities, &[0usize, 0][..], None)?;
/// assert_eq!(accuracy.value(), 0.5);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | predictions | targets | the class of a row |
/// |---|---|---|
/// | `[batch, classes]` | `[usize]`, an index for each sample | the index of the largest; ties: the lowest index |
/// | `[batch, classes]` | a tensor `[batch, classes]` | the same, for predictions and targets |
/// | `[batch, 1]` | `[usize]` | 1 above the threshold, else 0 |
/// | `[batch, 1]` | a tensor `[batch, 1]` of numbers from 0 to 1 | the same; for targets, 1 above 0.5, else 0 |
///
/// Keras has separate classes for these cases (sparse categorical, categorical and binary accuracy). Input that would
/// be misread is an error that names the sample: a label that is not a class of the model, NaN, and target rows that
/// are not distributions. For several labels per sample, use [`ExactMatch`](crate::metrics::ExactMatch) or
/// [`HammingLoss`](crate::metrics::HammingLoss).
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // A sigmoid's outputs, and a sample that counts three times.
/// let mut accuracy = Accuracy::default();
/// let outputs = arr2(&[[0.9f32], [0.2], [0.6]]).into_dyn();
/// accuracy.update(&outputs, &arr2(&[[1.0], [1.0], [1.0]]).into_dyn(), Some(&[1.0, 3.0, 1.0]))?;
/// assert_eq!(accuracy.value(), 0.4);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// In a trainer, the threshold follows from the loss. Without a trainer, set the threshold unless the predictions are
/// probabilities:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (logits, labels) = (arr2(&[[0.3f32], [-1.5]]).into_dyn(), &[1usize, 0][..]);
/// let mut accuracy = Accuracy::default().threshold(0.0);
/// accuracy.update(&logits, labels, None)?;
/// assert_eq!(accuracy.value(), 1.0);
///
/// let error = Accuracy::default().update(&logits, labels, None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "accuracy: the prediction of sample 1 in the batch must be from 0 to 1 where no threshold is set, got \
///      -1.5. Set `.threshold(0.0)` for logits, or end the model in Sigmoid."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accuracy {
    decision: Decision,
    /// The sum of the weights of the samples that were right.
    right: f64,
    /// The sum of the weights of all samples seen.
    all: f64,
}

impl Accuracy {
    /// Sets the threshold above which a single output means class 1: 0.5 for probabilities, 0 for logits.
    ///
    /// By default, a trainer derives the threshold from the loss ([`Metric::begin`](crate::metrics::Metric::begin)).
    /// Without a trainer, the default is 0.5, and values outside 0 to 1 are an error. With several outputs, the largest
    /// one gives the class, and a threshold is an error.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.decision.set_threshold(threshold);
        self
    }

    /// Adds a batch, given the class of each sample.
    ///
    /// Everything is checked before anything is added, so a batch that does not fit leaves the sums unchanged.
    fn count<F: Scalar>(
        &mut self,
        output: &Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
    ) -> Result<()> {
        let (rows, columns) = match *output.shape() {
            [rows, columns] if columns > 0 => (rows, columns),
            _ => return Err(misfit(output)),
        };
        if rows != labels.len() {
            return Err(Error::data(
                "the number of targets",
                format!("be {rows}, one for each prediction"),
                labels.len(),
            )
            .help("Give one target for each sample."));
        }
        check_weights(weights, rows)?;
        check_labels(labels, columns.max(2))?;
        check_nan("the prediction", output)?;
        let values = output.as_standard_layout();
        let values = values.as_slice().unwrap_or_default();
        let outside = || {
            let at = values.iter().position(|p| !(F::zero()..=F::one()).contains(p))?;
            Some((at, values[at].as_f64()))
        };
        let threshold = self.decision.threshold(columns, outside)?;
        for (i, (row, &label)) in values.chunks_exact(columns).zip(labels).enumerate() {
            let weight = weights.map_or(1.0, |w| w[i].as_f64());
            self.all += weight;
            if predicts(row, label, threshold) {
                self.right += weight;
            }
        }
        Ok(())
    }
}

impl Counted for Accuracy {
    fn direction(&self) -> Direction {
        Direction::Higher
    }

    fn begin(&mut self, told: &Told) -> Result<()> {
        self.decision.begin(told)
    }

    fn reset(&mut self) {
        (self.right, self.all) = (0.0, 0.0);
    }

    /// Adds a batch. Unlike other metrics, it does not use [`Rows`](super::batch::Rows), so that a training step with
    /// class indices allocates nothing here.
    fn update<F: Scalar>(&mut self, given: Given<'_, F>) -> Result<()> {
        let Given { output, targets, weights } = given;
        let labels = match targets {
            Targets::Indices(labels) => Cow::Borrowed(labels),
            Targets::Numbers(target) => {
                let columns = output.shape().last().copied().unwrap_or(1).max(1);
                Cow::Owned(classes_of(&target_numbers(output, target)?, columns)?)
            }
        };
        self.count(output, &labels, weights)
    }

    /// Returns the share that was right. Without samples it is 0 / 0, the documented NaN.
    fn value(&self) -> f64 {
        self.right / self.all
    }

    fn kind(&self) -> Kind {
        Kind::builtin("accuracy")
    }

    fn state<F: Scalar>(&self) -> State<F> {
        State::new().number("right", self.right).number("all", self.all)
    }

    fn load_state<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        (self.right, self.all) = (state.take_number("right")?, state.take_number("all")?);
        Ok(())
    }
}

metric!(Accuracy: [usize], Tensor<F>);

/// Returns whether a row predicts this class: it is the index of the largest value, where ties go to the lowest index,
/// or a single value is on the class's side of the threshold.
fn predicts<F: Scalar>(row: &[F], class: usize, threshold: f64) -> bool {
    if row.len() == 1 {
        return class_of(row, threshold) == class;
    }
    let own = row[class];
    // Each value is compared with that of the class, so there is no dependency chain as in a running maximum.
    let least = |(i, &number)| if i < class { number < own } else { number <= own };
    row.iter().enumerate().map(least).fold(true, |all, one| all & one)
}

/// Returns the error for predictions that do not have a row of classes for each sample.
fn misfit<F: Scalar>(output: &Tensor<F>) -> Error {
    Error::shape("the predictions", "[batch, classes]", output.shape())
        .help("Accuracy takes a row of class probabilities for each sample.")
}

#[cfg(test)]
mod tests {
    use super::Accuracy;
    use crate::metrics::Metric;
    use ndarray::arr2;

    #[test]
    fn weights_one_hot_single_outputs_and_ties() {
        let p = arr2(&[[0.9f32, 0.1], [0.4, 0.6], [0.3, 0.2]]).into_dyn();
        let mut a = Accuracy::default();
        a.update(&p, &[0usize, 0, 1][..], Some(&[3., 1., 1.])).unwrap();
        assert_eq!(a.value(), 0.6);
        let mut a = Accuracy::default();
        a.update(&p, &arr2(&[[1., 0.], [0., 1.], [0., 1.]]).into_dyn(), None).unwrap();
        assert_eq!(a.value(), 2. / 3.);
        let mut a = Accuracy::default();
        a.update(&arr2(&[[0.7f32], [0.2]]).into_dyn(), &[1usize, 1][..], None).unwrap();
        assert_eq!(a.value(), 0.5);
        assert!(Accuracy::default().value().is_nan());
        let mut a = Accuracy::default();
        let equals = arr2(&[[0.2f32, 0.4, 0.4], [0.4, 0.4, 0.2], [f32::NEG_INFINITY, -1.0, -2.0]]).into_dyn();
        a.update(&equals, &[2usize, 0, 1][..], None).unwrap(); // ties: the lowest index; -inf is the logarithm of 0
        assert_eq!(a.value(), 2. / 3.);
        assert!(a.update(&p, &[0usize][..], None).is_err());
        assert!(a.update(&p, &[0usize, 1, 2][..], None).is_err());
    }
}
