//! AdaGrad: a learning rate per element that falls with the gradients seen so far.

use super::fields::saved;
use super::{Step, Update, UpdateRule, check_not_negative, check_positive};
use crate::error::{Error, Result};
use crate::kernels::{AdaStep, Scalar};

/// AdaGrad: divides each element's learning rate by the root of the sum of its squared gradients.
///
/// ```text
/// g = gradient + decay · w
/// s = s + g²                                       (s begins at the initial sum, 0 unless set)
/// w = w - rate / (1 + (t - 1) · rate decay) · g / (√s + ε)
/// ```
///
/// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011, as
/// PyTorch computes it: learning rate 0.01, ε 1e-10.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adagrad::default().initial_sum(0.1));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// The sum only grows, so learning rates fall like `1 / √t` without a schedule. Rare features keep a high learning
/// rate, which suits embeddings: rows that a batch did not touch are left alone. Keras' initial sum is 0.1 and its ε
/// 1e-7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    initial_sum: f64,
    epsilon: f64,
    learning_rate_decay: f64,
    decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { initial_sum: 0.0, epsilon: 1e-10, learning_rate_decay: 0.0, decay: 0.0 }
    }
}

impl Adagrad {
    /// Sets the initial value of the sums: at least 0, default 0. A value above 0 makes the first steps shorter.
    #[must_use]
    pub fn initial_sum(mut self, sum: f64) -> Self {
        self.initial_sum = sum;
        self
    }

    /// Sets ε, which is added to the denominator: above 0, default 1e-10.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets an additional decay of the learning rate over the steps: at least 0, default 0. PyTorch's `lr_decay`.
    #[must_use]
    pub fn learning_rate_decay(mut self, decay: f64) -> Self {
        self.learning_rate_decay = decay;
        self
    }

    /// Sets the weight decay, which is added to the gradient (L2 regularization): at least 0, default 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for Adagrad {
    saved!("adagrad": initial_sum, epsilon, learning_rate_decay, decay);

    fn default_learning_rate(&self) -> f64 {
        0.01
    }

    fn slots(&self) -> usize {
        1
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        if !(self.initial_sum >= 0.0 && self.initial_sum.is_finite()) {
            return Err(Error::argument(
                "the initial sum of squares",
                "at least 0 and finite",
                self.initial_sum,
            )
            .help("Keras begins at 0.1, PyTorch at 0."));
        }
        check_positive("epsilon", self.epsilon)?;
        check_not_negative("the decay of the learning rate", self.learning_rate_decay)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let rate =
            step.learning_rate / (1.0 + step.number.saturating_sub(1) as f64 * self.learning_rate_decay);
        let (rho, epsilon, decay) = (self.initial_sum, self.epsilon, step.weight_decay);
        if let [sum] = update.slots {
            F::adagrad(AdaStep { rate, rho, epsilon, decay }, update.value, update.gradient, sum);
        }
    }
}
