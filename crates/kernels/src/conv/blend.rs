//! Images between their pixels: each row and column of the result is a mixture of two of the image.

use crate::kernels;

/// Two neighbouring positions along an axis, and the share of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct Between {
    /// The first position.
    pub at: usize,
    /// The second one, which may be the same.
    pub next: usize,
    /// From 0 to 1.
    pub share: f64,
}

kernels! {
    /// Blending over planes.
    Blending {
        /// The mixtures of rows and columns of each plane, `[rows, columns]`. `room` has the length of a plane's row.
        fn blend(
            x: &[F], rows: &[Between], columns: &[Between], plane: [usize; 2], room: &mut [F], out: &mut [F],
        );
        /// The derivative of `blend`: each number is added to the four that it was made of.
        fn blend_back(
            grad: &[F], rows: &[Between], columns: &[Between], plane: [usize; 2], room: &mut [F], dx: &mut [F],
        );
    }
}

mod generic {
    use super::Between;
    use num_traits::Float;

    /// The shares of the first and of the second position.
    #[inline(always)]
    fn shares<F: Float>(of: &Between) -> (F, F) {
        let number = |x: f64| F::from(x).unwrap_or_else(F::nan);
        (number(1.0 - of.share), number(of.share))
    }

    #[inline(always)]
    pub fn blend<F: Float>(
        x: &[F],
        rows: &[Between],
        columns: &[Between],
        plane: [usize; 2],
        room: &mut [F],
        out: &mut [F],
    ) {
        let width = plane[1];
        let (room, size) = (&mut room[..width], rows.len() * columns.len());
        for (x, out) in x.chunks_exact(plane[0] * width).zip(out.chunks_exact_mut(size)) {
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns.len())) {
                let (first, second): (F, F) = shares(row);
                let (upper, lower) = (&x[row.at * width..][..width], &x[row.next * width..][..width]);
                for (mixed, (&upper, &lower)) in room.iter_mut().zip(upper.iter().zip(lower)) {
                    *mixed = first * upper + second * lower;
                }
                for (out, column) in out.iter_mut().zip(columns) {
                    let (first, second): (F, F) = shares(column);
                    *out = first * room[column.at] + second * room[column.next];
                }
            }
        }
    }

    #[inline(always)]
    pub fn blend_back<F: Float>(
        grad: &[F],
        rows: &[Between],
        columns: &[Between],
        plane: [usize; 2],
        room: &mut [F],
        dx: &mut [F],
    ) {
        let width = plane[1];
        let (room, size) = (&mut room[..width], rows.len() * columns.len());
        dx.fill(F::zero());
        for (grad, dx) in grad.chunks_exact(size).zip(dx.chunks_exact_mut(plane[0] * width)) {
            for (row, grad) in rows.iter().zip(grad.chunks_exact(columns.len())) {
                room.fill(F::zero());
                for (&grad, column) in grad.iter().zip(columns) {
                    let (first, second): (F, F) = shares(column);
                    room[column.at] = room[column.at] + first * grad;
                    room[column.next] = room[column.next] + second * grad;
                }
                let (first, second): (F, F) = shares(row);
                for (at, share) in [(row.at, first), (row.next, second)] {
                    for (dx, &grad) in dx[at * width..][..width].iter_mut().zip(room.iter()) {
                        *dx = *dx + share * grad;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let halves = [Between { at: 0, next: 1, share: 0.5 }, Between { at: 1, next: 1, share: 0.0 }];
        let (mut room, mut out) = ([0.0; 2], [0.0f64; 8]);
        f64::blend(&[1.0, 3.0, 5.0, 7.0, 0.0, 2.0, 4.0, 8.0], &halves, &halves, [2, 2], &mut room, &mut out);
        assert_eq!(out, [4.0, 5.0, 6.0, 7.0, 3.5, 5.0, 6.0, 8.0]);
        let mut dx = [9.0; 4];
        f64::blend_back(&[4.0, 1.0, 2.0, 3.0], &halves, &halves, [2, 2], &mut room, &mut dx);
        assert_eq!(dx, [1.0, 1.5, 2.0, 5.5]);
    }
}
