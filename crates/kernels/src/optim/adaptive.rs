//! The passes of the rules related to Adam, AdaGrad and RMSprop; `update.rs` describes the form of such passes.
//!
//! Everything that is the same for all elements (corrections, learning rates, coefficients) is computed once per step,
//! in `f64`, by the rule. Means of squares have a smallest value and means of gradients are rounded to a grid, as in
//! Adam, so that none becomes subnormal.

use crate::kernels;

/// The values of one step of RMSprop.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct RmsStep {
    /// The step's learning rate.
    pub rate: f64,
    /// The decay of the means.
    pub alpha: f64,
    /// Added to the root.
    pub epsilon: f64,
    /// The fraction of the velocity that is kept.
    pub momentum: f64,
    /// The weight decay, added to the gradient times the value.
    pub decay: f64,
}

/// The values of one step of AdaGrad and of Adadelta.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct AdaStep {
    /// The step's learning rate.
    pub rate: f64,
    /// The decay of the means (Adadelta), or the initial value of the sum (AdaGrad).
    pub rho: f64,
    /// Added to the root (AdaGrad) or inside it (Adadelta).
    pub epsilon: f64,
    /// The weight decay, added to the gradient times the value.
    pub decay: f64,
}

/// The values of one step of a rule with Adam's two moments.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct MomentStep {
    /// The factor of the gradient itself (NAdam).
    pub fresh: f64,
    /// The factor of the first moment, including corrections and learning rate.
    pub carried: f64,
    /// The decay of the first moment.
    pub beta1: f64,
    /// The decay of the second moment, or of the maximum.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// The second moment's correction.
    pub correction: f64,
    /// The weight decay, added to the gradient times the value.
    pub decay: f64,
    /// The factor of the parameter before the step.
    pub shrink: f64,
}

impl MomentStep {
    /// Returns a step with only this decay set, which is added to the gradient.
    pub fn of(decay: f64) -> Self {
        let (fresh, carried, beta1, beta2, epsilon) = (0.0, 0.0, 0.0, 0.0, 0.0);
        Self { fresh, carried, beta1, beta2, epsilon, correction: 1.0, decay, shrink: 1.0 }
    }

    /// The same, but a decoupled decay is subtracted from the values instead.
    pub fn decaying(decay: f64, rate: f64, decoupled: bool) -> Self {
        if decoupled { Self { shrink: 1.0 - rate * decay, ..Self::of(0.0) } } else { Self::of(decay) }
    }
}

/// The values of one step of Lion.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct LionStep {
    /// The step's learning rate.
    pub rate: f64,
    /// The weight of the momentum in the direction of the step.
    pub beta1: f64,
    /// The decay of the momentum.
    pub beta2: f64,
    /// The factor of the parameter before the step.
    pub shrink: f64,
}

/// The values of one step of schedule-free AdamW.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct FreeStep {
    /// The step's learning rate.
    pub rate: f64,
    /// The point between base (0) and average (1) at which the gradient is taken.
    pub beta1: f64,
    /// The decay of the second moment.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// The second moment's correction.
    pub correction: f64,
    /// The weight decay, added to the normalized gradient times the value.
    pub decay: f64,
    /// The weight of this step in the average.
    pub share: f64,
}

kernels! {
    /// Updates with a learning rate per element.
    Adaptive {
        /// RMSprop.
        fn rmsprop(step: RmsStep, value: &mut [F], grad: &[F], square: &mut [F]);
        /// RMSprop with the variance in place of the mean of squares.
        fn rmsprop_centred(step: RmsStep, value: &mut [F], grad: &[F], square: &mut [F], mean: &mut [F]);
        /// RMSprop with a velocity.
        fn rmsprop_momentum(step: RmsStep, value: &mut [F], grad: &[F], square: &mut [F], velocity: &mut [F]);
        /// RMSprop with the variance and a velocity.
        fn rmsprop_centred_momentum(
            step: RmsStep, value: &mut [F], grad: &[F], square: &mut [F], mean: &mut [F], velocity: &mut [F],
        );
        /// AdaGrad.
        fn adagrad(step: AdaStep, value: &mut [F], grad: &[F], sum: &mut [F]);
        /// Adadelta.
        fn adadelta(step: AdaStep, value: &mut [F], grad: &[F], square: &mut [F], moved: &mut [F]);
        /// Adamax.
        fn adamax(step: MomentStep, value: &mut [F], grad: &[F], first: &mut [F], largest: &mut [F]);
        /// NAdam, and, with a `fresh` of 0, RAdam.
        fn two_moments(step: MomentStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F]);
        /// Updates the moments, and takes a step by the first alone: the first steps of RAdam.
        fn two_moments_unadapted(step: MomentStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F]);
        /// Adam with the largest second moment so far.
        fn amsgrad(
            step: MomentStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F], largest: &mut [F],
        );
        /// Lion.
        fn lion(step: LionStep, value: &mut [F], grad: &[F], momentum: &mut [F]);
        /// Schedule-free AdamW; `ahead` is the base minus the value.
        fn schedule_free(step: FreeStep, value: &mut [F], grad: &[F], second: &mut [F], ahead: &mut [F]);
    }
}

mod generic {
    use super::{AdaStep, FreeStep, LionStep, MomentStep, RmsStep};
    use crate::optim::update::generic::{at_least, least, number, settled, settler};
    use num_traits::Float;

    #[inline(always)]
    pub fn rmsprop<F: Float>(step: RmsStep, value: &mut [F], grad: &[F], square: &mut [F]) {
        let RmsStep { rate, alpha, epsilon, decay, .. } = step;
        let (rate, epsilon, decay) = (number::<F>(rate), number::<F>(epsilon), number::<F>(decay));
        let (alpha, least) = (number::<F>(1.0 - alpha), least());
        for ((w, &g), s) in value.iter_mut().zip(grad).zip(square) {
            let g = g + decay * *w;
            *s = at_least(*s + alpha * (g * g - *s), least);
            *w = *w - rate * g / (s.sqrt() + epsilon);
        }
    }

    #[inline(always)]
    pub fn rmsprop_centred<F: Float>(
        step: RmsStep,
        value: &mut [F],
        grad: &[F],
        square: &mut [F],
        mean: &mut [F],
    ) {
        let RmsStep { rate, alpha, epsilon, decay, .. } = step;
        let (rate, epsilon, decay) = (number::<F>(rate), number::<F>(epsilon), number::<F>(decay));
        let (alpha, least, settler) = (number::<F>(1.0 - alpha), least(), settler());
        for (((w, &g), s), m) in value.iter_mut().zip(grad).zip(square).zip(mean) {
            let g = g + decay * *w;
            *s = at_least(*s + alpha * (g * g - *s), least);
            *m = settled(*m + alpha * (g - *m), settler);
            *w = *w - rate * g / (at_least(*s - *m * *m, F::zero()).sqrt() + epsilon);
        }
    }

    #[inline(always)]
    pub fn rmsprop_momentum<F: Float>(
        step: RmsStep,
        value: &mut [F],
        grad: &[F],
        square: &mut [F],
        velocity: &mut [F],
    ) {
        let RmsStep { rate, alpha, epsilon, momentum, decay } = step;
        let (rate, epsilon, decay) = (number::<F>(rate), number::<F>(epsilon), number::<F>(decay));
        let (alpha, momentum) = (number::<F>(1.0 - alpha), number::<F>(momentum));
        let (least, settler) = (least(), settler());
        for (((w, &g), s), v) in value.iter_mut().zip(grad).zip(square).zip(velocity) {
            let g = g + decay * *w;
            *s = at_least(*s + alpha * (g * g - *s), least);
            *v = settled(momentum * *v + g / (s.sqrt() + epsilon), settler);
            *w = *w - rate * *v;
        }
    }

    #[inline(always)]
    pub fn rmsprop_centred_momentum<F: Float>(
        step: RmsStep,
        value: &mut [F],
        grad: &[F],
        square: &mut [F],
        mean: &mut [F],
        velocity: &mut [F],
    ) {
        let RmsStep { rate, alpha, epsilon, momentum, decay } = step;
        let (rate, epsilon, decay) = (number::<F>(rate), number::<F>(epsilon), number::<F>(decay));
        let (alpha, momentum) = (number::<F>(1.0 - alpha), number::<F>(momentum));
        let (least, settler) = (least(), settler());
        for ((((w, &g), s), m), v) in value.iter_mut().zip(grad).zip(square).zip(mean).zip(velocity) {
            let g = g + decay * *w;
            *s = at_least(*s + alpha * (g * g - *s), least);
            *m = settled(*m + alpha * (g - *m), settler);
            let spread = at_least(*s - *m * *m, F::zero()).sqrt();
            *v = settled(momentum * *v + g / (spread + epsilon), settler);
            *w = *w - rate * *v;
        }
    }

    #[inline(always)]
    pub fn adagrad<F: Float>(step: AdaStep, value: &mut [F], grad: &[F], sum: &mut [F]) {
        let AdaStep { rate, rho, epsilon, decay } = step;
        let (rate, start) = (number::<F>(rate), number::<F>(rho));
        let (epsilon, decay) = (number::<F>(epsilon), number::<F>(decay));
        for ((w, &g), s) in value.iter_mut().zip(grad).zip(sum) {
            let g = g + decay * *w;
            *s = *s + g * g;
            *w = *w - rate * g / ((*s + start).sqrt() + epsilon);
        }
    }

    #[inline(always)]
    pub fn adadelta<F: Float>(step: AdaStep, value: &mut [F], grad: &[F], square: &mut [F], moved: &mut [F]) {
        let AdaStep { rate, rho, epsilon, decay } = step;
        let (rate, rho) = (number::<F>(rate), number::<F>(1.0 - rho));
        let (epsilon, decay, least) = (number::<F>(epsilon), number::<F>(decay), least());
        for (((w, &g), s), d) in value.iter_mut().zip(grad).zip(square).zip(moved) {
            let g = g + decay * *w;
            *s = at_least(*s + rho * (g * g - *s), least);
            let delta = ((*d + epsilon) / (*s + epsilon)).sqrt() * g;
            *d = at_least(*d + rho * (delta * delta - *d), least);
            *w = *w - rate * delta;
        }
    }

    #[inline(always)]
    pub fn adamax<F: Float>(
        step: MomentStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        largest: &mut [F],
    ) {
        let MomentStep { carried, beta1, beta2, epsilon, decay, .. } = step;
        let (carried, beta1, beta2) = (number::<F>(carried), number::<F>(1.0 - beta1), number::<F>(beta2));
        let (epsilon, decay, settler) = (number::<F>(epsilon), number::<F>(decay), settler());
        for (((w, &g), m), u) in value.iter_mut().zip(grad).zip(first).zip(largest) {
            let g = g + decay * *w;
            *m = settled(*m + beta1 * (g - *m), settler);
            *u = at_least(beta2 * *u, g.abs() + epsilon);
            *w = *w - carried * *m / *u;
        }
    }

    #[inline(always)]
    pub fn two_moments<F: Float>(
        step: MomentStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        second: &mut [F],
    ) {
        let MomentStep { fresh, carried, beta1, beta2, epsilon, correction, decay, shrink } = step;
        let (fresh, carried) = (number::<F>(fresh), number::<F>(carried));
        let (beta1, beta2) = (number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        let (epsilon, correction) = (number::<F>(epsilon), number::<F>(correction));
        let (decay, shrink) = (number::<F>(decay), number::<F>(shrink));
        let (settler, least) = (settler(), least());
        for (((w, &g), m), v) in value.iter_mut().zip(grad).zip(first).zip(second) {
            let g = g + decay * *w;
            *m = settled(*m + beta1 * (g - *m), settler);
            *v = at_least(*v + beta2 * (g * g - *v), least);
            *w = *w * shrink - (fresh * g + carried * *m) / (v.sqrt() * correction + epsilon);
        }
    }

    #[inline(always)]
    pub fn two_moments_unadapted<F: Float>(
        step: MomentStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        second: &mut [F],
    ) {
        let MomentStep { carried, beta1, beta2, decay, shrink, .. } = step;
        let (carried, decay, shrink) = (number::<F>(carried), number::<F>(decay), number::<F>(shrink));
        let (beta1, beta2) = (number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        let (settler, least) = (settler(), least());
        for (((w, &g), m), v) in value.iter_mut().zip(grad).zip(first).zip(second) {
            let g = g + decay * *w;
            *m = settled(*m + beta1 * (g - *m), settler);
            *v = at_least(*v + beta2 * (g * g - *v), least);
            *w = *w * shrink - carried * *m;
        }
    }

    #[inline(always)]
    pub fn amsgrad<F: Float>(
        step: MomentStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        second: &mut [F],
        largest: &mut [F],
    ) {
        let MomentStep { carried, beta1, beta2, epsilon, correction, decay, shrink, .. } = step;
        let (carried, beta1, beta2) =
            (number::<F>(carried), number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        let (epsilon, correction) = (number::<F>(epsilon), number::<F>(correction));
        let (decay, shrink) = (number::<F>(decay), number::<F>(shrink));
        let (settler, least) = (settler(), least());
        for ((((w, &g), m), v), most) in value.iter_mut().zip(grad).zip(first).zip(second).zip(largest) {
            let g = g + decay * *w;
            *m = settled(*m + beta1 * (g - *m), settler);
            *v = at_least(*v + beta2 * (g * g - *v), least);
            *most = at_least(*most, *v);
            *w = *w * shrink - carried * *m / (most.sqrt() * correction + epsilon);
        }
    }

    #[inline(always)]
    pub fn lion<F: Float>(step: LionStep, value: &mut [F], grad: &[F], momentum: &mut [F]) {
        let LionStep { rate, beta1, beta2, shrink } = step;
        let (rate, shrink, settler) = (number::<F>(rate), number::<F>(shrink), settler());
        let (beta1, beta2) = (number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        for ((w, &g), m) in value.iter_mut().zip(grad).zip(momentum) {
            let direction = *m + beta1 * (g - *m);
            // The sign is 0 for 0, and NaN for NaN.
            let sign = if direction > F::zero() {
                F::one()
            } else if direction < F::zero() {
                -F::one()
            } else {
                direction
            };
            *w = *w * shrink - rate * sign;
            *m = settled(*m + beta2 * (g - *m), settler);
        }
    }

    #[inline(always)]
    pub fn schedule_free<F: Float>(
        step: FreeStep,
        value: &mut [F],
        grad: &[F],
        second: &mut [F],
        ahead: &mut [F],
    ) {
        let FreeStep { rate, beta1, beta2, epsilon, correction, decay, share } = step;
        // The new base minus value is `(1 - share) · ahead - rate · beta1 · (1 - share) · g`, with `g` the normalized
        // gradient.
        let (back, forth) = (rate * (beta1 * (1.0 - share) - 1.0), rate * beta1 * (1.0 - share));
        let (back, forth) = (number::<F>(back), number::<F>(forth));
        let (share, kept) = (number::<F>(share), number::<F>(1.0 - share));
        let (beta2, epsilon, correction) =
            (number::<F>(1.0 - beta2), number::<F>(epsilon), number::<F>(correction));
        let (decay, settler, least) = (number::<F>(decay), settler(), least());
        for (((w, &g), v), e) in value.iter_mut().zip(grad).zip(second).zip(ahead) {
            *v = at_least(*v + beta2 * (g * g - *v), least);
            let g = g / (v.sqrt() * correction + epsilon) + decay * *w;
            *w = *w + share * *e + back * g;
            *e = settled(kept * *e - forth * g, settler);
        }
    }
}
