//! Softmax over the rows of a matrix, log-softmax, and cross-entropy.
//!
//! A row of ten classes does not fill a vector, and its maximum and its sum are dependency chains of ten steps. So
//! short rows are transposed and processed side by side, one row per lane. The operations on a row and their order are
//! the same as if it were alone, so its bits do not depend on the other rows.

use crate::kernels;

kernels! {
    /// Softmax and related functions.
    Softmaxes {
        /// `e^(x - max) / Σ e^(x - max)` along each row, at least `F::MIN_POSITIVE`; a row with a NaN becomes NaN.
        ///
        /// The lower bound keeps `1 / y` and `ln y` finite; for `f32` it is 1.2e-38. Rows that contain only minus
        /// infinity become NaN.
        fn softmax_rows(x: &mut [F], columns: usize);
        /// Softmax of rows from which the maximum has been subtracted. Values too small to matter in a gradient become
        /// 0, as subnormal numbers are slow. Also writes the logarithm of each row's sum, `ln Σ e^x`: losses of logits
        /// need nothing else.
        fn softmax_log_rows(x: &mut [F], columns: usize, logs: &mut [F]);
        /// The cross-entropy of each row of logits with its label, `ln Σ e^(z - max) - (z_label - max)`. The logits are
        /// overwritten with the derivative times the row's factor: softmax, with small values set to 0 as in
        /// `softmax_log_rows`, minus 1 for the label.
        fn cross_entropy_rows(z: &mut [F], columns: usize, labels: &[usize], factors: &[F], losses: &mut [F]);
        /// `x = x - max`, with the largest element of each row.
        fn subtract_max_rows(x: &mut [F], columns: usize);
        /// The gradient of softmax at its input, in place: `grad = y · (grad - Σ_row grad · y)`.
        ///
        /// It follows from `∂y_i/∂x_j = y_i · ([i = j] - y_j)`: the matrix of a row's derivatives is never stored.
        fn softmax_back_rows(y: &[F], grad: &mut [F], columns: usize);
        /// `x - max - ln Σ e^(x - max)` along each row; a row with a NaN becomes NaN.
        fn log_softmax_rows(x: &mut [F], columns: usize);
        /// The gradient of log-softmax at its input, in place: `grad = grad - e^y · Σ_row grad`.
        fn log_softmax_back_rows(y: &[F], grad: &mut [F], columns: usize);
    }
}

mod generic {
    use crate::activation::exponential::Exponential;
    use crate::matmul::MatMul;
    use crate::norm::rows::generic::{rows, rows_mut, sum_of};
    use num_traits::Float;

    /// The largest number of columns of a short row.
    const SHORT: usize = 32;

    /// The largest number of rows side by side.
    const SIDE: usize = 32;

    /// Runs `work` on the rows. Rows of at most `SHORT` columns are transposed in blocks of `SIDE` rows, so that `x[j ·
    /// n + i]` is element `j` of row `i` of `n`; longer rows are processed one at a time, with `n` = 1. `work` also
    /// gets scratch space of one element per row.
    ///
    /// A macro and not a function, since a closure passed to a function would be compiled without the level's
    /// instructions.
    macro_rules! side_by_side {
        ($x:expr, $columns:expr, |$side:ident, $room:ident| $work:expr) => {
            if $columns > SHORT {
                for $side in rows_mut($x, $columns) {
                    let $room = &mut [F::zero()][..];
                    $work;
                }
            } else {
                let (mut side, mut room) = ([F::zero(); SIDE * SHORT], [F::zero(); SIDE]);
                for x in $x.chunks_mut((SIDE * $columns).max(1)) {
                    let n = x.len() / $columns.max(1);
                    let (x, $side, $room) =
                        (&mut x[..n * $columns], &mut side[..n * $columns], &mut room[..n]);
                    turn(x, $columns, $side);
                    $work;
                    turn($side, n, x);
                }
            }
        };
    }

    /// Transposes a matrix; a single row stays as it is.
    #[inline(always)]
    fn turn<F: Float + MatMul>(x: &[F], columns: usize, turned: &mut [F]) {
        if x.len() == columns || columns == 1 {
            turned.copy_from_slice(x);
        } else {
            F::transpose(x, columns, turned);
        }
    }

    /// Folds each of the rows side by side, from its first element to its last.
    #[inline(always)]
    fn fold<F: Float>(side: &[F], start: F, folded: &mut [F], f: impl Fn(F, F) -> F) {
        if let [folded] = folded {
            *folded = side.iter().fold(start, |folded, &x| f(folded, x));
            return;
        }
        folded.fill(start);
        for x in side.chunks_exact(folded.len().max(1)) {
            for (folded, &x) in folded.iter_mut().zip(x) {
                *folded = f(*folded, x);
            }
        }
    }

    /// Applies `f` to each element of the rows side by side and the value of its row.
    #[inline(always)]
    fn change<F: Float>(side: &mut [F], of_rows: &[F], f: impl Fn(F, F) -> F) {
        if let [of_row] = of_rows {
            side.iter_mut().for_each(|x| *x = f(*x, *of_row));
            return;
        }
        for x in side.chunks_exact_mut(of_rows.len().max(1)) {
            for (x, &of_row) in x.iter_mut().zip(of_rows) {
                *x = f(*x, of_row);
            }
        }
    }

    /// Computes `x - max` of rows side by side. A NaN is never the maximum.
    #[inline(always)]
    fn subtract_max<F: Float>(side: &mut [F], room: &mut [F]) {
        fold(side, F::neg_infinity(), room, |max, x| if x > max { x } else { max });
        change(side, room, |x, max| x - max);
    }

    /// Computes softmax of rows side by side whose maximum has been subtracted; values below `least` become `instead`.
    /// The sums of exponentials are left in `sums`.
    #[inline(always)]
    fn normalize<F: Exponential>(side: &mut [F], sums: &mut [F], least: F, instead: F) {
        for x in side.iter_mut() {
            *x = x.exponential();
        }
        fold(side, F::zero(), sums, |sum, x| sum + x);
        change(side, sums, |x, sum| {
            let y = x / sum;
            if y < least { instead } else { y }
        });
    }

    /// Smaller values do not matter in a gradient.
    #[inline(always)]
    fn least<F: Float>() -> F {
        F::min_positive_value() / F::epsilon()
    }

    #[inline(always)]
    pub fn softmax_rows<F: Exponential + MatMul>(x: &mut [F], columns: usize) {
        let least = F::min_positive_value();
        side_by_side!(x, columns, |x, sums| {
            subtract_max(x, sums);
            normalize(x, sums, least, least);
        });
    }

    #[inline(always)]
    pub fn softmax_log_rows<F: Exponential + MatMul>(x: &mut [F], columns: usize, logs: &mut [F]) {
        let mut logs = logs.iter_mut();
        side_by_side!(x, columns, |x, sums| {
            normalize(x, sums, least(), F::zero());
            sums.iter().zip(&mut logs).for_each(|(sum, log)| *log = sum.ln());
        });
    }

    #[inline(always)]
    pub fn cross_entropy_rows<F: Exponential + MatMul>(
        z: &mut [F],
        columns: usize,
        labels: &[usize],
        factors: &[F],
        losses: &mut [F],
    ) {
        let mut rest = (labels, factors, losses);
        side_by_side!(z, columns, |z, room| {
            let (n, (labels, factors, losses)) = (room.len(), std::mem::take(&mut rest));
            let (labels, later_labels) = labels.split_at(n);
            let (factors, later_factors) = factors.split_at(n);
            let (losses, later_losses) = losses.split_at_mut(n);
            rest = (later_labels, later_factors, later_losses);
            subtract_max(z, room);
            for (i, (&label, loss)) in labels.iter().zip(&mut *losses).enumerate() {
                *loss = z[label * n + i];
            }
            normalize(z, room, least(), F::zero());
            for (i, ((&label, loss), sum)) in labels.iter().zip(losses).zip(room).enumerate() {
                *loss = sum.ln() - *loss;
                z[label * n + i] = z[label * n + i] - F::one();
            }
            change(z, factors, |z, factor| z * factor);
        });
    }

    #[inline(always)]
    pub fn subtract_max_rows<F: Float>(x: &mut [F], columns: usize) {
        for x in rows_mut(x, columns) {
            subtract_max(x, &mut [F::zero()]);
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
            subtract_max(x, &mut [F::zero()]);
            let log = sum_of(x, x, |x, _| x.exponential()).ln();
            for x in x {
                *x = *x - log;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values between -4 and 4.
    fn ramp(len: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * 29) % 97) as f64 / 12.0 - 4.0).collect()
    }

    /// Softmax of a row by its definition, and the logarithm of the sum of exponentials.
    fn defined(row: &[f64]) -> (Vec<f64>, f64) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        (row.iter().map(|x| x.exp() / sum).collect(), sum.ln())
    }

    #[test]
    fn all_agree_with_their_definition_for_short_and_long_rows_and_any_number_of_them() {
        for columns in [1, 2, 10, 31, 32, 33, 100] {
            for rows in [1, 2, 31, 32, 33, 70] {
                let z = ramp(rows * columns);
                let labels: Vec<usize> = (0..rows).map(|i| (i * 7) % columns).collect();
                let factors: Vec<f64> = (0..rows).map(|i| (i % 3) as f64).collect();
                let (mut p, mut log_p, mut grad) = (z.clone(), z.clone(), z.clone());
                f64::softmax_rows(&mut p, columns);
                f64::log_softmax_rows(&mut log_p, columns);
                let mut losses = vec![0.0; rows];
                f64::cross_entropy_rows(&mut grad, columns, &labels, &factors, &mut losses);
                let (mut shifted, mut logs) = (z.clone(), vec![0.0; rows]);
                f64::subtract_max_rows(&mut shifted, columns);
                f64::softmax_log_rows(&mut shifted, columns, &mut logs);
                assert_eq!(shifted, p);
                for (i, row) in z.chunks_exact(columns).enumerate() {
                    let (expected, log) = defined(row);
                    let max = row.iter().copied().fold(f64::MIN, f64::max);
                    assert!((logs[i] - (log - max)).abs() < 1e-12);
                    assert!((losses[i] - (log - row[labels[i]])).abs() < 1e-12);
                    for j in 0..columns {
                        let at = i * columns + j;
                        assert!((p[at] - expected[j]).abs() < 1e-14);
                        assert!((log_p[at] - (row[j] - log)).abs() < 1e-12);
                        let derivative = expected[j] - if j == labels[i] { 1.0 } else { 0.0 };
                        assert!((grad[at] - factors[i] * derivative).abs() < 1e-13);
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_beside_others() {
        for columns in [1, 10, 32, 33] {
            let z: Vec<f32> = ramp(70 * columns).into_iter().map(|x| x as f32).collect();
            let (labels, factors) = (vec![columns / 2; 70], vec![0.3f32; 70]);
            let (mut p, mut grad, mut losses) = (z.clone(), z.clone(), vec![0f32; 70]);
            f32::softmax_rows(&mut p, columns);
            f32::cross_entropy_rows(&mut grad, columns, &labels, &factors, &mut losses);
            let alone = z.chunks_exact(columns).zip(p.chunks_exact(columns).zip(grad.chunks_exact(columns)));
            for ((z, (p, grad)), loss) in alone.zip(&losses) {
                let (mut p_alone, mut grad_alone, mut loss_alone) = (z.to_vec(), z.to_vec(), [0f32]);
                f32::softmax_rows(&mut p_alone, columns);
                f32::cross_entropy_rows(
                    &mut grad_alone,
                    columns,
                    &labels[..1],
                    &factors[..1],
                    &mut loss_alone,
                );
                assert_eq!((p, grad, loss), (&p_alone[..], &grad_alone[..], &loss_alone[0]));
            }
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
}
