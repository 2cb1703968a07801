//! Binary cross-entropy.
//!
//! For a probability `p = σ(z) = 1 / (1 + e^-z)` and a target `t`, with the weight `q` of the positive class:
//!
//! ```text
//! l = -q · t · ln p - (1 - t) · ln(1 - p)                      ∂l/∂p = -q · t / p + (1 - t) / (1 - p)
//!   = (1 - t) · z + (1 - t + q · t) · ln(1 + e^-z)             ∂l/∂z = 1 - t - (1 - t + q · t) / (1 + e^z)
//! ```
//!
//! The second line contains neither a difference of large numbers nor a logarithm of 0, however wrong the model is. It
//! is used to train a model that ends in a sigmoid. `ln(1 + e^-z)` is computed as `ln(1 + e^-|z|) + max(-z, 0)`, which
//! does not overflow.

use super::elementwise::{check_paired, paired};
use super::{Loss, LossSum};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{OutputActivation, Outputs};
use crate::tensor::{Tensor, recycle, scratch, slice_mut};

/// Binary cross-entropy against the classes 0 and 1: `-ln p`, with `p` the predicted probability of the true class.
///
/// | | shape | contents |
/// |---|---|---|
/// | predictions | `[batch, 1]` | the probability of class 1, as [`Sigmoid`](crate::nn::Sigmoid) makes it, or a logit |
/// | targets | `[usize]`, one per sample | 0 or 1 |
///
/// If the model ends in a sigmoid, the loss is computed from its logits, so it is numerically stable. For a model whose
/// outputs are logits, use [`from_logits`](BinaryCrossEntropy::from_logits). For targets that are numbers from 0 to 1,
/// or several targets per sample, see [`SoftBinaryCrossEntropy`].
///
/// [`positive_weight`](BinaryCrossEntropy::positive_weight) increases the weight of class 1. It is a part of the loss,
/// not a sample weight, and does not change the divisor, as in PyTorch's `BCEWithLogitsLoss(pos_weight=..)`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let p = arr2(&[[0.75f64], [0.5]]).into_dyn();
/// let (loss, _) = BinaryCrossEntropy::default().value_and_grad(p, &[1, 0], None, 2.0)?;
/// assert!((loss.mean() + (0.75f64.ln() + 0.5f64.ln()) / 2.0).abs() < 1e-12);
///
/// let model = Sequential::builder([8]).layer(Dense::units(1)).layer(Sigmoid).build()?;
/// let trainer = Trainer::new(BinaryCrossEntropy::default(), Adam::default()).metric(RocAuc::default());
/// # let _: (Sequential, plywood::train::Trainer<_, f32>) = (model, trainer);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    soft: SoftBinaryCrossEntropy,
}

/// Binary cross-entropy against numbers from 0 to 1, each on its own: `-t · ln p - (1 - t) · ln(1 - p)`, averaged over
/// a sample's elements.
///
/// Predictions and targets are `[batch, …]`, of the same shape. Several elements per sample are several yes-or-no
/// questions (labels that do not exclude each other, as in "Several labels at once" in the guide), or the pixels of an
/// image. It also trains a model that ends in softmax, each class against the others; for several labels at once end
/// the model in Sigmoid. It is PyTorch's `BCELoss` and `BCEWithLogitsLoss`, without the clamp of the former. Everything
/// else is as for [`BinaryCrossEntropy`].
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// // Confident and wrong in the second element: the loss is finite, and the gradient has its largest value.
/// let logits = arr2(&[[1000.0f32, 1000.0]]).into_dyn();
/// let targets = arr2(&[[1.0, 0.0]]).into_dyn();
/// let (value, grad) = SoftBinaryCrossEntropy::default().from_logits(true).value_and_grad(logits, &targets, None, 1.0)?;
/// assert_eq!((value.mean(), grad), (500.0, arr2(&[[0.0, 0.5]]).into_dyn()));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoftBinaryCrossEntropy {
    from_logits: bool,
    positive: Positive,
}

/// The weights of the positive class.
#[derive(Clone, Debug, Default, PartialEq)]
enum Positive {
    /// The same weight as the negative class.
    #[default]
    Alike,
    /// This weight in all columns.
    All(f64),
    /// A weight for each column.
    Columns(Vec<f64>),
}

impl BinaryCrossEntropy {
    /// Sets whether the model's outputs are logits: the loss then applies the sigmoid, and `predict` returns logits.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.soft = self.soft.from_logits(from_logits);
        self
    }

    /// Sets the weight of class 1; the number of negatives divided by the number of positives balances the two. At
    /// least 0 and finite.
    #[must_use]
    pub fn positive_weight(mut self, weight: f64) -> Self {
        self.soft = self.soft.positive_weight(weight);
        self
    }

    /// Computes the loss, with the labels as a column of 0 and 1.
    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        logits: bool,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let at = |error: Error| error.at("binary cross-entropy");
        if labels.len() != output.shape().first().copied().unwrap_or(0) {
            let expected = format!("be {}, one for each prediction", output.len());
            return Err(at(Error::data("the number of labels", expected, labels.len())
                .help("Give one label for each sample.")));
        }
        self.check::<F>(output.shape().get(1..).unwrap_or_default(), labels)?;
        let mut target = scratch(&[labels.len(), 1]);
        for (t, &label) in slice_mut(&mut target).iter_mut().zip(labels) {
            *t = F::of(label as f64);
        }
        let result = self.soft.compute(output, &target, weights, logits, divisor);
        recycle(target);
        result
    }

    /// Checks that the model has one output, and that labels are 0 or 1.
    fn check<F: Scalar>(&self, output: &[usize], labels: &[usize]) -> Result<()> {
        let at = |error: Error| error.at("binary cross-entropy");
        if *output != [1] {
            return Err(at(Error::shape("the output", "[1]", output).help(
                "End the model in `Dense::units(1)` and `Sigmoid`, or use `CrossEntropy` with an output for \
                       each class.",
            )));
        }
        match labels.iter().position(|&label| label > 1) {
            None => self.soft.check_weights::<F>(output),
            Some(i) => Err(at(Error::sample("the label", i, "be 0 or 1", labels[i])
                .help("For more than two classes use `CrossEntropy` and an output for each."))),
        }
    }
}

impl SoftBinaryCrossEntropy {
    /// Sets whether the model's outputs are logits; see [`BinaryCrossEntropy::from_logits`].
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.from_logits = from_logits;
        self
    }

    /// Sets the weight of the part `t` of each target; see [`BinaryCrossEntropy::positive_weight`].
    #[must_use]
    pub fn positive_weight(mut self, weight: f64) -> Self {
        self.positive = Positive::All(weight);
        self
    }

    /// [`positive_weight`](SoftBinaryCrossEntropy::positive_weight) with a weight for each column of `[batch, labels]`,
    /// so that rare labels can have a larger weight. PyTorch: `BCEWithLogitsLoss(pos_weight=[…])`.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let loss = SoftBinaryCrossEntropy::default().from_logits(true).positive_weights([1.0, 3.0]);
    /// let (logits, targets) = (arr2(&[[0.0f64, 0.0]]).into_dyn(), arr2(&[[1.0, 1.0]]).into_dyn());
    /// let (value, _) = loss.value_and_grad(logits, &targets, None, 1.0)?;
    /// assert!((value.mean() - 2.0 * 2f64.ln()).abs() < 1e-12); // (1 + 3) / 2 · ln 2
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn positive_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.positive = Positive::Columns(weights.into());
        self
    }

    /// Checks the weights of the positives against the shape of an output.
    fn check_weights<F: Scalar>(&self, output: &[usize]) -> Result<()> {
        let at = |error: Error| error.at("binary cross-entropy");
        let weights = match &self.positive {
            Positive::Alike => &[][..],
            Positive::All(weight) => std::slice::from_ref(weight),
            Positive::Columns(weights) => {
                if output.last() != Some(&weights.len()) {
                    let expected = format!("{}, one for each column", output.last().unwrap_or(&1));
                    return Err(at(Error::argument(
                        "the number of positive weights",
                        expected,
                        weights.len(),
                    )
                    .help("Give a weight for each label, in the order of the outputs.")));
                }
                weights
            }
        };
        match weights.iter().find(|&&w| !(F::of(w).is_finite() && w >= 0.0)) {
            None => Ok(()),
            Some(&large) if large.is_finite() && large > 0.0 => {
                let expected = format!("a number that is finite in {}", F::NAME);
                Err(at(Error::argument("each positive weight", expected, format!("{large:?}"))
                    .help("Use a smaller one: negatives over positives is usual.")))
            }
            Some(bad) => Err(at(Error::argument("each positive weight", "at least 0 and finite", bad)
                .help("1 counts both classes alike."))),
        }
    }

    fn check<F: Scalar>(&self, output: &[usize], target: &Tensor<F>) -> Result<()> {
        let at = |error: Error| error.at("binary cross-entropy");
        self.check_weights::<F>(output)?;
        check_paired(output, target).map_err(at)?;
        let numbers = output.iter().product::<usize>().max(1);
        match outside_unit(target) {
            None => Ok(()),
            Some((i, found)) => Err(at(Error::sample("the target", i / numbers, "be from 0 to 1", found)
                .help("A target is the probability of class 1."))),
        }
    }

    fn compute<F: Scalar>(
        &self,
        output: Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
        logits: bool,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let at = |error: Error| error.at("binary cross-entropy");
        self.check(output.shape().get(1..).unwrap_or_default(), target)?;
        if !logits && let Some((i, found)) = outside_unit(&output) {
            let numbers = output.shape()[1..].iter().product::<usize>().max(1);
            return Err(at(Error::sample("the output", i / numbers, "be a probability, from 0 to 1", found)
                .help("End the model in Sigmoid, with nothing after it, or use the loss with `from_logits(true)`.")));
        }
        let (one, columns): ([F; 1], Vec<F>);
        let positive = match &self.positive {
            Positive::Columns(weights) => {
                columns = weights.iter().map(|&w| F::of(w)).collect();
                &columns[..]
            }
            alike => {
                one = [if let Positive::All(weight) = alike { F::of(*weight) } else { F::one() }];
                &one
            }
        };
        paired(output, target, weights, divisor, |x, t, numbers, sums| {
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

/// Implements [`Loss`]. Both losses train from logits if the model ends in a sigmoid.
macro_rules! binary {
    ($loss:ident, $target:ty, $from_logits:expr) => {
        impl<F: Scalar> Loss<F> for $loss {
            type Target = $target;

            fn value_and_grad(
                &self,
                output: Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
                divisor: f64,
            ) -> Result<(LossSum, Tensor<F>)> {
                self.compute(output, target, weights, $from_logits(self), divisor)
            }

            fn outputs(&self) -> Outputs {
                if $from_logits(self) { Outputs::BinaryLogits } else { Outputs::Probabilities }
            }

            fn check_target(&self, output: &[usize], target: &$target) -> Result<()> {
                self.check::<F>(output, target)
            }

            fn fused_activation(&self) -> OutputActivation {
                if $from_logits(self) { OutputActivation::Unknown } else { OutputActivation::Sigmoid }
            }

            fn value_and_grad_logits(
                &self,
                logits: Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
                divisor: f64,
            ) -> Result<(LossSum, Tensor<F>)> {
                self.compute(logits, target, weights, true, divisor)
            }
        }
    };
}
binary!(BinaryCrossEntropy, [usize], |loss: &BinaryCrossEntropy| loss.soft.from_logits);
binary!(SoftBinaryCrossEntropy, Tensor<F>, |loss: &SoftBinaryCrossEntropy| loss.from_logits);
/// Returns the position and value of the first number below 0 or above 1.
fn outside_unit<F: Scalar>(numbers: &Tensor<F>) -> Option<(usize, F)> {
    numbers.iter().copied().enumerate().find(|(_, number)| *number < F::zero() || *number > F::one())
}
