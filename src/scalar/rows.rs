//! Loops over slices that hold the rows of a matrix.
//!
//! A matrix `[rows, columns]` is a slice in row-major order, with the number of columns beside it, or told by the
//! length of another argument. Names say along what a kernel goes: `_rows` has a result for each row, `_columns`
//! for each column.
//!
//! # Sums in lanes
//!
//! A sum over a row is kept in sixteen partial sums, lane `i` taking the elements `i, i + 16, i + 32, …`. At the
//! end the lanes are added up in halves:
//!
//! ```text
//! 8 lanes:   l0+l8   l1+l9   …   l7+l15
//! 4 lanes:   (l0+l8)+(l4+l12)   …
//! 2, then 1
//! ```
//!
//! Sixteen `f32` fill one register of AVX-512, two of AVX2, four of SSE: the compiler may do the additions in any
//! of them, and they are the same additions. The result differs from that of a plain loop in the last bits (it is a
//! little more exact, as the chains are sixteen times shorter), but never from itself.
//!
//! Sums over columns need no lanes: the columns themselves lie side by side, and each is added up from the first
//! row to the last.

use super::kernels;

kernels! {
    /// Sums, scalings and normalisations. Every sum has one fixed order, so its bits depend on nothing else.
    Rows {
        /// Adds a row to each row.
        fn add_row(x: &mut [F], row: &[F]);
        /// The columns' sums, rows in order: `out = beta · out + Σ_rows x`; a `beta` of 0 does not read `out`.
        fn sum_columns(x: &[F], beta: F, out: &mut [F]);
        /// The columns' sums of `x · y`, as `sum_columns`.
        fn dot_columns(x: &[F], y: &[F], beta: F, out: &mut [F]);
        /// The columns' sums of squared distances from `mean`.
        ///
        /// Divided by the number of rows it is the variance. Two passes, the mean first, since `Σ x² - n · mean²`
        /// cancels.
        fn spread_columns(x: &[F], mean: &[F], out: &mut [F]);
        /// The dot product of each row of `x` with the same row of `y`.
        fn dot_rows(x: &[F], y: &[F], columns: usize, out: &mut [F]);
        /// The sum of magnitudes of each row.
        ///
        /// For the absolute error.
        fn sum_magnitudes_rows(x: &[F], columns: usize, out: &mut [F]);
        /// Multiplies each row by its factor.
        fn scale_rows(x: &mut [F], columns: usize, factors: &[F]);
        /// `x = factor · x`.
        fn scale(x: &mut [F], factor: F);
        /// `x = x + factor · y`.
        ///
        /// With a factor of -1 it is a difference, exactly.
        fn add_scaled(x: &mut [F], factor: F, y: &[F]);
        /// Copies rows of `width` numbers into the columns from `offset` on of rows of `columns`.
        fn put_columns(x: &[F], width: usize, offset: usize, out: &mut [F], columns: usize);
        /// The way back: rows of `width` numbers out of those columns.
        fn take_columns(x: &[F], columns: usize, offset: usize, out: &mut [F], width: usize);
        /// `x = x · y`, element by element.
        fn multiply(x: &mut [F], y: &[F]);
        /// -1, 0 or 1 by the sign; NaN stays.
        ///
        /// 0 for both zeros: it is the derivative of the magnitude as the crate defines it.
        fn signs(x: &mut [F]);
        /// `e^(x - max) / Σ e^(x - max)` along each row, at least `F::MIN_POSITIVE`; a row with a NaN becomes NaN.
        ///
        /// The floor keeps `1 / y` and `ln y` finite; at `f32` it is 1.2e-38. Rows of minus infinity alone become
        /// NaN.
        fn softmax_rows(x: &mut [F], columns: usize);
        /// The same with 0 for what is too small to matter in a gradient (subnormal numbers are slow), and the
        /// logarithm of each row's sum `Σ e^(x - max)`.
        ///
        /// With the maximum taken off beforehand, the logarithm is what cross-entropy needs beside the logits.
        fn softmax_log_rows(x: &mut [F], columns: usize, logs: &mut [F]);
        /// `x = x - max`, the largest number of each row.
        fn subtract_max_rows(x: &mut [F], columns: usize);
        /// The gradient of softmax at its input, in place: `grad = y · (grad - Σ_row grad · y)`.
        ///
        /// From `∂y_i/∂x_j = y_i · ([i = j] - y_j)`: a row's derivatives are never written out as a matrix.
        fn softmax_back_rows(y: &[F], grad: &mut [F], columns: usize);
        /// `x - max - ln Σ e^(x - max)` along each row; a row with a NaN becomes NaN.
        fn log_softmax_rows(x: &mut [F], columns: usize);
        /// The gradient of log-softmax at its input, in place: `grad = grad - e^y · Σ_row grad`.
        fn log_softmax_back_rows(y: &[F], grad: &mut [F], columns: usize);
        /// `x = (x - mean) · factor` by columns.
        fn standardise(x: &mut [F], mean: &[F], factor: &[F]);
        /// `x = x · factor + offset` by columns.
        fn affine(x: &mut [F], factor: &[F], offset: &[F]);
        /// Whether no number is infinite or NaN.
        ///
        /// One pass without branches; it is asked of whole outputs when a loss was not finite.
        fn all_finite(x: &[F]) -> bool;
        /// The sum of squares.
        ///
        /// Blocks of 4096 numbers are summed in the element type, the blocks in `f64`: a norm over millions of
        /// numbers stays right to about six decimals.
        fn sum_squares(x: &[F]) -> f64;
    }
}

pub(super) mod generic {
    use crate::scalar::exponential::Exponential;
    use num_traits::{AsPrimitive, Float};

    /// Partial sums kept side by side, so that a sum fills a vector register and still has one order.
    ///
    /// Part of the results: another number would change the last bits of every sum.
    const LANES: usize = 16;

    /// `Σ f(x_i, y_i)` in lanes. The rest, fewer than sixteen, goes to the first lanes.
    #[inline(always)]
    pub fn sum_of<F: Float>(x: &[F], y: &[F], f: impl Fn(F, F) -> F) -> F {
        let mut lanes = [F::zero(); LANES];
        let (x_head, x_tail) = x.as_chunks::<LANES>();
        let (y_head, y_tail) = y.as_chunks::<LANES>();
        for (x, y) in x_head.iter().zip(y_head) {
            for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
                *lane = *lane + f(x, y);
            }
        }
        for ((lane, &x), &y) in lanes.iter_mut().zip(x_tail).zip(y_tail) {
            *lane = *lane + f(x, y);
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] = lanes[i] + lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    }

    /// The rows; of no columns there are none, where `chunks_exact(0)` would panic.
    #[inline(always)]
    fn rows<F>(x: &[F], columns: usize) -> std::slice::ChunksExact<'_, F> {
        x.chunks_exact(columns.max(1))
    }

    /// The same, to be changed.
    #[inline(always)]
    fn rows_mut<F>(x: &mut [F], columns: usize) -> std::slice::ChunksExactMut<'_, F> {
        x.chunks_exact_mut(columns.max(1))
    }

    #[inline(always)]
    pub fn add_row<F: Float>(x: &mut [F], row: &[F]) {
        for x in rows_mut(x, row.len()) {
            for (x, &b) in x.iter_mut().zip(row) {
                *x = *x + b;
            }
        }
    }

    /// What a sum that is added on begins with. 0 overwrites, as `0 · NaN` would not be 0.
    #[inline(always)]
    fn begin<F: Float>(beta: F, out: &mut [F]) {
        if beta == F::zero() { out.fill(F::zero()) } else { scale(out, beta) }
    }

    #[inline(always)]
    pub fn sum_columns<F: Float>(x: &[F], beta: F, out: &mut [F]) {
        begin(beta, out);
        for x in rows(x, out.len()) {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = *out + x;
            }
        }
    }

    #[inline(always)]
    pub fn dot_columns<F: Float>(x: &[F], y: &[F], beta: F, out: &mut [F]) {
        begin(beta, out);
        for (x, y) in rows(x, out.len()).zip(rows(y, out.len())) {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = *out + x * y;
            }
        }
    }

    #[inline(always)]
    pub fn spread_columns<F: Float>(x: &[F], mean: &[F], out: &mut [F]) {
        out.fill(F::zero());
        for x in rows(x, out.len()) {
            for ((out, &x), &mean) in out.iter_mut().zip(x).zip(mean) {
                *out = *out + (x - mean) * (x - mean);
            }
        }
    }

    #[inline(always)]
    pub fn dot_rows<F: Float>(x: &[F], y: &[F], columns: usize, out: &mut [F]) {
        for ((x, y), out) in rows(x, columns).zip(rows(y, columns)).zip(out) {
            *out = sum_of(x, y, |x, y| x * y);
        }
    }

    #[inline(always)]
    pub fn sum_magnitudes_rows<F: Float>(x: &[F], columns: usize, out: &mut [F]) {
        for (x, out) in rows(x, columns).zip(out) {
            *out = sum_of(x, x, |x, _| x.abs());
        }
    }

    #[inline(always)]
    pub fn scale_rows<F: Float>(x: &mut [F], columns: usize, factors: &[F]) {
        for (x, &factor) in rows_mut(x, columns).zip(factors) {
            scale(x, factor);
        }
    }

    #[inline(always)]
    pub fn scale<F: Float>(x: &mut [F], factor: F) {
        for x in x {
            *x = *x * factor;
        }
    }

    #[inline(always)]
    pub fn add_scaled<F: Float>(x: &mut [F], factor: F, y: &[F]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x = *x + factor * y;
        }
    }

    #[inline(always)]
    pub fn put_columns<F: Float>(x: &[F], width: usize, offset: usize, out: &mut [F], columns: usize) {
        for (x, out) in rows(x, width).zip(rows_mut(out, columns)) {
            for (out, &x) in out.iter_mut().skip(offset).zip(x) {
                *out = x;
            }
        }
    }

    #[inline(always)]
    pub fn take_columns<F: Float>(x: &[F], columns: usize, offset: usize, out: &mut [F], width: usize) {
        for (x, out) in rows(x, columns).zip(rows_mut(out, width)) {
            for (out, &x) in out.iter_mut().zip(x.iter().skip(offset)) {
                *out = x;
            }
        }
    }

    #[inline(always)]
    pub fn multiply<F: Float>(x: &mut [F], y: &[F]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x = *x * y;
        }
    }

    #[inline(always)]
    pub fn signs<F: Float>(x: &mut [F]) {
        for x in x {
            *x = if *x > F::zero() {
                F::one()
            } else if *x < F::zero() {
                -F::one()
            } else {
                *x * F::zero()
            };
        }
    }

    /// How many numbers of a softmax are worked on in one pass after the other: they stay in the first cache.
    const SOFTMAX_AT_ONCE: usize = 4096;

    /// Softmax of each row, with `instead` for what is below `least`; `sum` is told the sum of each row's exponentials.
    ///
    /// The exponentials are taken over several rows at once, since a row of a few classes does not fill a vector.
    #[inline(always)]
    fn softmax<F: Exponential>(
        x: &mut [F],
        columns: usize,
        least: F,
        instead: F,
        mut sum_of_row: impl FnMut(F),
    ) {
        let at_once = (SOFTMAX_AT_ONCE / columns.max(1)).max(1) * columns.max(1);
        for x in x.chunks_mut(at_once) {
            subtract_max_rows(x, columns);
            for x in x.iter_mut() {
                *x = x.exponential();
            }
            for x in rows_mut(x, columns) {
                let sum = x.iter().fold(F::zero(), |sum, &x| sum + x);
                for x in x {
                    let y = *x / sum;
                    *x = if y < least { instead } else { y };
                }
                sum_of_row(sum);
            }
        }
    }

    #[inline(always)]
    pub fn softmax_rows<F: Exponential>(x: &mut [F], columns: usize) {
        let least = F::min_positive_value();
        softmax(x, columns, least, least, |_| {});
    }

    #[inline(always)]
    pub fn softmax_log_rows<F: Exponential>(x: &mut [F], columns: usize, logs: &mut [F]) {
        let least = F::min_positive_value() / F::epsilon();
        let mut logs = logs.iter_mut();
        softmax(x, columns, least, F::zero(), |sum| {
            if let Some(log) = logs.next() {
                *log = sum.ln();
            }
        });
    }

    #[inline(always)]
    pub fn subtract_max_rows<F: Float>(x: &mut [F], columns: usize) {
        for x in rows_mut(x, columns) {
            let max = x.iter().copied().fold(F::neg_infinity(), F::max);
            for x in x {
                *x = *x - max;
            }
        }
    }

    #[inline(always)]
    pub fn softmax_back_rows<F: Float>(y: &[F], grad: &mut [F], columns: usize) {
        for (y, grad) in rows(y, columns).zip(rows_mut(grad, columns)) {
            let dot = sum_of(y, grad, |y, g| y * g);
            for (g, &y) in grad.iter_mut().zip(y) {
                *g = y * (*g - dot);
            }
        }
    }

    #[inline(always)]
    pub fn log_softmax_rows<F: Exponential>(x: &mut [F], columns: usize) {
        for x in rows_mut(x, columns) {
            let max = x.iter().copied().fold(F::neg_infinity(), F::max);
            let log = sum_of(x, x, |x, _| (x - max).exponential()).ln();
            for x in x {
                *x = (*x - max) - log;
            }
        }
    }

    #[inline(always)]
    pub fn log_softmax_back_rows<F: Exponential>(y: &[F], grad: &mut [F], columns: usize) {
        for (y, grad) in rows(y, columns).zip(rows_mut(grad, columns)) {
            let sum = sum_of(grad, grad, |g, _| g);
            for (g, &y) in grad.iter_mut().zip(y) {
                *g = *g - y.exponential() * sum;
            }
        }
    }

    #[inline(always)]
    pub fn standardise<F: Float>(x: &mut [F], mean: &[F], factor: &[F]) {
        for x in rows_mut(x, mean.len()) {
            for ((x, &mean), &factor) in x.iter_mut().zip(mean).zip(factor) {
                *x = (*x - mean) * factor;
            }
        }
    }

    #[inline(always)]
    pub fn affine<F: Float>(x: &mut [F], factor: &[F], offset: &[F]) {
        for x in rows_mut(x, factor.len()) {
            for ((x, &factor), &offset) in x.iter_mut().zip(factor).zip(offset) {
                *x = *x * factor + offset;
            }
        }
    }

    #[inline(always)]
    pub fn all_finite<F: Float>(x: &[F]) -> bool {
        // 0 · x is 0 for what is finite and NaN for what is not; a sum keeps NaN. No early exit: it vectorises.
        sum_of(x, x, |x, _| x * F::zero()) == F::zero()
    }

    /// In `f64` for both types: a square of an `f32` may be larger than any `f32`.
    #[inline(always)]
    pub fn sum_squares<F: Float + AsPrimitive<f64>>(x: &[F]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (head, tail) = x.as_chunks::<LANES>();
        for x in head.iter().map(<[F; LANES]>::as_slice).chain([tail]) {
            for (lane, x) in lanes.iter_mut().zip(x) {
                let x: f64 = x.as_();
                *lane += x * x;
            }
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 29) % 23) as f32 / 8. - 1.25).collect()
    }

    #[test]
    fn sums_agree_with_plain_loops_at_any_length() {
        for columns in 0..70 {
            let (x, y) = (ramp(3 * columns), ramp(3 * columns + 5)[5..].to_vec());
            let at = |r: usize, c: usize| f64::from(x[r * columns + c]) * f64::from(y[r * columns + c]);
            let mut rows = [0f32; 3];
            f32::dot_rows(&x, &y, columns, &mut rows);
            let mut by_columns = vec![1f32; columns];
            f32::dot_columns(&x, &y, 2., &mut by_columns);
            if columns > 0 {
                for (r, &row) in rows.iter().enumerate() {
                    assert!((f64::from(row) - (0..columns).map(|c| at(r, c)).sum::<f64>()).abs() < 1e-5);
                }
            }
            for (c, &column) in by_columns.iter().enumerate() {
                assert!((f64::from(column) - 2. - (0..3).map(|r| at(r, c)).sum::<f64>()).abs() < 1e-5);
            }
            let squares: f64 = x.iter().map(|&v| f64::from(v * v)).sum();
            assert!((f32::sum_squares(&x) - squares).abs() < 1e-4);
        }
    }

    #[test]
    fn columns_are_put_and_taken_at_any_width() {
        for width in 0..40 {
            let (x, mut out) = (ramp(3 * width), vec![9f32; 3 * (width + 5)]);
            f32::put_columns(&x, width, 2, &mut out, width + 5);
            let row: Vec<f32> = [&[9., 9.], &x[..width], &[9., 9., 9.]].concat();
            assert_eq!(out[..width + 5], row);
            let mut back = vec![0.; 3 * width];
            f32::take_columns(&out, width + 5, 2, &mut back, width);
            assert_eq!(back, x);
        }
    }

    #[test]
    fn softmax_of_huge_logits_is_finite_and_keeps_nan() {
        let mut x = [1000f32, -1000., 0., f32::NAN, 0., 0., -1000., -1000., -1000.];
        f32::softmax_rows(&mut x, 3);
        assert_eq!(x[0], 1.);
        assert!(x[1] >= f32::MIN_POSITIVE && x[1] < 1e-30);
        assert!(x[3].is_nan() && x[4].is_nan());
        assert!((x[6] - 1. / 3.).abs() < 1e-7);
    }

    #[test]
    fn one_number_that_is_not_finite_is_found_at_any_lane() {
        for len in 0..70 {
            assert!(f32::all_finite(&ramp(len)));
            for lane in 0..len {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut x = ramp(len);
                    x[lane] = bad;
                    assert!(!f32::all_finite(&x));
                }
            }
        }
    }
}
