//! Conversions from the stored type of data to the element type of the model.
//!
//! Reading a batch of images is `values · scale + offset` over bytes, eight to sixteen at a time. The multiplication
//! and the addition are rounded separately, at every level of instructions.

use crate::kernels;

kernels! {
    /// Rows of a batch, `out = value · scale + offset`, statistics of columns, and random masks.
    Convert {
        /// Writes the rows at these positions, each of `columns` values, as `value · scale + offset`; from bytes, as
        /// images are stored.
        fn rows_of_u8s(values: &[u8], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]);
        /// From `f32`.
        fn rows_of_f32s(values: &[f32], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]);
        /// From `f64`.
        ///
        /// Values are rounded to `f32` before scaling, if that is the element type.
        fn rows_of_f64s(values: &[f64], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]);
        /// `out = out + factor · value`, with each value rounded to the element type first.
        fn add_f64s(values: &[f64], factor: F, out: &mut [F]);
        /// Converts to `f64`, exactly.
        ///
        /// Metrics count and add up in `f64`.
        fn to_f64s(values: &[F], out: &mut [f64]);
        /// `x = (x - shift) · factor` by columns, computed in `f64`.
        fn shift_scale_rows(x: &mut [F], shift: &[f64], factor: &[f64]);
        /// `x = x · scale + offset` by columns, computed in `f64`.
        fn scale_offset_rows(x: &mut [F], scale: &[f64], offset: &[f64]);
        /// Adds rows, one after the other, to the `mean` of each column and the sum of squared differences from it;
        /// `seen` rows were added before. (B. P. Welford, "Note on a method for calculating corrected sums of squares
        /// and products", 1962.)
        fn moments(x: &[F], seen: usize, mean: &mut [f64], squares: &mut [f64]);
        /// Updates the lowest and highest values by columns.
        fn extremes(x: &[F], low: &mut [f64], high: &mut [f64]);
        /// `scale` where the random bits are below `threshold` (of 2^32), else 0.
        ///
        /// A threshold of 2^32 keeps all and needs 33 bits: hence `u64`. Dropout makes its mask this way, with `scale =
        /// 1 / (1 - rate)`.
        fn mask(bits: &[u32], threshold: u64, scale: F, out: &mut [F]);
    }
}

mod generic {
    use num_traits::{AsPrimitive, Float};
    use std::hint::black_box;

    /// The number of rows that are prefetched before the first of them is used: some 25 KB of images, which stay in the
    /// cache.
    const AHEAD: usize = 32;

    /// The size of a cache line, in bytes.
    const LINE: usize = 64;

    /// The loop of the three conversions.
    ///
    /// The rows are scattered over a data set that is larger than the caches, so each would be a cache miss of its own.
    /// So one value of each cache line is read first: the processor then waits for many lines at once.
    #[inline(always)]
    fn affine<T: Copy + AsPrimitive<F>, F: Float + 'static>(
        values: &[T],
        rows: &[usize],
        columns: usize,
        scale: F,
        offset: F,
        out: &mut [F],
    ) {
        let at = |row: usize| &values[row * columns..][..columns];
        for (rows, out) in rows.chunks(AHEAD).zip(out.chunks_mut((AHEAD * columns).max(1))) {
            for &row in rows {
                for value in at(row).iter().step_by(LINE / size_of::<T>()) {
                    black_box(*value);
                }
            }
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(columns.max(1))) {
                for (out, &v) in out.iter_mut().zip(at(row)) {
                    *out = v.as_() * scale + offset;
                }
            }
        }
    }

    #[inline(always)]
    pub fn rows_of_u8s<F: Float + 'static>(
        values: &[u8],
        rows: &[usize],
        columns: usize,
        scale: F,
        offset: F,
        out: &mut [F],
    ) where
        u8: AsPrimitive<F>,
    {
        affine(values, rows, columns, scale, offset, out);
    }

    #[inline(always)]
    pub fn rows_of_f32s<F: Float + 'static>(
        values: &[f32],
        rows: &[usize],
        columns: usize,
        scale: F,
        offset: F,
        out: &mut [F],
    ) where
        f32: AsPrimitive<F>,
    {
        affine(values, rows, columns, scale, offset, out);
    }

    #[inline(always)]
    pub fn rows_of_f64s<F: Float + 'static>(
        values: &[f64],
        rows: &[usize],
        columns: usize,
        scale: F,
        offset: F,
        out: &mut [F],
    ) where
        f64: AsPrimitive<F>,
    {
        affine(values, rows, columns, scale, offset, out);
    }

    #[inline(always)]
    pub fn to_f64s<F: AsPrimitive<f64>>(values: &[F], out: &mut [f64]) {
        for (out, v) in out.iter_mut().zip(values) {
            *out = v.as_();
        }
    }

    #[inline(always)]
    pub fn add_f64s<F: Float + 'static>(values: &[f64], factor: F, out: &mut [F])
    where
        f64: AsPrimitive<F>,
    {
        for (out, &v) in out.iter_mut().zip(values) {
            *out = *out + factor * v.as_();
        }
    }

    #[inline(always)]
    pub fn shift_scale_rows<F: Float + AsPrimitive<f64>>(x: &mut [F], shift: &[f64], factor: &[f64])
    where
        f64: AsPrimitive<F>,
    {
        for row in x.chunks_exact_mut(shift.len().max(1)) {
            for ((x, &shift), &factor) in row.iter_mut().zip(shift).zip(factor) {
                *x = (((*x).as_() - shift) * factor).as_();
            }
        }
    }

    #[inline(always)]
    pub fn scale_offset_rows<F: Float + AsPrimitive<f64>>(x: &mut [F], scale: &[f64], offset: &[f64])
    where
        f64: AsPrimitive<F>,
    {
        for row in x.chunks_exact_mut(scale.len().max(1)) {
            for ((x, &scale), &offset) in row.iter_mut().zip(scale).zip(offset) {
                *x = ((*x).as_() * scale + offset).as_();
            }
        }
    }

    #[inline(always)]
    pub fn moments<F: Float + AsPrimitive<f64>>(x: &[F], seen: usize, mean: &mut [f64], squares: &mut [f64]) {
        let mut seen = seen;
        for row in x.chunks_exact(mean.len().max(1)) {
            seen += 1;
            let count = seen as f64;
            for ((&x, mean), squares) in row.iter().zip(mean.iter_mut()).zip(squares.iter_mut()) {
                let x: f64 = x.as_();
                let difference = x - *mean;
                *mean += difference / count;
                *squares += difference * (x - *mean);
            }
        }
    }

    #[inline(always)]
    pub fn extremes<F: Float + AsPrimitive<f64>>(x: &[F], low: &mut [f64], high: &mut [f64]) {
        for row in x.chunks_exact(low.len().max(1)) {
            for ((&x, low), high) in row.iter().zip(low.iter_mut()).zip(high.iter_mut()) {
                let x: f64 = x.as_();
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
    }

    #[inline(always)]
    pub fn mask<F: Float>(bits: &[u32], threshold: u64, scale: F, out: &mut [F]) {
        for (out, &bits) in out.iter_mut().zip(bits) {
            *out = if u64::from(bits) < threshold { scale } else { F::zero() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_scaled_at_any_length() {
        for len in 0..70usize {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37) as u8).collect();
            let stored = [vec![9; len], bytes.clone()].concat();
            let mut out = vec![0.0; 2 * len];
            f64::rows_of_u8s(&stored, &[1, 0], len, 0.5, -1., &mut out);
            assert!(out[..len].iter().zip(&bytes).all(|(&o, &b)| o == f64::from(b) * 0.5 - 1.));
            assert!(out[len..].iter().all(|&o| o == 3.5));
        }
    }
}
