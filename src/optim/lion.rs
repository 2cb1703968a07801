//! Lion: steps of equal length, by the sign of a momentum.

use super::fields::saved;
use super::{Step, Update, UpdateRule, check_share};
use crate::error::Result;
use crate::kernels::{LionStep, Scalar};

/// Lion: each element moves up or down by `rate`.
///
/// ```text
/// w = w - rate · decay · w
/// w = w - rate · sign(β1 · m + (1 - β1) · g)
/// m = β2 · m + (1 - β2) · g
/// ```
///
/// Chen and others, "Symbolic discovery of optimization algorithms", 2023, algorithm 2: learning rate 1e-4, β1 0.9, β2
/// 0.99, no decay, as in the authors' code. Keras' learning rate is 0.001; PyTorch does not have it.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Lion::default().weight_decay(0.1)).learning_rate(3e-4);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// It needs one slot, half of Adam's memory. All elements move by the same length, so steps are longer than Adam's at
/// the same learning rate: use a third to a tenth of Adam's learning rate, and multiply the decay by as much for the
/// same effect. The paper trains with large batches; with small ones the signs are noisy, and a learning rate that
/// falls to 0 matters more than elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    beta1: f64,
    beta2: f64,
    decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, decay: 0.0 }
    }
}

impl Lion {
    /// Sets β1, the weight of the momentum in the step's direction, and β2, the decay of the momentum; each from 0 to
    /// below 1. The defaults are 0.9 and 0.99.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Sets the weight decay: each step subtracts `rate · decay · w` from a parameter; default 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for Lion {
    saved!("lion": beta1, beta2, decay);

    fn default_learning_rate(&self) -> f64 {
        1e-4
    }

    fn slots(&self) -> usize {
        1
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        check_share("beta1", self.beta1)?;
        check_share("beta2", self.beta2)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { beta1, beta2, .. } = *self;
        let numbers = LionStep {
            rate: step.learning_rate,
            beta1,
            beta2,
            shrink: 1.0 - step.learning_rate * step.weight_decay,
        };
        if let [momentum] = update.slots {
            F::lion(numbers, update.value, update.gradient, momentum);
        }
    }
}
