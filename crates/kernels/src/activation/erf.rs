//! The error function and its complement in `f64`, which GELU needs and the standard library does not have.
//!
//! ```text
//! erf(x) = 1 - erfc(x)
//! erfc(x) = 2 / √π · ∫_x^∞ e^(-t²) dt          Φ(x) = erfc(-x / √2) / 2, the normal distribution's
//! ```
//!
//! W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23, 1969: three
//! intervals, a quotient of two polynomials on each, with the coefficients of his `CALERF`. The result has an
//! error of some units in the last place, even in the tail, where it is as small as 1e-300; `1 - erf` would have no
//! correct digit for `x` beyond 6.
//!
//! It is not taken from a crate because it runs once per element: here it is inlined into the loop and compiled with
//! this crate's optimization level.

const NEAR: ([f64; 5], [f64; 4]) = (
    [
        3.161_123_743_870_565_6,
        113.864_154_151_050_16,
        377.485_237_685_302,
        3_209.377_589_138_469_4,
        0.185_777_706_184_603_15,
    ],
    [23.601_290_952_344_122, 244.024_637_934_444_17, 1_282.616_526_077_372_3, 2_844.236_833_439_171],
);

const MIDDLE: ([f64; 9], [f64; 8]) = (
    [
        0.564_188_496_988_670_1,
        8.883_149_794_388_376,
        66.119_190_637_141_63,
        298.635_138_197_400_1,
        881.952_221_241_769,
        1_712.047_612_634_070_7,
        2_051.078_377_826_071_6,
        1_230.339_354_797_997_2,
        2.153_115_354_744_038_3e-8,
    ],
    [
        15.744_926_110_709_835,
        117.693_950_891_312_5,
        537.181_101_862_009_9,
        1_621.389_574_566_690_3,
        3_290.799_235_733_459_7,
        4_362.619_090_143_247,
        3_439.367_674_143_721_6,
        1_230.339_354_803_749_5,
    ],
);

const FAR: ([f64; 6], [f64; 5]) = (
    [
        0.305_326_634_961_232_36,
        0.360_344_899_949_804_45,
        0.125_781_726_111_229_26,
        0.016_083_785_148_742_275,
        6.587_491_615_298_378e-4,
        0.016_315_387_137_302_097,
    ],
    [
        2.568_520_192_289_822,
        1.872_952_849_923_460_4,
        0.527_905_102_951_428_5,
        0.060_518_341_312_441_32,
        0.002_335_204_976_268_691_8,
    ],
);

/// The quotient of two polynomials in Cody's order of coefficients: the numerator's highest one comes last, the
/// denominator's is 1.
#[inline(always)]
fn quotient<const M: usize, const N: usize>((top, bottom): &([f64; M], [f64; N]), x: f64) -> f64 {
    let (mut above, mut below) = (top[M - 1] * x, x);
    for (&a, &b) in top[..N - 1].iter().zip(bottom) {
        above = (above + a) * x;
        below = (below + b) * x;
    }
    (above + top[N - 1]) / (below + bottom[N - 1])
}

/// `e^(-x²)` for `x` from 0 to 30. It corrects the rounding error of `x²`, which would cost up to three digits.
///
/// `x` is split into its upper half `h`, whose square is exact, and the rest (Veltkamp splitting): `e^(-x²) = e^(-h²) ·
/// e^(-r)` with `r = (x - h) · (x + h)`, which is small, so that three terms of its series are enough.
#[inline(always)]
fn exp_minus_square(x: f64) -> f64 {
    // 2^27 + 1.
    let cut = 134_217_729.0 * x;
    let high = cut - (cut - x);
    let rest = (x - high) * (x + high);
    let series = 1.0 - rest * (1.0 - rest * 0.5 * (1.0 - rest * (1.0 / 3.0)));
    (-high * high).exp() * series
}

/// Whether `erf` is computed, and `erfc` from it, and not the other way round.
#[inline(always)]
fn is_near(x: f64) -> bool {
    x.abs() <= 0.468_75
}

/// `erfc(y)` for a `y` that is not near 0 and not below it; NaN for NaN.
#[inline(always)]
fn tail(y: f64) -> f64 {
    // Above 27.3 the result is too small for f64. NaN fails the comparison and takes the other branch.
    if y > 30.0 {
        0.0
    } else if y <= 4.0 {
        exp_minus_square(y) * quotient(&MIDDLE, y)
    } else {
        let square = (y * y).recip();
        let root = 0.564_189_583_547_756_3; // 1 / √π
        exp_minus_square(y) * (root - square * quotient(&FAR, square)) / y
    }
}

/// Returns `erfc(x)`; NaN for NaN.
#[inline(always)]
pub(crate) fn erfc(x: f64) -> f64 {
    if is_near(x) {
        return 1.0 - x * quotient(&NEAR, x * x);
    }
    let tail = tail(x.abs());
    if x < 0.0 { 2.0 - tail } else { tail }
}

/// Returns `erf(x)`; NaN for NaN.
#[inline(always)]
pub(crate) fn erf(x: f64) -> f64 {
    if is_near(x) {
        return x * quotient(&NEAR, x * x);
    }
    let size = 1.0 - tail(x.abs());
    if x < 0.0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::{erf, erfc};

    /// The nearest `f64`, computed with 50 digits.
    const VALUES: [(f64, f64); 14] = [
        (0.1, 0.887_537_083_981_715),
        (0.4, 0.571_607_644_953_331_5),
        (0.5, 0.479_500_122_186_953_5),
        (0.9, 0.203_091_787_577_167_86),
        (1.3, 0.065_992_055_059_347_55),
        (2.0, 0.004_677_734_981_047_266),
        (3.1, 1.164_865_736_719_958_9e-05),
        (3.9, 3.479_224_859_723_176_5e-08),
        (4.5, 1.966_160_441_542_887_6e-10),
        (7.0, 4.183_825_607_779_414e-23),
        (11.3, 1.744_214_847_996_718_9e-57),
        (26.0, 5.663_192_408_856_143e-296),
        (-0.3, 1.328_626_759_459_127_4),
        (-1.7, 1.983_790_458_590_774_6),
    ];

    #[test]
    fn to_a_few_units_of_the_last_place_near_and_far() {
        for (x, expected) in VALUES {
            let deviation = (erfc(x) / expected - 1.0).abs();
            assert!(deviation < 1e-15, "{x}: {} for {expected}, {deviation:e}", erfc(x));
        }
    }

    /// The nearest `f64` of `erf`, from tables with 20 digits.
    #[test]
    fn erf_to_a_unit_of_the_last_place() {
        for (x, expected) in [
            (1e-10, 1.128_379_167_095_512_6e-10),
            (0.1, 0.112_462_916_018_284_89),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_7),
            (6.0, 1.0),
        ] {
            assert!((erf(x) / expected - 1.0).abs() < 4e-16, "{x}: {} for {expected}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert_eq!([erf(0.0), erf(f64::INFINITY), erf(f64::NEG_INFINITY)], [0.0, 1.0, -1.0]);
        assert!(erf(f64::NAN).is_nan());
    }

    #[test]
    fn limits_and_nan() {
        assert_eq!([erfc(0.0), erfc(-0.0), erfc(f64::INFINITY), erfc(f64::MAX)], [1.0, 1.0, 0.0, 0.0]);
        assert_eq!([erfc(f64::NEG_INFINITY), erfc(f64::MIN)], [2.0, 2.0]);
        assert!(erfc(f64::NAN).is_nan());
    }

    #[test]
    fn the_pieces_join() {
        for joint in [0.46875f64, 4.0, -0.46875, -4.0] {
            let (below, above) = (erfc(joint.next_down()), erfc(joint.next_up()));
            // Between the two, erfc itself falls: relatively by at most 2 x² times their distance.
            let allowed = 1e-15 + 4.0 * joint * joint * f64::EPSILON;
            assert!((below / above - 1.0).abs() < allowed, "{joint}: {below:e} {above:e}");
        }
    }
}
