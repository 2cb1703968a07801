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
//! | its approximation | `1 + tanh(v / 2)`, 0 from -5 in `f32` | `sigmoid(v)`, from `e^-\|v\|` |
//!
//! Derivatives are computed from the input. Some could be computed from the output, but with a division by a value that
//! may be 0. A function that returns two numbers computes the value and the derivative from one exponential. Choices are
//! between two numbers that are computed in any case: the compiler does not vectorize a loop with an early return, nor
//! one with two exponentials under the same condition. The derivatives of Mish and of GELU's approximation took ten times
//! as long in such forms.

use super::exponential::Exponential;
use super::normal::Normal;

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
    if x > F::zero() { scale * x } else { scale * (alpha * x.exponential_minus_1()) }
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
    x.max(F::zero()) + (-(beta * x).abs()).exponential().logarithm_of_1_plus() / beta
}

/// `x · sigmoid(x)`, and its derivative.
#[inline(always)]
pub(crate) fn silu<F: Exponential>(x: F) -> (F, F) {
    let s = sigmoid(x);
    (x * s, s * (F::one() + x * (F::one() - s)))
}

/// `x · t` with `t = tanh(ln(1 + e^x))`, and its derivative `t + x · sigmoid(x) · (1 - t²)`.
///
/// With `u = e^x`, `t = (u² + 2u) / (u² + 2u + 2)` and `1 - t = 2 / (u² + 2u + 2)`, both without cancellation. Above 0
/// all numerators and denominators are divided by `u²`, and those of the sigmoid by `u`, so that the exponential never
/// exceeds 1.
#[inline(always)]
pub(crate) fn mish<F: Exponential>(x: F) -> (F, F) {
    let (one, two) = (F::one(), number::<F>(2.0));
    let u = (-x.abs()).exponential();
    let (top, rest) = if x > F::zero() { (one + two * u, two * u * u) } else { (u * (u + two), two) };
    let (t, rest) = (top / (top + rest), rest / (top + rest));
    let sigmoid = if x > F::zero() { one } else { u } / (one + u);
    (x * t, t + x * sigmoid * rest * (one + t))
}

/// `x · Φ(x)`, Φ the distribution function of the standard normal distribution, and its derivative `Φ(x) + x · φ(x)`, φ
/// the density `e^(-x²/2) / √2π`.
#[inline(always)]
pub(crate) fn gelu<F: Normal>(x: F) -> (F, F) {
    let (share, bell) = x.normal();
    (x * share, share + x * (number::<F>(0.398_942_280_401_432_7) * bell))
}

/// The factors of `x` and `x³` in `v(x) = 2 · √(2/π) · (x + 0.044715 x³)`, twice the argument of the tanh in GELU's
/// approximation.
const TANH: [f64; 2] = [1.595_769_121_605_730_8, 1.595_769_121_605_730_8 * 0.044_715];

/// `x / 2 · (1 + tanh(v / 2)) = x · s` with `s = sigmoid(v)`, and its derivative `s + x · v' · s · (1 - s)`.
#[inline(always)]
pub(crate) fn gelu_tanh<F: Exponential>(x: F) -> (F, F) {
    let (zero, one, end) = (F::zero(), F::one(), number::<F>(32.0));
    // Further out, `e^-|v|` is 0 and `x³` may be infinite. Not `max` and `min`, which would drop a NaN.
    let near = if x < -end { -end } else { x };
    let near = if near > end { end } else { near };
    let u = (-near.abs()).exponential_of_cubic(TANH);
    let larger = one / (one + u);
    let s = if x > zero { larger } else { u * larger };
    let rate = number::<F>(TANH[0]) + number::<F>(3.0 * TANH[1]) * near * near;
    (x * s, s + near * rate * (u * larger) * larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::erf::erfc;

    /// The value and the derivative in `f64`, from other forms than those above, and the larger part of the derivative.
    fn reference(gate: fn(f64) -> [f64; 3], x: f64) -> [f64; 3] {
        let [s, steep, rate] = gate(x);
        [x * s, s + x * steep * rate, s.max((x * steep * rate).abs())]
    }

    /// A sigmoid of `v(x)`, its derivative, and `v'(x)`.
    fn of_gelu_tanh(x: f64) -> [f64; 3] {
        let v = TANH[0] * x + TANH[1] * x.powi(3);
        [1.0 / (1.0 + (-v).exp()), (2.0 * (v / 2.0).cosh()).powi(-2), TANH[0] + 3.0 * TANH[1] * x * x]
    }

    /// The tanh of softplus, its derivative, and that of softplus.
    fn of_mish(x: f64) -> [f64; 3] {
        let softplus = x.max(0.0) + (-x.abs()).exp().ln_1p();
        [softplus.tanh(), softplus.cosh().powi(-2), 1.0 / (1.0 + (-x).exp())]
    }

    /// Φ, its derivative, and 1.
    fn of_gelu(x: f64) -> [f64; 3] {
        [0.5 * erfc(-x / 2f64.sqrt()), (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt(), 1.0]
    }

    type Case = (&'static str, fn(f32) -> (f32, f32), fn(f64) -> (f64, f64), fn(f64) -> [f64; 3]);
    const CASES: [Case; 3] = [
        ("mish", mish::<f32>, mish::<f64>, of_mish),
        ("GELU", gelu::<f32>, gelu::<f64>, of_gelu),
        ("the approximation of GELU", gelu_tanh::<f32>, gelu_tanh::<f64>, of_gelu_tanh),
    ];

    /// The derivative crosses 0, so its error is relative to the larger one of its two parts. In `f64` the errors grow
    /// with the exponent, which is up to 85 here.
    #[test]
    fn to_a_few_units_of_the_last_place_where_results_are_normal_numbers() {
        for (name, single, double, gate) in CASES {
            for i in -1_000_000..1_000_000 {
                let x = i as f32 * 1e-4;
                let [value, slope, part] = reference(gate, f64::from(x));
                if x != 0.0 && value.abs() < 1e-36 {
                    continue;
                }
                let near = |found: f64, exact: f64, allowed: f64| {
                    assert!((found - exact).abs() <= allowed.abs(), "{name} of {x}: {found:e}, {exact:e}");
                };
                let (y, d) = single(x);
                near(f64::from(y), value, 4.0 * f64::from(f32::EPSILON) * value);
                near(f64::from(d), slope, 4.0 * f64::from(f32::EPSILON) * part);
                let (y, d) = double(f64::from(x));
                near(y, value, 5e-14 * value);
                near(d, slope, 5e-14 * part);
            }
        }
    }

    #[test]
    fn at_the_ends() {
        for (name, single, double, _) in CASES {
            let limits = [f32::MIN, -1e19, -150.0, 1e19, f32::MAX, f32::INFINITY].map(single);
            let expected = [(-0.0, 0.0), (-0.0, 0.0), (-0.0, 0.0), (1e19, 1.0), (f32::MAX, 1.0)];
            assert_eq!(limits[..5], expected, "{name}");
            assert_eq!(limits[5].0, f32::INFINITY, "{name}");
            assert_eq!([f64::MIN, -1e3, f64::MAX].map(double), [(-0.0, 0.0), (-0.0, 0.0), (f64::MAX, 1.0)]);
            let (y, slope) = single(f32::NAN);
            assert!(y.is_nan() && slope.is_nan(), "{name}");
        }
    }

    const VALUES: [(f64, f64); 3] = [
        (-3.0, -0.003_637_392_081_773_018_8),
        (-8.0, -3.107_782_937_501_111e-21),
        (-20.0, -3.375_450_956_310_967e-261),
    ];

    /// Computed with 50 digits. From -7.3 on, `1 + tanh` is 0 in `f64`.
    #[test]
    fn the_approximation_of_gelu_far_out() {
        for (x, expected) in VALUES {
            let deviation = gelu_tanh::<f64>(x).0 / expected - 1.0;
            assert!(deviation.abs() < 2e-13, "{x}: {deviation:e}");
        }
    }
}
