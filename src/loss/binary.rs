//! Binary cross-entropy.
//!
//! For a probability `p = σ(z) = 1 / (1 + e^-z)` and a target `t`, with the weight `q` of the positives:
//!
//! ```text
//! l = -q · t · ln p - (1 - t) · ln(1 - p)                      ∂l/∂p = -q · t / p + (1 - t) / (1 - p)
//!   = (1 - t) · z + (1 - t + q · t) · ln(1 + e^-z)             ∂l/∂z = 1 - t - (1 - t + q · t) / (1 + e^z)
//! ```
//!
//! The second line holds no difference of large numbers and no logarithm of 0, however wrong the model is: it is what
//! a model that ends in a sigmoid is trained by. `ln(1 + e^-z)` is `ln(1 + e^-|z|) + max(-z, 0)`, without an
//! overflow.

use super::Loss;
use super::paired::paired;
use crate::error::{Error, Result};
use crate::layer::Link;
use crate::scalar::Scalar;
use crate::tensor::{Tensor, recycle, scratch, slice_mut};

/// Binary cross-entropy against classes 0 and 1: `-ln p` of the probability given to the true one, averaged over the
/// batch.
///
/// | | shape | what it holds |
/// |---|---|---|
/// | predictions | `[batch, 1]` | the probability of class 1, as [`Sigmoid`](crate::Sigmoid) makes it, or a logit |
/// | targets | `[usize]`, one for each sample | 0 or 1 |
///
/// A model that ends in a sigmoid is computed from its logits all the same, exactly. For a model that ends in logits,
/// say [`from_logits`](BinaryCrossEntropy::from_logits). For targets that are numbers from 0 to 1, or several for
/// each sample, see [`SoftBinaryCrossEntropy`].
///
/// The mean is over the samples by their weights. [`positive_weight`](BinaryCrossEntropy::positive_weight) makes
/// class 1 count more and does not enter the divisor, as in PyTorch's `BCEWithLogitsLoss(pos_weight=..)`.
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// let p = arr2(&[[0.75f64], [0.5]]).into_dyn();
/// let (loss, _) = BinaryCrossEntropy::default().value_and_grad(p, &[1, 0], None)?;
/// assert!((loss + (0.75f64.ln() + 0.5f64.ln()) / 2.0).abs() < 1e-12);
///
/// let model = Sequential::builder([8]).layer(Dense::units(1)).layer(Sigmoid).build()?;
/// let trainer = Trainer::new(BinaryCrossEntropy::default(), Adam::default()).metric(RocAuc::default());
/// # let _: (Sequential, plywood::Trainer<_, _, f32>) = (model, trainer);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    soft: SoftBinaryCrossEntropy,
}

/// Binary cross-entropy against numbers from 0 to 1, each by itself: `-t · ln p - (1 - t) · ln(1 - p)`, the mean over
/// a sample's numbers and over the batch.
///
/// Predictions and targets are `[batch, …]`, of the same shape: with several numbers a sample, several yes-or-no
/// questions (labels that do not exclude each other), or the pixels of an image. It is PyTorch's `BCELoss` and
/// `BCEWithLogitsLoss`, without the clamp of the former. Everything else is as for [`BinaryCrossEntropy`].
///
/// ```
/// use ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Sure, and wrong at the second: finite, and the gradient as large as it can be.
/// let logits = arr2(&[[1000.0f32, 1000.0]]).into_dyn();
/// let targets = arr2(&[[1.0, 0.0]]).into_dyn();
/// let (value, grad) = SoftBinaryCrossEntropy::from_logits().value_and_grad(logits, &targets, None)?;
/// assert_eq!((value, grad), (500.0, arr2(&[[0.0, 0.5]]).into_dyn()));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftBinaryCrossEntropy {
    from_logits: bool,
    /// The weight of the positives.
    positive: f64,
}

impl Default for SoftBinaryCrossEntropy {
    /// For probabilities, both classes counting alike.
    fn default() -> Self {
        Self { from_logits: false, positive: 1.0 }
    }
}

impl BinaryCrossEntropy {
    /// For a model whose outputs are logits: the sigmoid is in the loss, and `predict` returns logits.
    pub fn from_logits() -> Self {
        Self { soft: SoftBinaryCrossEntropy::from_logits() }
    }

    /// Counts the class 1 by this weight; the negatives' number over the positives' balances them. At least 0 and
    /// finite.
    #[must_use]
    pub fn positive_weight(mut self, weight: f64) -> Self {
        self.soft.positive = weight;
        self
    }

    /// The loss, with the labels as a column of 0 and 1.
    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        logits: bool,
    ) -> Result<(F, Tensor<F>)> {
        let at = |error: Error| error.at("binary cross-entropy");
        if !matches!(output.shape(), [_, 1]) {
            return Err(at(Error::shape("predictions", "[batch, 1]", output.shape())
                .help("End the model in `Dense::units(1)` and `Sigmoid`.")));
        }
        if labels.len() != output.len() {
            return Err(at(Error::data("labels", format!("for {} predictions", output.len()), labels.len())
                .help("Give one label for each sample.")));
        }
        if let Some(i) = labels.iter().position(|&label| label > 1) {
            let what = format!("the label of sample {i} in the batch");
            return Err(at(Error::data(what, "0 or 1", labels[i])
                .help("For more than two classes take `CrossEntropy` and an output for each.")));
        }
        let mut target = scratch(&[labels.len(), 1]);
        for (t, &label) in slice_mut(&mut target).iter_mut().zip(labels) {
            *t = F::of(label as f64);
        }
        let result = self.soft.compute(output, &target, weights, logits);
        recycle(target);
        result
    }
}

impl SoftBinaryCrossEntropy {
    /// For a model whose outputs are logits; see [`BinaryCrossEntropy::from_logits`].
    pub fn from_logits() -> Self {
        Self { from_logits: true, ..Self::default() }
    }

    /// Counts the part `t` of each target by this weight; see [`BinaryCrossEntropy::positive_weight`].
    #[must_use]
    pub fn positive_weight(mut self, weight: f64) -> Self {
        self.positive = weight;
        self
    }

    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        logits: bool,
    ) -> Result<(F, Tensor<F>)> {
        let at = |error: Error| error.at("binary cross-entropy");
        if !(self.positive.is_finite() && self.positive >= 0.0) {
            return Err(at(Error::argument("a positive weight", "at least 0 and finite", self.positive)
                .help("1 counts both classes alike.")));
        }
        if let Some(bad) = target.iter().find(|t| !(**t >= F::zero() && **t <= F::one())) {
            return Err(at(
                Error::data("targets", "from 0 to 1", bad).help("A target is the probability of class 1.")
            ));
        }
        let positive = F::of(self.positive);
        paired(output, target, weights, |x, t, numbers, sums| {
            if logits {
                F::binary_logits_rows(x, t, numbers, positive, sums);
            } else {
                F::binary_rows(x, t, numbers, positive, sums);
            }
            F::one()
        })
        .map_err(at)
    }
}

/// Both are trained from logits where the model ends in a sigmoid.
macro_rules! binary {
    ($loss:ident, $target:ty, $from_logits:expr) => {
        impl<F: Scalar> Loss<F> for $loss {
            type Target = $target;

            fn value_and_grad(
                &self,
                output: Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
            ) -> Result<(F, Tensor<F>)> {
                self.compute(output, target, weights, $from_logits(self))
            }

            fn absorbs(&self) -> Link {
                if $from_logits(self) { Link::Unknown } else { Link::Sigmoid }
            }

            fn value_and_grad_logits(
                &self,
                logits: Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
            ) -> Result<(F, Tensor<F>)> {
                self.compute(logits, target, weights, true)
            }
        }
    };
}
binary!(BinaryCrossEntropy, [usize], |loss: &BinaryCrossEntropy| loss.soft.from_logits);
binary!(SoftBinaryCrossEntropy, Tensor<F>, |loss: &SoftBinaryCrossEntropy| loss.from_logits);
