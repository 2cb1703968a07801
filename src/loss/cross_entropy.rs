//! Cross-entropy over classes.

use super::{Loss, loss_weights};
use crate::error::{Error, Result};
use crate::layer::{Link, check_gradient};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// Cross-entropy against class indices: `-ln p_label`, averaged over the batch. Keras calls it sparse categorical
/// cross-entropy.
///
/// Predictions are `[batch, classes]`: probabilities, as [`Softmax`](crate::Softmax) makes them. A model that ends in
/// softmax is computed from its logits all the same, exactly: `log Σ_j e^z_j - z_label`, whose gradient is
/// `softmax(z) - [label]`. Nothing is clamped, so the gradient is right however wrong the model is. For a model that
/// ends in logits, say [`from_logits`](CrossEntropy::from_logits). Targets are indices below the number of classes.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let probabilities = arr2(&[[0.7f64, 0.2, 0.1]]).into_dyn();
/// let (loss, grad) = CrossEntropy::default().value_and_grad(probabilities, &[0], None)?;
/// assert!((loss + 0.7f64.ln()).abs() < 1e-12);
/// assert!((grad[[0, 0]] + 1.0 / 0.7).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    from_logits: bool,
}

/// Cross-entropy against distributions: `-Σ_j t_j · ln p_j`, averaged over the batch. Keras calls it categorical
/// cross-entropy.
///
/// Predictions are as for [`CrossEntropy`], targets a tensor of the same shape: one-hot rows, or any weights of the
/// classes that are at least 0 and, as a rule, add up to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftCrossEntropy {
    from_logits: bool,
}

impl CrossEntropy {
    /// For a model whose outputs are logits.
    pub fn from_logits() -> Self {
        Self { from_logits: true }
    }
}

impl SoftCrossEntropy {
    /// For a model whose outputs are logits.
    pub fn from_logits() -> Self {
        Self { from_logits: true }
    }
}

/// The predictions as `[batch, classes]` in standard layout.
fn predictions<F: Scalar>(output: Tensor<F>) -> Result<(Tensor<F>, usize, usize)> {
    match *output.shape() {
        [samples, classes] if classes > 0 => Ok((standard(output), samples, classes)),
        _ => Err(Error::shape("predictions", "[batch, classes]", output.shape())
            .help("Give the model one row of class probabilities, or logits, for each sample; put Flatten before Dense.")
            .at("cross-entropy")),
    }
}

fn check_labels(labels: &[usize], samples: usize, classes: usize) -> Result<()> {
    if labels.len() != samples {
        return Err(Error::data("labels", format!("for {samples} predictions"), labels.len())
            .help("Give one label for each sample.")
            .at("cross-entropy"));
    }
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(i) => Err(Error::data(
            format!("the label of sample {i} in the batch"),
            format!("below {classes}, the number of outputs"),
            labels[i],
        )
        .help("Labels count from 0; give the last layer as many units as there are classes.")
        .at("cross-entropy")),
    }
}

impl<F: Scalar> Loss<F> for CrossEntropy {
    type Target = [usize];

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        if self.from_logits {
            return self.value_and_grad_logits(output, labels, weights);
        }
        let (mut grad, samples, classes) = predictions(output)?;
        check_labels(labels, samples, classes)?;
        let (weights, total) = loss_weights(weights, samples)?;
        let mut value = F::zero();
        for ((row, &label), w) in slice_mut(&mut grad).chunks_exact_mut(classes).zip(labels).zip(weights) {
            let p = row[label];
            value -= w * p.ln();
            row.fill(F::zero());
            row[label] = -w / (p * total);
        }
        Ok((value / total, grad))
    }

    fn absorbs(&self) -> Link {
        if self.from_logits { Link::Identity } else { Link::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        let (mut grad, samples, classes) = predictions(logits)?;
        check_labels(labels, samples, classes)?;
        let (weights, total) = loss_weights(weights, samples)?;
        let z = slice_mut(&mut grad);
        // ln Σ e^(z - max) - (z_label - max), without the cancellation of large numbers.
        F::subtract_max_rows(z, classes);
        let mut value = F::zero();
        for ((row, &label), w) in z.chunks_exact(classes).zip(labels).zip(weights.clone()) {
            value -= w * row[label];
        }
        value += weighted_softmax(z, classes, weights.clone());
        for (row, &label) in z.chunks_exact_mut(classes).zip(labels) {
            row[label] -= F::one();
        }
        scale_rows(&mut grad, classes, weights, total);
        Ok((value / total, grad))
    }
}

impl<F: Scalar> Loss<F> for SoftCrossEntropy {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        if self.from_logits {
            return self.value_and_grad_logits(output, target, weights);
        }
        let (mut grad, samples, classes) = predictions(output)?;
        let target = check_target(target, &grad)?;
        let (weights, total) = loss_weights(weights, samples)?;
        let mut value = F::zero();
        let rows = slice_mut(&mut grad).chunks_exact_mut(classes).zip(slice(&target).chunks_exact(classes));
        for ((row, target), w) in rows.zip(weights) {
            for (p, &t) in row.iter_mut().zip(target) {
                if t == F::zero() {
                    *p = F::zero();
                } else {
                    value -= w * t * p.ln();
                    *p = -w * t / (*p * total);
                }
            }
        }
        Ok((value / total, grad))
    }

    fn absorbs(&self) -> Link {
        if self.from_logits { Link::Identity } else { Link::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<(F, Tensor<F>)> {
        let (mut grad, samples, classes) = predictions(logits)?;
        let target = check_target(target, &grad)?;
        let (weights, total) = loss_weights(weights, samples)?;
        let z = slice_mut(&mut grad);
        let t = slice(&target);
        // Σ_j t_j · (log-sum - (z_j - max)) = mass · log-sum - t · (z - max), mass = Σ_j t_j.
        F::subtract_max_rows(z, classes);
        let (mut dots, mut masses, mut ones) =
            (scratch(&[samples]), scratch(&[samples]), scratch(&[classes]));
        F::dot_rows(z, t, classes, slice_mut(&mut dots));
        ones.fill(F::one());
        for (row, mass) in t.chunks_exact(classes).zip(slice_mut(&mut masses)) {
            F::dot_rows(row, slice(&ones), classes, std::slice::from_mut(mass));
        }
        let mut value = F::zero();
        for (w, &dot) in weights.clone().zip(slice(&dots)) {
            value -= w * dot;
        }
        let weighted = weights.clone().zip(slice(&masses)).map(|(w, &mass)| w * mass);
        value += weighted_softmax(z, classes, weighted);
        F::scale_rows(z, classes, slice(&masses));
        F::add_scaled(z, -F::one(), t);
        for spent in [dots, masses, ones] {
            recycle(spent);
        }
        scale_rows(&mut grad, classes, weights, total);
        Ok((value / total, grad))
    }
}

/// Softmax of each row in place; the weighted sum of the rows' `ln Σ e^z`, where the largest `z` is 0.
fn weighted_softmax<F: Scalar>(z: &mut [F], classes: usize, weights: impl Iterator<Item = F>) -> F {
    let mut logs = scratch(&[z.len() / classes]);
    F::softmax_log_rows(z, classes, slice_mut(&mut logs));
    let sum = slice(&logs).iter().zip(weights).map(|(&log, w)| w * log).sum();
    recycle(logs);
    sum
}

/// Multiplies each sample's gradient by its share of the mean.
fn scale_rows<F: Scalar>(grad: &mut Tensor<F>, classes: usize, weights: impl Iterator<Item = F>, total: F) {
    let mut factors = scratch(&[grad.len() / classes]);
    for (factor, w) in slice_mut(&mut factors).iter_mut().zip(weights) {
        *factor = w / total;
    }
    F::scale_rows(slice_mut(grad), classes, slice(&factors));
    recycle(factors);
}

fn check_target<F: Scalar>(target: &Tensor<F>, output: &Tensor<F>) -> Result<Tensor<F>> {
    check_gradient(target, output.shape()).map_err(|_| {
        Error::shape("targets", format!("{:?}", output.shape()), target.shape())
            .help("Give one row of class weights for each sample; for indices use `CrossEntropy`.")
            .at("cross-entropy")
    })?;
    if let Some(bad) = target.iter().find(|t| !(t.is_finite() && **t >= F::zero())) {
        return Err(Error::data("targets", "finite and at least 0", bad)
            .help("Targets are the classes' shares, 0 to 1.")
            .at("cross-entropy"));
    }
    Ok(standard(target.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn by_hand_from_probabilities_and_from_logits() {
        let z = arr2(&[[0.0, 2.0f64.ln(), 0.0], [3.0f64.ln(), 0.0, 0.0]]).into_dyn();
        let p = arr2(&[[0.25, 0.5, 0.25], [0.6, 0.2, 0.2]]).into_dyn();
        let expected = (-(0.5f64.ln()) - 0.2f64.ln()) / 2.;
        let (a, _) = CrossEntropy::default().value_and_grad(p.clone(), &[1, 2], None).unwrap();
        let (b, grad) = CrossEntropy::from_logits().value_and_grad(z.clone(), &[1, 2], None).unwrap();
        assert!(close(a, expected) && close(b, expected));
        let by_hand = (&p - &arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn()) / 2.;
        assert!((grad - &by_hand).iter().all(|d| d.abs() < 1e-12));
        let one_hot = arr2(&[[0., 1., 0.], [0., 0., 1.]]).into_dyn();
        let (c, grad) = SoftCrossEntropy::from_logits().value_and_grad(z, &one_hot, None).unwrap();
        assert!(close(c, expected) && (grad - by_hand).iter().all(|d| d.abs() < 1e-12));
        let (d, _) = SoftCrossEntropy::default().value_and_grad(p, &one_hot, None).unwrap();
        assert!(close(d, expected));
    }

    #[test]
    fn weights_make_a_weighted_mean_and_zero_leaves_out() {
        let z = || arr2(&[[0.3, -1., 2.], [1., 0., 0.5], [0.1, 0.2, 0.3]]).into_dyn();
        let loss = CrossEntropy::from_logits();
        let one = |i: usize, label| {
            let row = z().slice_axis(ndarray::Axis(0), (i..=i).into()).to_owned();
            loss.value_and_grad(row, &[label], None).unwrap().0
        };
        let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[1., 3., 0.])).unwrap();
        assert!(close(value, (one(0, 0) + 3. * one(1, 1)) / 4.));
        assert!(grad.index_axis(ndarray::Axis(0), 2).iter().all(|&g| g == 0.));
        let (value, grad) = loss.value_and_grad(z(), &[0, 1, 2], Some(&[0.; 3])).unwrap();
        assert!(value == 0. && grad.iter().all(|&g| g == 0.));
    }

    #[test]
    fn finite_at_logits_of_a_thousand() {
        let z = arr2(&[[1000f32, -1000., 0.]]).into_dyn();
        for label in 0..3 {
            let (value, grad) =
                CrossEntropy::from_logits().value_and_grad(z.clone(), &[label], None).unwrap();
            assert_eq!(value, [0., 2000., 1000.][label]);
            assert!(grad.iter().all(|g| g.is_finite()));
            assert_eq!(grad[[0, label]], [0., -1., -1.][label]);
        }
        let soft = arr2(&[[0., 0.5, 0.5]]).into_dyn();
        assert_eq!(SoftCrossEntropy::from_logits().value_and_grad(z, &soft, None).unwrap().0, 1500.);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let loss = CrossEntropy::default();
        let p = || arr2(&[[0.5f32, 0.5], [0.5, 0.5]]).into_dyn();
        let text = loss.value_and_grad(p(), &[0, 2], None).unwrap_err().to_string();
        assert_eq!(
            text,
            "cross-entropy: expected the label of sample 1 in the batch below 2, the number of outputs, found 2. \
             Labels count from 0; give the last layer as many units as there are classes."
        );
        assert!(loss.value_and_grad(p(), &[0], None).is_err());
        assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1.])).is_err());
        assert!(loss.value_and_grad(p(), &[0, 1], Some(&[1., -1.])).is_err());
        assert!(loss.value_and_grad(arr1(&[1f32]).into_dyn(), &[0], None).is_err());
        let soft = SoftCrossEntropy::default();
        assert!(soft.value_and_grad(p(), &arr2(&[[1.]]).into_dyn(), None).is_err());
        assert!(soft.value_and_grad(p(), &arr2(&[[1., f32::NAN], [0., 1.]]).into_dyn(), None).is_err());
    }
}
