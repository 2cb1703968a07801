//! Elementwise activation functions and their derivatives.
//!
//! | function | value | derivative, from what is kept |
//! |---|---|---|
//! | ReLU | `max(x, 0)` | 1 where the output is above 0, else 0 |
//! | LeakyReLU | `x`, or `slope · x` below 0 | 1 where the input is above 0, else `slope` |
//! | Sigmoid | `1 / (1 + e^-x)` | `y · (1 - y)` |
//! | Tanh | `tanh x` | `1 - y²` |
//!
//! All work in place, on the activation's input going forward and on the gradient going back. ReLU, sigmoid and
//! tanh need their output only, which the next layer has anyway. LeakyReLU keeps its input: with a negative slope
//! the output does not tell the sign. At 0, the derivatives of both ReLUs are those of the left side, as in
//! PyTorch.

use super::kernels;

/// An activation function that the crate has a kernel for; the layers of the same names are built on it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub enum Activation {
    /// `max(x, 0)`, keeping NaN.
    ReLU,
    /// `x` where positive, else `slope · x`.
    LeakyReLU(f64),
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// True where the derivative is computed from the output, so that the output is what backward has to keep.
    ///
    /// A layer keeps one of the two, input or output, by this answer.
    pub fn derives_from_output(self) -> bool {
        !matches!(self, Self::LeakyReLU(_))
    }
}

kernels! {
    /// Activation functions over slices.
    Activations {
        /// `x = f(x)`.
        fn activate(f: Activation, x: &mut [F]);
        /// `grad = grad · f'`, from the kept output or input (see `derives_from_output`).
        fn activate_back(f: Activation, kept: &[F], grad: &mut [F]);
        /// ReLU, and a bit for each number: whether its derivative is 1. A mark has the bits of 32 numbers.
        fn relu_marked(x: &mut [F], marks: &mut [u32]);
        /// The gradient of ReLU from the bits.
        fn relu_marked_back(marks: &[u32], grad: &mut [F]);
    }
}

mod generic {
    use super::Activation;
    use num_traits::Float;

    #[inline(always)]
    pub fn activate<F: Float>(f: Activation, x: &mut [F]) {
        let (zero, one) = (F::zero(), F::one());
        match f {
            // Not `max`: it would turn NaN into 0 and hide that training diverged.
            Activation::ReLU => each(x, |x| if x < zero { zero } else { x }),
            Activation::LeakyReLU(slope) => {
                let slope = number::<F>(slope);
                each(x, |x| if x < zero { slope * x } else { x });
            }
            Activation::Sigmoid => each(x, |x| one / (one + (-x).exp())),
            Activation::Tanh => each(x, |x| x.tanh()),
        }
    }

    #[inline(always)]
    pub fn activate_back<F: Float>(f: Activation, kept: &[F], grad: &mut [F]) {
        let (zero, one) = (F::zero(), F::one());
        match f {
            Activation::ReLU => both(kept, grad, |y, g| if y <= zero { zero } else { g }),
            Activation::LeakyReLU(slope) => {
                let slope = number::<F>(slope);
                both(kept, grad, |x, g| if x <= zero { slope * g } else { g });
            }
            Activation::Sigmoid => both(kept, grad, |y, g| g * y * (one - y)),
            Activation::Tanh => both(kept, grad, |y, g| g * (one - y * y)),
        }
    }

    #[inline(always)]
    pub fn relu_marked<F: Float>(x: &mut [F], marks: &mut [u32]) {
        for (x, mark) in x.chunks_mut(32).zip(marks) {
            // Of a length that is known where there are 32, so that it is done in vectors.
            *mark = if let Some(whole) = x.first_chunk_mut::<32>() { relu_bits(whole) } else { relu_bits(x) };
        }
    }

    /// ReLU of at most 32 numbers; NaN stays, and its derivative is 1.
    #[inline(always)]
    fn relu_bits<F: Float>(x: &mut [F]) -> u32 {
        let (zero, mut bits) = (F::zero(), 0);
        for (i, x) in x.iter_mut().enumerate() {
            bits |= u32::from(*x > zero || x.is_nan()) << i;
            *x = if *x < zero { zero } else { *x };
        }
        bits
    }

    #[inline(always)]
    pub fn relu_marked_back<F: Float>(marks: &[u32], grad: &mut [F]) {
        for (grad, &bits) in grad.chunks_mut(32).zip(marks) {
            if let Some(whole) = grad.first_chunk_mut::<32>() { keep(whole, bits) } else { keep(grad, bits) }
        }
    }

    /// 0 where the bit is.
    #[inline(always)]
    fn keep<F: Float>(grad: &mut [F], bits: u32) {
        for (i, g) in grad.iter_mut().enumerate() {
            *g = if bits & (1 << i) == 0 { F::zero() } else { *g };
        }
    }

    /// A hyper-parameter in the element type. For `f32` and `f64` the conversion cannot fail.
    #[inline(always)]
    fn number<F: Float>(value: f64) -> F {
        F::from(value).unwrap_or_else(F::nan)
    }

    /// In place over a slice; the closure is compiled into the loop.
    #[inline(always)]
    fn each<F: Float>(x: &mut [F], f: impl Fn(F) -> F) {
        for x in x {
            *x = f(*x);
        }
    }

    /// The gradient in place, with what was kept beside it.
    #[inline(always)]
    fn both<F: Float>(kept: &[F], grad: &mut [F], f: impl Fn(F, F) -> F) {
        for (g, &k) in grad.iter_mut().zip(kept) {
            *g = f(k, *g);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_relu_say_what_the_outputs_say() {
        for len in 0..70usize {
            let x: Vec<f32> =
                (0..len).map(|i| if i % 7 == 6 { f32::NAN } else { (i % 5) as f32 - 2. }).collect();
            let (mut y, mut marked, mut marks) = (x.clone(), x.clone(), vec![0; len.div_ceil(32)]);
            f32::activate(Activation::ReLU, &mut y);
            f32::relu_marked(&mut marked, &mut marks);
            let (mut grad, mut back) = (vec![3.0f32; len], vec![3.0f32; len]);
            f32::activate_back(Activation::ReLU, &y, &mut grad);
            f32::relu_marked_back(&marks, &mut back);
            assert_eq!(grad, back);
            assert!(y.iter().zip(&marked).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    const ALL: [Activation; 4] =
        [Activation::ReLU, Activation::LeakyReLU(0.1), Activation::Sigmoid, Activation::Tanh];

    #[test]
    fn nan_is_never_swallowed_at_any_lane() {
        for f in ALL {
            for len in 0..70 {
                for lane in 0..len {
                    let mut x = vec![1.0f32; len];
                    x[lane] = f32::NAN;
                    f32::activate(f, &mut x);
                    assert!(
                        x.iter().enumerate().all(|(i, v)| v.is_nan() == (i == lane)),
                        "{f:?} {len} {lane}"
                    );
                }
            }
        }
    }

    #[test]
    fn values_and_derivatives_at_any_length() {
        let reference = |f, x: f64| match f {
            Activation::ReLU => (x.max(0.), f64::from(x > 0.)),
            Activation::LeakyReLU(s) => (if x > 0. { x } else { s * x }, if x > 0. { 1. } else { s }),
            Activation::Sigmoid => {
                let y = 1. / (1. + (-x).exp());
                (y, y * (1. - y))
            }
            Activation::Tanh => (x.tanh(), 1. - x.tanh().powi(2)),
        };
        for f in ALL {
            for len in 0..70 {
                let x: Vec<f32> = (0..len).map(|i| (i as f32 - 30.3) / 7.).collect();
                let mut y = x.clone();
                f32::activate(f, &mut y);
                let mut grad = vec![2.0f32; len];
                f32::activate_back(f, if f.derives_from_output() { &y } else { &x }, &mut grad);
                for i in 0..len {
                    let (value, slope) = reference(f, f64::from(x[i]));
                    assert!((f64::from(y[i]) - value).abs() < 1e-6);
                    assert!((f64::from(grad[i]) - 2. * slope).abs() < 1e-5, "{f:?} {} {}", x[i], grad[i]);
                }
            }
        }
    }
}
