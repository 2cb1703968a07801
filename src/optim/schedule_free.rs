//! Schedule-free AdamW: an average of the weights in place of a falling rate.
//!
//! # Three points
//!
//! ```text
//! z   the base: AdamW's steps without momentum
//! x   the average of all z so far: what is evaluated
//! y   (1 - β1) · z + β1 · x: where gradients are taken, what the model holds in training
//! ```
//!
//! Kept beside the model is `z - y`, which begins at 0 like every state, in place of `z`. From the definition of `y`
//! follows `x = y + (1 - 1 / β1) · (z - y)`, so the average needs no array.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule};
use crate::error::{Error, Result};
use crate::kernels::{FreeStep, Scalar};
use crate::tensor::{Tensor, slice};

/// AdamW without momentum and without a schedule: the average of its weights is what is evaluated.
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
/// Defazio and others, "The road less scheduled", 2024, as the authors' `AdamWScheduleFree` computes it: rate 0.0025,
/// β1 0.9, β2 0.999, ε 1e-8, no decay. Neither PyTorch nor Keras has it.
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
/// A [`Trainer`](crate::train::Trainer) puts `x` into the model for validation, callbacks and the end, and `y` back for
/// training; nothing has to be switched. In a loop of your own call
/// [`evaluation_weights`](crate::optim::Optimizer::evaluation_weights) and
/// [`training_weights`](crate::optim::Optimizer::training_weights). Give it a constant rate, after a warm-up if you
/// like: steps of the warm-up count less in the average. The best rates lie above AdamW's, up to ten times.
///
/// Batch normalization measures its running means at `y`, so with it the evaluation is a little off; layer and group
/// normalization have no such numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleFreeAdamW {
    moments: Moments,
    decay: f64,
    /// The highest rate so far.
    highest: f64,
    /// The sum of its squares over the steps.
    sum: f64,
    /// This step's share in the average.
    share: f64,
}

impl Default for ScheduleFreeAdamW {
    fn default() -> Self {
        let (highest, sum, share) = (0.0, 0.0, 0.0);
        Self { moments: Moments::USUAL, decay: 0.0, highest, sum, share }
    }
}

impl ScheduleFreeAdamW {
    /// Where gradients are taken between base (0) and average (1), above 0 and below 1; and how slowly the second
    /// moment changes, from 0 to below 1. 0.9 and 0.999 unless set; 0.95 and 0.98 are worth a try on long runs.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
        self
    }

    /// What is added to the denominator: above 0, 1e-8 unless set.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.moments.epsilon = epsilon;
        self
    }

    /// The share that the base loses at each step, times the rate, of the weights where the gradient is taken: at
    /// least 0, which is the default.
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
