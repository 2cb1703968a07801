//! Schedule-free AdamW: an average of the weights in place of a learning rate that falls.
//!
//! # Three points
//!
//! ```text
//! z   the base: AdamW's steps without momentum
//! x   the average of all z so far: what is evaluated
//! y   (1 - β1) · z + β1 · x: where gradients are taken, what the model holds in training
//! ```
//!
//! The optimizer stores `z - y`, which begins at 0 like every slot, in place of `z`. From the definition of `y` follows
//! `x = y + (1 - 1 / β1) · (z - y)`, so the average needs no array.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule};
use crate::error::{Error, Result};
use crate::kernels::{FreeStep, Scalar};
use crate::tensor::{Tensor, slice};

/// Schedule-free AdamW: without momentum or a schedule; the average of its weights is used for evaluation.
///
/// ```text
/// g = gradient at y
/// v = β2 · v + (1 - β2) · g²
/// u = g / (√(v / (1 - β2^t)) + ε) + decay · y
/// z = z - rate · u
/// x = (1 - c) · x + c · z                          c = rate_max² / Σ rate_max²  (1 / t for a constant rate)
/// y = (1 - β1) · z + β1 · x
/// ```
///
/// Defazio and others, "The road less scheduled", 2024, as the authors' `AdamWScheduleFree` computes it: learning rate
/// 0.0025, β1 0.9, β2 0.999, ε 1e-8, no decay. Neither PyTorch nor Keras has it.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::optim::WarmUp;
///
/// let trainer = Trainer::new(CrossEntropy::default(), ScheduleFreeAdamW::default())
///     .learning_rate(WarmUp { steps: 500, from: 0.0, then: 0.0025 });
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// A [`Trainer`](crate::train::Trainer) puts `x` into the model for validation, callbacks and the end of training, and
/// puts `y` back for further training; no call is needed. In a custom training loop, call
/// [`evaluation_weights`](crate::optim::Optimizer::evaluation_weights) and
/// [`training_weights`](crate::optim::Optimizer::training_weights). Use a constant learning rate, optionally after a
/// warm-up, whose steps count less in the average. The best learning rates are higher than AdamW's, up to ten times.
///
/// Batch normalization measures its running means at `y`, so its evaluation is slightly off; layer and group
/// normalization have no running means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleFreeAdamW {
    moments: Moments,
    decay: f64,
    /// The highest learning rate so far.
    highest: f64,
    /// The sum over the steps of the square of `highest`.
    sum: f64,
    /// The weight of this step in the average.
    share: f64,
}

impl Default for ScheduleFreeAdamW {
    fn default() -> Self {
        let (highest, sum, share) = (0.0, 0.0, 0.0);
        Self { moments: Moments::USUAL, decay: 0.0, highest, sum, share }
    }
}

impl ScheduleFreeAdamW {
    /// Sets β1 and β2. β1 is the point between base (0) and average (1) at which gradients are taken: above 0 and below
    /// 1, default 0.9. β2 is the decay of the second moment: from 0 to below 1, default 0.999. Try 0.95 and 0.98 for
    /// long runs.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
        self
    }

    /// Sets ε, which is added to the denominator: above 0, default 1e-8.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.moments.epsilon = epsilon;
        self
    }

    /// Sets the weight decay. Each step subtracts `rate · decay · y` from the base, with the weights `y` at which the
    /// gradient is taken. At least 0; the default is 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for ScheduleFreeAdamW {
    saved!("schedule_free_adamw": moments, decay, highest, sum, share);

    fn default_learning_rate(&self) -> f64 {
        0.0025
    }

    fn slots(&self) -> usize {
        2
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, step: Step) -> Result<()> {
        self.moments.check()?;
        if self.moments.beta1 == 0.0 {
            return Err(Error::argument("beta1", "above 0 and below 1", 0).help("0.9 is a usual value."));
        }
        self.highest = self.highest.max(step.learning_rate);
        let weight = self.highest * self.highest;
        self.sum += weight;
        self.share = if self.sum > 0.0 { weight / self.sum } else { 0.0 };
        Ok(())
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { moments: Moments { beta1, beta2, epsilon }, share, .. } = *self;
        let numbers = FreeStep {
            rate: step.learning_rate,
            beta1,
            beta2,
            epsilon,
            correction: (1.0 - step.power(beta2)).sqrt().recip(),
            decay: step.weight_decay,
            share,
        };
        if let [second, ahead] = update.slots {
            F::schedule_free(numbers, update.value, update.gradient, second, ahead);
        }
    }

    fn averages(&self) -> bool {
        true
    }

    fn evaluation(&self, value: &mut [F], slots: &[Tensor<F>]) {
        if let [_, ahead] = slots {
            F::add_scaled(value, F::of(1.0 - 1.0 / self.moments.beta1), slice(ahead));
        }
    }
}
