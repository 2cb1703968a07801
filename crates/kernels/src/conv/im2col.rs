//! im2col and col2im: the loops of a convolution besides its matrix products.
//!
//! A convolution is a matrix product once the elements under each window are in a column (Chellapilla, Puri and Simard,
//! "High performance convolutional neural networks for document processing", 2006). `taps` are the elements of a
//! window, as offsets from its first one, and `runs` are the windows of neighbouring outputs:
//!
//! ```text
//! gather     cols[tap, column + i] = x[at + tap + i · stride]          for each tap, each run, each i < len
//! scatter    x[at + tap + i · stride] += cols[tap, column + i]         the same places: the derivative of gather
//! ```
//!
//! `x` is padded with zeros already (`frame`), so no loop checks bounds of the image. A run is a part of a row of the
//! output. With a stride of 1 it is a part of a row of `x` too, and is copied in whole vectors.

//! For an image of four columns and a window of two by two, the taps are 0, 1, 4 and 5, and the outputs of a row are a
//! run of three:
//!
//! ```text
//! x    a b c d        cols    a b c | e f g       tap 0
//!      e f g h                b c d | f g h       tap 1
//!      i j k l                e f g | i j k       tap 4
//!                             f g h | j k l       tap 5
//! ```
//!
//! # Short rows
//!
//! Images in the middle of a network are 14 or 7 elements wide. The compiler's loop processes a row of 14 as one vector
//! of 8 and then six single elements, and a call of `memcpy` takes as long as ten vectors. So `gather` copies a whole
//! vector even if a row is shorter, and the other loops use pieces of 32, 16, 8, 4, 2 and 1.

use crate::kernels;

/// A run of windows whose outputs are neighbours in a row, and in the columns.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct PixelRun {
    /// The offset of the first window in the image.
    pub at: usize,
    /// The column of the first window.
    pub column: usize,
    /// The number of windows.
    pub len: usize,
}

/// The number of elements that `gather` may write behind the last run of a row of columns.
pub const BEHIND: usize = 32;

kernels! {
    /// Copies between images and matrices.
    Patches {
        /// Writes the elements under the windows: a row of `width` for each tap.
        ///
        /// Up to `BEHIND` elements behind a run may be overwritten; runs and taps are in ascending order, so the next
        /// run is written after it.
        fn gather(x: &[F], taps: &[usize], runs: &[PixelRun], stride: usize, cols: &mut [F], width: usize);
        /// Adds the columns to the elements from which `gather` takes them; taps in order, and runs in order within
        /// each.
        fn scatter(cols: &[F], taps: &[usize], runs: &[PixelRun], stride: usize, width: usize, x: &mut [F]);
        /// Copies rows of `len` elements from offset `from + i · from_step` to offset `to + i · to_step`.
        fn copy_rows(x: &[F], from_step: usize, to: &mut [F], to_step: usize, len: usize, rows: usize);
        /// As `copy_rows`, and adds `plus[i]` to row `i`.
        fn copy_rows_plus(x: &[F], from_step: usize, plus: &[F], to: &mut [F], to_step: usize, len: usize);
        /// Adds `plus[i]` to row `i`: `to[i · step ..][.. len] += plus[i]`.
        fn add_to_rows(plus: &[F], to: &mut [F], step: usize, len: usize);
        /// Adds the sum of each row: `out[i] += Σ x[i · step ..][.. len]`, in sixteen lanes.
        fn add_sums(x: &[F], step: usize, len: usize, out: &mut [F]);
        /// `to = beta · to + fromᵀ`, where `from` is `[rows, columns]` and `to` has rows of `step`; with a `beta` of 0,
        /// `to` is not read.
        fn add_transposed(from: &[F], columns: usize, beta: F, to: &mut [F], step: usize);
    }
}

mod generic {
    use super::PixelRun;
    use num_traits::Float;

    /// Calls `piece(to, from)` for each pair of elements: multiples of 64 in a plain loop, which is vectorized, and the
    /// rest in pieces of lengths known at compile time. So a short row costs a few vectors and no loop.
    #[inline(always)]
    fn each<F: Float>(from: &[F], to: &mut [F], piece: impl Fn(&mut F, F) + Copy) {
        let len = from.len().min(to.len());
        let (from, to) = (&from[..len], &mut to[..len]);
        let ((whole, from), (whole_to, to)) = (from.split_at(len / 64 * 64), to.split_at_mut(len / 64 * 64));
        for (to, &from) in whole_to.iter_mut().zip(whole) {
            piece(to, from);
        }
        let (from, to) = few::<F, 32>(from, to, piece);
        let (from, to) = few::<F, 16>(from, to, piece);
        let (from, to) = few::<F, 8>(from, to, piece);
        let (from, to) = few::<F, 4>(from, to, piece);
        let (from, to) = few::<F, 2>(from, to, piece);
        few::<F, 1>(from, to, piece);
    }

    /// Processes the first `N` elements if there are as many; returns the rest.
    #[inline(always)]
    fn few<'a, F: Float, const N: usize>(
        from: &'a [F],
        to: &'a mut [F],
        piece: impl Fn(&mut F, F),
    ) -> (&'a [F], &'a mut [F]) {
        if from.len() < N || to.len() < N {
            return (from, to);
        }
        let ((first, from), (first_to, to)) = (from.split_at(N), to.split_at_mut(N));
        for i in 0..N {
            piece(&mut first_to[i], first[i]);
        }
        (from, to)
    }

    #[inline(always)]
    pub fn gather<F: Float>(
        x: &[F],
        taps: &[usize],
        runs: &[PixelRun],
        stride: usize,
        cols: &mut [F],
        width: usize,
    ) {
        match stride {
            1 => gather_neighbours(x, taps, runs, cols, width),
            2 => gather_apart(x, taps, runs, 2, cols, width),
            _ => gather_apart(x, taps, runs, stride, cols, width),
        }
    }

    #[inline(always)]
    fn gather_neighbours<F: Float>(x: &[F], taps: &[usize], runs: &[PixelRun], cols: &mut [F], width: usize) {
        // Whole vectors if runs are short: the excess is overwritten by the next run. Each length has its own loop,
        // since the compiler turns a loop for several lengths into calls of `memcpy`, which take three times as long.
        match runs.iter().map(|run| run.len).max().unwrap_or(0) {
            0..=16 => gather_whole::<F, 16>(x, taps, runs, cols, width),
            17..=32 => gather_whole::<F, 32>(x, taps, runs, cols, width),
            _ => {
                for (row, &tap) in cols.chunks_exact_mut(width.max(1)).zip(taps) {
                    for &PixelRun { at, column, len } in runs {
                        row[column..][..len].copy_from_slice(&x[at + tap..][..len]);
                    }
                }
            }
        }
    }

    /// Copies runs of at most `N` elements, `N` at a time.
    #[inline(always)]
    fn gather_whole<F: Float, const N: usize>(
        x: &[F],
        taps: &[usize],
        runs: &[PixelRun],
        cols: &mut [F],
        width: usize,
    ) {
        for (row, &tap) in cols.chunks_exact_mut(width.max(1)).zip(taps) {
            for &PixelRun { at, column, len } in runs {
                let (from, to) = (&x[at + tap..], &mut row[column..]);
                match (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
                    (Some(from), Some(to)) => *to = *from,
                    _ => copy_few(&from[..len], &mut to[..len]),
                }
            }
        }
    }

    /// For the end of the images, where fewer than `N` elements are left.
    #[cold]
    #[inline(never)]
    fn copy_few<F: Copy>(from: &[F], to: &mut [F]) {
        to.copy_from_slice(from);
    }

    #[inline(always)]
    fn gather_apart<F: Float>(
        x: &[F],
        taps: &[usize],
        runs: &[PixelRun],
        stride: usize,
        cols: &mut [F],
        width: usize,
    ) {
        for (row, &tap) in cols.chunks_exact_mut(width.max(1)).zip(taps) {
            for &PixelRun { at, column, len } in runs {
                for (to, from) in row[column..][..len].iter_mut().zip(x[at + tap..].chunks(stride)) {
                    *to = from[0];
                }
            }
        }
    }

    #[inline(always)]
    pub fn scatter<F: Float>(
        cols: &[F],
        taps: &[usize],
        runs: &[PixelRun],
        stride: usize,
        width: usize,
        x: &mut [F],
    ) {
        for (row, &tap) in cols.chunks_exact(width.max(1)).zip(taps) {
            for &PixelRun { at, column, len } in runs {
                let (from, to) = (&row[column..][..len], &mut x[at + tap..]);
                if stride == 1 {
                    each(from, to, |to, from| *to = *to + from);
                } else {
                    for (to, &from) in to.chunks_mut(stride).zip(from) {
                        to[0] = to[0] + from;
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub fn copy_rows<F: Float>(
        x: &[F],
        from_step: usize,
        to: &mut [F],
        to_step: usize,
        len: usize,
        rows: usize,
    ) {
        for row in 0..rows {
            let (from, to) = (&x[row * from_step..][..len], &mut to[row * to_step..][..len]);
            if len > 64 {
                to.copy_from_slice(from);
            } else {
                each(from, to, |to, from| *to = from);
            }
        }
    }

    #[inline(always)]
    pub fn copy_rows_plus<F: Float>(
        x: &[F],
        from_step: usize,
        plus: &[F],
        to: &mut [F],
        to_step: usize,
        len: usize,
    ) {
        for (row, &plus) in plus.iter().enumerate() {
            let (from, to) = (&x[row * from_step..][..len], &mut to[row * to_step..][..len]);
            each(from, to, |to, from| *to = from + plus);
        }
    }

    #[inline(always)]
    pub fn add_to_rows<F: Float>(plus: &[F], to: &mut [F], step: usize, len: usize) {
        for (row, &plus) in plus.iter().enumerate() {
            for to in &mut to[row * step..][..len] {
                *to = *to + plus;
            }
        }
    }

    #[inline(always)]
    pub fn add_sums<F: Float>(x: &[F], step: usize, len: usize, out: &mut [F]) {
        for (row, out) in out.iter_mut().enumerate() {
            let (head, tail) = x[row * step..][..len].as_chunks::<16>();
            let mut lanes = [F::zero(); 16];
            for x in head {
                for (lane, &x) in lanes.iter_mut().zip(x) {
                    *lane = *lane + x;
                }
            }
            for (lane, &x) in lanes.iter_mut().zip(tail) {
                *lane = *lane + x;
            }
            let mut width = 8;
            while width > 0 {
                for i in 0..width {
                    lanes[i] = lanes[i] + lanes[i + width];
                }
                width /= 2;
            }
            *out = *out + lanes[0];
        }
    }

    #[inline(always)]
    pub fn add_transposed<F: Float>(from: &[F], columns: usize, beta: F, to: &mut [F], step: usize) {
        let rows = from.len() / columns.max(1);
        // Sixteen rows of `from` at a time, so that each cache line of `to` is written as a whole.
        for first in (0..rows).step_by(16) {
            let some = (rows - first).min(16);
            for column in 0..columns {
                let to = &mut to[column * step + first..][..some];
                for (i, to) in to.iter_mut().enumerate() {
                    let value = from[(first + i) * columns + column];
                    *to = if beta == F::zero() { value } else { beta * *to + value };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 29) % 23) as f32 / 8. - 1.25).collect()
    }

    #[test]
    fn gather_and_scatter_agree_with_plain_loops_at_any_length() {
        for len in 1..70 {
            for stride in 1..4 {
                let (taps, width) = ([0, 1, 5, 9], 2 * len + BEHIND);
                let runs =
                    [PixelRun { at: 3, column: 0, len }, PixelRun { at: 4 + stride * len, column: len, len }];
                // The last window ends at the last element, so that there is nothing to read behind it.
                let x = ramp(4 + stride * len + stride * (len - 1) + 9 + 1);
                let mut cols = vec![f32::NAN; taps.len() * width];
                f32::gather(&x, &taps, &runs, stride, &mut cols, width);
                let (mut back, mut expected) = (ramp(x.len()), ramp(x.len()));
                for (tap, row) in taps.iter().zip(cols.chunks(width)) {
                    for run in &runs {
                        for i in 0..len {
                            assert_eq!(row[run.column + i], x[run.at + tap + i * stride], "{len} {stride}");
                            expected[run.at + tap + i * stride] += row[run.column + i];
                        }
                    }
                }
                f32::scatter(&cols, &taps, &runs, stride, width, &mut back);
                assert_eq!(back, expected, "{len} {stride}");
            }
        }
    }

    #[test]
    fn rows_of_any_length() {
        for len in 0..150 {
            let (x, plus) = (ramp(3 * len + 20), [0.5f32, -1., 2.]);
            let mut to = vec![7f32; 3 * (len + 3)];
            f32::copy_rows(&x, len + 7, &mut to, len + 3, len, 3);
            let mut more = to.clone();
            f32::copy_rows_plus(&x, len + 7, &plus, &mut more, len + 3, len);
            let mut added = to.clone();
            f32::add_to_rows(&plus, &mut added, len + 3, len);
            let mut sums = [1f32; 3];
            f32::add_sums(&to, len + 3, len, &mut sums);
            for (row, (&plus, &sum)) in plus.iter().zip(&sums).enumerate() {
                let mut plain = 1.;
                for i in 0..len + 3 {
                    let (at, inside) = (row * (len + 3) + i, i < len);
                    assert_eq!(to[at], if inside { x[row * (len + 7) + i] } else { 7. });
                    assert_eq!(more[at], if inside { to[at] + plus } else { 7. });
                    assert_eq!(more[at], added[at]);
                    plain += if inside { to[at] } else { 0. };
                }
                assert!((sum - plain).abs() < 1e-4, "{len}");
            }
        }
    }

    #[test]
    fn transposed_and_added() {
        for rows in 0..40 {
            let from = ramp(rows * 5);
            for beta in [0f32, 2.] {
                let mut to = vec![if beta == 0. { f32::NAN } else { 1. }; 5 * rows];
                f32::add_transposed(&from, 5, beta, &mut to, rows);
                for (i, &to) in to.iter().enumerate() {
                    let (column, row) = (i / rows, i % rows);
                    assert_eq!(to, from[row * 5 + column] + beta);
                }
            }
        }
    }
}
