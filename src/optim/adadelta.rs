//! Adadelta: steps in the units of the weights.

use super::fields::saved;
use super::{Step, Update, UpdateRule, check_positive, check_share};
use crate::error::Result;
use crate::kernels::{AdaStep, Scalar};

/// Adadelta: the learning rate of each element is the ratio of two running sizes, of the steps and of the gradients.
///
/// ```text
/// g = gradient + decay · w
/// s = ρ · s + (1 - ρ) · g²
/// u = √(d + ε) / √(s + ε) · g
/// d = ρ · d + (1 - ρ) · u²
/// w = w - rate · u
/// ```
///
/// Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1, as PyTorch computes it: learning rate 1, ρ
/// 0.9, ε 1e-6. Keras' default learning rate is 0.001, a thousandth of the paper's.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adadelta::default().rho(0.95));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// A step has the units of the weight, so no learning rate needs to be tuned: 1 is the method as published. The first
/// steps are about `√ε` long, and grow by themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    rho: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { rho: 0.9, epsilon: 1e-6, decay: 0.0 }
    }
}

impl Adadelta {
    /// Sets ρ, the decay of both means, from 0 to below 1; default 0.9 (0.95 in the paper).
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// Sets ε, which is added inside both roots: above 0, default 1e-6. It determines the length of the first steps.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the weight decay, which is added to the gradient (L2 regularization): at least 0, default 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for Adadelta {
    saved!("adadelta": rho, epsilon, decay);

    fn default_learning_rate(&self) -> f64 {
        1.0
    }

    fn slots(&self) -> usize {
        2
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        check_share("rho", self.rho)?;
        check_positive("epsilon", self.epsilon)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { rho, epsilon, .. } = *self;
        let numbers = AdaStep { rate: step.learning_rate, rho, epsilon, decay: step.weight_decay };
        if let [square, moved] = update.slots {
            F::adadelta(numbers, update.value, update.gradient, square, moved);
        }
    }
}
