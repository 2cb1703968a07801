//! Adam and AdamW.

use super::{Rule, Step, Update, check_not_negative, check_share};
use crate::error::Result;
use crate::scalar::{AdamStep, Scalar};
use serde::{Deserialize, Serialize};

/// Adam: adaptive moments.
///
/// ```text
/// g = gradient + decay · w
/// m = β1 · m + (1 - β1) · g
/// v = β2 · v + (1 - β2) · g²
/// w = w - rate · (m / (1 - β1^t)) / (√(v / (1 - β2^t)) + ε)
/// ```
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1, as PyTorch computes it: β1 0.9, β2
/// 0.999, ε 1e-8, rate 0.001. (Keras' ε is 1e-7.)
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(3e-4);
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.0 }
    }
}

/// Adam with weight decay that does not go through the moments.
///
/// ```text
/// w = w - rate · decay · w,  then Adam without decay
/// ```
///
/// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, as PyTorch computes it; decay 0.01, the rest
/// as [`Adam`]. Every parameter decays, biases too.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), AdamW::default().weight_decay(0.05));
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    adam: Adam,
    decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { adam: Adam::default(), decay: 0.01 }
    }
}

impl Adam {
    /// How slowly the two moments change, each from 0 to below 1.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// What is added to the denominator, above 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Weight decay that is added to the gradient (L2 regularisation); [`AdamW`] has the decoupled form.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    fn check(&self) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)?;
        check_not_negative("epsilon", self.epsilon)?;
        check_not_negative("a weight decay", self.decay)
    }

    fn step(&self, step: Step) -> AdamStep {
        let Self { beta1, beta2, epsilon, decay } = *self;
        let t = step.number as f64;
        let (first, second) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
        let (rate, correction) = (step.rate / first, second.sqrt().recip());
        AdamStep { rate, beta1, beta2, epsilon, correction, decay, shrink: 1.0 }
    }
}

impl AdamW {
    /// How slowly the two moments change, each from 0 to below 1.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.adam = self.adam.betas(beta1, beta2);
        self
    }

    /// What is added to the denominator, above 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.adam = self.adam.epsilon(epsilon);
        self
    }

    /// The share that a parameter loses at each step, times the rate.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

fn update<F: Scalar>(step: AdamStep, update: Update<'_, F>) {
    if let [first, second] = update.state {
        F::adam(step, update.value, update.gradient, first, second);
    }
}

impl<F: Scalar> Rule<F> for Adam {
    fn default_rate(&self) -> f64 {
        0.001
    }

    fn states(&self) -> usize {
        2
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        self.check()
    }

    fn update(&self, numbers: Update<'_, F>, step: Step) {
        update(self.step(step), numbers);
    }
}

impl<F: Scalar> Rule<F> for AdamW {
    fn default_rate(&self) -> f64 {
        0.001
    }

    fn states(&self) -> usize {
        2
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        self.adam.check()?;
        check_not_negative("a weight decay", self.decay)
    }

    fn update(&self, numbers: Update<'_, F>, step: Step) {
        update(AdamStep { shrink: 1.0 - step.rate * self.decay, ..self.adam.step(step) }, numbers);
    }
}
