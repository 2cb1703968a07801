//! Adamax: Adam by the largest gradient in place of the mean of squares.

use super::fields::{Moments, saved};
use super::{Step, Update, UpdateRule};
use crate::error::Result;
use crate::kernels::{MomentStep, Scalar};

/// Adamax: the step is divided by a maximum of the gradient's magnitude that is slowly forgotten.
///
/// ```text
/// g = gradient + decay · w
/// m = β1 · m + (1 - β1) · g
/// u = max(β2 · u, |g| + ε)
/// w = w - rate / (1 - β1^t) · m / u
/// ```
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2, as PyTorch computes it: rate 0.002,
/// β1 0.9, β2 0.999, ε 1e-8. Keras' rate is 0.001, and it adds ε to `u` afterwards.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adamax::default());
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// No number ever moves by more than about `rate` in a step, and the maximum needs no correction.
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
    /// How slowly the mean and the maximum change, each from 0 to below 1; 0.9 and 0.999 unless set.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
        self
    }

    /// The smallest maximum: above 0, 1e-8 unless set.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.moments.epsilon = epsilon;
        self
    }

    /// Weight decay that is added to the gradient (L2 regularization): at least 0.
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
