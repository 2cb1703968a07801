//! RAdam: Adam that uses the second moment only once it covers enough gradients.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule};
use crate::error::Result;
use crate::kernels::{MomentStep, Scalar};

/// RAdam: rectified Adam, whose warm-up is computed instead of guessed.
///
/// ```text
/// g = gradient + decay · w                         (decoupled: w = w - rate · decay · w before the step)
/// m = β1 · m + (1 - β1) · g
/// v = β2 · v + (1 - β2) · g²
/// ρ∞ = 2 / (1 - β2) - 1
/// ρ = ρ∞ - 2 · t · β2^t / (1 - β2^t)
/// r = √((ρ - 4) · (ρ - 2) · ρ∞ / ((ρ∞ - 4) · (ρ∞ - 2) · ρ))
/// w = w - rate · r · m / (1 - β1^t) · √(1 - β2^t) / (√v + ε)        where ρ > 5
/// w = w - rate · m / (1 - β1^t)                                     in the first steps, 5 of them for β2 0.999
/// ```
///
/// Liu and others, "On the variance of the adaptive learning rate and beyond", 2020, as PyTorch computes it: learning
/// rate 0.001, β1 0.9, β2 0.999, ε 1e-8. Keras does not have it.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), RAdam::default());
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// ρ is the number of gradients that the second moment effectively averages. While it is small, the root of the second
/// moment is a poor divisor, and `r` shortens the steps: 0.02 at step 6, 0.2 at step 100, and near 1 after a few
/// thousand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdam {
    moments: Moments,
    decay: f64,
    decoupled: bool,
}

impl Default for RAdam {
    fn default() -> Self {
        Self { moments: Moments::USUAL, decay: 0.0, decoupled: false }
    }
}

impl RAdam {
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
}

impl<F: Scalar> UpdateRule<F> for RAdam {
    saved!("radam": moments, decay, decoupled);

    fn default_learning_rate(&self) -> f64 {
        0.001
    }

    fn slots(&self) -> usize {
        2
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        self.moments.check()
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { moments: Moments { beta1, beta2, epsilon }, decoupled, .. } = *self;
        let t = step.number as f64;
        let power = step.power(beta2);
        let (first, second) = (1.0 - step.power(beta1), 1.0 - power);
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let length = most - 2.0 * t * power / second;
        let mut numbers = MomentStep {
            carried: step.learning_rate / first,
            beta1,
            beta2,
            epsilon,
            ..MomentStep::decaying(step.weight_decay, step.learning_rate, decoupled)
        };
        let [m, v] = update.slots else { return };
        if length > 5.0 {
            let share = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
            numbers.carried *= share.sqrt() * second.sqrt();
            F::two_moments(numbers, update.value, update.gradient, m, v);
        } else {
            F::two_moments_unadapted(numbers, update.value, update.gradient, m, v);
        }
    }
}
