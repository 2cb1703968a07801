//! The normal distribution function, as GELU needs it.
//!
//! `f64`, which is for checks, computes it from [`erfc`]. In `f32` it is plain arithmetic, which the compiler vectorizes:
//!
//! ```text
//! Φ(-z) = e^(-z²/2) · R(z)    for z from 0 to 14.5, with R = P/Q, quotients of polynomials of degree 4 and 5
//! ```
//!
//! R, Mills' ratio divided by `√2π`, falls slowly, from 1/2 to 0.0275. P/Q differs from it by at most 2.5e-8 of its
//! value. All coefficients are positive, so nothing cancels. They are a fit of least squares, reweighted until all
//! maxima of its error were nearly equal.

use super::erf::erfc;
use super::exponential::{Exponential, polynomial};
use std::f64::consts::FRAC_1_SQRT_2;

/// A floating-point type with the normal distribution function.
pub(crate) trait Normal: Exponential {
    /// Returns `Φ(x)`, and `e^(-x²/2)`; NaN for NaN.
    fn normal(self) -> (Self, Self);
}

impl Normal for f64 {
    #[inline(always)]
    fn normal(self) -> (f64, f64) {
        (0.5 * erfc(self * -FRAC_1_SQRT_2), (-0.5 * self * self).exp())
    }
}

/// P and Q, with the highest power first.
const P: [f32; 5] = [4.115_988_5e-3, 4.063_137e-2, 1.832_301e-1, 4.382_889_3e-1, 5e-1];
const Q: [f32; 6] = [1.031_713_4e-2, 1.018_541_8e-1, 4.694_572e-1, 1.202_483_4, 1.674_462_8, 1.0];

impl Normal for f32 {
    #[inline(always)]
    fn normal(self) -> (f32, f32) {
        // Further out, the exponential is 0. Not `min`, which would drop a NaN.
        let z = if self.abs() > 16.0 { 16.0 } else { self.abs() };
        // The rounding error of the square, which would cost two digits: the square of half of the digits is exact.
        let (square, high) = (z * z, f32::from_bits(z.to_bits() & !0xfff));
        let rest = high * high - square + (z - high) * (z + high);
        let density = (-0.5 * square).exponential();
        let density = density - density * (0.5 * rest);
        let tail = density * (polynomial(z, P) / polynomial(z, Q));
        (if self > 0.0 { 1.0 - tail } else { tail }, density)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_is_double_precision_to_a_few_units_of_the_last_place() {
        for i in -128_000..=128_000 {
            let x = i as f32 * 1e-4;
            let ((share, density), exact) = (x.normal(), f64::from(x).normal());
            for (found, exact) in [(share, exact.0), (density, exact.1)] {
                let deviation = (f64::from(found) / exact - 1.0).abs() / f64::from(f32::EPSILON);
                assert!(deviation < 4.0, "{x}: {found:e} for {exact:e}, {deviation} units");
            }
        }
    }

    #[test]
    fn limits_and_nan() {
        let ends = [0.0, -0.0, f32::INFINITY, f32::MAX, f32::NEG_INFINITY, f32::MIN].map(Normal::normal);
        assert_eq!(ends, [(0.5, 1.0), (0.5, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0), (0.0, 0.0)]);
        assert_eq!(ends, ends.map(|(share, density)| (share.abs(), density.abs())));
        let (share, density) = f32::NAN.normal();
        assert!(share.is_nan() && density.is_nan());
    }
}
