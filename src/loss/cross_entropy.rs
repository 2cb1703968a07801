//! Cross-entropy over classes.
//!
//! # From probabilities
//!
//! For one sample with the label `y`, and probabilities `p` over the classes:
//!
//! ```text
//! l = -ln p_y              ∂l/∂p_j = -[j = y] / p_y
//! ```
//!
//! The smaller `p_y` is, the larger the gradient: a model that is sure of the wrong class has a derivative of 1e30
//! and more, which the derivative of softmax, `p_y · (…)`, then brings back to the order of 1. In between, numbers
//! overflow or vanish. Frameworks therefore clamp `p` to, say, 1e-7. But where a clamp holds, its derivative is 0,
//! so the gradient vanishes for just those samples that are most wrong.
//!
//! # From logits
//!
//! Put softmax into the formula, `p_j = e^z_j / Σ_k e^z_k`, and the logarithm cancels the exponential:
//!
//! ```text
//! l = ln Σ_k e^z_k - z_y                ∂l/∂z_j = e^z_j / Σ_k e^z_k - [j = y] = p_j - [j = y]
//! ```
//!
//! The gradient is a difference of probabilities. It lies between -1 and 1 for any logits, so nothing has to be
//! clamped. The sum of exponentials is kept in range by taking off the row's largest logit `m` first, which changes
//! neither side:
//!
//! ```text
//! ln Σ_k e^z_k - z_y = ln Σ_k e^(z_k - m) - (z_y - m)
//! ```
//!
//! The largest term of the sum is now 1, so the logarithm is at least 0, and neither part is a difference of large
//! numbers. At logits of 1000, -1000 and 0 the loss of the second class is 2000, exactly.
//!
//! # With soft targets
//!
//! For targets `t` the sum runs over all classes. With the mass `M = Σ_j t_j`, which is 1 for a distribution:
//!
//! ```text
//! l = M · ln Σ_k e^z_k - Σ_j t_j · z_j              ∂l/∂z_j = M · p_j - t_j
//! ```
//!
//! # How it is computed
//!
//! All kernels run over the batch's one slice. From logits there are one exponential for each number and one
//! logarithm for each row; the gradient is written over the logits. Beside that, only vectors of the batch's length
//! (and for soft targets one of the number of classes and a copy of the targets) are used, the vectors out of the
//! spare buffers. Samples are added up in their order, so the value's bits depend on the batch alone.

use super::{Loss, loss_weights};
use crate::error::{Error, Result};
use crate::layer::{Link, check_gradient};
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut, standard};

/// Cross-entropy against class indices: `-ln p_label`, averaged over the batch. Keras calls it sparse categorical
/// cross-entropy.
///
/// | | shape | what it holds |
/// |---|---|---|
/// | predictions | `[batch, classes]` | probabilities, as [`Softmax`](crate::Softmax) makes them, or logits |
/// | targets | `[usize]`, one for each sample | indices below the number of classes |
/// | gradient | `[batch, classes]` | at the predictions, or at the logits |
///
/// A model that ends in softmax is computed from its logits all the same, exactly: `log Σ_j e^z_j - z_label`, whose
/// gradient is `softmax(z) - [label]`. Nothing is clamped, so the gradient is right however wrong the model is. For
/// a model that ends in logits, say [`from_logits`](CrossEntropy::from_logits).
///
/// The unit is the nat. A model that knows nothing of ten classes has a loss of `ln 10 = 2.303`; a first loss far
/// above that says that the initial weights or the inputs are badly scaled.
///
/// PyTorch's `CrossEntropyLoss` is `CrossEntropy::from_logits()`; there a weight belongs to a class, here to a
/// sample.
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
///
/// Labels that the model has no output for are errors that say which:
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let two = arr2(&[[0.5f32, 0.5], [0.9, 0.1]]).into_dyn();
/// let error = CrossEntropy::default().value_and_grad(two, &[1, 2], None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cross-entropy: expected the label of sample 1 in the batch below 2, the number of outputs, found 2. \
///      Labels count from 0; give the last layer as many units as there are classes."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Whether [`Loss::value_and_grad`] takes logits. What `value_and_grad_logits` takes is not in question.
    from_logits: bool,
}

/// Cross-entropy against distributions: `-Σ_j t_j · ln p_j`, averaged over the batch. Keras calls it categorical
/// cross-entropy.
///
/// Predictions are as for [`CrossEntropy`], targets a tensor of the same shape: one-hot rows, or any weights of the
/// classes that are at least 0 and, as a rule, add up to 1.
///
/// Uses are smoothed labels, the outputs of another model (distillation), and shares of several raters. A row that
/// does not add up to 1 counts by its mass: twice the target is twice the loss. A target of 0 leaves its
/// probability out, whatever it is, so that `0 · ln 0` is 0.
///
/// The least value is not 0 but the entropy of the targets, reached where predictions and targets are equal:
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let t = arr2(&[[0.25f64, 0.75]]).into_dyn();
/// let logits = t.mapv(f64::ln); // softmax of these is `t`
/// let (value, grad) = SoftCrossEntropy::from_logits().value_and_grad(logits, &t, None)?;
/// let entropy = -(0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
/// assert!((value - entropy).abs() < 1e-12 && grad.iter().all(|g| g.abs() < 1e-12));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Label smoothing (Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for
/// computer vision", 2016) is a matter of the targets: `1 - ε + ε / classes` for the label, `ε / classes` for the
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftCrossEntropy {
    from_logits: bool,
}

impl CrossEntropy {
    /// For a model whose outputs are logits: the softmax is in the loss, and `predict` returns logits.
    ///
    /// ```
    /// use ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// // Sure of the first class, and wrong: the gradient is as large as it can be, and finite.
    /// let logits = arr2(&[[1000.0f32, -1000.0]]).into_dyn();
    /// let (value, grad) = CrossEntropy::from_logits().value_and_grad(logits, &[1], None)?;
    /// assert_eq!(value, 2000.0);
    /// assert!(grad[[0, 0]] == 1.0 && grad[[0, 1]] == -1.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// A model that ends in softmax must not be trained with it: softmax would be taken twice.
    pub fn from_logits() -> Self {
        Self { from_logits: true }
    }
}

impl SoftCrossEntropy {
    /// For a model whose outputs are logits; see [`CrossEntropy::from_logits`].
    pub fn from_logits() -> Self {
        Self { from_logits: true }
    }
}

/// The predictions as `[batch, classes]` in standard layout.
///
/// `classes` is above 0, so `chunks_exact(classes)` in what follows cannot panic.
fn predictions<F: Scalar>(output: Tensor<F>) -> Result<(Tensor<F>, usize, usize)> {
    match *output.shape() {
        [samples, classes] if classes > 0 => Ok((standard(output), samples, classes)),
        _ => Err(Error::shape("predictions", "[batch, classes]", output.shape())
            .help("Give the model one row of class probabilities, or logits, for each sample; put Flatten before Dense.")
            .at("cross-entropy")),
    }
}

/// One label for each row, each of them an output's position: after it, `row[label]` is in range. A pass of its own
/// over the labels, before anything is changed.
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
///
/// One pass gives both, as the exponentials are needed for both.
fn weighted_softmax<F: Scalar>(z: &mut [F], classes: usize, weights: impl Iterator<Item = F>) -> F {
    let mut logs = scratch(&[z.len() / classes]);
    F::softmax_log_rows(z, classes, slice_mut(&mut logs));
    let sum = slice(&logs).iter().zip(weights).map(|(&log, w)| w * log).sum();
    recycle(logs);
    sum
}

/// Multiplies each sample's gradient by its share of the mean.
///
/// `w / total` is worked out for each row and then multiplied, so a weight of 0 makes its row exactly 0, unless a
/// logit was not finite.
fn scale_rows<F: Scalar>(grad: &mut Tensor<F>, classes: usize, weights: impl Iterator<Item = F>, total: F) {
    let mut factors = scratch(&[grad.len() / classes]);
    for (factor, w) in slice_mut(&mut factors).iter_mut().zip(weights) {
        *factor = w / total;
    }
    F::scale_rows(slice_mut(grad), classes, slice(&factors));
    recycle(factors);
}

/// The targets in standard layout, checked to be of the predictions' shape and to have no negative and no infinite
/// number and no NaN. They are copied, as the caller's are borrowed; the copy is one pass over memory that is read
/// anyway.
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
