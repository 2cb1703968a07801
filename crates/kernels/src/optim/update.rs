//! The optimizers' passes over parameters: one pass that reads and writes each element once.
//!
//! A rule's formula has several terms; with array operations, each would be a separate pass with an intermediate array.
//! Here an element's value, gradient and state are read once, processed in registers, and written once. For large
//! parameters the speed is then that of memory.
//!
//! Hyperparameters are given as `f64` and rounded to the element type once per call. Means are updated as `m + (1 - β)
//! · (g - m)`, not `β · m + (1 - β) · g`: one multiplication less, and `1 - β` is computed in `f64`, so that for
//! β2 0.999 it has the full precision of `f32`. PyTorch does the same (`lerp`) for the first moment.
//!
//! A mean of gradients that have become 0 (a pixel that is rarely lit) shrinks towards the subnormal numbers, below
//! `MIN_POSITIVE`, where processors take four times as long: a third of a training step was spent there. So means are
//! kept away from them, by operations that are cheap next to a square root and a division. A mean of gradients is
//! rounded to a fine grid (`settled`), and ends at 0 or near it; a mean of squares has a smallest value (`at_least`).
//! The change of a weight that is lost this way is some 1e-27 in `f32`.

use crate::kernels;

/// The values of one step of stochastic gradient descent.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct SgdStep {
    /// The step's learning rate.
    pub rate: f64,
    /// The weight decay, added to the gradient times the value.
    pub decay: f64,
    /// The fraction of the velocity that is kept.
    pub momentum: f64,
    /// True for Nesterov's look-ahead.
    pub nesterov: bool,
}

kernels! {
    /// Updates of parameters.
    Updates {
        /// `value -= rate · (grad + decay · value)`.
        fn sgd(step: SgdStep, value: &mut [F], grad: &[F]);
        /// The same with a velocity.
        fn sgd_momentum(step: SgdStep, value: &mut [F], grad: &[F], velocity: &mut [F]);
        /// `average += share · (value - average)`.
        fn approach(average: &mut [F], share: F, value: &[F]);
        /// `min(max(x, -limit), limit)`; NaN stays NaN.
        fn limit(x: &mut [F], limit: F);
        /// `grad += l1 · sign(value) + l2 · value`, where the sign of 0 is 0.
        fn penalise(grad: &mut [F], value: &[F], l1: F, l2: F);
        /// Turns squares of norms into `limit / (norm + 1e-7)` where the norm is above the limit, and 1 elsewhere.
        /// Returns whether any norm is above it.
        fn shortenings(squares: &mut [F], limit: F) -> bool;
    }
}

pub(crate) mod generic {
    use super::SgdStep;
    use num_traits::Float;

    /// Returns a hyperparameter in the element type.
    #[inline(always)]
    pub fn number<F: Float>(value: f64) -> F {
        F::from(value).unwrap_or_else(F::nan)
    }

    /// The smallest mean of squares: 10,000 times the smallest normal number, so that its product with a coefficient is
    /// normal too. Its root is far below ε.
    #[inline(always)]
    pub fn least<F: Float>() -> F {
        F::min_positive_value() * number(1e4)
    }

    /// The larger of the two; NaN stays NaN.
    #[inline(always)]
    pub fn at_least<F: Float>(x: F, least: F) -> F {
        if x < least { least } else { x }
    }

    /// The constant that [`settled`] adds and subtracts: `2^-80` in `f32`. Its last place, `2^-103`, is the grid.
    #[inline(always)]
    pub fn settler<F: Float>() -> F {
        F::min_positive_value() / (F::epsilon() * F::epsilon())
    }

    /// Rounds `x` to a multiple of the settler's last place if it is smaller than the settler; larger numbers change at
    /// most in their last place. NaN stays NaN. So a nonzero result is at least a million times the smallest normal
    /// number.
    #[inline(always)]
    pub fn settled<F: Float>(x: F, settler: F) -> F {
        (x + settler) - settler
    }

    #[inline(always)]
    pub fn approach<F: Float>(average: &mut [F], share: F, value: &[F]) {
        for (a, &w) in average.iter_mut().zip(value) {
            *a = *a + share * (w - *a);
        }
    }

    #[inline(always)]
    pub fn limit<F: Float>(x: &mut [F], limit: F) {
        for x in x {
            let below = if *x > limit { limit } else { *x };
            *x = if below < -limit { -limit } else { below };
        }
    }

    #[inline(always)]
    pub fn penalise<F: Float>(grad: &mut [F], value: &[F], l1: F, l2: F) {
        let (zero, one) = (F::zero(), F::one());
        for (g, &w) in grad.iter_mut().zip(value) {
            let sign = if w > zero { one } else { zero } - if w < zero { one } else { zero };
            *g = *g + (l1 * sign + l2 * w);
        }
    }

    #[inline(always)]
    pub fn shortenings<F: Float>(squares: &mut [F], limit: F) -> bool {
        let epsilon = number(1e-7);
        let mut any = false;
        for s in squares {
            let norm = s.sqrt();
            any |= norm > limit;
            *s = if norm > limit { limit / (norm + epsilon) } else { F::one() };
        }
        any
    }

    #[inline(always)]
    pub fn sgd<F: Float>(step: SgdStep, value: &mut [F], grad: &[F]) {
        let (rate, decay) = (number::<F>(step.rate), number::<F>(step.decay));
        for (w, &g) in value.iter_mut().zip(grad) {
            *w = *w - rate * (g + decay * *w);
        }
    }

    #[inline(always)]
    pub fn sgd_momentum<F: Float>(step: SgdStep, value: &mut [F], grad: &[F], velocity: &mut [F]) {
        let (rate, decay, momentum) =
            (number::<F>(step.rate), number::<F>(step.decay), number(step.momentum));
        // PyTorch's definition: the step is the velocity, or with Nesterov the gradient plus momentum times the
        // velocity.
        let (fresh, carried) = if step.nesterov { (F::one(), momentum) } else { (F::zero(), F::one()) };
        let settler = settler();
        for ((w, &g), v) in value.iter_mut().zip(grad).zip(velocity) {
            let g = g + decay * *w;
            *v = settled(momentum * *v + g, settler);
            *w = *w - rate * (fresh * g + carried * *v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Updates;

    /// Numbers of both signs, 0 among them.
    fn numbers(length: usize, stride: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * stride) % 11) as f32 / 4.0 - 1.25).collect()
    }

    #[test]
    fn penalties_and_limits_are_those_of_a_plain_loop_at_every_length() {
        for length in 0..=70 {
            let (value, before) = (numbers(length, 5), numbers(length, 3));
            let mut grad = before.clone();
            f32::penalise(&mut grad, &value, 0.5, 0.25);
            let mut limited = before.clone();
            f32::limit(&mut limited, 0.5);
            let mut average = before.clone();
            f32::approach(&mut average, 0.25, &value);
            for i in 0..length {
                // Quarters and halves: exact in f32.
                let sign = [-1.0, 0.0, 1.0][(value[i].partial_cmp(&0.0).unwrap() as i8 + 1) as usize];
                assert_eq!(grad[i], before[i] + 0.5 * sign + 0.25 * value[i], "{i} of {length}");
                assert_eq!(limited[i], before[i].clamp(-0.5, 0.5), "{i} of {length}");
                assert_eq!(average[i], before[i] + 0.25 * (value[i] - before[i]), "{i} of {length}");
            }
        }
        let mut grad = [1.0f32, 1.0];
        f32::penalise(&mut grad, &[f32::NAN, -0.0], 0.5, 0.25);
        assert!(grad[0].is_nan() && grad[1] == 1.0, "NaN stays, and the sign of 0 is 0");
    }

    #[test]
    fn only_norms_above_the_limit_are_shortened() {
        for length in 0..=70 {
            let norms: Vec<f64> = (0..length).map(|i| ((i * 7) % 9) as f64 / 2.0).collect();
            let mut squares: Vec<f64> = norms.iter().map(|norm| norm * norm).collect();
            assert_eq!(f64::shortenings(&mut squares, 2.0), norms.iter().any(|&norm| norm > 2.0));
            for (factor, norm) in squares.into_iter().zip(norms) {
                let expected = if norm > 2.0 { 2.0 / (norm + 1e-7) } else { 1.0 };
                assert!((factor - expected).abs() < 1e-15, "{factor} for a norm of {norm}");
            }
        }
    }
}
