//! Elementwise functions of one, two and three arrays, and their derivatives.
//!
//! | function | value | derivative |
//! |---|---|---|
//! | `Neg`, `Plus(c)`, `Times(c)`, `SubtractFrom(c)` | `-x`, `x + c`, `c · x`, `c - x` | -1, 1, `c`, -1 |
//! | `DivideBy(c)`, `DivideInto(c)` | `x / c`, `c / x` | `1 / c`, `-y / x` |
//! | `Exp`, `Ln`, `Sqrt` | `e^x`, `ln x`, `√x` | `y`, `1 / x`, `1 / 2y` |
//! | `Square`, `Abs` | `x²`, `\|x\|` | `2x`, the sign of `x` (0 at 0) |
//! | `Power(c)` | `x^c`; products for 2 and 3, `1/x` for -1 | `c · x^(c-1)`; 0 for a `c` of 0 |
//! | `Tanh`, `Sigmoid`, `ReLU` | | `1 - y²`, `y(1 - y)`, 1 where `y > 0` |
//! | `Erf` | `2 / √π · ∫_0^x e^(-t²) dt` | `2 / √π · e^(-x²)` |
//! | `Sin`, `Cos` | | `cos x`, `-sin x` |
//! | `Floor`, `Ceil`, `Round`, `Sign` | `Round`: the nearest integer, of two the even one; `Sign`: -1, 0 or 1 | 0 |
//! | `Not` | 1 where `x` is 0, else 0 | none |
//! | `Clip(low, high)` | `min(max(x, low), high)` | 1 from `low` to `high`, else 0 |
//! | `Add`, `Subtract`, `Multiply`, `Divide` | `a + b`, … | `1, 1`; `1, -1`; `b, a`; `1 / b, -y / b` |
//! | `Maximum`, `Minimum` | the larger, the smaller | 1 at the one that was taken, the first of equal ones |
//! | `Greater`, `GreaterEqual`, `Less`, `LessEqual`, `Equal`, `NotEqual` | 1 where `a > b`, …, else 0 | none |
//! | where | `a` where the condition is not 0, else `b` | 1 at the one that was taken |
//!
//! NaN in gives NaN out, but for comparisons, which give 0 (`NotEqual` gives 1), for `Not`, which gives 0, and for the
//! side of a choice that is not taken.
//!
//! The loops work on strips: stretches of numbers that stay in the L1 cache, so that a chain of functions is computed
//! strip by strip, and what lies between two of them is never in memory as a whole.

mod functions;

#[cfg(test)]
pub(crate) use functions::{BINARY, COMPARISONS, UNARY};
pub use functions::{Binary, Pair, Side, Unary};

use crate::kernels;

kernels! {
    /// Elementwise functions. With `add`, a derivative is added to what is there.
    Elementwise {
        /// `y = f(x)`.
        fn map_strip(f: Unary, x: &[F], y: &mut [F]);
        /// `dx = dy · f'(x)`, where the output was `y`.
        fn map_strip_back(f: Unary, x: &[F], y: &[F], dy: &[F], dx: &mut [F], add: bool);
        /// `y = f(a, b)`.
        fn zip_strip(f: Binary, a: &[F], b: &[F], y: &mut [F]);
        /// `d = dy · ∂f/∂a`, or `dy · ∂f/∂b`.
        fn zip_strip_back(f: Binary, side: Side, of: Pair<'_, F>, dy: &[F], d: &mut [F], add: bool);
        /// `y = a` where `condition` is not 0, else `b`.
        fn where_strip(condition: &[F], a: &[F], b: &[F], y: &mut [F]);
        /// `d = dy` where `side` was taken, else 0.
        fn where_strip_back(condition: &[F], side: Side, dy: &[F], d: &mut [F], add: bool);
        /// The sum of the numbers, in lanes.
        fn sum_in_lanes(x: &[F]) -> F;
    }
}

mod generic {
    use super::{Binary, Pair, Side, Unary};
    use crate::activation::curves::{number, sigmoid};
    use crate::activation::erf::erf;
    use crate::activation::exponential::Exponential;
    use crate::norm::rows::generic::sum_of;
    use num_traits::Float;

    #[inline(always)]
    fn map<F: Float>(x: &[F], y: &mut [F], f: impl Fn(F) -> F) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }

    #[inline(always)]
    pub fn map_strip<F: Exponential>(f: Unary, x: &[F], y: &mut [F]) {
        let (zero, one) = (F::zero(), F::one());
        match f {
            Unary::Neg => map(x, y, |x| -x),
            Unary::Plus(c) => {
                let c = number(c);
                map(x, y, |x| x + c);
            }
            Unary::Times(c) => {
                let c = number(c);
                map(x, y, |x| x * c);
            }
            Unary::DivideBy(c) => {
                let c: F = number(c);
                map(x, y, |x| x / c);
            }
            Unary::SubtractFrom(c) => {
                let c: F = number(c);
                map(x, y, |x| c - x);
            }
            Unary::DivideInto(c) => {
                let c: F = number(c);
                map(x, y, |x| c / x);
            }
            Unary::Exp => map(x, y, |x| x.exponential()),
            Unary::Ln => map(x, y, |x| x.logarithm()),
            Unary::Sqrt => map(x, y, |x| x.sqrt()),
            Unary::Square => map(x, y, |x| x * x),
            Unary::Abs => map(x, y, |x| x.abs()),
            Unary::Power(c) => {
                let of = number(c);
                match c {
                    2.0 => map(x, y, |x| x * x),
                    3.0 => map(x, y, |x| x * x * x),
                    -1.0 => map(x, y, |x| one / x),
                    _ => map(x, y, |x| x.powf(of)),
                }
            }
            Unary::Tanh => map(x, y, |x| x.hyperbolic_tangent()),
            Unary::Sigmoid => map(x, y, sigmoid),
            Unary::ReLU => map(x, y, |x| if x < zero { zero } else { x }),
            Unary::Clip(low, high) => {
                let (low, high): (F, F) = (number(low), number(high));
                map(x, y, |x| {
                    if x < low {
                        low
                    } else if x > high {
                        high
                    } else {
                        x
                    }
                });
            }
            Unary::Erf => map(x, y, |x| x.to_f64().map_or(x, |x| number(erf(x)))),
            Unary::Sin => map(x, y, |x| x.sin()),
            Unary::Cos => map(x, y, |x| x.cos()),
            Unary::Floor => map(x, y, |x| x.floor()),
            Unary::Ceil => map(x, y, |x| x.ceil()),
            Unary::Round => map(x, y, |x| x.nearest_integer()),
            Unary::Sign => map(x, y, sign),
            Unary::Not => map(x, y, |x| if x == zero { one } else { zero }),
        }
    }

    /// -1, 1, or `x` itself where it is 0 or NaN.
    #[inline(always)]
    fn sign<F: Float>(x: F) -> F {
        if x > F::zero() {
            F::one()
        } else if x < F::zero() {
            -F::one()
        } else {
            x
        }
    }

    /// `d = dy · f(u, v)`, or `d = d + dy · f(u, v)`.
    #[inline(always)]
    fn back<F: Float>(u: &[F], v: &[F], dy: &[F], d: &mut [F], add: bool, f: impl Fn(F, F) -> F) {
        let each = d.iter_mut().zip(dy).zip(u.iter().zip(v));
        if add {
            each.for_each(|((d, &dy), (&u, &v))| *d = *d + dy * f(u, v));
        } else {
            each.for_each(|((d, &dy), (&u, &v))| *d = dy * f(u, v));
        }
    }

    /// `d = factor · dy`, or `d = d + factor · dy`.
    #[inline(always)]
    fn pass<F: Float>(factor: F, dy: &[F], d: &mut [F], add: bool) {
        back(dy, dy, dy, d, add, |_, _| factor);
    }

    /// `d = dy` where `taken` says so, else 0: not a product, in which an infinite `dy` would become NaN.
    #[inline(always)]
    fn choose<F: Float>(u: &[F], v: &[F], dy: &[F], d: &mut [F], add: bool, taken: impl Fn(F, F) -> bool) {
        let each = d.iter_mut().zip(dy).zip(u.iter().zip(v));
        if add {
            each.for_each(|((d, &dy), (&u, &v))| *d = *d + if taken(u, v) { dy } else { F::zero() });
        } else {
            each.for_each(|((d, &dy), (&u, &v))| *d = if taken(u, v) { dy } else { F::zero() });
        }
    }

    #[inline(always)]
    pub fn map_strip_back<F: Exponential>(f: Unary, x: &[F], y: &[F], dy: &[F], dx: &mut [F], add: bool) {
        let (zero, one) = (F::zero(), F::one());
        let two = one + one;
        match f {
            Unary::Neg | Unary::SubtractFrom(_) => pass(-one, dy, dx, add),
            Unary::Plus(_) => pass(one, dy, dx, add),
            Unary::Times(c) => pass(number(c), dy, dx, add),
            Unary::DivideBy(c) => {
                let c: F = number(c);
                let each = dx.iter_mut().zip(dy);
                if add {
                    each.for_each(|(d, &dy)| *d = *d + dy / c);
                } else {
                    each.for_each(|(d, &dy)| *d = dy / c);
                }
            }
            Unary::DivideInto(_) => back(x, y, dy, dx, add, |x, y| -y / x),
            Unary::Exp => back(y, y, dy, dx, add, |y, _| y),
            Unary::Ln => back(x, x, dy, dx, add, |x, _| one / x),
            Unary::Sqrt => back(y, y, dy, dx, add, |y, _| one / (two * y)),
            Unary::Square => back(x, x, dy, dx, add, |x, _| two * x),
            Unary::Abs => back(x, x, dy, dx, add, |x, _| sign(x)),
            Unary::Power(0.0) => pass(zero, dy, dx, add),
            Unary::Power(c) => {
                let (of, less): (F, F) = (number(c), number(c - 1.0));
                match c {
                    2.0 => back(x, x, dy, dx, add, |x, _| of * x),
                    3.0 => back(x, x, dy, dx, add, |x, _| of * x * x),
                    -1.0 => back(x, x, dy, dx, add, |x, _| -one / (x * x)),
                    _ => back(x, x, dy, dx, add, |x, _| of * x.powf(less)),
                }
            }
            Unary::Tanh => back(y, y, dy, dx, add, |y, _| one - y * y),
            Unary::Sigmoid => back(y, y, dy, dx, add, |y, _| y * (one - y)),
            // As for the layer, the derivative of NaN is 1.
            Unary::ReLU => {
                choose(y, y, dy, dx, add, |y, _| !matches!(y.partial_cmp(&zero), Some(o) if o.is_le()));
            }
            Unary::Clip(low, high) => {
                let (low, high): (F, F) = (number(low), number(high));
                choose(x, x, dy, dx, add, |x, _| !(x < low || x > high));
            }
            Unary::Erf => {
                let steepest: F = number(std::f64::consts::FRAC_2_SQRT_PI);
                back(x, x, dy, dx, add, |x, _| steepest * (-x * x).exponential());
            }
            Unary::Sin => back(x, x, dy, dx, add, |x, _| x.cos()),
            Unary::Cos => back(x, x, dy, dx, add, |x, _| -x.sin()),
            Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign | Unary::Not => pass(zero, dy, dx, add),
        }
    }

    #[inline(always)]
    fn zip<F: Float>(a: &[F], b: &[F], y: &mut [F], f: impl Fn(F, F) -> F) {
        for (y, (&a, &b)) in y.iter_mut().zip(a.iter().zip(b)) {
            *y = f(a, b);
        }
    }

    #[inline(always)]
    pub fn zip_strip<F: Exponential>(f: Binary, a: &[F], b: &[F], y: &mut [F]) {
        match f {
            Binary::Add => zip(a, b, y, |a, b| a + b),
            Binary::Subtract => zip(a, b, y, |a, b| a - b),
            Binary::Multiply => zip(a, b, y, |a, b| a * b),
            Binary::Divide => zip(a, b, y, |a, b| a / b),
            // NaN is in neither order, so it is asked for.
            Binary::Maximum => zip(a, b, y, |a, b| if a < b || b.is_nan() { b } else { a }),
            Binary::Minimum => zip(a, b, y, |a, b| if a > b || b.is_nan() { b } else { a }),
            Binary::Greater => compare(a, b, y, |a, b| a > b),
            Binary::GreaterEqual => compare(a, b, y, |a, b| a >= b),
            Binary::Less => compare(a, b, y, |a, b| a < b),
            Binary::LessEqual => compare(a, b, y, |a, b| a <= b),
            Binary::Equal => compare(a, b, y, |a, b| a == b),
            Binary::NotEqual => compare(a, b, y, |a, b| a != b),
        }
    }

    #[inline(always)]
    fn compare<F: Float>(a: &[F], b: &[F], y: &mut [F], holds: impl Fn(F, F) -> bool) {
        zip(a, b, y, |a, b| if holds(a, b) { F::one() } else { F::zero() });
    }

    #[inline(always)]
    pub fn zip_strip_back<F: Exponential>(
        f: Binary,
        side: Side,
        of: Pair<'_, F>,
        dy: &[F],
        d: &mut [F],
        add: bool,
    ) {
        let (one, Pair { a, b, y }) = (F::one(), of);
        match (f, side) {
            (Binary::Add, _) | (Binary::Subtract, Side::First) => pass(one, dy, d, add),
            (Binary::Subtract, Side::Second) => pass(-one, dy, d, add),
            (Binary::Multiply, Side::First) => back(b, b, dy, d, add, |b, _| b),
            (Binary::Multiply, Side::Second) => back(a, a, dy, d, add, |a, _| a),
            (Binary::Divide, Side::First) => back(b, b, dy, d, add, |b, _| one / b),
            (Binary::Divide, Side::Second) => back(y, b, dy, d, add, |y, b| -y / b),
            (Binary::Maximum, Side::First) => choose(a, b, dy, d, add, |a, b| !(a < b || b.is_nan())),
            (Binary::Maximum, Side::Second) => choose(a, b, dy, d, add, |a, b| a < b || b.is_nan()),
            (Binary::Minimum, Side::First) => choose(a, b, dy, d, add, |a, b| !(a > b || b.is_nan())),
            (Binary::Minimum, Side::Second) => choose(a, b, dy, d, add, |a, b| a > b || b.is_nan()),
            (f, _) if f.is_comparison() => pass(F::zero(), dy, d, add),
            _ => {}
        }
    }

    #[inline(always)]
    pub fn where_strip<F: Float>(condition: &[F], a: &[F], b: &[F], y: &mut [F]) {
        for ((y, &c), (&a, &b)) in y.iter_mut().zip(condition).zip(a.iter().zip(b)) {
            *y = if c == F::zero() { b } else { a };
        }
    }

    #[inline(always)]
    pub fn where_strip_back<F: Float>(condition: &[F], side: Side, dy: &[F], d: &mut [F], add: bool) {
        let first = side == Side::First;
        choose(condition, condition, dy, d, add, |c, _| (c != F::zero()) == first);
    }

    #[inline(always)]
    pub fn sum_in_lanes<F: Float>(x: &[F]) -> F {
        sum_of(x, x, |x, _| x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_differences() {
        let or_nan = |is_read, x| if is_read { x } else { f64::NAN };
        let (h, of) = (1e-6, |f, x| {
            let mut y = [0.0];
            f64::map_strip(f, &[x], &mut y);
            y[0]
        });
        for f in UNARY {
            for x in [0.2, 0.9, 1.1, 2.3] {
                let (y, mut d) = (of(f, x), [10.0]);
                f64::map_strip_back(f, &[x], &[y], &[2.0], &mut d, true);
                let expected = 10.0 + 2.0 * (of(f, x + h) - of(f, x - h)) / (2.0 * h);
                assert!((d[0] - expected).abs() < 1e-7, "{f:?} at {x}: {} and {expected}", d[0]);
                let (reads_x, reads_y) = f.derives_from();
                let (x, y, mut again) = (or_nan(reads_x, x), or_nan(reads_y, y), [0.0]);
                f64::map_strip_back(f, &[x], &[y], &[2.0], &mut again, false);
                assert!((again[0] + 10.0 - d[0]).abs() < 1e-12, "{f:?} needs what it says");
            }
        }
        let of = |f, a, b| {
            let mut y = [0.0];
            f64::zip_strip(f, &[a], &[b], &mut y);
            y[0]
        };
        for f in BINARY {
            for (a, b) in [(0.5, 1.5), (2.0, -0.3), (-1.0, -2.0)] {
                let pair = Pair { a: &[a], b: &[b], y: &[of(f, a, b)] };
                let (mut first, mut second) = ([0.0], [1.0]);
                f64::zip_strip_back(f, Side::First, pair, &[3.0], &mut first, false);
                f64::zip_strip_back(f, Side::Second, pair, &[3.0], &mut second, true);
                let da = 3.0 * (of(f, a + h, b) - of(f, a - h, b)) / (2.0 * h);
                let db = 1.0 + 3.0 * (of(f, a, b + h) - of(f, a, b - h)) / (2.0 * h);
                assert!((first[0] - da).abs() < 1e-7 && (second[0] - db).abs() < 1e-7, "{f:?} at {a}, {b}");
                let ([reads_a, reads_b], reads_y) = f.derives_from();
                let [a, b, y] = [or_nan(reads_a, a), or_nan(reads_b, b), or_nan(reads_y, pair.y[0])];
                let (pair, mut again) = (Pair { a: &[a], b: &[b], y: &[y] }, [0.0, 1.0]);
                f64::zip_strip_back(f, Side::First, pair, &[3.0], &mut again[..1], false);
                f64::zip_strip_back(f, Side::Second, pair, &[3.0], &mut again[1..], true);
                assert_eq!(again, [first[0], second[0]], "{f:?} needs what it says");
            }
        }
    }

    #[test]
    fn nan_and_ties_and_choices() {
        let nan = f32::NAN;
        for f in UNARY {
            let mut y = [0.0; 70];
            for lane in 0..70 {
                let mut x = [1.0; 70];
                x[lane] = nan;
                f32::map_strip(f, &x, &mut y);
                assert!(y.iter().enumerate().all(|(i, y)| y.is_nan() == (i == lane)), "{f:?}");
            }
        }
        let mut y = [0.0; 2];
        for f in BINARY {
            f32::zip_strip(f, &[nan, 1.0], &[1.0, nan], &mut y);
            assert!(y.iter().all(|y| y.is_nan()), "{f:?}");
        }
        let tie = Pair { a: &[1.0f32], b: &[1.0], y: &[1.0] };
        for f in [Binary::Maximum, Binary::Minimum] {
            let (mut a, mut b) = ([9.0], [9.0]);
            f32::zip_strip_back(f, Side::First, tie, &[2.0], &mut a, false);
            f32::zip_strip_back(f, Side::Second, tie, &[2.0], &mut b, false);
            assert_eq!((a, b), ([2.0], [0.0]), "{f:?}");
        }
        let (condition, mut d) = ([1.0, 0.0], [1.0, 1.0]);
        f32::where_strip(&condition, &[2.0, nan], &[nan, 3.0], &mut y);
        assert_eq!(y, [2.0, 3.0]);
        f32::where_strip_back(&condition, Side::Second, &[f32::INFINITY, 5.0], &mut d, true);
        assert_eq!(d, [1.0, 6.0]);
    }

    #[test]
    fn comparisons_and_steps() {
        let nan = f64::NAN;
        let (a, b) = ([1.0, 2.0, 2.0, nan, 1.0, nan], [2.0, 1.0, 2.0, 1.0, nan, nan]);
        let expected = [
            (Binary::Greater, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
            (Binary::GreaterEqual, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
            (Binary::Less, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (Binary::LessEqual, [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
            (Binary::Equal, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
            (Binary::NotEqual, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
        ];
        assert_eq!(expected.map(|(f, _)| f), COMPARISONS);
        for (f, expected) in expected {
            let (mut y, mut d) = ([9.0; 6], [5.0; 6]);
            f64::zip_strip(f, &a, &b, &mut y);
            f64::zip_strip_back(f, Side::Second, Pair { a: &a, b: &b, y: &y }, &[1.0; 6], &mut d, false);
            assert_eq!((y, d), (expected, [0.0; 6]), "{f:?}");
        }
        let x = [-2.5, -1.5, -0.5, 0.0, 0.5, 2.5, 3.5];
        for (f, expected) in [
            (Unary::Floor, [-3.0, -2.0, -1.0, 0.0, 0.0, 2.0, 3.0]),
            (Unary::Ceil, [-2.0, -1.0, 0.0, 0.0, 1.0, 3.0, 4.0]),
            (Unary::Round, [-2.0, -2.0, 0.0, 0.0, 0.0, 2.0, 4.0]),
            (Unary::Sign, [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0]),
            (Unary::Not, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ] {
            let mut y = [9.0; 7];
            f64::map_strip(f, &x, &mut y);
            assert_eq!(y, expected, "{f:?}");
        }
        let mut y = [9.0];
        f32::map_strip(Unary::Not, &[f32::NAN], &mut y);
        assert_eq!(y, [0.0]);
    }

    #[test]
    fn a_sum_of_many() {
        let x: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((f64::sum_in_lanes(&x), f64::sum_in_lanes(&[])), (5050.0, 0.0));
    }
}
