//! Adam's pass over a parameter; `update.rs` says how such passes are written.
//!
//! # In a pipeline
//!
//! A number's means, the root of one, and the quotient are a chain of some 90 cycles, and root and quotient are the
//! slowest instructions that there are. One vector after the other, the processor looks too short a way ahead to have
//! the divider at work all the time, most of all where another guest has half of the core. So on `x86_64` the pass is
//! written out in vectors: the means and roots of two are begun before the two ahead of them are divided. Each number
//! has the same operations in the same order as in the plain loop, and so the same bits.
#![allow(unsafe_code, reason = "vector instructions and addresses need it; every block says why it is sound")]

use super::kernels;
#[cfg(target_arch = "x86_64")]
use super::{
    kernels::Level,
    update::generic::{least, settler},
    vector::Vector,
};

/// The numbers of one step of Adam.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct AdamStep {
    /// The rate over the first moment's correction, `rate / (1 - beta1^t)`.
    pub rate: f64,
    /// How slowly the first moment changes.
    pub beta1: f64,
    /// How slowly the second moment changes.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The second moment's correction, `1 / sqrt(1 - beta2^t)`.
    pub correction: f64,
    /// The decay added to the gradient (Adam).
    pub decay: f64,
    /// What the parameter is multiplied by beforehand (AdamW), `1 - rate · decay`.
    pub shrink: f64,
}

impl AdamStep {
    /// Whether values decay. Usually they do not, and the operations for it are left out: a quarter of the time.
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
        let (value, grad, first, second) = {
            // SAFETY: the processor has the level, and the arrays are borrowed in here.
            let done = unsafe { by_vectors(Level::detected(), step, Arrays::of(value, grad, first, second)) };
            (&mut value[done..], &grad[done..], &mut first[done..], &mut second[done..])
        };
        f32::adam_loop(step, value, grad, first, second);
    }
}

impl AdamPass<f64> for f64 {
    fn adam(step: AdamStep, value: &mut [f64], grad: &[f64], first: &mut [f64], second: &mut [f64]) {
        f64::adam_loop(step, value, grad, first, second);
    }
}

kernels! {
    /// The pass as the compiler makes it.
    AdamLoop {
        /// Adam and AdamW.
        fn adam_loop(step: AdamStep, value: &mut [F], grad: &[F], first: &mut [F], second: &mut [F]);
    }
}

mod generic {
    use super::AdamStep;
    use crate::scalar::update::generic::{at_least, least, number, settled, settler};
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
        let AdamStep { rate, beta1, beta2, epsilon, correction, decay, shrink } = step;
        let (rate, epsilon, correction) = (number::<F>(rate), number::<F>(epsilon), number::<F>(correction));
        let (beta1, beta2) = (number::<F>(1.0 - beta1), number::<F>(1.0 - beta2));
        let (decay, shrink) = (number::<F>(decay), number::<F>(shrink));
        let (settler, least) = (settler(), least());
        for (((w, &g), m), v) in value.iter_mut().zip(grad).zip(first).zip(second) {
            let g = if DECAY { g + decay * *w } else { g };
            let kept = if DECAY { *w * shrink } else { *w };
            *m = settled(*m + beta1 * (g - *m), settler);
            *v = at_least(*v + beta2 * (g * g - *v), least);
            *w = kept - rate * *m / (v.sqrt() * correction + epsilon);
        }
    }
}

/// What a pass by vectors goes over: `length` numbers of each, which only the pass touches meanwhile.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Arrays {
    value: *mut f32,
    grad: *const f32,
    first: *mut f32,
    second: *mut f32,
    length: usize,
}

#[cfg(target_arch = "x86_64")]
impl Arrays {
    /// As many numbers as all of them have.
    fn of(value: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32]) -> Self {
        Self {
            length: value.len().min(grad.len()).min(first.len()).min(second.len()),
            value: value.as_mut_ptr(),
            grad: grad.as_ptr(),
            first: first.as_mut_ptr(),
            second: second.as_mut_ptr(),
        }
    }
}

/// The pass over whole vectors: how many numbers it went over.
///
/// # Safety
/// The processor has the level, and the arrays are still borrowed.
#[cfg(target_arch = "x86_64")]
unsafe fn by_vectors(level: Level, step: AdamStep, arrays: Arrays) -> usize {
    use std::arch::x86_64::{__m256, __m512};
    /// Compiles the pass for a level.
    macro_rules! level {
        ($level:ident: $vector:ident, $features:literal) => {
            #[target_feature(enable = $features)]
            unsafe fn $level(step: AdamStep, arrays: Arrays) -> usize {
                // SAFETY: the instructions of this function are those of the vectors; the arrays by the caller's word.
                unsafe {
                    if step.decays() {
                        Pass::<$vector, true>::go(step, arrays)
                    } else {
                        Pass::<$vector, false>::go(step, arrays)
                    }
                }
            }
        };
    }
    level!(avx512: __m512, "avx512f");
    level!(avx2: __m256, "avx2,fma");
    match level {
        // SAFETY: by the caller's word.
        Level::Avx512 => unsafe { avx512(step, arrays) },
        // SAFETY: by the caller's word.
        Level::Avx2 => unsafe { avx2(step, arrays) },
        Level::Plain => 0,
    }
}

/// A pass by vectors: its arrays, and its numbers in every lane.
#[cfg(target_arch = "x86_64")]
struct Pass<V, const DECAY: bool> {
    arrays: Arrays,
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

/// What is known of a vector's step before the quotient.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Begun<V> {
    /// The first moment times the rate.
    forward: V,
    /// The root of the second moment.
    root: V,
}

#[cfg(target_arch = "x86_64")]
impl<V: Vector, const DECAY: bool> Pass<V, DECAY> {
    /// The pass over as many pairs of vectors as there are: how many numbers they have.
    ///
    /// # Safety
    /// The processor has the vectors, and the arrays are still borrowed.
    #[inline(always)]
    unsafe fn go(step: AdamStep, arrays: Arrays) -> usize {
        let pair = 2 * V::LANES;
        let whole = arrays.length / pair * pair;
        if whole == 0 {
            return 0;
        }
        // SAFETY: by the caller's word; places up to `whole` are in all arrays.
        unsafe {
            let pass = Self {
                arrays,
                rate: V::splat(step.rate as f32),
                beta1: V::splat((1.0 - step.beta1) as f32),
                beta2: V::splat((1.0 - step.beta2) as f32),
                epsilon: V::splat(step.epsilon as f32),
                correction: V::splat(step.correction as f32),
                decay: V::splat(step.decay as f32),
                shrink: V::splat(step.shrink as f32),
                settler: V::splat(settler()),
                least: V::splat(least()),
            };
            let mut begun = [pass.begin(0), pass.begin(V::LANES)];
            for i in (0..whole - pair).step_by(pair) {
                for (i, begun) in (i..).step_by(V::LANES).zip(&mut begun) {
                    let next = pass.begin(i + pair);
                    pass.end(i, *begun);
                    *begun = next;
                }
            }
            pass.end(whole - pair, begun[0]);
            pass.end(whole - V::LANES, begun[1]);
        }
        whole
    }

    /// The moments of the vector from this place on, and the root.
    ///
    /// # Safety
    /// The processor has the vectors, and the arrays have that one.
    #[inline(always)]
    unsafe fn begin(&self, i: usize) -> Begun<V> {
        // SAFETY: by the caller's word.
        unsafe {
            let mut g = V::load(self.arrays.grad.add(i));
            if DECAY {
                g = g.plus(self.decay.times(V::load(self.arrays.value.add(i))));
            }
            let v = V::load(self.arrays.second.add(i));
            let v = v.plus(self.beta2.times(g.times(g).minus(v))).at_least(self.least);
            v.store(self.arrays.second.add(i));
            let m = V::load(self.arrays.first.add(i));
            let m = m.plus(self.beta1.times(g.minus(m)));
            let m = m.plus(self.settler).minus(self.settler);
            m.store(self.arrays.first.add(i));
            Begun { forward: self.rate.times(m), root: v.root() }
        }
    }

    /// The vector's step.
    ///
    /// # Safety
    /// As [`begin`](Self::begin).
    #[inline(always)]
    unsafe fn end(&self, i: usize, Begun { forward, root }: Begun<V>) {
        // SAFETY: by the caller's word.
        unsafe {
            let w = V::load(self.arrays.value.add(i));
            let kept = if DECAY { w.times(self.shrink) } else { w };
            let moved = forward.over(root.times(self.correction).plus(self.epsilon));
            kept.minus(moved).store(self.arrays.value.add(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdamPass, AdamStep, generic};

    const STEP: AdamStep = AdamStep {
        rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        correction: 1.25,
        decay: 0.0,
        shrink: 1.0,
    };

    /// Numbers of both signs and of many sizes; 0, infinity and NaN are among them.
    fn numbers(length: usize, stride: usize) -> Vec<f32> {
        let special = [0.0, -0.0, 1e-40, 1e-30, -3e20, f32::INFINITY, f32::NAN];
        let number =
            |i: usize| special.get((i * stride) % 53).copied().unwrap_or(((i * stride) as f32).sin());
        (1..=length).map(number).collect()
    }

    /// Several steps of a pass: the values and both moments.
    fn run(
        pass: impl Fn(AdamStep, &mut [f32], &[f32], &mut [f32], &mut [f32]),
        step: AdamStep,
        length: usize,
    ) -> [Vec<u32>; 3] {
        let (mut value, mut first, mut second) = (numbers(length, 7), vec![0.0; length], vec![0.0; length]);
        for stride in 1..=4 {
            pass(step, &mut value, &numbers(length, stride), &mut first, &mut second);
        }
        // Of a NaN, sign and payload are nobody's business.
        [value, first, second].map(|x| x.iter().map(|x| if x.is_nan() { !0 } else { x.to_bits() }).collect())
    }

    #[test]
    fn the_pipeline_has_the_bits_of_the_plain_loop_at_every_length() {
        for step in [STEP, AdamStep { decay: 0.01, ..STEP }, AdamStep { shrink: 0.99, ..STEP }] {
            for length in (0..=140).chain([1000, 6144]) {
                let plain = run(generic::adam_loop, step, length);
                assert_eq!(run(f32::adam, step, length), plain, "{length} numbers, {step:?}");
                #[cfg(target_arch = "x86_64")]
                if matches!(super::Level::detected(), super::Level::Avx512) {
                    let halves = |step, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]| {
                        let arrays = super::Arrays::of(w, g, m, v);
                        // SAFETY: a processor with AVX-512 has AVX2, and the arrays are borrowed in here.
                        let done = unsafe { super::by_vectors(super::Level::Avx2, step, arrays) };
                        let (w, g, m, v) = (&mut w[done..], &g[done..], &mut m[done..], &mut v[done..]);
                        generic::adam_loop(step, w, g, m, v);
                    };
                    assert_eq!(run(halves, step, length), plain, "{length} numbers by AVX2, {step:?}");
                }
            }
        }
    }

    #[test]
    fn a_step_is_kingmas_by_hand() {
        // Algorithm 1 of Kingma and Ba, 2015, for the first step: m = 0.1 · g, v = 0.001 · g², both corrections undo that,
        // and the value moves by the rate, whatever the gradient's size.
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
