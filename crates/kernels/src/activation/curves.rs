//! The smooth activation functions and their derivatives for a single element.
//!
//! No formula here overflows in an intermediate value, and NaN in gives NaN out. At the largest number of the type the
//! value is finite, and the derivative is 0, 1 or what the formula gives.
//!
//! | function | form that fails | form used here |
//! |---|---|---|
//! | Softplus | `ln(1 + e^x)`, infinite from 89 in `f32` | `max(x, 0) + ln(1 + e^-\|x\|)` |
//! | Mish | `tanh(ln(1 + e^x))` | a quotient of polynomials in `e^-\|x\|` |
//! | GELU | `1 + erf(x)`, 0 from -6 in `f64` | `erfc(-x)` |
//!
//! Derivatives are computed from the input. Some could be computed from the output, but with a division by a value that
//! may be 0.

use super::erf::erfc;
use super::exponential::Exponential;

/// Returns a constant or a hyperparameter in the element type. For `f32` and `f64` the conversion cannot fail.
#[inline(always)]
pub(crate) fn number<F: Exponential>(value: f64) -> F {
    F::from(value).unwrap_or_else(F::nan)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<F: Exponential>(x: F) -> F {
    F::one() / (F::one() + (-x).exponential())
}

/// `x` above 0, else `alpha · (e^x - 1)`, both times `scale`.
#[inline(always)]
pub(crate) fn elu<F: Exponential>(x: F, alpha: F, scale: F) -> F {
    if x > F::zero() { scale * x } else { scale * (alpha * x.exp_m1()) }
}

#[inline(always)]
pub(crate) fn elu_slope<F: Exponential>(x: F, alpha: F, scale: F) -> F {
    if x > F::zero() { scale } else { scale * (alpha * x.exponential()) }
}

/// `x / (1 + |x|)`.
#[inline(always)]
pub(crate) fn softsign<F: Exponential>(x: F) -> F {
    x / (F::one() + x.abs())
}

#[inline(always)]
pub(crate) fn softsign_slope<F: Exponential>(x: F) -> F {
    let root = (F::one() + x.abs()).recip();
    root * root
}

/// `ln(1 + e^(beta · x)) / beta`. `max` drops a NaN, but the logarithm is NaN then, and so is the sum.
#[inline(always)]
pub(crate) fn softplus<F: Exponential>(x: F, beta: F) -> F {
    x.max(F::zero()) + (-(beta * x).abs()).exponential().ln_1p() / beta
}

/// `x · sigmoid(x)`.
#[inline(always)]
pub(crate) fn silu<F: Exponential>(x: F) -> F {
    x * sigmoid(x)
}

#[inline(always)]
pub(crate) fn silu_slope<F: Exponential>(x: F) -> F {
    let s = sigmoid(x);
    s * (F::one() + x * (F::one() - s))
}

/// Returns `tanh(ln(1 + e^x))` and 1 minus it, both without cancellation.
///
/// With `u = e^x` the first is `(u² + 2u) / (u² + 2u + 2)`; above 0 both sides are divided by `u²`, so that the
/// exponential never exceeds 1.
#[inline(always)]
fn mish_gate<F: Exponential>(x: F) -> (F, F) {
    let (one, two) = (F::one(), number::<F>(2.0));
    let u = (-x.abs()).exponential();
    let (top, rest) = if x > F::zero() { (one + two * u, two * u * u) } else { (u * (u + two), two) };
    (top / (top + rest), rest / (top + rest))
}

/// `x · tanh(ln(1 + e^x))`.
#[inline(always)]
pub(crate) fn mish<F: Exponential>(x: F) -> F {
    x * mish_gate(x).0
}

/// `t + x · sigmoid(x) · (1 - t²)`, with `1 - t² = (1 - t) · (1 + t)`.
#[inline(always)]
pub(crate) fn mish_slope<F: Exponential>(x: F) -> F {
    let (t, rest) = mish_gate(x);
    t + x * sigmoid(x) * rest * (F::one() + t)
}

/// `x · Φ(x)`, Φ the distribution function of the standard normal distribution.
#[inline(always)]
pub(crate) fn gelu<F: Exponential>(x: F) -> F {
    x * normal_share(x)
}

/// `Φ(x) + x · φ(x)`, φ the density.
#[inline(always)]
pub(crate) fn gelu_slope<F: Exponential>(x: F) -> F {
    let density = number::<F>(0.398_942_280_401_432_7) * (number::<F>(-0.5) * x * x).exp();
    normal_share(x) + x * density
}

/// `Φ(x)`.
#[inline(always)]
fn normal_share<F: Exponential>(x: F) -> F {
    number::<F>(0.5) * erfc(x * number(-std::f64::consts::FRAC_1_SQRT_2))
}

/// The argument of the tanh in GELU's approximation, `√(2/π) · (x + 0.044715 x³)`.
const TANH_SCALE: f64 = 0.797_884_560_802_865_4;
const TANH_CUBE: f64 = 0.044_715;

/// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`.
#[inline(always)]
pub(crate) fn gelu_tanh<F: Exponential>(x: F) -> F {
    number::<F>(0.5) * x * (F::one() + gelu_tanh_gate(x))
}

#[inline(always)]
fn gelu_tanh_gate<F: Exponential>(x: F) -> F {
    (number::<F>(TANH_SCALE) * x * (F::one() + number::<F>(TANH_CUBE) * x * x)).hyperbolic_tangent()
}

/// Where the tanh has reached ±1 its derivative is 0, and `x²` may be infinite, so their product is not computed.
#[inline(always)]
pub(crate) fn gelu_tanh_slope<F: Exponential>(x: F) -> F {
    let (one, half, t) = (F::one(), number::<F>(0.5), gelu_tanh_gate(x));
    let steep = one - t * t;
    if steep == F::zero() {
        return half * (one + t);
    }
    let inner = number::<F>(TANH_SCALE) * (one + number::<F>(3.0 * TANH_CUBE) * x * x);
    half * (one + t) + half * x * steep * inner
}
