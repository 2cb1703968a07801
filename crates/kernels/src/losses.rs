//! Elementwise losses: the sum for each sample, and the derivatives, which overwrite the predictions.
//!
//! NaN propagates through all of them: a maximum with 0 is computed by a comparison that is false for NaN.

use crate::kernels;

kernels! {
    /// The loss of each row and its derivative.
    Losses {
        /// The Huber loss of differences: `g · (d - g / 2)`, with `g = d` clipped to `±delta`, which is its derivative.
        fn huber_rows(d: &mut [F], columns: usize, delta: F, sums: &mut [F]);
        /// Binary cross-entropy of probabilities: `-positive · t · ln p - (1 - t) · ln(1 - p)`; `0 · ln 0` is 0.
        ///
        /// `positive` has one element, or one for each column of the last axis, repeated along a row.
        fn binary_rows(p: &mut [F], t: &[F], columns: usize, positive: &[F], sums: &mut [F]);
        /// The same from logits: `(1 - t) · z + (1 + (positive - 1) · t) · ln(1 + e^-z)`, without overflow.
        fn binary_logits_rows(z: &mut [F], t: &[F], columns: usize, positive: &[F], sums: &mut [F]);
        /// Hinges against the label's score, `max(0, margin - x_label + x_j)` for each other `j`, or their squares.
        /// With one column: `max(0, margin - x)` for the label 1 and `max(0, margin + x)` for 0.
        fn margin_rows(
            x: &mut [F],
            columns: usize,
            labels: &[usize],
            margin: F,
            squared: bool,
            sums: &mut [F],
        );
        /// `Σ t · ln t` of each row; `0 · ln 0` is 0.
        fn information_rows(t: &[F], columns: usize, sums: &mut [F]);
    }
}

mod generic {
    use crate::activation::exponential::Exponential;
    use num_traits::Float;

    #[inline(always)]
    pub fn huber_rows<F: Float>(d: &mut [F], columns: usize, delta: F, sums: &mut [F]) {
        let half = F::one() / (F::one() + F::one());
        for (d, sum) in d.chunks_exact_mut(columns.max(1)).zip(sums) {
            *sum = F::zero();
            for d in d {
                let low = if *d < -delta { -delta } else { *d };
                let g = if low > delta { delta } else { low };
                *sum = *sum + g * (*d - half * g);
                *d = g;
            }
        }
    }

    #[inline(always)]
    pub fn binary_rows<F: Float>(p: &mut [F], t: &[F], columns: usize, positive: &[F], sums: &mut [F]) {
        let rows = p.chunks_exact_mut(columns.max(1)).zip(t.chunks_exact(columns.max(1)));
        for ((p, t), sum) in rows.zip(sums) {
            *sum = F::zero();
            for ((p, &t), &positive) in p.iter_mut().zip(t).zip(positive.iter().cycle()) {
                let (yes, no, q) = (positive * t, F::one() - t, F::one() - *p);
                // `0 · p` keeps a NaN even if neither side counts.
                let mut grad = F::zero() * *p;
                if yes != F::zero() {
                    *sum = *sum - yes * p.ln();
                    grad = grad - yes / *p;
                }
                if no != F::zero() {
                    *sum = *sum - no * q.ln();
                    grad = grad + no / q;
                }
                *p = grad;
            }
        }
    }

    #[inline(always)]
    pub fn binary_logits_rows<F: Exponential>(
        z: &mut [F],
        t: &[F],
        columns: usize,
        positive: &[F],
        sums: &mut [F],
    ) {
        let rows = z.chunks_exact_mut(columns.max(1)).zip(t.chunks_exact(columns.max(1)));
        for ((z, t), sum) in rows.zip(sums) {
            *sum = F::zero();
            for ((z, &t), &positive) in z.iter_mut().zip(t).zip(positive.iter().cycle()) {
                let no = F::one() - t;
                let both = no + positive * t;
                let e = (-z.abs()).exponential();
                // ln(1 + e^-z), and the magnitude of its derivative, 1 / (1 + e^z).
                let (extra, share) = if *z < F::zero() { (-*z, F::one()) } else { (F::zero(), e) };
                *sum = *sum + no * *z + both * (e.ln_1p() + extra);
                *z = no - both * (share / (F::one() + e));
            }
        }
    }

    /// `h` if it is above 0, else 0; NaN stays NaN.
    #[inline(always)]
    fn hinge<F: Float>(h: F) -> F {
        if h < F::zero() { F::zero() } else { h }
    }

    #[inline(always)]
    pub fn margin_rows<F: Float>(
        x: &mut [F],
        columns: usize,
        labels: &[usize],
        margin: F,
        squared: bool,
        sums: &mut [F],
    ) {
        // The contribution of a hinge to the sum, and its derivative.
        let part = |h: F| {
            let h = hinge(h);
            let slope = if h > F::zero() { F::one() } else { h };
            if squared { (h * h, h + h) } else { (h, slope) }
        };
        for ((x, &label), sum) in x.chunks_exact_mut(columns.max(1)).zip(labels).zip(sums) {
            *sum = F::zero();
            if let [x] = x {
                let sign = if label == 0 { F::one() } else { -F::one() };
                let (value, slope) = part(margin + sign * *x);
                (*sum, *x) = (value, sign * slope);
                continue;
            }
            let Some(&own) = x.get(label) else { continue };
            let mut slopes = F::zero();
            for (j, x) in x.iter_mut().enumerate() {
                if j != label {
                    let (value, slope) = part(margin - own + *x);
                    *sum = *sum + value;
                    slopes = slopes + slope;
                    *x = slope;
                }
            }
            x[label] = -slopes;
        }
    }

    #[inline(always)]
    pub fn information_rows<F: Float>(t: &[F], columns: usize, sums: &mut [F]) {
        for (t, sum) in t.chunks_exact(columns.max(1)).zip(sums) {
            *sum = F::zero();
            for &t in t {
                if t != F::zero() {
                    *sum = *sum + t * t.ln();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_differences_of_the_sums_at_any_length() {
        let (positive, step) = (1.7f64, 1e-6);
        type Kernel = fn(&mut [f64], &[f64], usize, &[f64], &mut [f64]);
        let kernels: [Kernel; 3] =
            [f64::binary_rows, f64::binary_logits_rows, |x, _, columns, delta, sums| {
                f64::huber_rows(x, columns, delta[0], sums);
            }];
        for columns in 1..40 {
            let x: Vec<f64> = (0..2 * columns).map(|i| ((i * 29) % 23 + 1) as f64 / 25.0).collect();
            let t: Vec<f64> = (0..2 * columns).map(|i| ((i * 7) % 5) as f64 / 4.0).collect();
            for kernel in kernels {
                let value = |x: &[f64]| {
                    let (mut x, mut sums) = (x.to_vec(), [0.0; 2]);
                    kernel(
                        &mut x,
                        &t,
                        columns,
                        &[positive / 5.0, 0.9][..1 + (columns > 1) as usize],
                        &mut sums,
                    );
                    (sums[0] + sums[1], x)
                };
                let (_, grad) = value(&x);
                for i in 0..2 * columns {
                    let at = |by: f64| {
                        let mut moved = x.clone();
                        moved[i] += by;
                        value(&moved).0
                    };
                    assert!(((at(step) - at(-step)) / (2.0 * step) - grad[i]).abs() < 1e-5, "{columns} {i}");
                }
            }
        }
    }

    #[test]
    fn nan_is_not_taken_for_0() {
        for columns in 1..4 {
            let nan = || vec![f32::NAN; columns];
            for t in [0.0, 1.0] {
                let (mut x, mut sums) = ([nan(), nan(), nan(), nan()], [0f32; 4]);
                let targets = vec![t; columns];
                f32::huber_rows(&mut x[0], columns, 1.0, &mut sums[..1]);
                f32::binary_rows(&mut x[1], &targets, columns, &[1.0], &mut sums[1..2]);
                f32::binary_logits_rows(&mut x[2], &targets, columns, &[1.0], &mut sums[2..3]);
                f32::margin_rows(&mut x[3], columns, &[0], 1.0, t == 0.0, &mut sums[3..]);
                assert!(sums.iter().all(|sum| sum.is_nan()), "{sums:?}");
                assert!(x.iter().flatten().all(|x| x.is_nan()), "{x:?}");
            }
        }
    }
}
