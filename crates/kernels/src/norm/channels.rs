//! Loops over batches of channels, `[batch, channels, inner]`, and the normalization of rows.
//!
//! A batch of images is `[batch, channels, rows, columns]`; for these kernels the last two are one contiguous axis,
//! `inner`. With an `inner` of 1 the channels themselves are contiguous, as features are, and the kernels are those
//! over columns in `rows.rs`.
//!
//! A channel's sum adds up its rows in order, each summed in sixteen lanes; so its order is fixed, whatever the batch.

use crate::kernels;

kernels! {
    /// Sums, scalings and shifts by channel; rows to mean 0 and variance 1, and back.
    Channels {
        /// The sum of each channel, as many as `out` is long; overwrites `out`.
        fn sum_channels(x: &[F], inner: usize, out: &mut [F]);
        /// The sum of `x · y` of each channel.
        fn dot_channels(x: &[F], y: &[F], inner: usize, out: &mut [F]);
        /// The sum of squared distances from `mean` of each channel.
        fn spread_channels(x: &[F], inner: usize, mean: &[F], out: &mut [F]);
        /// `x = (x - mean) · factor` by channels.
        fn standardize_channels(x: &mut [F], inner: usize, mean: &[F], factor: &[F]);
        /// `x = x · factor + offset` by channels.
        fn affine_channels(x: &mut [F], inner: usize, factor: &[F], offset: &[F]);
        /// `x = x · factor` by channels.
        fn scale_channels(x: &mut [F], inner: usize, factor: &[F]);
        /// `x = (x - mean) · f` along each row, `f = (mean of squares + epsilon)^-½`; without `centre` the mean is
        /// taken as 0. The factors `f` are written to `factors`.
        fn normalize_rows(x: &mut [F], columns: usize, epsilon: F, centre: bool, factors: &mut [F]);
        /// The gradient at the input, in place, from the output `x̂` of `normalize_rows`: `f · (grad - mean(grad) - x̂
        /// · mean(grad · x̂))`; without `centre`, without the mean of `grad`.
        fn normalize_rows_back(normal: &[F], factors: &[F], columns: usize, centre: bool, grad: &mut [F]);
    }
}

mod generic {
    use crate::norm::rows::generic as rows;
    use num_traits::Float;

    /// Calls `f` with the channel's index and each of its rows, sample by sample.
    #[inline(always)]
    fn each<F>(x: &mut [F], inner: usize, channels: usize, f: impl Fn(usize, &mut [F])) {
        for sample in x.chunks_exact_mut((inner * channels).max(1)) {
            for (c, row) in sample.chunks_exact_mut(inner.max(1)).enumerate() {
                f(c, row);
            }
        }
    }

    /// `out_c = Σ f(c, x, y)` over the rows of channel `c`.
    #[inline(always)]
    fn sums<F: Float>(x: &[F], y: &[F], inner: usize, out: &mut [F], f: impl Fn(usize, F, F) -> F) {
        out.fill(F::zero());
        let (size, inner) = ((inner * out.len()).max(1), inner.max(1));
        for (x, y) in x.chunks_exact(size).zip(y.chunks_exact(size)) {
            let rows_of = x.chunks_exact(inner).zip(y.chunks_exact(inner));
            for ((c, (x, y)), out) in rows_of.enumerate().zip(out.iter_mut()) {
                *out = *out + rows::sum_of(x, y, |x, y| f(c, x, y));
            }
        }
    }

    #[inline(always)]
    pub fn sum_channels<F: Float>(x: &[F], inner: usize, out: &mut [F]) {
        if inner == 1 {
            return rows::sum_columns(x, F::zero(), out);
        }
        sums(x, x, inner, out, |_, x, _| x);
    }

    #[inline(always)]
    pub fn dot_channels<F: Float>(x: &[F], y: &[F], inner: usize, out: &mut [F]) {
        if inner == 1 {
            return rows::dot_columns(x, y, F::zero(), out);
        }
        sums(x, y, inner, out, |_, x, y| x * y);
    }

    #[inline(always)]
    pub fn spread_channels<F: Float>(x: &[F], inner: usize, mean: &[F], out: &mut [F]) {
        if inner == 1 {
            return rows::spread_columns(x, mean, out);
        }
        sums(x, x, inner, out, |c, x, _| (x - mean[c]) * (x - mean[c]));
    }

    #[inline(always)]
    pub fn standardize_channels<F: Float>(x: &mut [F], inner: usize, mean: &[F], factor: &[F]) {
        if inner == 1 {
            return rows::standardize(x, mean, factor);
        }
        each(x, inner, mean.len(), |c, row| {
            for x in row {
                *x = (*x - mean[c]) * factor[c];
            }
        });
    }

    #[inline(always)]
    pub fn affine_channels<F: Float>(x: &mut [F], inner: usize, factor: &[F], offset: &[F]) {
        if inner == 1 {
            return rows::affine(x, factor, offset);
        }
        each(x, inner, factor.len(), |c, row| {
            for x in row {
                *x = *x * factor[c] + offset[c];
            }
        });
    }

    #[inline(always)]
    pub fn scale_channels<F: Float>(x: &mut [F], inner: usize, factor: &[F]) {
        if inner == 1 {
            for x in x.chunks_exact_mut(factor.len().max(1)) {
                rows::multiply(x, factor);
            }
            return;
        }
        each(x, inner, factor.len(), |c, row| rows::scale(row, factor[c]));
    }

    /// Returns a length in the element type.
    #[inline(always)]
    fn count<F: Float>(columns: usize) -> F {
        F::from(columns).unwrap_or_else(F::nan)
    }

    #[inline(always)]
    pub fn normalize_rows<F: Float>(
        x: &mut [F],
        columns: usize,
        epsilon: F,
        centre: bool,
        factors: &mut [F],
    ) {
        let n = count::<F>(columns);
        for (x, factor) in x.chunks_exact_mut(columns.max(1)).zip(factors) {
            let mean = if centre { rows::sum_of(x, x, |x, _| x) / n } else { F::zero() };
            let spread = rows::sum_of(x, x, |x, _| (x - mean) * (x - mean)) / n;
            *factor = (spread + epsilon).sqrt().recip();
            for x in x {
                *x = (*x - mean) * *factor;
            }
        }
    }

    #[inline(always)]
    pub fn normalize_rows_back<F: Float>(
        normal: &[F],
        factors: &[F],
        columns: usize,
        centre: bool,
        grad: &mut [F],
    ) {
        let (n, size) = (count::<F>(columns), columns.max(1));
        let both = normal.chunks_exact(size).zip(grad.chunks_exact_mut(size));
        for ((normal, grad), &factor) in both.zip(factors) {
            let mean = if centre { rows::sum_of(grad, grad, |g, _| g) / n } else { F::zero() };
            let along = rows::sum_of(grad, normal, |g, x| g * x) / n;
            for (g, &x) in grad.iter_mut().zip(normal) {
                *g = factor * (*g - mean - x * along);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(len: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 29) % 23) as f64 / 8. - 1.25).collect()
    }

    /// Compares with plain loops, at every remainder of the sixteen lanes, including an `inner` of 1.
    #[test]
    fn channels_agree_with_plain_loops_at_any_length() {
        for inner in 0..40 {
            let (batch, channels) = (2, 3);
            let size = batch * channels * inner;
            let (x, y) = (ramp(size), ramp(size + 5)[5..].to_vec());
            let sum = |f: &dyn Fn(usize) -> f64, c: usize| -> f64 {
                (0..batch).flat_map(|n| (0..inner).map(move |i| (n * channels + c) * inner + i)).map(f).sum()
            };
            let (mean, factor) = ([0.5, -1., 2.], [2., 0.25, -1.]);
            let mut out = [[7.0; 3]; 3];
            f64::sum_channels(&x, inner, &mut out[0]);
            f64::dot_channels(&x, &y, inner, &mut out[1]);
            f64::spread_channels(&x, inner, &mean, &mut out[2]);
            for c in 0..3 {
                assert!((out[0][c] - sum(&|i| x[i], c)).abs() < 1e-12);
                assert!((out[1][c] - sum(&|i| x[i] * y[i], c)).abs() < 1e-12);
                assert!((out[2][c] - sum(&|i| (x[i] - mean[c]).powi(2), c)).abs() < 1e-12);
            }
            let mut z = [x.clone(), x.clone(), x.clone()];
            f64::standardize_channels(&mut z[0], inner, &mean, &factor);
            f64::affine_channels(&mut z[1], inner, &mean, &factor);
            f64::scale_channels(&mut z[2], inner, &factor);
            for i in 0..size {
                let c = i / inner % channels;
                assert_eq!(z[0][i], (x[i] - mean[c]) * factor[c]);
                assert_eq!(z[1][i], x[i] * mean[c] + factor[c]);
                assert_eq!(z[2][i], x[i] * factor[c]);
            }
        }
    }

    #[test]
    fn rows_have_mean_0_and_variance_1_at_any_length() {
        for columns in 1..70 {
            for centre in [true, false] {
                let mut x = ramp(2 * columns);
                let mut factors = [0.; 2];
                f64::normalize_rows(&mut x, columns, 1e-12, centre, &mut factors);
                for row in x.chunks(columns) {
                    let n = columns as f64;
                    let squares = row.iter().map(|x| x * x).sum::<f64>() / n;
                    assert!((squares - 1.).abs() < 1e-6 || squares < 1e-6, "{columns} {squares}");
                    assert!(!centre || (row.iter().sum::<f64>() / n).abs() < 1e-9);
                }
            }
        }
    }
}
