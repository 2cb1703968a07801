//! Elementwise activation functions and their derivatives.
//!
//! | function | value | derivative, computed from the kept array |
//! |---|---|---|
//! | ReLU | `max(x, 0)` | 1 where the output is above 0, else 0 |
//! | ReLU6 | `min(max(x, 0), 6)` | 1 where the output is between 0 and 6, else 0 |
//! | LeakyReLU | `x`, or `slope · x` below 0 | 1 where the input is above 0, else `slope` |
//! | HardSigmoid | `min(max(x / 6 + 1/2, 0), 1)` | 1/6 where the input is between -3 and 3, else 0 |
//! | HardSwish | `x · HardSigmoid(x)` | `x / 3 + 1/2` between -3 and 3, below 0, above 1 |
//! | Sigmoid | `1 / (1 + e^-x)` | `y · (1 - y)` |
//! | Tanh | `tanh x` | `1 - y²` |
//! | ELU, SELU, Softsign, Softplus | in `curves.rs` | from the input |
//! | SiLU, Mish, GELU | in `curves.rs` | is the kept array |
//!
//! All work in place: on the activation's input in the forward pass and on the gradient in the backward pass. ReLU,
//! sigmoid and tanh need only their output, which the next layer keeps anyway. LeakyReLU keeps its input: with a
//! negative slope the sign of the input does not follow from the output. SiLU, Mish and GELU need an exponential for
//! the value and for the derivative, so the forward pass computes both from one. At 0, the derivatives of both ReLUs
//! are those from the left, as in PyTorch; so are those of the other functions with kinks.

pub mod curves;
pub mod erf;
pub mod exponential;
pub mod normal;
pub mod softmax;

use crate::kernels;

/// An activation function that has a kernel; the layers of the same names use it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub enum Activation {
    /// `max(x, 0)`, keeping NaN.
    ReLU,
    /// `min(max(x, 0), 6)`, keeping NaN.
    ReLU6,
    /// `x` where positive, else `slope · x`.
    LeakyReLU(f64),
    /// `x` where positive, else `alpha · (e^x - 1)`.
    ELU(f64),
    /// ELU with the two constants that preserve mean 0 and variance 1.
    SELU,
    /// `min(max(x / 6 + 1/2, 0), 1)`, keeping NaN.
    HardSigmoid,
    /// `x` times HardSigmoid.
    HardSwish,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `ln(1 + e^(beta · x)) / beta`.
    Softplus(f64),
    /// `x` times a curve from 0 to 1.
    Gated(Gate),
}

/// A smooth activation function `x · gate(x)`, whose derivative is computed in the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Gate {
    /// `x · sigmoid(x)`.
    SiLU,
    /// `x · tanh(ln(1 + e^x))`.
    Mish,
    /// `x · Φ(x)`.
    GELU,
    /// The tanh approximation of GELU.
    GELUTanh,
}

/// SELU's two constants: the solution of the paper's fixed-point equations, to the precision of `f64`.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Activation {
    /// Returns true if the derivative is computed from the output, so that the backward pass needs the output.
    ///
    /// A layer keeps either its input or its output, as this says; a gated one keeps the derivative.
    pub fn derives_from_output(self) -> bool {
        matches!(self, Self::ReLU | Self::ReLU6 | Self::Sigmoid | Self::Tanh)
    }
}

kernels! {
    /// Activation functions over slices.
    Activations {
        /// `x = f(x)`.
        fn activate(f: Activation, x: &mut [F]);
        /// `x = f(x)`, and `slope = f'(x)`.
        fn activate_gated(f: Gate, x: &mut [F], slope: &mut [F]);
        /// `grad = grad · f'`, from the kept output or input (see `derives_from_output`), or from `f'` if it is gated.
        fn activate_back(f: Activation, kept: &[F], grad: &mut [F]);
        /// PReLU: `x`, or `weight · x` where `x` is not above 0, with a weight for each channel, `[…, channels,
        /// inner]`.
        fn prelu(x: &mut [F], inner: usize, weight: &[F]);
        /// The gradient at the input, in place, and the gradient of the weights, overwriting `sums`.
        fn prelu_back(x: &[F], inner: usize, weight: &[F], grad: &mut [F], sums: &mut [F]);
        /// ReLU, which also sets a bit for each element whose derivative is 1. Each `u32` of `marks` has the bits of 32
        /// elements.
        fn relu_marked(x: &mut [F], marks: &mut [u32]);
        /// The gradient of ReLU, from these bits.
        fn relu_marked_back(marks: &[u32], grad: &mut [F]);
    }
}

mod generic {
    use super::{Activation, Gate, SELU_ALPHA, SELU_SCALE};
    use crate::activation::curves::*;
    use crate::activation::exponential::Exponential;
    use crate::activation::normal::Normal;
    use crate::norm::rows::generic::sum_of;

    #[inline(always)]
    pub fn activate<F: Normal>(f: Activation, x: &mut [F]) {
        let (zero, one) = (F::zero(), F::one());
        let (half, sixth, three, six) =
            (number::<F>(0.5), number::<F>(1.0 / 6.0), number::<F>(3.0), number(6.0));
        match f {
            // Not `max`, which would turn NaN into 0 and hide that training diverged.
            Activation::ReLU => each(x, |x| if x < zero { zero } else { x }),
            Activation::ReLU6 => each(x, |x| {
                if x < zero {
                    zero
                } else if x > six {
                    six
                } else {
                    x
                }
            }),
            Activation::LeakyReLU(slope) => {
                let slope = number::<F>(slope);
                each(x, |x| if x < zero { slope * x } else { x });
            }
            Activation::ELU(alpha) => {
                let alpha = number(alpha);
                each(x, |x| elu(x, alpha, one));
            }
            Activation::SELU => {
                let (alpha, scale) = (number(SELU_ALPHA), number(SELU_SCALE));
                each(x, |x| elu(x, alpha, scale));
            }
            Activation::HardSigmoid => {
                each(x, |x| {
                    if x <= -three {
                        zero
                    } else if x >= three {
                        one
                    } else {
                        x * sixth + half
                    }
                });
            }
            Activation::HardSwish => {
                each(x, |x| {
                    if x <= -three {
                        zero
                    } else if x >= three {
                        x
                    } else {
                        x * (x * sixth + half)
                    }
                });
            }
            Activation::Sigmoid => each(x, sigmoid),
            Activation::Tanh => each(x, |x| x.hyperbolic_tangent()),
            Activation::Softsign => each(x, softsign),
            Activation::Softplus(beta) => {
                let beta = number(beta);
                each(x, |x| softplus(x, beta));
            }
            // Of both results, the derivative is not computed here, as nobody reads it.
            Activation::Gated(Gate::SiLU) => each(x, |x| silu(x).0),
            Activation::Gated(Gate::Mish) => each(x, |x| mish(x).0),
            Activation::Gated(Gate::GELU) => each(x, |x| gelu(x).0),
            Activation::Gated(Gate::GELUTanh) => each(x, |x| gelu_tanh(x).0),
        }
    }

    #[inline(always)]
    pub fn activate_gated<F: Normal>(f: Gate, x: &mut [F], slope: &mut [F]) {
        match f {
            Gate::SiLU => with_slope(x, slope, silu),
            Gate::Mish => with_slope(x, slope, mish),
            Gate::GELU => with_slope(x, slope, gelu),
            Gate::GELUTanh => with_slope(x, slope, gelu_tanh),
        }
    }

    #[inline(always)]
    pub fn activate_back<F: Exponential>(f: Activation, kept: &[F], grad: &mut [F]) {
        let (zero, one) = (F::zero(), F::one());
        let (half, sixth, three, six) =
            (number::<F>(0.5), number::<F>(1.0 / 6.0), number::<F>(3.0), number(6.0));
        match f {
            Activation::ReLU => both(kept, grad, |y, g| if y <= zero { zero } else { g }),
            Activation::ReLU6 => both(kept, grad, |y, g| if y <= zero || y >= six { zero } else { g }),
            Activation::LeakyReLU(slope) => {
                let slope = number::<F>(slope);
                both(kept, grad, |x, g| if x <= zero { slope * g } else { g });
            }
            Activation::ELU(alpha) => {
                let alpha = number(alpha);
                both(kept, grad, |x, g| g * elu_slope(x, alpha, one));
            }
            Activation::SELU => {
                let (alpha, scale) = (number(SELU_ALPHA), number(SELU_SCALE));
                both(kept, grad, |x, g| g * elu_slope(x, alpha, scale));
            }
            Activation::HardSigmoid => {
                both(kept, grad, |x, g| if x <= -three || x >= three { zero } else { g * sixth });
            }
            Activation::HardSwish => {
                let third = number::<F>(1.0 / 3.0);
                both(kept, grad, |x, g| {
                    if x <= -three {
                        zero
                    } else if x >= three {
                        g
                    } else {
                        g * (x * third + half)
                    }
                });
            }
            Activation::Sigmoid => both(kept, grad, |y, g| g * y * (one - y)),
            Activation::Tanh => both(kept, grad, |y, g| g * (one - y * y)),
            Activation::Softsign => both(kept, grad, |x, g| g * softsign_slope(x)),
            Activation::Softplus(beta) => {
                let beta = number::<F>(beta);
                both(kept, grad, |x, g| g * sigmoid(beta * x));
            }
            Activation::Gated(_) => both(kept, grad, |slope, g| g * slope),
        }
    }

    #[inline(always)]
    pub fn relu_marked<F: Exponential>(x: &mut [F], marks: &mut [u32]) {
        for (x, mark) in x.chunks_mut(32).zip(marks) {
            // A chunk of 32 has a length known at compile time, so that it is vectorized.
            *mark = if let Some(whole) = x.first_chunk_mut::<32>() { relu_bits(whole) } else { relu_bits(x) };
        }
    }

    /// ReLU of at most 32 elements. NaN stays NaN, and its derivative is 1.
    #[inline(always)]
    fn relu_bits<F: Exponential>(x: &mut [F]) -> u32 {
        let (zero, mut bits) = (F::zero(), 0);
        for (i, x) in x.iter_mut().enumerate() {
            bits |= u32::from(*x > zero || x.is_nan()) << i;
            *x = if *x < zero { zero } else { *x };
        }
        bits
    }

    #[inline(always)]
    pub fn relu_marked_back<F: Exponential>(marks: &[u32], grad: &mut [F]) {
        for (grad, &bits) in grad.chunks_mut(32).zip(marks) {
            if let Some(whole) = grad.first_chunk_mut::<32>() { keep(whole, bits) } else { keep(grad, bits) }
        }
    }

    /// Sets the elements whose bit is 0 to 0.
    #[inline(always)]
    fn keep<F: Exponential>(grad: &mut [F], bits: u32) {
        for (i, g) in grad.iter_mut().enumerate() {
            *g = if bits & (1 << i) == 0 { F::zero() } else { *g };
        }
    }

    #[inline(always)]
    pub fn prelu<F: Exponential>(x: &mut [F], inner: usize, weight: &[F]) {
        for sample in x.chunks_mut((inner * weight.len()).max(1)) {
            for (x, &w) in sample.chunks_mut(inner.max(1)).zip(weight) {
                each(x, |x| if x > F::zero() { x } else { w * x });
            }
        }
    }

    #[inline(always)]
    pub fn prelu_back<F: Exponential>(x: &[F], inner: usize, weight: &[F], grad: &mut [F], sums: &mut [F]) {
        sums.fill(F::zero());
        let (sample, inner) = ((inner * weight.len()).max(1), inner.max(1));
        for (x, grad) in x.chunks(sample).zip(grad.chunks_mut(sample)) {
            let rows = x.chunks(inner).zip(grad.chunks_mut(inner));
            for (((x, grad), &w), sum) in rows.zip(weight).zip(sums.iter_mut()) {
                // Not `x <= 0`: a NaN must reach the sum.
                *sum = *sum + sum_of(x, grad, |x, g| if x > F::zero() { F::zero() } else { x * g });
                both(x, grad, |x, g| if x > F::zero() { g } else { w * g });
            }
        }
    }

    /// Applies `f` in place to a slice; the closure is inlined into the loop.
    #[inline(always)]
    fn each<F: Exponential>(x: &mut [F], f: impl Fn(F) -> F) {
        for x in x {
            *x = f(*x);
        }
    }

    /// Applies `f` in place, and writes its second result, the derivative, into `slope`.
    #[inline(always)]
    fn with_slope<F: Exponential>(x: &mut [F], slope: &mut [F], f: impl Fn(F) -> (F, F)) {
        for (x, slope) in x.iter_mut().zip(slope) {
            (*x, *slope) = f(*x);
        }
    }

    /// Applies `f` to the gradient in place, together with the kept array.
    #[inline(always)]
    fn both<F: Exponential>(kept: &[F], grad: &mut [F], f: impl Fn(F, F) -> F) {
        for (g, &k) in grad.iter_mut().zip(kept) {
            *g = f(k, *g);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

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

    const ALL: [Activation; 15] = [
        Activation::ReLU,
        Activation::ReLU6,
        Activation::LeakyReLU(0.1),
        Activation::ELU(1.5),
        Activation::SELU,
        Activation::HardSigmoid,
        Activation::HardSwish,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softsign,
        Activation::Softplus(2.0),
        Activation::Gated(Gate::SiLU),
        Activation::Gated(Gate::Mish),
        Activation::Gated(Gate::GELU),
        Activation::Gated(Gate::GELUTanh),
    ];

    /// The outputs and the gradients, for gradients of `grad` at the outputs.
    fn run<F: Scalar>(f: Activation, x: &[F], grad: F) -> (Vec<F>, Vec<F>) {
        let (mut y, mut kept, mut grad) = (x.to_vec(), x.to_vec(), vec![grad; x.len()]);
        F::activate(f, &mut y);
        if let Activation::Gated(gate) = f {
            let mut again = x.to_vec();
            F::activate_gated(gate, &mut again, &mut kept);
            let bits = |y: &[F]| y.iter().map(|y| y.as_f64().to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&again), bits(&y), "{f:?}: the derivative makes no difference to the value");
        } else if f.derives_from_output() {
            kept.clone_from(&y);
        }
        F::activate_back(f, &kept, &mut grad);
        (y, grad)
    }

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
            // The others are compared with numerical derivatives in f64 here, and with PyTorch in
            // tests/library/torch_layers.rs.
            _ => {
                let at = |x: f64| {
                    let mut y = [x];
                    f64::activate(f, &mut y);
                    y[0]
                };
                (at(x), (at(x + 1e-6) - at(x - 1e-6)) / 2e-6)
            }
        };
        for f in ALL {
            for len in 0..70 {
                let x: Vec<f32> = (0..len).map(|i| (i as f32 - 30.3) / 7.).collect();
                let (y, grad) = run(f, &x, 2.0);
                for i in 0..len {
                    let (value, slope) = reference(f, f64::from(x[i]));
                    assert!((f64::from(y[i]) - value).abs() < 1e-6);
                    assert!((f64::from(grad[i]) - 2. * slope).abs() < 1e-5, "{f:?} {} {}", x[i], grad[i]);
                }
            }
        }
    }

    /// Over all exponents, up to the limits of the type, and at the subnormal numbers around 0.
    #[test]
    fn finite_inputs_have_finite_values_and_slopes() {
        let step = 1 << 17;
        let singles: Vec<f32> = (0..u32::MAX / step).map(|i| f32::from_bits(i * step)).collect();
        let doubles: Vec<f64> =
            singles.iter().map(|x| f64::from_bits(u64::from(x.to_bits()) << 32)).collect();
        for f in ALL {
            check_finite(f, &[&singles[..], &[f32::MAX, f32::MIN, 1e-45, -1e-45]].concat());
            check_finite(f, &[&doubles[..], &[f64::MAX, f64::MIN, 5e-324, -5e-324]].concat());
        }
    }

    fn check_finite<F: Scalar>(f: Activation, x: &[F]) {
        let x: Vec<F> = x.iter().copied().filter(|x| x.is_finite()).collect();
        let (y, grad) = run(f, &x, F::one());
        for (&x, (y, grad)) in x.iter().zip(y.iter().zip(&grad)) {
            // SELU multiplies by 1.05.
            let fits = f != Activation::SELU || x < F::max_value() * F::of(0.95);
            assert!(y.is_finite() | !fits && grad.is_finite(), "{f:?} of {x}: {y}, {grad}");
        }
    }
}
