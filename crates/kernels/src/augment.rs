//! The loops of image augmentation: shifts, flips, affine maps, erasing, mixing.
//!
//! A channel of an image is `[height, width]` in row-major order. Each output pixel is looked up in the input (a pull,
//! not a push), so the result has no holes. Pixels outside of the image are `fill`:
//!
//! ```text
//! moved     out[y, x] = image[y - dy, x - dx]                       whole pixels: copied
//! warped    out[y, x] = image[m · (y, x, 1)]                        between pixels: from the four around
//! ```
//!
//! Between four pixels the interpolation is bilinear. With `v` and `u` the distances from the upper left one:
//!
//! ```text
//! (1 - v) · ((1 - u) · a + u · b) + v · ((1 - u) · c + u · d)        a b   the pixels around
//!                                                                    c d
//! ```
//!
//! Positions are computed in `f64` for both types, so that both transform an image alike.

use crate::kernels;

/// A move by whole pixels: the image is mirrored first and then shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct Move {
    /// Mirrored upside down, and left to right.
    pub flip: [bool; 2],
    /// The number of rows downwards, and of columns to the right.
    pub shift: [isize; 2],
}

impl Move {
    /// No move: the image is unchanged.
    pub const NONE: Self = Self { flip: [false; 2], shift: [0; 2] };
}

/// Maps a position of the output to one of the image: `y = m[0] · (y, x, 1)`, and `x = m[1] · (y, x, 1)`.
#[doc(hidden)]
pub type Warp = [[f64; 3]; 2];

kernels! {
    /// Kernels for channels of images, `[height, width]`. If `out` and the image have different lengths, the shorter
    /// one counts.
    Images {
        /// Mirrors and shifts by whole pixels.
        fn moved(image: &[F], width: usize, by: Move, fill: F, out: &mut [F]);
        /// Applies an affine map, bilinear between pixels.
        fn warped(image: &[F], width: usize, by: &Warp, fill: F, out: &mut [F]);
        /// Writes `fill` to the rows `from[0]..to[0]` and the columns `from[1]..to[1]`, as far as they exist.
        fn erased(image: &mut [F], width: usize, from: [usize; 2], to: [usize; 2], fill: F);
        /// `a = share · a + (1 - share) · b`.
        fn mixed(a: &mut [F], b: &[F], share: F);
    }
}

mod generic {
    use super::{Move, Warp};
    use num_traits::{AsPrimitive, Float};

    /// Returns the overlap of `0..len` and `0..len` shifted by `shift`: its first position and its end.
    #[inline(always)]
    fn overlap(len: usize, shift: isize) -> (usize, usize) {
        let by = shift.unsigned_abs().min(len);
        if shift < 0 { (0, len - by) } else { (by, len) }
    }

    #[inline(always)]
    pub fn moved<F: Float>(image: &[F], width: usize, by: Move, fill: F, out: &mut [F]) {
        let height = image.len().min(out.len()).checked_div(width).unwrap_or(0);
        out.fill(fill);
        let ((top, bottom), (left, right)) = (overlap(height, by.shift[0]), overlap(width, by.shift[1]));
        if left >= right {
            return;
        }
        for y in top..bottom {
            let row = (y as isize - by.shift[0]) as usize;
            let row = if by.flip[0] { height - 1 - row } else { row };
            let from = &image[row * width..][..width];
            let to = &mut out[y * width..][left..right];
            let first = (left as isize - by.shift[1]) as usize;
            if by.flip[1] {
                let end = width - first;
                for (to, &from) in to.iter_mut().zip(from[..end].iter().rev()) {
                    *to = from;
                }
            } else {
                to.copy_from_slice(&from[first..][..right - left]);
            }
        }
    }

    #[inline(always)]
    pub fn warped<F: Float + 'static>(image: &[F], width: usize, by: &Warp, fill: F, out: &mut [F])
    where
        f64: AsPrimitive<F>,
    {
        if width == 0 {
            return;
        }
        let height = image.len() / width;
        // A position far outside is clamped to just outside, so that it fits an integer.
        let place = |at: f64, end: usize| {
            let at = at.max(-1.0).min(end as f64);
            let low = at.floor();
            (low as isize, (at - low).as_())
        };
        let pixel = |y: isize, x: isize| {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            if inside { image[y as usize * width + x as usize] } else { fill }
        };
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let start = by.map(|m| m[0] * row as f64 + m[2]);
            for (column, out) in out.iter_mut().enumerate() {
                let (y, v) = place(by[0][1] * column as f64 + start[0], height);
                let (x, u) = place(by[1][1] * column as f64 + start[1], width);
                let inside = y >= 0 && x >= 0 && y as usize + 1 < height && x as usize + 1 < width;
                let [a, b, c, d] = if inside {
                    let at = y as usize * width + x as usize;
                    [image[at], image[at + 1], image[at + width], image[at + width + 1]]
                } else {
                    [pixel(y, x), pixel(y, x + 1), pixel(y + 1, x), pixel(y + 1, x + 1)]
                };
                let (v, u): (F, F) = (v, u);
                let (upper, lower) = ((F::one() - u) * a + u * b, (F::one() - u) * c + u * d);
                *out = (F::one() - v) * upper + v * lower;
            }
        }
    }

    #[inline(always)]
    pub fn erased<F: Float>(image: &mut [F], width: usize, from: [usize; 2], to: [usize; 2], fill: F) {
        let (left, right) = (from[1].min(width), to[1].min(width));
        if left >= right || from[0] >= to[0] {
            return;
        }
        for row in image.chunks_exact_mut(width).take(to[0]).skip(from[0]) {
            row[left..right].fill(fill);
        }
    }

    #[inline(always)]
    pub fn mixed<F: Float>(a: &mut [F], b: &[F], share: F) {
        let rest = F::one() - share;
        for (a, &b) in a.iter_mut().zip(b) {
            *a = share * *a + rest * b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[3, 4]`, the numbers 1 to 12.
    fn image() -> Vec<f32> {
        (1..=12).map(|i| i as f32).collect()
    }

    #[test]
    fn an_image_is_mirrored_and_then_shifted() {
        let moved = |flip, shift| {
            let mut out = vec![f32::NAN; 12];
            f32::moved(&image(), 4, Move { flip, shift }, 0.0, &mut out);
            out
        };
        assert_eq!(moved([false; 2], [0, 0]), image());
        assert_eq!(moved([false, true], [0, 0]), [4., 3., 2., 1., 8., 7., 6., 5., 12., 11., 10., 9.]);
        assert_eq!(moved([true, false], [0, 0]), [9., 10., 11., 12., 5., 6., 7., 8., 1., 2., 3., 4.]);
        assert_eq!(moved([false; 2], [1, -1]), [0., 0., 0., 0., 2., 3., 4., 0., 6., 7., 8., 0.]);
        assert_eq!(moved([false, true], [-2, 1]), [0., 12., 11., 10., 0., 0., 0., 0., 0., 0., 0., 0.]);
        for shift in [[3, 0], [-3, 0], [0, 4], [0, -9], [isize::MAX, 0], [0, isize::MIN]] {
            assert_eq!(moved([true; 2], shift), [0.0; 12], "{shift:?}");
        }
    }

    #[test]
    fn whole_pixels_are_the_same_whether_moved_or_warped() {
        for width in 1..9usize {
            for height in 1..6usize {
                let image: Vec<f64> = (0..width * height).map(|i| (i * 7 % 11) as f64 - 5.0).collect();
                for (dy, dx) in [(0, 0), (1, 0), (-1, 2), (2, -3)] {
                    for flip in [[false, false], [false, true], [true, false], [true, true]] {
                        let (mut moved, mut warped) = (vec![7.0; image.len()], vec![8.0; image.len()]);
                        f64::moved(&image, width, Move { flip, shift: [dy, dx] }, 0.5, &mut moved);
                        let row = |flip, shift: isize, last: usize| match flip {
                            false => (1.0, -shift as f64),
                            true => (-1.0, last as f64 + shift as f64),
                        };
                        let (y, x) = (row(flip[0], dy, height - 1), row(flip[1], dx, width - 1));
                        f64::warped(&image, width, &[[y.0, 0.0, y.1], [0.0, x.0, x.1]], 0.5, &mut warped);
                        assert_eq!(moved, warped, "{height} x {width}, {flip:?} by {dy}, {dx}");
                    }
                }
            }
        }
    }

    #[test]
    fn between_pixels_weights_are_bilinear_and_far_outside_is_filled() {
        let mut out = vec![f64::NAN; 4];
        f64::warped(&[1.0, 2.0, 5.0, 8.0], 2, &[[1.0, 0.0, 0.25], [0.0, 1.0, 0.5]], -2.0, &mut out);
        // Upper left: 0.75 · (1 + 2) / 2 + 0.25 · (5 + 8) / 2; the others have `fill` among their four pixels.
        assert_eq!(out, [2.75, 0.75 * 0.0 + 0.25 * 3.0, 0.75 * 6.5 - 0.5, 0.75 * 3.0 - 0.5]);
        for far in [1e300, -1e300] {
            f64::warped(&[1.0; 4], 2, &[[1.0, 0.0, far], [0.0, 1.0, 0.0]], -2.0, &mut out);
            assert_eq!(out, [-2.0; 4]);
        }
        f64::warped(&[], 0, &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], 0.0, &mut []);
    }

    #[test]
    fn erasing_ends_at_the_borders_and_mixing_is_a_weighted_mean() {
        let mut x = image();
        f32::erased(&mut x, 4, [1, 2], [9, 9], 0.0);
        assert_eq!(x, [1., 2., 3., 4., 5., 6., 0., 0., 9., 10., 0., 0.]);
        f32::erased(&mut x, 4, [2, 3], [1, 2], 5.0);
        assert_eq!(x[11], 0.0);
        let mut x = vec![1.0, 2.0];
        f64::mixed(&mut x, &[5.0, 0.0], 0.75);
        assert_eq!(x, [2.0, 1.5]);
    }
}
