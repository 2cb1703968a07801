//! Stochastic gradient descent.

use super::{Rule, Step, Update, check_not_negative, check_share};
use crate::error::Result;
use crate::scalar::{Scalar, SgdStep};
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent, with momentum and Nesterov's look ahead where wanted.
///
/// ```text
/// g = gradient + decay · w
/// v = momentum · v + g
/// w = w - rate · v                        (plain: w - rate · g;  Nesterov: w - rate · (g + momentum · v))
/// ```
///
/// PyTorch's definition (Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in
/// deep learning", 2013, with the rate outside of `v`). The default rate is 0.01, Keras' default.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default().momentum(0.9).nesterov()).learning_rate(0.1);
/// # let _: plywood::Trainer<_, _, f32> = trainer;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SGD {
    momentum: f64,
    nesterov: bool,
    decay: f64,
}

impl SGD {
    /// The share of the last velocity that is kept, from 0 (the default) to below 1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Nesterov's form of momentum.
    #[must_use]
    pub fn nesterov(mut self) -> Self {
        self.nesterov = true;
        self
    }

    /// Weight decay: `decay · w` is added to the gradient (L2 regularisation).
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> Rule<F> for SGD {
    fn default_rate(&self) -> f64 {
        0.01
    }

    fn states(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        check_share("a momentum", self.momentum)?;
        check_not_negative("a weight decay", self.decay)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { momentum, nesterov, decay } = *self;
        let numbers = SgdStep { rate: step.rate, decay, momentum, nesterov };
        match update.state {
            [velocity] => F::sgd_momentum(numbers, update.value, update.gradient, velocity),
            _ => F::sgd(numbers, update.value, update.gradient),
        }
    }
}
