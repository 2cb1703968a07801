//! Passes along an axis: down the columns of a block `[n, inner]`.
//!
//! | kernel | result for the numbers `x_0 … x_{n-1}` of a column |
//! |---|---|
//! | `most`, `most_positions` | the largest or the smallest, and its position; NaN is both, and the first of equal ones counts |
//! | `products` | `x_0 · … · x_{n-1}` |
//! | `running_sums` | `x_0`, `x_0 + x_1`, … |
//! | `flipped` | `x_{n-1} … x_0` |

use crate::kernels;

/// The largest number, or the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Most {
    Largest,
    Smallest,
}

kernels! {
    /// Passes along an axis. A block has at least one row, and `inner` is at least 1.
    Along {
        /// The extreme number of each column.
        fn most(most: Most, x: &[F], inner: usize, out: &mut [F]);
        /// The gradient of each column's extreme number, at its position; the rest becomes 0.
        fn most_back(most: Most, x: &[F], inner: usize, grad: &[F], back: &mut [F]);
        /// The position of the extreme number of each column, as a number.
        fn most_positions(most: Most, x: &[F], inner: usize, out: &mut [F]);
        /// The product of each column.
        fn products(x: &[F], inner: usize, out: &mut [F]);
        /// The gradient of the products: at each number it is the product of all others, also if one of them is 0.
        fn products_back(x: &[F], inner: usize, grad: &[F], back: &mut [F]);
        /// The sums of each column so far.
        fn running_sums(x: &[F], inner: usize, out: &mut [F]);
        /// The gradient of the sums so far: sums from the end.
        fn running_sums_back(grad: &[F], inner: usize, back: &mut [F]);
        /// The rows from the last to the first.
        fn flipped(x: &[F], inner: usize, out: &mut [F]);
    }
}

mod generic {
    use super::Most;
    use num_traits::Float;

    /// Returns whether `x` takes the place of the extreme number so far.
    #[inline(always)]
    fn beats<F: Float, const LARGEST: bool>(x: F, so_far: F) -> bool {
        let more = if LARGEST { x > so_far } else { x < so_far };
        more || x.is_nan() && !so_far.is_nan()
    }

    #[inline(always)]
    fn extremes<F: Float, const LARGEST: bool>(x: &[F], inner: usize, out: &mut [F]) {
        let (first, rest) = x.split_at(inner);
        out.copy_from_slice(first);
        for row in rest.chunks_exact(inner) {
            for (out, &x) in out.iter_mut().zip(row) {
                *out = if beats::<F, LARGEST>(x, *out) { x } else { *out };
            }
        }
    }

    #[inline(always)]
    pub fn most<F: Float>(most: Most, x: &[F], inner: usize, out: &mut [F]) {
        match most {
            Most::Largest => extremes::<F, true>(x, inner, out),
            Most::Smallest => extremes::<F, false>(x, inner, out),
        }
    }

    /// The row of the extreme number of a column.
    #[inline(always)]
    fn row_of<F: Float, const LARGEST: bool>(x: &[F], inner: usize, column: usize) -> usize {
        let mut found = 0;
        for (row, x_of) in x.chunks_exact(inner).enumerate() {
            found = if beats::<F, LARGEST>(x_of[column], x[found * inner + column]) { row } else { found };
        }
        found
    }

    #[inline(always)]
    fn row<F: Float>(most: Most, x: &[F], inner: usize, column: usize) -> usize {
        match most {
            Most::Largest => row_of::<F, true>(x, inner, column),
            Most::Smallest => row_of::<F, false>(x, inner, column),
        }
    }

    #[inline(always)]
    pub fn most_back<F: Float>(most: Most, x: &[F], inner: usize, grad: &[F], back: &mut [F]) {
        back.fill(F::zero());
        for (column, &grad) in grad[..inner].iter().enumerate() {
            back[row(most, x, inner, column) * inner + column] = grad;
        }
    }

    #[inline(always)]
    pub fn most_positions<F: Float>(most: Most, x: &[F], inner: usize, out: &mut [F]) {
        for (column, out) in out[..inner].iter_mut().enumerate() {
            *out = F::from(row(most, x, inner, column)).unwrap_or_else(F::nan);
        }
    }

    #[inline(always)]
    pub fn products<F: Float>(x: &[F], inner: usize, out: &mut [F]) {
        let (first, rest) = x.split_at(inner);
        out.copy_from_slice(first);
        for row in rest.chunks_exact(inner) {
            out.iter_mut().zip(row).for_each(|(out, &x)| *out = *out * x);
        }
    }

    #[inline(always)]
    pub fn products_back<F: Float>(x: &[F], inner: usize, grad: &[F], back: &mut [F]) {
        // The products of what is before each number, then times those of what is behind it.
        back[..inner].fill(F::one());
        for i in inner..x.len() {
            back[i] = back[i - inner] * x[i - inner];
        }
        for (column, &grad) in grad[..inner].iter().enumerate() {
            let mut behind = grad;
            for at in (column..x.len()).step_by(inner).rev() {
                back[at] = back[at] * behind;
                behind = behind * x[at];
            }
        }
    }

    #[inline(always)]
    pub fn running_sums<F: Float>(x: &[F], inner: usize, out: &mut [F]) {
        out[..inner].copy_from_slice(&x[..inner]);
        for i in inner..x.len() {
            out[i] = out[i - inner] + x[i];
        }
    }

    #[inline(always)]
    pub fn running_sums_back<F: Float>(grad: &[F], inner: usize, back: &mut [F]) {
        let last = grad.len() - inner;
        back[last..].copy_from_slice(&grad[last..]);
        for i in (0..last).rev() {
            back[i] = back[i + inner] + grad[i];
        }
    }

    #[inline(always)]
    pub fn flipped<F: Copy>(x: &[F], inner: usize, out: &mut [F]) {
        if inner == 1 {
            out.iter_mut().zip(x.iter().rev()).for_each(|(out, &x)| *out = x);
        } else {
            let rows = out.chunks_exact_mut(inner).zip(x.chunks_exact(inner).rev());
            rows.for_each(|(out, x)| out.copy_from_slice(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of two columns.
    const X: [f64; 6] = [1.0, 5.0, 3.0, 0.0, 3.0, 4.0];

    #[test]
    fn by_hand() {
        let (mut two, mut six) = ([9.0; 2], [9.0; 6]);
        for (most, values, positions, back) in [
            (Most::Largest, [3.0, 5.0], [1.0, 0.0], [0.0, 8.0, 7.0, 0.0, 0.0, 0.0]),
            (Most::Smallest, [1.0, 0.0], [0.0, 1.0], [7.0, 0.0, 0.0, 8.0, 0.0, 0.0]),
        ] {
            f64::most(most, &X, 2, &mut two);
            assert_eq!(two, values);
            f64::most_positions(most, &X, 2, &mut two);
            assert_eq!(two, positions);
            f64::most_back(most, &X, 2, &[7.0, 8.0], &mut six);
            assert_eq!(six, back);
            let with_nan = [2.0f32, f32::NAN, 1.0, f32::NAN];
            let mut one = [0.0];
            f32::most(most, &with_nan, 1, &mut one);
            assert!(one[0].is_nan());
            f32::most_positions(most, &with_nan, 1, &mut one);
            assert_eq!(one, [1.0], "the first NaN");
        }
        f64::products(&X, 2, &mut two);
        assert_eq!(two, [9.0, 0.0]);
        f64::products_back(&X, 2, &[1.0, 2.0], &mut six);
        assert_eq!(six, [9.0, 0.0, 3.0, 40.0, 3.0, 0.0]);
        f64::running_sums(&X, 2, &mut six);
        assert_eq!(six, [1.0, 5.0, 4.0, 5.0, 7.0, 9.0]);
        f64::running_sums_back(&X, 2, &mut six);
        assert_eq!(six, [7.0, 9.0, 6.0, 4.0, 3.0, 4.0]);
        f64::flipped(&X, 2, &mut six);
        assert_eq!(six, [3.0, 4.0, 3.0, 0.0, 1.0, 5.0]);
        f64::flipped(&X, 1, &mut six);
        assert_eq!(six, [4.0, 3.0, 0.0, 3.0, 5.0, 1.0]);
    }
}
