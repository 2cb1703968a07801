//! Adamax: Adam with the largest gradient in place of the mean of squares.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule};
use crate::error::Result;
use crate::kernels::{MomentStep, Scalar};

/// Adamax: divides the step by a slowly decaying maximum of the gradient's magnitude.
///
/// ```text
/// g = gradient + decay · w
/// m = β1 · m + (1 - β1) · g
/// u = max(β2 · u, |g| + ε)
/// w = w - rate / (1 - β1^t) · m / u
/// ```
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2, as PyTorch computes it: learning
/// rate 0.002, β1 0.9, β2 0.999, ε 1e-8. Keras' learning rate is 0.001, and it adds ε to `u` afterwards.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adamax::default());
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// No element ever moves by more than about `rate` in a step, and the maximum needs no bias correction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adamax {
    moments: Moments,
    decay: f64,
}

impl Default for Adamax {
    fn default() -> Self {
        Self { moments: Moments::USUAL, decay: 0.0 }
    }
}

impl Adamax {
    /// Sets β1 and β2, the decay of the mean and of the maximum, each from 0 to below 1; the defaults are 0.9
    /// and 0.999.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
        self
    }

    /// Sets ε, the least value of the maximum: above 0, default 1e-8.
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
}

impl<F: Scalar> UpdateRule<F> for Adamax {
    saved!("adamax": moments, decay);

    fn default_learning_rate(&self) -> f64 {
        0.002
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
        let Self { moments: Moments { beta1, beta2, epsilon }, .. } = *self;
        let carried = step.learning_rate / (1.0 - step.power(beta1));
        let numbers = MomentStep { carried, beta1, beta2, epsilon, ..MomentStep::of(step.weight_decay) };
        if let [first, largest] = update.slots {
            F::adamax(numbers, update.value, update.gradient, first, largest);
        }
    }
}
