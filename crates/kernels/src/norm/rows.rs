//! Loops over slices that contain the rows of a matrix.
//!
//! A matrix `[rows, columns]` is a slice in row-major order; the number of columns is an argument, or follows from the
//! length of another one. The suffix of a name says what has a result: `_rows` each row, `_columns` each column.
//!
//! # Sums in lanes
//!
//! A sum over a row is kept in sixteen partial sums: lane `i` adds up the elements `i, i + 16, i + 32, …`. At the end
//! the lanes are added up in halves:
//!
//! ```text
//! 8 lanes:   l0+l8   l1+l9   …   l7+l15
//! 4 lanes:   (l0+l8)+(l4+l12)   …
//! 2, then 1
//! ```
//!
//! Sixteen `f32` fill one register of AVX-512, two of AVX2, four of SSE: with each of them the additions are the same.
//! The result differs from that of a plain loop in the last bits (it is slightly more accurate, as the chains are
//! sixteen times shorter), but it is the same every time.
//!
//! Sums over columns need no lanes: the columns themselves are contiguous, and each is added up from the first row to
//! the last.

use crate::kernels;

kernels! {
    /// Sums, scalings and normalizations. Every sum has one fixed order, so its bits depend on nothing else.
    RowKernels {
        /// Adds a row to each row.
        fn add_row(x: &mut [F], row: &[F]);
        /// The sum of each column, rows in order: `out = beta · out + Σ_rows x`; with a `beta` of 0, `out` is not read.
        fn sum_columns(x: &[F], beta: F, out: &mut [F]);
        /// The sum of `x · y` of each column, as in `sum_columns`.
        fn dot_columns(x: &[F], y: &[F], beta: F, out: &mut [F]);
        /// The sum of squared distances from `mean` of each column.
        ///
        /// Divided by the number of rows it is the variance. It takes two passes, the mean first, since `Σ x² - n ·
        /// mean²` cancels.
        fn spread_columns(x: &[F], mean: &[F], out: &mut [F]);
        /// The dot product of each row of `x` with the same row of `y`.
        fn dot_rows(x: &[F], y: &[F], columns: usize, out: &mut [F]);
        /// The sum of magnitudes of each row.
        ///
        /// Used by the absolute error.
        fn sum_magnitudes_rows(x: &[F], columns: usize, out: &mut [F]);
        /// Multiplies each row by its factor.
        fn scale_rows(x: &mut [F], columns: usize, factors: &[F]);
        /// `x = factor · x`.
        fn scale(x: &mut [F], factor: F);
        /// `x = x + factor · y`.
        ///
        /// A factor of -1 gives the difference, exactly.
        fn add_scaled(x: &mut [F], factor: F, y: &[F]);
        /// Copies rows of `width` elements into rows of `columns`, from column `offset` on.
        fn put_columns(x: &[F], width: usize, offset: usize, out: &mut [F], columns: usize);
        /// The inverse: copies `width` elements from column `offset` on out of rows of `columns`.
        fn take_columns(x: &[F], columns: usize, offset: usize, out: &mut [F], width: usize);
        /// `x = x · y`, element by element.
        fn multiply(x: &mut [F], y: &[F]);
        /// -1, 0 or 1 by the sign; NaN stays NaN.
        ///
        /// 0 for both zeros, which is the crate's definition of the derivative of the magnitude there.
        fn signs(x: &mut [F]);
        /// `x = (x - mean) · factor` by columns.
        fn standardize(x: &mut [F], mean: &[F], factor: &[F]);
        /// `x = x · factor + offset` by columns.
        fn affine(x: &mut [F], factor: &[F], offset: &[F]);
        /// Returns whether no element is infinite or NaN.
        ///
        /// One pass without branches; used on whole outputs when a loss is not finite.
        fn all_finite(x: &[F]) -> bool;
        /// The sum of squares.
        ///
        /// Blocks of 4096 elements are summed in the element type, the blocks in `f64`: a norm over millions of
        /// elements is accurate to about six decimals.
        fn sum_squares(x: &[F]) -> f64;
    }
}

pub(crate) mod generic {
    use num_traits::{AsPrimitive, Float};

    /// The number of partial sums, so that a sum fills a vector register and still has one order.
    ///
    /// It affects the results: another number would change the last bits of every sum.
    const LANES: usize = 16;

    /// `Σ f(x_i, y_i)` in lanes. The remaining elements, fewer than sixteen, are added to the first lanes.
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

    /// Returns the rows; none if there are no columns, where `chunks_exact(0)` would panic.
    #[inline(always)]
    pub fn rows<F>(x: &[F], columns: usize) -> std::slice::ChunksExact<'_, F> {
        x.chunks_exact(columns.max(1))
    }

    /// Returns the rows, mutably.
    #[inline(always)]
    pub fn rows_mut<F>(x: &mut [F], columns: usize) -> std::slice::ChunksExactMut<'_, F> {
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

    /// Initializes a sum with `beta · out`. With a `beta` of 0 it overwrites `out`, as `0 · NaN` would not be 0.
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

    #[inline(always)]
    pub fn standardize<F: Float>(x: &mut [F], mean: &[F], factor: &[F]) {
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
        // 0 · x is 0 if x is finite and otherwise NaN, and a sum keeps NaN. Without an early exit, so that it
        // vectorizes. There are enough sums that none waits for the one before.
        let mut sums = [F::zero(); 4 * LANES];
        let (head, tail) = x.as_chunks::<{ 4 * LANES }>();
        for x in head {
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = *sum + x * F::zero();
            }
        }
        sums.iter().chain(tail).fold(F::zero(), |sum, &x| sum + x * F::zero()) == F::zero()
    }

    /// In `f64` for both types: the square of an `f32` may exceed the range of `f32`.
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
