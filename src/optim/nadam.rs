//! NAdam: Adam with Nesterov's look-ahead.
//!
//! The momentum's coefficient rises slowly from β1 / 2 to β1, and the correction of the first moment uses the product
//! of all coefficients so far, in place of Adam's `1 - β1^t`. That product is the same for all parameters; the rule
//! stores it.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule, check_not_negative};
use crate::error::Result;
use crate::kernels::{MomentStep, Scalar};

/// NAdam: Adam that uses the gradient as if momentum had already been applied.
///
/// ```text
/// g = gradient + decay · w                         (decoupled: w = w - rate · decay · w before the step)
/// μ_t = β1 · (1 - 0.96^(t · ψ) / 2)
/// m = β1 · m + (1 - β1) · g
/// v = β2 · v + (1 - β2) · g²
/// m̂ = μ_(t+1) · m / (1 - μ_1 ⋯ μ_(t+1)) + (1 - μ_t) · g / (1 - μ_1 ⋯ μ_t)
/// w = w - rate · m̂ / (√(v / (1 - β2^t)) + ε)
/// ```
///
/// Dozat, "Incorporating Nesterov momentum into Adam", 2016, as PyTorch computes it: learning rate 0.002, β1 0.9, β2
/// 0.999, ψ 0.004, ε 1e-8. Keras' learning rate is 0.001 and its ε 1e-7.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), NAdam::default()).learning_rate(1e-3);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdam {
    moments: Moments,
    momentum_decay: f64,
    decay: f64,
    decoupled: bool,
    /// The product of the momentum's coefficients up to this step.
    product: f64,
}

impl Default for NAdam {
    fn default() -> Self {
        Self { moments: Moments::USUAL, momentum_decay: 0.004, decay: 0.0, decoupled: false, product: 1.0 }
    }
}

impl NAdam {
    /// Sets β1 and β2, the decay of the two moments, each from 0 to below 1; the defaults are 0.9 and 0.999.
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

    /// Sets ψ, which determines how fast the momentum's coefficient rises to β1: at least 0, default 0.004.
    #[must_use]
    pub fn momentum_decay(mut self, decay: f64) -> Self {
        self.momentum_decay = decay;
        self
    }

    /// Sets the weight decay, which is added to the gradient (L2 regularization): at least 0, default 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// Sets whether the decay is subtracted from the weights directly, as in [`AdamW`](crate::optim::AdamW); the
    /// default is `false`.
    #[must_use]
    pub fn decoupled(mut self, decoupled: bool) -> Self {
        self.decoupled = decoupled;
        self
    }

    /// Returns the momentum's coefficient at step `t`.
    fn share(&self, t: f64) -> f64 {
        self.moments.beta1 * (1.0 - 0.5 * 0.96f64.powf(t * self.momentum_decay))
    }
}

impl<F: Scalar> UpdateRule<F> for NAdam {
    saved!("nadam": moments, momentum_decay, decay, decoupled, product);

    fn default_learning_rate(&self) -> f64 {
        0.002
    }

    fn slots(&self) -> usize {
        2
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, step: Step) -> Result<()> {
        self.moments.check()?;
        check_not_negative("the decay of the momentum", self.momentum_decay)?;
        self.product *= self.share(step.number as f64);
        Ok(())
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { moments: Moments { beta1, beta2, epsilon }, product, decoupled, .. } = *self;
        let t = step.number as f64;
        let (now, next) = (self.share(t), self.share(t + 1.0));
        let numbers = MomentStep {
            fresh: step.learning_rate * (1.0 - now) / (1.0 - product),
            carried: step.learning_rate * next / (1.0 - product * next),
            beta1,
            beta2,
            epsilon,
            correction: (1.0 - step.power(beta2)).sqrt().recip(),
            ..MomentStep::decaying(step.weight_decay, step.learning_rate, decoupled)
        };
        if let [first, second] = update.slots {
            F::two_moments(numbers, update.value, update.gradient, first, second);
        }
    }
}
