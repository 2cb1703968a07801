//! RMSprop: steps divided by the running root mean square of the gradient.

use super::fields::saved;
use super::{Step, Update, UpdateRule, check_positive, check_share};
use crate::error::Result;
use crate::kernels::{RmsStep, Scalar};

/// RMSprop: plain, centered or with momentum.
///
/// ```text
/// g = gradient + decay · w
/// s = α · s + (1 - α) · g²
/// m = α · m + (1 - α) · g                          (centered)
/// u = g / (√s + ε)                                 (centered: g / (√(s - m²) + ε))
/// w = w - rate · u                                 (momentum: v = momentum · v + u;  w = w - rate · v)
/// ```
///
/// Tieleman and Hinton, "Lecture 6.5: RMSprop", 2012; centered: Graves, "Generating sequences with recurrent neural
/// networks", 2013, equation 40. As PyTorch computes it, with α 0.99 and ε 1e-8. The default learning rate is 0.001, as
/// in Keras; PyTorch's is 0.01, which is too high for most networks.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), RMSprop::default().centered(true).momentum(0.9));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// Each element moves by about `rate` per step, whatever the scale of its gradient. The means begin at 0 without bias
/// correction, so the first steps are longer: `1 / √(1 - α)` = 10 times the learning rate. Differences: Keras' α
/// (`rho`) is 0.9 and its ε is 1e-7, inside the root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RMSprop {
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    centered: bool,
    decay: f64,
}

impl Default for RMSprop {
    fn default() -> Self {
        Self { alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false, decay: 0.0 }
    }
}

impl RMSprop {
    /// Sets α, the decay of the means, from 0 to below 1: they look back over about `1 / (1 - α)` steps. The default
    /// is 0.99.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets ε, which is added to the denominator: above 0, default 1e-8.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the momentum, the fraction of the last velocity that is kept: from 0 (the default) to below 1. Above 0 it
    /// needs one more slot.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets whether the gradient is divided by its standard deviation instead of its root mean square. It needs one
    /// more slot; the default is `false`.
    ///
    /// If a gradient hardly varies, steps become long; with the default learning rate this may need a larger ε or
    /// momentum.
    #[must_use]
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }

    /// Sets the weight decay, which is added to the gradient (L2 regularization): at least 0, default 0.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for RMSprop {
    saved!("rmsprop": alpha, epsilon, momentum, centered, decay);

    fn default_learning_rate(&self) -> f64 {
        0.001
    }

    fn slots(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != 0.0)
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        check_share("alpha", self.alpha)?;
        check_positive("epsilon", self.epsilon)?;
        check_share("momentum", self.momentum)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { alpha, epsilon, momentum, .. } = *self;
        let step = RmsStep { rate: step.learning_rate, alpha, epsilon, momentum, decay: step.weight_decay };
        let (value, grad) = (update.value, update.gradient);
        match update.slots {
            [square, mean, velocity] => {
                F::rmsprop_centred_momentum(step, value, grad, square, mean, velocity);
            }
            [square, mean] if self.centered => F::rmsprop_centred(step, value, grad, square, mean),
            [square, velocity] => F::rmsprop_momentum(step, value, grad, square, velocity),
            [square] => F::rmsprop(step, value, grad, square),
            _ => {}
        }
    }
}
