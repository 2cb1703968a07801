//! Stochastic gradient descent.
//!
//! # Two ways to write momentum
//!
//! In the form of Sutskever and others, as Keras computes it, the velocity includes the learning rate:
//!
//! ```text
//! v = momentum · v - rate · g          w = w + v
//! ```
//!
//! In PyTorch's form, which is the one here, it does not:
//!
//! ```text
//! v = momentum · v + g                 w = w - rate · v
//! ```
//!
//! With a constant learning rate they give the same weights. When the learning rate falls, the first form keeps the
//! velocity of the old one for about `1 / (1 - momentum)` steps, while the second uses the new one at once.
//!
//! With a constant gradient the velocity tends to `g / (1 - momentum)`: a momentum of 0.9 makes steps ten times as
//! long. If you turn momentum on, lower the learning rate, or regard it as that much higher.
//!
//! # Nesterov
//!
//! Nesterov's method takes the gradient where momentum alone would lead, not where the weights are. Rewritten so
//! that the gradient is always taken at the weights that are stored (Bengio, Boulanger-Lewandowski and Pascanu,
//! "Advances in optimizing recurrent networks", 2013), the step is `g + momentum · v` in place of `v`.

use super::fields::saved;
use super::{Step, Update, UpdateRule, check_share};
use crate::error::Result;
use crate::kernels::{Scalar, SgdStep};

/// Stochastic gradient descent, optionally with momentum and Nesterov's look-ahead.
///
/// ```text
/// g = gradient + decay · w
/// v = momentum · v + g
/// w = w - rate · v                        (plain: w - rate · g;  Nesterov: w - rate · (g + momentum · v))
/// ```
///
/// PyTorch's definition (Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
/// learning", 2013, with the learning rate outside `v`). The default learning rate is 0.01, as in Keras.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), SGD::default().momentum(0.9).nesterov(true)).learning_rate(0.1);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// An example: one weight of 1 with a gradient of 2 at both of two steps, a learning rate of 0.1 and a momentum of 0.9:
///
/// | | step 1 | step 2 |
/// |---|---|---|
/// | plain | 1 - 0.2 = 0.8 | 0.8 - 0.2 = 0.6 |
/// | momentum | v = 2, 0.8 | v = 3.8, 0.42 |
/// | Nesterov | 1 - 0.1 · (2 + 1.8) = 0.62 | 0.62 - 0.1 · (2 + 3.42) = 0.078 |
///
/// Differences: Keras' `SGD` keeps the learning rate inside the velocity. PyTorch's first velocity is the gradient, as
/// here, where the velocity begins at 0; its `dampening` and `maximize` are not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SGD {
    /// At 0 there is no slot, and the kernel without a velocity is used.
    momentum: f64,
    /// Has no effect without momentum.
    nesterov: bool,
    /// At least 0; 0 turns it off.
    decay: f64,
}

impl SGD {
    /// Sets the momentum, the fraction of the last velocity that is kept: from 0 (the default) to below 1.
    ///
    /// The velocity needs one array in the shape of each parameter. Whether a parameter has one is decided the first
    /// time the parameter is seen. A momentum out of range is an error of the first step.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets whether momentum takes Nesterov's form; the default is `false`.
    ///
    /// It converges faster than plain momentum on smooth convex functions; on networks the difference is usually small.
    /// With a momentum of 0 it has no effect; PyTorch rejects that combination.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// // y = w · x + b with x = 1, so that w and b take the same two steps.
    /// let outputs = |rule: SGD| -> Result<Vec<f64>> {
    ///     let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
    ///     let (x, mut optimizer) = (arr2(&[[1.0]]).into_dyn(), Optimizer::new(rule).learning_rate(0.1));
    ///     let mut seen = vec![model.forward(x.clone())?[[0, 0]]];
    ///     for _ in 0..2 {
    ///         let t = model.forward(x.clone())? - 1.0; // a gradient of 2 · (y - t) = 2
    ///         plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone(), &t, None)?;
    ///         optimizer.step(&mut model)?;
    ///         seen.push(model.forward(x.clone())?[[0, 0]]);
    ///     }
    ///     Ok(seen.windows(2).map(|pair| (pair[1] - pair[0]) / 2.0).collect())
    /// };
    /// let close = |a: &[f64], b: [f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    /// assert!(close(&outputs(SGD::default())?, [-0.2, -0.2]));
    /// assert!(close(&outputs(SGD::default().momentum(0.9))?, [-0.2, -0.38]));
    /// assert!(close(&outputs(SGD::default().momentum(0.9).nesterov(true))?, [-0.38, -0.542]));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Sets the weight decay: `decay · w` is added to the gradient (L2 regularization).
    ///
    /// Without momentum this is the same as multiplying the weight by `1 - rate · decay` before the step. Every
    /// parameter decays, biases and the factors of normalizations too, as in PyTorch with a single parameter group.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

impl<F: Scalar> UpdateRule<F> for SGD {
    saved!("sgd": momentum, nesterov, decay);

    fn default_learning_rate(&self) -> f64 {
        0.01
    }

    fn slots(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        check_share("momentum", self.momentum)
    }

    fn update(&self, update: Update<'_, F>, step: Step) {
        let Self { momentum, nesterov, .. } = *self;
        let numbers = SgdStep { rate: step.learning_rate, decay: step.weight_decay, momentum, nesterov };
        match update.slots {
            [velocity] => F::sgd_momentum(numbers, update.value, update.gradient, velocity),
            _ => F::sgd(numbers, update.value, update.gradient),
        }
    }
}
