//! Adam and AdamW.
//!
//! # Why the moments are divided by 1 - β^t
//!
//! The first moment is a mean of past gradients whose weights fall off by β1 at each step. It starts at 0:
//!
//! ```text
//! m_t = (1 - β1) · Σ_{i=1..t} β1^(t-i) · g_i
//! ```
//!
//! The weights do not add up to 1 but to `(1 - β1) · Σ β1^(t-i) = 1 - β1^t`. Were the gradient a constant `g`, then
//! `m_t` would be `(1 - β1^t) · g`: a tenth of `g` at the first step for β1 0.9, and for the second moment a
//! thousandth of `g²` for β2 0.999. Dividing by `1 - β^t` makes both means exact for a constant gradient from the
//! first step on. Without it the first steps would be about three times too long, `0.1 / √0.001`.
//!
//! # Why AdamW's decay is separate
//!
//! A decay that is added to the gradient goes through both moments, and is divided by `√v` with it: a weight whose
//! gradients are large decays less than one whose gradients are small. For plain gradient descent L2 regularization and
//! weight decay are the same; here they differ. AdamW multiplies the weight by `1 - rate · decay` before the step, so
//! that all weights decay at the same rate.
//!
//! # How it is computed
//!
//! The corrections are computed once per step in `f64`, and not for each element:
//!
//! ```text
//! w -= (rate / (1 - β1^t)) · m / (√v · (1 / √(1 - β2^t)) + ε)
//! ```
//!
//! This is algebraically the formula of the paper, with ε inside as there and in PyTorch. Each element takes one square
//! root, one division and about ten other operations. A step reads four arrays (value, gradient, both moments) and
//! writes three, so for large parameters memory bandwidth is the limit: 28 bytes per element in `f32`.

use super::fields::{Moments, nested_field, saved};
use super::{Step, Update, UpdateRule};
use crate::error::Result;
use crate::kernels::{AdamStep, MomentStep, Scalar};

/// Adam: adaptive moment estimation.
///
/// ```text
/// g = gradient + decay · w
/// m = β1 · m + (1 - β1) · g
/// v = β2 · v + (1 - β2) · g²
/// w = w - rate · (m / (1 - β1^t)) / (√(v / (1 - β2^t)) + ε)
/// ```
///
/// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1, as PyTorch computes it: β1 0.9, β2
/// 0.999, ε 1e-8, learning rate 0.001. (Keras' ε is 1e-7.)
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(3e-4);
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// Each element moves by about `rate` per step, whatever the scale of the gradients: doubling the loss changes almost
/// nothing. For the first step this is exact except for ε:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// for target in [10.0, 1e6] {
///     let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
///     let (x, t) = (arr2(&[[1.0]]).into_dyn(), arr2(&[[target]]).into_dyn());
///     let before = model.forward(x.clone())?[[0, 0]];
///     let mut optimizer = Optimizer::new(Adam::default()).learning_rate(0.1);
///     plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone(), &t, None)?;
///     optimizer.step(&mut model)?;
///     let moved = model.forward(x)?[[0, 0]] - before; // the weight by 0.1, and the bias by 0.1
///     assert!((moved - 0.2).abs() < 1e-6);
/// }
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    moments: Moments,
    decay: f64,
    amsgrad: bool,
}

nested_field!(Adam: moments, decay, amsgrad);
nested_field!(AdamW: adam, decay);

/// PyTorch's values, which are the paper's.
impl Default for Adam {
    fn default() -> Self {
        Self { moments: Moments::USUAL, decay: 0.0, amsgrad: false }
    }
}

/// Adam with weight decay that does not go through the moments.
///
/// ```text
/// w = w - rate · decay · w,  then Adam without decay
/// ```
///
/// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, as PyTorch computes it. The default decay
/// is 0.01; the other defaults are those of [`Adam`]. Every parameter decays, biases too.
///
/// ```
/// use plywood::prelude::*;
///
/// let trainer = Trainer::new(CrossEntropy::default(), AdamW::default().weight_decay(0.05));
/// # let _: plywood::train::Trainer<_, f32> = trainer;
/// ```
///
/// The effect depends on the product of learning rate and decay: 0.001 · 0.01 removes a hundred-thousandth of each
/// weight per step. A falling learning rate lowers the decay with it, as in PyTorch; the paper's own schedule
/// multiplier is that product.
///
/// If the gradients are 0, only the decay acts:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut model = Sequential::<f64>::builder_of([1]).layer(Dense::units(1)).build()?;
/// let x = arr2(&[[1.0]]).into_dyn();
/// let before = model.forward(x.clone())?;
/// let mut optimizer = Optimizer::new(AdamW::default().weight_decay(0.5)).learning_rate(0.1);
/// plywood::train::accumulate(&mut model, &MeanSquaredError, x.clone(), &before, None)?; // the target is met
/// optimizer.step(&mut model)?;
/// assert!((model.forward(x)?[[0, 0]] - 0.95 * before[[0, 0]]).abs() < 1e-12);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Sets β1 and β2, the decay of the two moments, each from 0 to below 1; the defaults are 0.9 and 0.999.
    ///
    /// A moment looks back over about `1 / (1 - β)` steps: 10 and 1000 by default. A β2 of 0.95 is usual for
    /// transformers, whose gradients change their scale faster. A value out of range is an error of the first step.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.moments.beta1, self.moments.beta2) = (beta1, beta2);
        self
    }

    /// Sets ε, which is added to the denominator: above 0, default 1e-8.
    ///
    /// It bounds the step of an element whose gradients are tiny: below `ε` in size, the step is no longer about
    /// `rate`. 0 is an error: an element whose gradient has been exactly 0 in every step (such as the weight of a pixel
    /// that is always black) would become NaN, as `0 / 0`.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.moments.epsilon = epsilon;
        self
    }

    /// Sets the weight decay, which is added to the gradient (L2 regularization); [`AdamW`] has the decoupled form.
    ///
    /// It is `weight_decay` of PyTorch's `Adam`. At least 0; 0, the default, turns it off.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// Sets whether AMSGrad is used: it divides by the largest second moment so far instead of the present one, so that
    /// no element's learning rate ever rises. It needs one more slot; the default is `false`.
    ///
    /// ```text
    /// v = β2 · v + (1 - β2) · g²
    /// V = max(V, v)
    /// w = w - rate · (m / (1 - β1^t)) / (√(V / (1 - β2^t)) + ε)
    /// ```
    ///
    /// Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018, as PyTorch computes it; Keras takes the
    /// maximum too.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let trainer = Trainer::new(CrossEntropy::default(), Adam::default().amsgrad(true));
    /// # let _: plywood::train::Trainer<_, f32> = trainer;
    /// ```
    #[must_use]
    pub fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.amsgrad = amsgrad;
        self
    }

    /// Computes the values that are the same for all elements of a step, so that the inner loop contains neither powers
    /// nor corrections.
    fn step(&self, step: Step) -> AdamStep {
        let Moments { beta1, beta2, epsilon } = self.moments;
        let (first, second) = (1.0 - step.power(beta1), 1.0 - step.power(beta2));
        let (rate, correction) = (step.learning_rate / first, second.sqrt().recip());
        // A moment of 1e-31 with β 0.15, which keeps a seventh of itself in each step, falls to 1e-38, the smallest
        // normal number, after eight steps.
        let settle = step.number.is_multiple_of(8) || beta1 < 0.15;
        AdamStep { rate, beta1, beta2, epsilon, correction, decay: 0.0, shrink: 1.0, settle }
    }
}

impl AdamW {
    /// Sets β1 and β2, the decay of the two moments, each from 0 to below 1; see [`Adam::betas`].
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.adam = self.adam.betas(beta1, beta2);
        self
    }

    /// Sets ε, which is added to the denominator; see [`Adam::epsilon`].
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.adam = self.adam.epsilon(epsilon);
        self
    }

    /// Sets whether the largest second moment so far is used; see [`Adam::amsgrad`].
    #[must_use]
    pub fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.adam = self.adam.amsgrad(amsgrad);
        self
    }

    /// Sets the weight decay: each step subtracts `rate · decay · w` from a parameter; the default is 0.01.
    ///
    /// At least 0. If the product of learning rate and decay is above 1, the sign of every weight flips; this is not
    /// checked.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }
}

/// Passes the slices to the kernel; the two rules differ in `step` alone. Any other number of slots cannot occur, as
/// [`Optimizer`](super::Optimizer) makes as many as `slots` says.
fn update<F: Scalar>(step: AdamStep, update: Update<'_, F>) {
    let (value, grad) = (update.value, update.gradient);
    match update.slots {
        [first, second] => F::adam(step, value, grad, first, second),
        [first, second, largest] => {
            let AdamStep { rate, beta1, beta2, epsilon, correction, decay, shrink, .. } = step;
            let step =
                MomentStep { fresh: 0.0, carried: rate, beta1, beta2, epsilon, correction, decay, shrink };
            F::amsgrad(step, value, grad, first, second, largest);
        }
        _ => {}
    }
}

impl<F: Scalar> UpdateRule<F> for Adam {
    saved!("adam": moments, decay, amsgrad);

    fn default_learning_rate(&self) -> f64 {
        0.001
    }

    fn slots(&self) -> usize {
        2 + usize::from(self.amsgrad)
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        self.moments.check()
    }

    fn update(&self, numbers: Update<'_, F>, step: Step) {
        update(AdamStep { decay: step.weight_decay, ..self.step(step) }, numbers);
    }
}

impl<F: Scalar> UpdateRule<F> for AdamW {
    saved!("adamw": adam, decay);

    fn default_learning_rate(&self) -> f64 {
        0.001
    }

    fn slots(&self) -> usize {
        2 + usize::from(self.adam.amsgrad)
    }

    fn weight_decay(&self) -> Option<f64> {
        Some(self.decay)
    }

    fn begin_step(&mut self, _: Step) -> Result<()> {
        self.adam.moments.check()
    }

    fn update(&self, numbers: Update<'_, F>, step: Step) {
        update(
            AdamStep { shrink: 1.0 - step.learning_rate * step.weight_decay, ..self.adam.step(step) },
            numbers,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_traits::Float;

    /// Checks Adam's moments after each step, when the gradients become 0 after a few steps.
    fn moments_stay_normal<F: Scalar + Float>() {
        for (beta1, beta2) in [(0.9, 0.999), (0.99, 0.9), (0.16, 0.5), (0.1, 0.1), (0.0, 0.0)] {
            let mut adam = Adam::default().betas(beta1, beta2);
            let [mut value, mut first, mut second] = [F::one(), F::zero(), F::zero()].map(|x| [x; 40]);
            for number in 1..=30_000 {
                let step = Step::new(number, 0.001);
                UpdateRule::<F>::begin_step(&mut adam, step).unwrap();
                let gradient = [if number < 10 { F::of(1e-3) } else { F::zero() }; 40];
                let mut slots = [&mut first[..], &mut second[..]];
                adam.update(Update::new(&mut value, &gradient, &mut slots, &[40]), step);
                for moment in first.iter().chain(&second) {
                    assert!(moment.is_normal() || moment.is_zero(), "{moment:?} in step {number}, {adam:?}");
                }
            }
            assert!(first.iter().all(|m| m.abs() < F::of(1e-28)), "{:?}, {adam:?}", first[0]);
        }
    }

    #[test]
    fn moments_of_gradients_that_end_do_not_become_subnormal() {
        moments_stay_normal::<f32>();
        moments_stay_normal::<f64>();
    }
}
