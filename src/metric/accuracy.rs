//! Accuracy.
//!
//! Two sums make it: the weights of the samples that were right, and of all. Both are `f64`, so counts are exact up
//! to 2^53.

use super::Metric;
use crate::error::{Error, Result};
use crate::ops::{class_of, classes};
use crate::scalar::Scalar;
use crate::state::State;
use crate::tensor::Tensor;

/// The share of samples whose most probable class is the right one.
///
/// Predictions are `[batch, classes]`; targets are class indices, or a tensor of the predictions' shape whose largest
/// number marks the class. With one output (a sigmoid's), the class is 1 where it is above 0.5. Sample weights count.
///
/// ```
/// use ndarray::arr2;
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
/// | `[batch, 1]` | `[usize]` or a tensor `[batch, 1]` | 1 above 0.5, else 0 |
///
/// Keras has a class for each of these rows (sparse categorical, categorical, binary accuracy). A label that is no
/// class of the model counts as wrong; the loss is what refuses it. A row with a NaN in it is never right.
///
/// ```
/// use ndarray::arr2;
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
/// A model that ends in logits with one output needs a threshold of 0, not 0.5: let it end in a sigmoid.
#[derive(Clone, Debug, Default)]
pub struct Accuracy {
    /// The weights of the samples that were right.
    right: f64,
    /// The weights of all samples seen.
    all: f64,
}

impl Accuracy {
    /// Adds a batch, given the class of each sample.
    ///
    /// Everything is checked before anything is added, so a batch that does not fit leaves the sums as they were.
    fn count<F: Scalar>(
        &mut self,
        output: &Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
    ) -> Result<()> {
        let (rows, classes) = match *output.shape() {
            [rows, classes] if classes > 0 => (rows, classes),
            _ => return Err(misfit(output)),
        };
        if let Some(weights) = weights.filter(|weights| weights.len() != rows) {
            return Err(Error::data("weights", format!("for {rows} predictions"), weights.len())
                .help("Give one weight for each sample.")
                .at("accuracy"));
        }
        if rows != labels.len() {
            return Err(Error::data("targets", format!("for {rows} predictions"), labels.len())
                .help("Give one target for each sample.")
                .at("accuracy"));
        }
        let values = output.as_standard_layout();
        let values = values.as_slice().unwrap_or_default();
        for (i, (row, &label)) in values.chunks_exact(classes).zip(labels).enumerate() {
            let weight = weights.map_or(1.0, |w| w[i].as_f64());
            self.all += weight;
            if predicts(row, label) {
                self.right += weight;
            }
        }
        Ok(())
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

/// Whether a row's prediction is this class: the first of its largest numbers, or for a single one, on which side of 0.5 it
/// is. NaN predicts nothing, and there need not be such a class.
fn predicts<F: Scalar>(row: &[F], class: usize) -> bool {
    if let [number] = *row {
        return !number.is_nan() && class_of(row) == class;
    }
    let Some(&own) = row.get(class) else { return false };
    // Compared with its own number, a row has no chain of maxima to wait for.
    let least = |(i, &number)| if i < class { number < own } else { number <= own };
    row.iter().enumerate().map(least).fold(true, |all, one| all & one)
}

/// One error for predictions without classes and for weights that are too many or too few.
fn misfit<F: Scalar>(output: &Tensor<F>) -> Error {
    Error::shape("predictions", "[batch, classes]", output.shape())
        .help("Accuracy takes a row of class probabilities for each sample.")
        .at("accuracy")
}

impl<F: Scalar> Metric<[usize], F> for Accuracy {
    fn name(&self) -> &str {
        "accuracy"
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn update(&mut self, output: &Tensor<F>, labels: &[usize], weights: Option<&[F]>) -> Result<()> {
        self.count(output, labels, weights)
    }

    fn value(&self) -> f64 {
        self.share()
    }

    fn state(&self) -> Option<State<F>> {
        Some(self.save())
    }

    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        self.restore(state)
    }
}

impl<F: Scalar> Metric<Tensor<F>, F> for Accuracy {
    fn name(&self) -> &str {
        "accuracy"
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn update(&mut self, output: &Tensor<F>, target: &Tensor<F>, weights: Option<&[F]>) -> Result<()> {
        if output.shape() != target.shape() {
            return Err(Error::shape("targets", format!("{:?}", output.shape()), target.shape())
                .help("Give one row of class weights for each sample.")
                .at("accuracy"));
        }
        self.count(output, &classes(target), weights)
    }

    fn value(&self) -> f64 {
        self.share()
    }

    fn state(&self) -> Option<State<F>> {
        Some(self.save())
    }

    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        self.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn weights_one_hot_single_outputs_and_nan() {
        let p = arr2(&[[0.9f32, 0.1], [0.4, 0.6], [f32::NAN, 0.2]]).into_dyn();
        let mut a = Accuracy::default();
        a.update(&p, &[0usize, 0, 0][..], Some(&[3., 1., 1.])).unwrap();
        assert_eq!(a.share(), 0.6);
        let mut a = Accuracy::default();
        a.update(&p, &arr2(&[[1., 0.], [0., 1.], [0., 1.]]).into_dyn(), None).unwrap();
        assert_eq!(a.share(), 2. / 3.);
        let mut a = Accuracy::default();
        a.update(&arr2(&[[0.7f32], [0.2]]).into_dyn(), &[1usize, 1][..], None).unwrap();
        assert_eq!(a.share(), 0.5);
        assert!(Accuracy::default().share().is_nan());
        let mut a = Accuracy::default();
        let equals =
            arr2(&[[0.2f32, 0.4, 0.4], [0.4, 0.4, 0.2], [0.1, f32::NAN, 0.9], [0.3, 0.3, 0.4]]).into_dyn();
        a.update(&equals, &[2usize, 0, 2, 3][..], None).unwrap(); // the first of equals, no NaN, and no such class
        assert_eq!(a.share(), 0.25);
        assert!(a.update(&p, &[0usize][..], None).is_err());
    }
}
