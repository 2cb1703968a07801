//! Adam's pass over a parameter; `update.rs` describes the form of such passes.
//!
//! # Written in vectors
//!
//! The moments of an element, the square root of one, and the quotient are a dependency chain of some 90 cycles, and
//! square root and division are the slowest instructions there are. If vectors are processed one after the other, the
//! processor's out-of-order window is too short to keep the divider busy, most of all if another virtual machine shares
//! the core. So for `f32` on `x86_64` the pass is written in vectors and software-pipelined: the moments and roots of
//! two vectors are started before the two ahead of them are divided.
//!
//! The product of a difference and a coefficient is subtracted in one instruction, rounded once. With AVX-512 the
//! quotient uses an approximate reciprocal ([`Vector::minus_quotient`]), so that only the roots use the divider. The
//! last few elements, less than a group of 32, are copied into a whole group: every element has the same operations
//! wherever it is, and so the same bits however a parameter is split. The results differ by rounding from those of the
//! plain loop, which all other types and processors use: by some units in the last place of a moment or of the change
//! of a value. A gradient whose square overflows makes its value NaN, at once or in the next step.
#![allow(unsafe_code, reason = "vector instructions and addresses need it; every block says why it is sound")]

use crate::kernels;
#[cfg(target_arch = "x86_64")]
use crate::level::Level;

/// The values of one step of Adam.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct AdamStep {
    /// The learning rate divided by the first moment's correction, `rate / (1 - beta1^t)`.
    pub rate: f64,
    /// The decay of the first moment.
    pub beta1: f64,
    /// The decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The second moment's correction, `1 / sqrt(1 - beta2^t)`.
    pub correction: f64,
    /// The weight decay added to the gradient (Adam).
    pub decay: f64,
    /// The factor of the parameter before the step (AdamW), `1 - rate · decay`.
    pub shrink: f64,
    /// True if tiny first moments are rounded to 0 (`update.rs`), which is enough every few steps.
    pub settle: bool,
}

impl AdamStep {
    /// Returns whether values decay. Usually they do not, and leaving out these operations saves a quarter of the time.
    fn decays(&self) -> bool {
        self.decay != 0.0 || self.shrink != 1.0
    }
}

/// Adam's pass, for an element type.
#[doc(hidden)]
pub trait AdamPass<F> {
    /// Adam and AdamW.
    fn adam(step: AdamStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F]);
}

impl AdamPass<f32> for f32 {
    fn adam(step: AdamStep, value: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has the level.
        if unsafe { vectors::adam(Level::in_use(), step, value, grad, first, second) } {
            return;
        }
        f32::adam_loop(step, value, grad, first, second);
    }
}

impl AdamPass<f64> for f64 {
    fn adam(step: AdamStep, value: &mut [f64], grad: &[f64], first: &mut [f64], second: &mut [f64]) {
        f64::adam_loop(step, value, grad, first, second);
    }
}

kernels! {
    /// The pass as a loop that the compiler vectorizes.
    AdamLoop {
        /// Adam and AdamW.
        fn adam_loop(step: AdamStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F]);
    }
}

mod generic {
    use super::AdamStep;
    use crate::optim::update::generic::{at_least, least, number, settled, settler};
    use num_traits::Float;

    #[inline(always)]
    pub fn adam_loop<F: Float>(
        step: AdamStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        second: &mut [F],
    ) {
        if step.decays() {
            pass::<F, true>(step, value, grad, first, second);
        } else {
            pass::<F, false>(step, value, grad, first, second);
        }
    }

    #[inline(always)]
    fn pass<F: Float, const DECAY: bool>(
        step: AdamStep,
        value: &mut [F],
        grad: &[F],
        first: &mut [F],
        second: &mut [F],
    ) {
        let AdamStep { rate, beta1, beta2, epsilon, correction, decay, shrink, settle } = step;
        let (rate, epsilon, correction) = (number::<F>(rate), number::<F>(epsilon), number::<F>(correction));
        let (beta1, beta2) = (number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        let (decay, shrink) = (number::<F>(decay), number::<F>(shrink));
        let (settler, least) = (if settle { settler() } else { F::zero() }, least());
        for (((w, &g), m), v) in value.iter_mut().zip(grad).zip(first).zip(second) {
            let g = if DECAY { g + decay * *w } else { g };
            let kept = if DECAY { *w * shrink } else { *w };
            *m = settled(*m + beta1 * (g - *m), settler);
            *v = at_least(*v + beta2 * (g * g - *v), least);
            *w = kept - rate * *m / (v.sqrt() * correction + epsilon);
        }
    }
}

/// The pass in vectors.
#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::AdamStep;
    use crate::level::Level;
    use crate::optim::update::generic::{least, settler};
    use crate::vector::Vector;
    use std::arch::x86_64::{__m256, __m512};

    /// Contiguous numbers: two vectors of AVX-512, or twice two of AVX2.
    type Group = [f32; 32];

    /// The largest epsilon whose reciprocal is a normal number.
    const MOST_EPSILON: f32 = 8e37;

    /// The arrays of a pass, with as many groups in each.
    struct Arrays<'a> {
        value: &'a mut [Group],
        grad: &'a [Group],
        first: &'a mut [Group],
        second: &'a mut [Group],
    }

    /// Runs the pass if the level has vectors; returns whether it has.
    ///
    /// # Safety
    /// The processor has the level.
    pub unsafe fn adam(
        level: Level,
        step: AdamStep,
        value: &mut [f32],
        grad: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) -> bool {
        let pass = match level {
            Level::Avx512 => avx512,
            Level::Avx2 => avx2,
            Level::Portable => return false,
        };
        let length = value.len().min(grad.len()).min(first.len()).min(second.len());
        let (value, last_value) = value[..length].as_chunks_mut();
        let (grad, last_grad) = grad[..length].as_chunks();
        let (first, last_first) = first[..length].as_chunks_mut();
        let (second, last_second) = second[..length].as_chunks_mut();
        // SAFETY: `pass` is the function compiled for `level`, and the processor has that.
        unsafe { pass(step, Arrays { value, grad, first, second }) };
        if !last_value.is_empty() {
            let [mut value, grad, mut first, mut second] = [&*last_value, last_grad, last_first, last_second]
                .map(|last| {
                    let mut group = Group::default();
                    group[..last.len()].copy_from_slice(last);
                    [group]
                });
            let arrays = Arrays { value: &mut value, grad: &grad, first: &mut first, second: &mut second };
            // SAFETY: as above.
            unsafe { pass(step, arrays) };
            for (last, [group]) in [(last_value, value), (last_first, first), (last_second, second)] {
                last.copy_from_slice(&group[..last.len()]);
            }
        }
        true
    }

    /// # Safety
    /// The processor has the level.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512(step: AdamStep, arrays: Arrays<'_>) {
        // SAFETY: this function is compiled with the instructions of the vectors.
        unsafe { pass::<__m512>(step, arrays) }
    }

    /// # Safety
    /// The processor has the level.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(step: AdamStep, arrays: Arrays<'_>) {
        // SAFETY: this function is compiled with the instructions of the vectors.
        unsafe { pass::<__m256>(step, arrays) }
    }

    /// # Safety
    /// The processor has the vectors.
    #[inline(always)]
    unsafe fn pass<V: Vector>(step: AdamStep, arrays: Arrays<'_>) {
        // SAFETY: the processor has the vectors, and `go` requires nothing else.
        unsafe {
            match (step.decays(), step.settle) {
                (false, false) => Pipeline::<V, false, false>::go(step, arrays),
                (false, true) => Pipeline::<V, false, true>::go(step, arrays),
                (true, false) => Pipeline::<V, true, false>::go(step, arrays),
                (true, true) => Pipeline::<V, true, true>::go(step, arrays),
            }
        }
    }

    /// A pass: the addresses of its arrays, and its constants in every lane.
    struct Pipeline<V, const DECAY: bool, const SETTLE: bool> {
        value: *mut f32,
        grad: *const f32,
        first: *mut f32,
        second: *mut f32,
        rate: V,
        beta1: V,
        beta2: V,
        epsilon: V,
        correction: V,
        decay: V,
        shrink: V,
        settler: V,
        least: V,
    }

    /// The state of a vector's step before the division.
    #[derive(Clone, Copy)]
    struct Begun<V> {
        /// The first moment times the rate.
        forward: V,
        /// The root of the second moment.
        root: V,
    }

    impl<V: Vector, const DECAY: bool, const SETTLE: bool> Pipeline<V, DECAY, SETTLE> {
        /// Runs the pass.
        ///
        /// # Safety
        /// The processor has the vectors.
        #[inline(always)]
        unsafe fn go(step: AdamStep, arrays: Arrays<'_>) {
            let Arrays { value, grad, first, second } = arrays;
            let numbers = value.as_flattened().len();
            assert!([grad.len(), first.len(), second.len()] == [value.len(); 3], "as many groups of each");
            let pair = 2 * V::LANES;
            if numbers == 0 {
                return;
            }
            // SAFETY: all four have `numbers` numbers, in whole pairs; each offset is at most `numbers - V::LANES`.
            unsafe {
                let pass = Self {
                    value: value.as_mut_ptr().cast(),
                    grad: grad.as_ptr().cast(),
                    first: first.as_mut_ptr().cast(),
                    second: second.as_mut_ptr().cast(),
                    rate: V::splat(step.rate as f32),
                    beta1: V::splat((1.0 - step.beta1) as f32),
                    beta2: V::splat((1.0 - step.beta2) as f32),
                    epsilon: V::splat((step.epsilon as f32).min(MOST_EPSILON)),
                    correction: V::splat(step.correction as f32),
                    decay: V::splat(step.decay as f32),
                    shrink: V::splat(step.shrink as f32),
                    settler: V::splat(settler()),
                    least: V::splat(least()),
                };
                let mut begun = [pass.begin(0), pass.begin(V::LANES)];
                for i in (0..numbers - pair).step_by(pair) {
                    for (i, begun) in (i..).step_by(V::LANES).zip(&mut begun) {
                        let next = pass.begin(i + pair);
                        pass.end(i, *begun);
                        *begun = next;
                    }
                }
                pass.end(numbers - pair, begun[0]);
                pass.end(numbers - V::LANES, begun[1]);
            }
        }

        /// Updates the moments of the vector at `i`, and starts the root.
        ///
        /// # Safety
        /// The processor has the vectors, and each array has `V::LANES` numbers from `i` on.
        #[inline(always)]
        unsafe fn begin(&self, i: usize) -> Begun<V> {
            // SAFETY: it reads and writes `V::LANES` numbers from `i` on of each array, which has them.
            unsafe {
                let mut g = V::load(self.grad.add(i));
                if DECAY {
                    g = g.plus_product(self.decay, V::load(self.value.add(i)));
                }
                let v = V::load(self.second.add(i));
                let v = v.minus_product(self.beta2, v.minus_product(g, g)).at_least(self.least);
                v.store(self.second.add(i));
                let m = V::load(self.first.add(i));
                let m = m.minus_product(self.beta1, m.minus(g));
                let m = if SETTLE { m.plus(self.settler).minus(self.settler) } else { m };
                m.store(self.first.add(i));
                Begun { forward: self.rate.times(m), root: v.root() }
            }
        }

        /// Updates the values of the vector at `i`.
        ///
        /// # Safety
        /// As [`begin`](Self::begin).
        #[inline(always)]
        unsafe fn end(&self, i: usize, Begun { forward, root }: Begun<V>) {
            // SAFETY: it reads and writes `V::LANES` numbers from `i` on of `value`, which has them.
            unsafe {
                let w = V::load(self.value.add(i));
                let kept = if DECAY { w.times(self.shrink) } else { w };
                let divisor = self.epsilon.plus_product(root, self.correction);
                kept.minus_quotient(forward, divisor).store(self.value.add(i));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdamPass, AdamStep, generic};
    use crate::level::{Level, usable, with};

    const STEP: AdamStep = AdamStep {
        rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        correction: 1.25,
        decay: 0.0,
        shrink: 1.0,
        settle: true,
    };
    const STEPS: [AdamStep; 5] = [
        STEP,
        AdamStep { settle: false, ..STEP },
        AdamStep { decay: 0.01, ..STEP },
        AdamStep { shrink: 0.99, ..STEP },
        AdamStep { rate: 0.0, beta1: 0.0, beta2: 0.0, epsilon: 1e300, ..STEP },
    ];

    /// A pass over values, gradients and both moments.
    type Adam<F> = fn(AdamStep, &mut [F], &[F], &mut [F], &mut [F]);

    /// The version for `f32` at each level that can be used here.
    fn forms() -> Vec<(&'static str, Adam<f32>)> {
        let form = |level| -> Adam<f32> {
            match level {
                Level::Portable => |step, w, g, m, v| with(Level::Portable, || f32::adam(step, w, g, m, v)),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => |step, w, g, m, v| with(Level::Avx2, || f32::adam(step, w, g, m, v)),
                _ => f32::adam,
            }
        };
        usable().map(|level| (level.name(), form(level))).collect()
    }

    /// Numbers of both signs and of many magnitudes.
    fn numbers(length: usize, stride: usize) -> Vec<f32> {
        let special = [0.0, -0.0, 1e-40, 1e-30, -3e5, 2e-12, 7e12];
        let number =
            |i: usize| special.get((i * stride) % 53).copied().unwrap_or(((i * stride) as f32).sin());
        (1..=length).map(number).collect()
    }

    /// Values, gradients and moments as in the middle of training.
    fn state(length: usize) -> [Vec<f32>; 4] {
        let squares = numbers(length, 3).iter().map(|v| v * v).collect();
        [numbers(length, 7), numbers(length, 1), numbers(length, 2), squares]
    }

    #[test]
    fn a_number_has_the_same_bits_wherever_it_stands() {
        for (name, form) in forms() {
            for step in STEPS {
                for length in (0..=140).chain([1000, 6144]) {
                    let [mut w, g, mut m, mut v] = state(length);
                    let mut alone = [w.clone(), m.clone(), v.clone()];
                    form(step, &mut w, &g, &mut m, &mut v);
                    let [aw, am, av] = &mut alone;
                    for i in 0..length {
                        let one = i..i + 1;
                        form(step, &mut aw[one.clone()], &g[one.clone()], &mut am[one.clone()], &mut av[one]);
                    }
                    assert_eq!(alone, [w, m, v], "{length} numbers by {name}, {step:?}");
                }
            }
        }
    }

    #[test]
    fn a_step_is_the_formula_in_f64_but_for_rounding() {
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let ([w, g, m, v], ulp) = (state(2000), f64::from(f32::EPSILON));
        for step in STEPS {
            let (mut values, mut firsts, mut seconds) = (wide(&w), wide(&m), wide(&v));
            generic::adam_loop(step, &mut values, &wide(&g), &mut firsts, &mut seconds);
            for (name, form) in forms() {
                let (mut value, mut first, mut second) = (w.clone(), m.clone(), v.clone());
                form(step, &mut value, &g, &mut first, &mut second);
                for i in 0..w.len() {
                    let near = |found: f32, expected: f64, allowed: f64| {
                        let off = (f64::from(found) - expected).abs();
                        assert!(
                            off <= allowed,
                            "{found:e}, not {expected:e}: number {i} by {name}, {step:?}"
                        );
                    };
                    let [w, g, m, v] = [w[i], g[i], m[i], v[i]].map(|x| f64::from(x.abs()));
                    let g = g + step.decay * w;
                    // The rounding error of a sum is that of its larger term; moments are never subnormal.
                    near(first[i], firsts[i], ulp * (m + g) + 1e-30);
                    near(second[i], seconds[i], ulp * (v + g * g) + 2e-34);
                    let moved = step.rate * (m + g) / (seconds[i].sqrt() * step.correction + step.epsilon);
                    near(value[i], values[i], ulp * (w + 4.0 * moved));
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so_and_its_neighbours_do_not_become_so() {
        for (name, form) in forms() {
            for length in [1, 5, 32, 77] {
                let [mut w, mut g, mut m, mut v] = state(length);
                let at = length / 2;
                g[at] = f32::NAN;
                form(STEP, &mut w, &g, &mut m, &mut v);
                for i in 0..length {
                    let all = [w[i], m[i], v[i]].map(f32::is_nan);
                    assert_eq!(all, [i == at; 3], "number {i} of {length} by {name}");
                }
            }
        }
    }

    #[test]
    fn a_step_is_kingmas_by_hand() {
        // Algorithm 1 of Kingma and Ba, 2015, for the first step: m = 0.1 · g, v = 0.001 · g², both corrections undo
        // the factors, and the value moves by the learning rate, whatever the gradient's magnitude.
        let correction = 1.0 / (1.0f64 - 0.999).sqrt();
        let step = AdamStep { rate: 1e-3 / (1.0 - 0.9), correction, ..STEP };
        let (mut value, mut first, mut second) = ([1.0f32; 40], [0.0; 40], [0.0; 40]);
        let grad: [f32; 40] = std::array::from_fn(|i| if i % 2 == 0 { 4.0 } else { -0.5 });
        f32::adam(step, &mut value, &grad, &mut first, &mut second);
        for i in 0..40 {
            let expected = [(0.4, 0.016, 0.999), (-0.05, 0.00025, 1.001)][i % 2];
            for (found, expected) in [(first[i], expected.0), (second[i], expected.1), (value[i], expected.2)]
            {
                assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found}, not {expected}, at {i}");
            }
        }
    }
}
