//! Accuracy.
//!
//! Two sums make it: the weights of the samples that were right, and of all. Both are `f64`, so counts are exact up
//! to 2^53.

use super::Metric;
use super::batch::{check_labels, classes_of, target_numbers};
use super::decision::{Decision, Told};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::nn::Outputs;
use crate::predictions::{check_nan, check_weights, class_of};
use crate::state::{Kind, State};
use crate::tensor::Tensor;

/// The share of samples whose most probable class is the right one.
///
/// Predictions are `[batch, classes]`; targets are class indices, or a tensor of the predictions' shape with a
/// distribution in each row, whose largest number marks the class. With one output, the class is 1 where it is above
/// a threshold, 0.5 for probabilities and 0 for logits. Sample weights count.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut accuracy = Accuracy::default();
/// let probabilities = arr2(&[[0.9f32, 0.1], [0.4, 0.6]]).into_dyn();
/// accuracy.update(&probabilities, &[0usize, 0][..], None)?;
/// assert_eq!(Metric::<[usize]>::value(&accuracy), 0.5);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | predictions | targets | the class of a row |
/// |---|---|---|
/// | `[batch, classes]` | `[usize]`, an index for each | the largest number's position, the first of equals |
/// | `[batch, classes]` | a tensor `[batch, classes]` | the same, on both sides |
/// | `[batch, 1]` | `[usize]` | 1 above the threshold, else 0 |
/// | `[batch, 1]` | a tensor `[batch, 1]` of numbers from 0 to 1 | the same, and of targets 1 above 0.5 |
///
/// Keras has a class for each of these rows (sparse categorical, categorical, binary accuracy). What would be misread
/// is an error that names the sample: a label that is no class of the model, NaN, target rows that are no
/// distributions. Several labels at once are [`ExactMatch`](crate::metrics::ExactMatch)'s and
/// [`HammingLoss`](crate::metrics::HammingLoss)' affair.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // A sigmoid's outputs, and a sample that counts three times.
/// let mut accuracy = Accuracy::default();
/// let outputs = arr2(&[[0.9f32], [0.2], [0.6]]).into_dyn();
/// accuracy.update(&outputs, &arr2(&[[1.0], [1.0], [1.0]]).into_dyn(), Some(&[1.0, 3.0, 1.0]))?;
/// assert_eq!(Metric::<Tensor>::value(&accuracy), 0.4);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The threshold follows from the loss where a trainer has the metric. By hand it is said, unless predictions are
/// probabilities:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let (logits, labels) = (arr2(&[[0.3f32], [-1.5]]).into_dyn(), &[1usize, 0][..]);
/// let mut accuracy = Accuracy::default().threshold(0.0);
/// accuracy.update(&logits, labels, None)?;
/// assert_eq!(Metric::<[usize]>::value(&accuracy), 1.0);
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
    /// The weights of the samples that were right.
    right: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl Accuracy {
    /// Above which number a single output stands for class 1: 0.5 for probabilities, 0 for logits.
    ///
    /// A trainer tells the metric by the loss ([`Metric::begin`]); by hand 0.5 is taken for numbers from 0 to 1, and
    /// others are an error. Of several outputs the largest says the class, and a threshold is an error.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.decision.set_threshold(threshold);
        self
    }

    /// Adds a batch, given the class of each sample.
    ///
    /// Everything is checked before anything is added, so a batch that does not fit leaves the sums as they were.
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

    fn count_tensor<F: Scalar>(
        &mut self,
        output: &Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<()> {
        let columns = output.shape().last().copied().unwrap_or(1).max(1);
        let labels = classes_of(&target_numbers(output, target)?, columns)?;
        self.count(output, &labels, weights)
    }

    /// 0 / 0 where there was nothing, which is the NaN that [`Metric::value`] promises.
    fn share(&self) -> f64 {
        self.right / self.all
    }

    fn save<F: Scalar>(&self) -> State<F> {
        State::new().number("right", self.right).number("all", self.all)
    }

    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()> {
        (self.right, self.all) = (state.take_number("right")?, state.take_number("all")?);
        Ok(())
    }
}

/// Whether a row's prediction is this class: the first of its largest numbers, or for a single one, on which side of
/// the threshold it is.
fn predicts<F: Scalar>(row: &[F], class: usize, threshold: f64) -> bool {
    if row.len() == 1 {
        return class_of(row, threshold) == class;
    }
    let own = row[class];
    // Compared with its own number, a row has no chain of maxima to wait for.
    let least = |(i, &number)| if i < class { number < own } else { number <= own };
    row.iter().enumerate().map(least).fold(true, |all, one| all & one)
}

/// The error of predictions without classes.
fn misfit<F: Scalar>(output: &Tensor<F>) -> Error {
    Error::shape("the predictions", "[batch, classes]", output.shape())
        .help("Accuracy takes a row of class probabilities for each sample.")
}

/// `Metric` for one form of targets; not by `counted.rs`, as nothing is converted and nothing allocated here.
macro_rules! metric_over {
    ($target:ty, $indices:literal, $count:ident) => {
        impl<F: Scalar> Metric<$target, F> for Accuracy {
            fn name(&self) -> &str {
                "accuracy"
            }

            fn direction(&self) -> Option<Direction> {
                Some(Direction::Higher)
            }

            fn begin(&mut self, outputs: Outputs, shape: &[usize]) -> Result<()> {
                let told = Told { outputs, units: shape.iter().product(), indices: $indices };
                self.decision.begin(&told).map_err(|error| error.at("accuracy"))
            }

            fn reset(&mut self) {
                (self.right, self.all) = (0.0, 0.0);
            }

            fn update(&mut self, output: &Tensor<F>, target: &$target, weights: Option<&[F]>) -> Result<()> {
                self.$count(output, target, weights).map_err(|error| error.at("accuracy"))
            }

            fn value(&self) -> f64 {
                self.share()
            }

            fn kind(&self) -> Option<Kind> {
                Some(Kind::builtin("accuracy"))
            }

            fn state(&self) -> Option<State<F>> {
                Some(self.save())
            }

            fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
                self.restore(state)
            }
        }
    };
}

metric_over!([usize], true, count);
metric_over!(Tensor<F>, false, count_tensor);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn weights_one_hot_single_outputs_and_ties() {
        let p = arr2(&[[0.9f32, 0.1], [0.4, 0.6], [0.3, 0.2]]).into_dyn();
        let mut a = Accuracy::default();
        a.update(&p, &[0usize, 0, 1][..], Some(&[3., 1., 1.])).unwrap();
        assert_eq!(a.share(), 0.6);
        let mut a = Accuracy::default();
        a.update(&p, &arr2(&[[1., 0.], [0., 1.], [0., 1.]]).into_dyn(), None).unwrap();
        assert_eq!(a.share(), 2. / 3.);
        let mut a = Accuracy::default();
        a.update(&arr2(&[[0.7f32], [0.2]]).into_dyn(), &[1usize, 1][..], None).unwrap();
        assert_eq!(a.share(), 0.5);
        assert!(Accuracy::default().share().is_nan());
        let mut a = Accuracy::default();
        let equals = arr2(&[[0.2f32, 0.4, 0.4], [0.4, 0.4, 0.2], [f32::NEG_INFINITY, -1.0, -2.0]]).into_dyn();
        a.update(&equals, &[2usize, 0, 1][..], None).unwrap(); // the first of equals; -inf is a probability's logarithm
        assert_eq!(a.share(), 2. / 3.);
        assert!(a.update(&p, &[0usize][..], None).is_err());
        assert!(a.update(&p, &[0usize, 1, 2][..], None).is_err());
    }
}
