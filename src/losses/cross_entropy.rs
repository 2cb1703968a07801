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
//! The smaller `p_y` is, the larger the gradient: for a model that is sure of the wrong class the derivative is 1e30
//! and more, and the derivative of softmax, `p_y · (…)`, then brings it back to the order of 1. In between, values
//! overflow or vanish. Frameworks therefore clamp `p` to, say, 1e-7. But where the clamp acts, its derivative is 0, so
//! the gradient vanishes for just those samples that are most wrong.
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
//! clamped. To keep the sum of exponentials in range, the row's largest logit `m` is subtracted first, which changes
//! neither side:
//!
//! ```text
//! ln Σ_k e^z_k - z_y = ln Σ_k e^(z_k - m) - (z_y - m)
//! ```
//!
//! The largest term of the sum is now 1, so the logarithm is at least 0, and neither part is a difference of large
//! numbers. For the logits 1000, -1000 and 0 the loss of the second class is exactly 2000.
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
//! All kernels run over one slice for the whole batch. From logits there is one exponential per element and one
//! logarithm per row; the gradient overwrites the logits. The other buffers are vectors of the batch's length, taken
//! from the spare buffers (and for soft targets one vector of the number of classes and a copy of the targets). Samples
//! are added up in their order, so the bits of the value depend on the batch alone.

use super::class_probabilities::{
    Probabilities, Soft, check_class_weights, check_classes, check_distributions, check_labels, check_rows,
    check_target, check_target_rows, label_weights, leave_out, of_classes, weights_of,
};
use super::{Loss, LossSum};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::tensor::{Tensor, recycle, scratch, slice, slice_mut};

/// Cross-entropy against class indices: `-ln p_label`. Keras calls it sparse categorical cross-entropy.
///
/// | | shape | contents |
/// |---|---|---|
/// | predictions | `[batch, classes]` | probabilities, as [`Softmax`](crate::nn::Softmax) makes them, or logits |
/// | targets | `[usize]`, one per sample | indices below the number of classes |
/// | gradient | `[batch, classes]` | at the predictions, or at the logits |
///
/// If the model ends in softmax, the loss is computed from its logits, so it is numerically stable: `log Σ_j e^z_j -
/// z_label`, whose gradient is `softmax(z) - [label]`. Nothing is clamped, so the gradient is right however wrong the
/// model is. For a model whose outputs are logits, use [`from_logits`](CrossEntropy::from_logits).
///
/// The unit is the nat. A model that guesses among ten classes has a loss of `ln 10 = 2.303`; if the first loss is far
/// above that, the initial weights or the inputs are badly scaled.
///
/// A sample's weight is its own times that of its class, if there are [`class_weights`](CrossEntropy::class_weights).
/// PyTorch's `CrossEntropyLoss` is `CrossEntropy::default().from_logits(true)`, but divides the gradient by the sum of
/// the batch's weights, and has no sample weights.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let probabilities = arr2(&[[0.7f64, 0.2, 0.1]]).into_dyn();
/// let (loss, grad) = CrossEntropy::default().value_and_grad(probabilities, &[0], None, 1.0)?;
/// assert!((loss.mean() + 0.7f64.ln()).abs() < 1e-12);
/// assert!((grad[[0, 0]] + 1.0 / 0.7).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A label without an output of the model is an error that names the label:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let two = arr2(&[[0.5f32, 0.5], [0.9, 0.1]]).into_dyn();
/// let error = CrossEntropy::default().value_and_grad(two, &[1, 2], None, 2.0).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cross-entropy: the label of sample 1 in the batch must be below 2, the number of outputs, got 2. Labels \
///      count from 0; give the last layer as many units as there are classes."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// True if [`Loss::value_and_grad`] takes logits. `value_and_grad_logits` takes them in any case.
    from_logits: bool,
    /// Empty if there are none.
    class_weights: Vec<f64>,
    /// The fraction of a target that is spread over all classes.
    smoothing: f64,
}

/// Cross-entropy against distributions: `-Σ_j t_j · ln p_j`. Keras calls it categorical cross-entropy.
///
/// Predictions are as for [`CrossEntropy`]. Targets are a tensor of the same shape: one-hot rows, or any distributions,
/// that is, elements of at least 0 whose sum is 1, within 0.001.
///
/// Use it for smoothed labels, the outputs of another model (distillation), and votes of several raters. Classes
/// exclude each other; for several labels at once see
/// [`SoftBinaryCrossEntropy`](crate::losses::SoftBinaryCrossEntropy). A target of 0 leaves its probability out,
/// whatever it is, so that `0 · ln 0` is 0.
///
/// The minimum is not 0 but the entropy of the targets; it is reached where predictions and targets are equal:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let t = arr2(&[[0.25f64, 0.75]]).into_dyn();
/// let logits = t.mapv(f64::ln); // softmax of these is `t`
/// let (value, grad) = SoftCrossEntropy::default().from_logits(true).value_and_grad(logits, &t, None, 1.0)?;
/// let entropy = -(0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
/// assert!((value.mean() - entropy).abs() < 1e-12 && grad.iter().all(|g| g.abs() < 1e-12));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// For smoothed labels, class indices are enough: see [`CrossEntropy::label_smoothing`]. With class weights `c` a
/// sample has the weight `Σ_j t_j · c_j`, so that one-hot rows give the same value as [`CrossEntropy`] does for their
/// indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoftCrossEntropy {
    from_logits: bool,
    /// Empty if there are none.
    class_weights: Vec<f64>,
}

impl CrossEntropy {
    /// Sets whether the model's outputs are logits: the loss then applies the softmax. `predict` returns the logits.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// // Confident in the first class, and wrong: the gradient has its largest value, and is finite.
    /// let logits = arr2(&[[1000.0f32, -1000.0]]).into_dyn();
    /// let (value, grad) = CrossEntropy::default().from_logits(true).value_and_grad(logits, &[1], None, 1.0)?;
    /// assert_eq!(value.mean(), 2000.0);
    /// assert!(grad[[0, 0]] == 1.0 && grad[[0, 1]] == -1.0);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// A model that ends in softmax is then an error, as softmax would be applied twice. A model that ends in
    /// [`LogSoftmax`](crate::nn::LogSoftmax) is fine: the logarithm of a distribution is a logit, too.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Sets a weight for each class: with larger weights for rare classes, the model learns these too.
    ///
    /// One weight per class, finite and at least 0, as computed from labels by
    /// [`class_weights`](crate::losses::class_weights). Each sample is weighted by its class's weight (times its own).
    /// In reported values, the weights count in the divisor, too, as in PyTorch's `CrossEntropyLoss(weight=..)`. A step
    /// divides by the number of samples, so weights with a mean other than 1 scale the learning rate.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::losses::class_weights;
    /// use plywood::prelude::*;
    ///
    /// let labels = [0, 0, 0, 1];
    /// let loss = CrossEntropy::default().class_weights(class_weights(&labels, 2)?);
    /// let p = arr2(&[[0.5f64, 0.5], [0.5, 0.5], [0.5, 0.5], [0.75, 0.25]]).into_dyn();
    /// // Each class makes up half of the mean.
    /// assert!((loss.value_and_grad(p, &labels, None, 4.0)?.0.mean() - (2f64.ln() + 4f64.ln()) / 2.0).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = weights.into();
        self
    }

    /// Spreads the fraction `ε` of each target over all classes: `1 - ε + ε / classes` for the label, `ε / classes` for
    /// the others. From 0 to 1; 0.1 is usual.
    ///
    /// The loss no longer favours infinite logits. Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the
    /// Inception architecture for computer vision", 2016, section 7; PyTorch's `label_smoothing`. With class weights
    /// each term is weighted by its own class, as in PyTorch. The reported value is divided by the sum of these
    /// weights, while PyTorch divides by the weights of the labels.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let logits = arr2(&[[0.0f64, 0.0]]).into_dyn();
    /// let (_, grad) = CrossEntropy::default().from_logits(true).label_smoothing(0.2).value_and_grad(logits, &[0], None, 1.0)?;
    /// assert!((grad[[0, 0]] - (0.5 - 0.9)).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn label_smoothing(mut self, share: f64) -> Self {
        self.smoothing = share;
        self
    }

    /// Computes the loss for smoothed targets, `w_j · ((1 - ε) · [j = label] + ε / classes)`.
    fn smoothed<F: Scalar>(
        &self,
        rows: Probabilities<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        logits: bool,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        if !(0.0..=1.0).contains(&self.smoothing) {
            return Err(
                Error::argument("the label smoothing", "from 0 to 1", self.smoothing).help("0.1 is usual.")
            );
        }
        let each = weights_of(weights, rows.samples)?;
        let of_class = of_classes::<F>(&self.class_weights, rows.columns)?;
        let (own, others) = (F::of(1.0 - self.smoothing), F::of(self.smoothing / rows.columns as f64));
        let mut target = scratch(&[rows.samples, rows.columns]);
        target.fill(F::zero());
        let ts = slice_mut(&mut target);
        let shares: Vec<F> = of_class.iter().map(|&w| w * others).collect();
        F::add_row(ts, &shares);
        for (row, &label) in ts.chunks_exact_mut(rows.columns).zip(labels) {
            row[label] += own * of_class[label];
        }
        let weighted = !self.class_weights.is_empty();
        let result = Soft { target: &target, each: slice(&each), weighted, divisor }.compute(rows, logits);
        [each, target].into_iter().for_each(recycle);
        result
    }

    fn of_logits<F: Scalar>(
        &self,
        logits: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        let rows = Probabilities::of(logits)?;
        check_labels(labels, rows.samples, rows.columns)?;
        if self.smoothing != 0.0 {
            return self.smoothed(rows, labels, weights, true, divisor);
        }
        let Probabilities { mut grad, samples, columns } = rows;
        let each = label_weights(&self.class_weights, columns, labels, weights)?;
        // Each sample's share of the step. A weight of 0 makes its row exactly 0, unless a logit is not finite.
        let mut shares = scratch(&[samples]);
        for (share, &w) in slice_mut(&mut shares).iter_mut().zip(slice(&each)) {
            *share = w / divisor;
        }
        let (z, mut losses) = (slice_mut(&mut grad), scratch(&[samples]));
        F::cross_entropy_rows(z, columns, labels, slice(&shares), slice_mut(&mut losses));
        let value = LossSum::of(slice(&losses), slice(&each).iter().copied());
        leave_out(slice_mut(&mut grad), columns, slice(&each));
        [losses, each, shares].into_iter().for_each(recycle);
        Ok((value, grad))
    }

    fn of_probabilities<F: Scalar>(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        let rows = Probabilities::of(output)?;
        check_labels(labels, rows.samples, rows.columns)?;
        if self.smoothing != 0.0 {
            return self.smoothed(rows, labels, weights, false, divisor);
        }
        check_distributions(&rows)?;
        let Probabilities { mut grad, columns, .. } = rows;
        let each = label_weights(&self.class_weights, columns, labels, weights)?;
        let mut value = LossSum::default();
        for ((row, &label), &w) in
            slice_mut(&mut grad).chunks_exact_mut(columns).zip(labels).zip(slice(&each))
        {
            let p = row[label];
            value.add(w.as_f64(), -p.ln().as_f64());
            row.fill(F::zero());
            row[label] = -w / (p * divisor);
        }
        leave_out(slice_mut(&mut grad), columns, slice(&each));
        recycle(each);
        Ok((value, grad))
    }
}

impl SoftCrossEntropy {
    /// Sets whether the model's outputs are logits; see [`CrossEntropy::from_logits`].
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Multiplies the targets by class weights: finite and at least 0, one per class.
    #[must_use]
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = weights.into();
        self
    }

    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        logits: bool,
        divisor: F,
    ) -> Result<(LossSum, Tensor<F>)> {
        let rows = Probabilities::of(output)?;
        let mut target = check_target(target, &rows.grad)?;
        let weighted = !self.class_weights.is_empty();
        if weighted {
            let of_class = of_classes::<F>(&self.class_weights, rows.columns)?;
            F::affine(slice_mut(&mut target), &of_class, &vec![F::zero(); rows.columns]);
        }
        let each = weights_of(weights, rows.samples)?;
        let result = Soft { target: &target, each: slice(&each), weighted, divisor }.compute(rows, logits);
        [each, target].into_iter().for_each(recycle);
        result
    }
}

impl<F: Scalar> Loss<F> for CrossEntropy {
    type Target = [usize];

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        if self.from_logits {
            return self.value_and_grad_logits(output, labels, weights, divisor);
        }
        self.of_probabilities(output, labels, weights, F::of(divisor))
            .map_err(|error| error.at("cross-entropy"))
    }

    fn outputs(&self) -> Outputs {
        if self.from_logits { Outputs::Logits } else { Outputs::Distributions }
    }

    fn check_target(&self, output: &[usize], labels: &[usize]) -> Result<()> {
        check_rows(output)
            .and_then(|classes| check_class_weights::<F>(&self.class_weights, classes))
            .and_then(|()| check_classes(labels, output[0]))
            .map_err(|error| error.at("cross-entropy"))
    }

    fn fused_activation(&self) -> OutputActivation {
        if self.from_logits { OutputActivation::Unknown } else { OutputActivation::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.of_logits(logits, labels, weights, F::of(divisor)).map_err(|error| error.at("cross-entropy"))
    }
}

impl<F: Scalar> Loss<F> for SoftCrossEntropy {
    type Target = Tensor<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        if self.from_logits {
            return self.value_and_grad_logits(output, target, weights, divisor);
        }
        self.compute(output, target, weights, false, F::of(divisor))
            .map_err(|error| error.at("cross-entropy"))
    }

    fn outputs(&self) -> Outputs {
        if self.from_logits { Outputs::Logits } else { Outputs::Distributions }
    }

    fn check_target(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        check_rows(output)
            .and_then(|classes| check_class_weights::<F>(&self.class_weights, classes))
            .and_then(|()| check_target_rows(output, target))
            .map_err(|error| error.at("cross-entropy"))
    }

    fn fused_activation(&self) -> OutputActivation {
        if self.from_logits { OutputActivation::Unknown } else { OutputActivation::Softmax }
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        self.compute(logits, target, weights, true, F::of(divisor)).map_err(|error| error.at("cross-entropy"))
    }
}
