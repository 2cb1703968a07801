//! The loops that bring images, bytes with the channels of a pixel side by side, into the form of a model's input.
//!
//! ```text
//! lay_over      (a · value + (255 - a) · background + 127) / 255      a: opacity; rounded to nearest
//! brightness    (2126 · red + 7152 · green + 722 · blue) / 10000      rounded down
//! weigh_rows    Σ weight[k] · row[k], of rows of bytes                 ┐ an image in another size: first a row of it
//! weigh_columns Σ weight[k] · pixel[k], rounded to bytes               ┘ from rows, then its pixels from that row
//! to_planes     channels behind each other
//! ```
//!
//! Sums go from left to right and from top to bottom. The bits of results are part of what Plywood promises.

use crate::kernels;

/// The pixels that a pixel in another size is a weighted mean of: `count` from `first` on, along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Taps {
    /// The first pixel.
    pub first: usize,
    /// The number of pixels, which is that of weights, too.
    pub count: usize,
}

/// Returns for each of `to` pixels along an axis the pixels of `from` that it is a mean of, and all their weights,
/// one list after the other: a triangle around the pixel's centre, which widens as an image becomes smaller.
///
/// ```text
/// ratio  = from / to          centre = (place + 0.5) · ratio          reach = max(ratio, 1)
/// weight = max(1 - |pixel + 0.5 - centre| / reach, 0), divided by the sum of them
/// ```
///
/// Each operation is one of `f32`, in the order of the crate `image` 0.25, whose results have the same bits.
#[doc(hidden)]
pub fn triangle(from: usize, to: usize) -> (Vec<Taps>, Vec<f32>) {
    let ratio = from as f32 / to as f32;
    let reach = if ratio < 1.0 { 1.0 } else { ratio };
    let (mut taps, mut weights) = (Vec::with_capacity(to), Vec::new());
    for place in 0..to {
        let centre = (place as f32 + 0.5) * ratio;
        // Conversion to integers cuts off at 0.
        let first = ((centre - reach).floor() as usize).min(from.saturating_sub(1));
        let end = ((centre + reach).ceil() as usize).max(first + 1).min(from.max(1));
        let (centre, start, mut sum) = (centre - 0.5, weights.len(), 0.0);
        for pixel in first..end {
            let distance = ((pixel as f32 - centre) / reach).abs();
            let weight = if distance < 1.0 { 1.0 - distance } else { 0.0 };
            weights.push(weight);
            sum += weight;
        }
        weights[start..].iter_mut().for_each(|weight| *weight /= sum);
        taps.push(Taps { first, count: end - first });
    }
    (taps, weights)
}

kernels! {
    /// Conversions of images of bytes. If slices have different lengths, the shorter one counts.
    Raster {
        /// Lays pixels of `from` channels, the last of which is the opacity, over a background, and writes the `to`
        /// channels: from 2 (grey) to 1 or 3, or from 4 to 3. Returns whether a pixel is not opaque.
        fn lay_over(pixels: &[u8], channels: [usize; 2], background: [u8; 3], out: &mut [u8]) -> bool;
        /// Writes the brightness of pixels of red, green and blue.
        fn brightness(pixels: &[u8], out: &mut [u8]);
        /// `out[i] = Σ weights[k] · bytes[k · stride + i]`, in the order of `k`.
        fn weigh_rows(bytes: &[u8], stride: usize, weights: &[F], out: &mut [F]);
        /// Writes rows of pixels of 1 or 3 channels, each the mean of the pixels `taps` of a row of `len` numbers,
        /// rounded to nearest (a half away from 0) and cut to 0..=255. `weights` has the weights of all taps.
        fn weigh_columns(rows: &[F], len: usize, channels: usize, taps: &[Taps], weights: &[F], out: &mut [u8]);
        /// Writes all values of a channel, then of the next. Pixels of one channel are written as often as `out` has
        /// room. `flip` is 0, or 255 for `255 - value`.
        fn to_planes(pixels: &[u8], channels: usize, flip: u8, out: &mut [u8]);
    }
}

mod generic {
    use super::Taps;
    use num_traits::{AsPrimitive, Float};
    use std::array::from_fn;

    /// The numbers whose sums are computed at a time: few enough for registers.
    const BLOCK: usize = 64;

    #[inline(always)]
    fn over<const FROM: usize, const TO: usize>(pixels: &[u8], background: [u8; 3], out: &mut [u8]) -> bool {
        let mut all = 255;
        for (pixel, out) in pixels.chunks_exact(FROM).zip(out.chunks_exact_mut(TO)) {
            let opacity = pixel[FROM - 1];
            all &= opacity;
            let a = u16::from(opacity);
            for c in 0..TO {
                let (value, behind) = (u16::from(pixel[c.min(FROM - 2)]), u16::from(background[c]));
                // At most 255² + 127, which fits.
                out[c] = ((a * value + (255 - a) * behind + 127) / 255) as u8;
            }
        }
        all < 255
    }

    #[inline(always)]
    pub fn lay_over(pixels: &[u8], channels: [usize; 2], background: [u8; 3], out: &mut [u8]) -> bool {
        match channels {
            [2, 1] => over::<2, 1>(pixels, background, out),
            [2, _] => over::<2, 3>(pixels, background, out),
            _ => over::<4, 3>(pixels, background, out),
        }
    }

    #[inline(always)]
    pub fn brightness(pixels: &[u8], out: &mut [u8]) {
        for (pixel, out) in pixels.chunks_exact(3).zip(out) {
            let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
            *out = ((2126 * red + 7152 * green + 722 * blue) / 10_000) as u8;
        }
    }

    /// The sums of a block, or of the rest of a row.
    #[inline(always)]
    fn weigh_block<F: Float + 'static>(bytes: &[u8], stride: usize, weights: &[F], at: usize, sums: &mut [F])
    where
        u8: AsPrimitive<F>,
    {
        for (k, &weight) in weights.iter().enumerate() {
            for (sum, &byte) in sums.iter_mut().zip(&bytes[k * stride + at..]) {
                *sum = *sum + byte.as_() * weight;
            }
        }
    }

    #[inline(always)]
    pub fn weigh_rows<F: Float + 'static>(bytes: &[u8], stride: usize, weights: &[F], out: &mut [F])
    where
        u8: AsPrimitive<F>,
    {
        let (mut at, mut blocks) = (0, out.chunks_exact_mut(BLOCK));
        for block in blocks.by_ref() {
            let mut sums = [F::zero(); BLOCK];
            for (k, &weight) in weights.iter().enumerate() {
                let row = &bytes[k * stride + at..][..BLOCK];
                for i in 0..BLOCK {
                    sums[i] = sums[i] + row[i].as_() * weight;
                }
            }
            block.copy_from_slice(&sums);
            at += BLOCK;
        }
        let rest = blocks.into_remainder();
        rest.fill(F::zero());
        weigh_block(bytes, stride, weights, at, rest);
    }

    /// Rounds a half away from 0, as `round` does, which is a call of the C library without SSE4.1.
    #[inline(always)]
    fn rounded<F: Float + AsPrimitive<i32>>(x: F) -> u8
    where
        i32: AsPrimitive<F>,
        f64: AsPrimitive<F>,
    {
        let x = x.max(F::zero()).min(255.0.as_());
        let whole: i32 = x.as_();
        // The difference is exact.
        let up = x - whole.as_() >= 0.5.as_();
        (whole + i32::from(up)) as u8
    }

    /// `ROWS` rows at a time: a sum is a chain of additions, and several chains overlap.
    #[inline(always)]
    fn weigh_some<F, const ROWS: usize, const CHANNELS: usize>(
        rows: [&[F]; ROWS],
        taps: &[Taps],
        weights: &[F],
        out: &mut [u8],
    ) where
        F: Float + AsPrimitive<i32>,
        i32: AsPrimitive<F>,
        f64: AsPrimitive<F>,
    {
        let mut weights = weights;
        for (x, tap) in taps.iter().enumerate() {
            let (these, others) = weights.split_at(tap.count);
            weights = others;
            let from = rows.map(|row| &row[tap.first * CHANNELS..][..tap.count * CHANNELS]);
            let mut sums = [[F::zero(); CHANNELS]; ROWS];
            for (k, &weight) in these.iter().enumerate() {
                for r in 0..ROWS {
                    for c in 0..CHANNELS {
                        sums[r][c] = sums[r][c] + from[r][k * CHANNELS + c] * weight;
                    }
                }
            }
            for r in 0..ROWS {
                for c in 0..CHANNELS {
                    out[(r * taps.len() + x) * CHANNELS + c] = rounded(sums[r][c]);
                }
            }
        }
    }

    #[inline(always)]
    fn weigh_pixels<F, const CHANNELS: usize>(
        rows: &[F],
        len: usize,
        taps: &[Taps],
        weights: &[F],
        out: &mut [u8],
    ) where
        F: Float + AsPrimitive<i32>,
        i32: AsPrimitive<F>,
        f64: AsPrimitive<F>,
    {
        const TOGETHER: usize = 4;
        let (len, len_out) = (len.max(1), (taps.len() * CHANNELS).max(1));
        let parts = rows.chunks(TOGETHER * len).zip(out.chunks_mut(TOGETHER * len_out));
        for (rows, out) in parts {
            if rows.len() == TOGETHER * len && out.len() == TOGETHER * len_out {
                let rows: [&[F]; TOGETHER] = from_fn(|r| &rows[r * len..][..len]);
                weigh_some::<F, TOGETHER, CHANNELS>(rows, taps, weights, out);
            } else {
                for (row, out) in rows.chunks_exact(len).zip(out.chunks_exact_mut(len_out)) {
                    weigh_some::<F, 1, CHANNELS>([row], taps, weights, out);
                }
            }
        }
    }

    #[inline(always)]
    pub fn weigh_columns<F>(
        rows: &[F],
        len: usize,
        channels: usize,
        taps: &[Taps],
        weights: &[F],
        out: &mut [u8],
    ) where
        F: Float + AsPrimitive<i32>,
        i32: AsPrimitive<F>,
        f64: AsPrimitive<F>,
    {
        match channels {
            1 => weigh_pixels::<F, 1>(rows, len, taps, weights, out),
            _ => weigh_pixels::<F, 3>(rows, len, taps, weights, out),
        }
    }

    #[inline(always)]
    pub fn to_planes(pixels: &[u8], channels: usize, flip: u8, out: &mut [u8]) {
        let channels = channels.max(1);
        let area = (pixels.len() / channels).max(1);
        for (c, plane) in out.chunks_exact_mut(area).enumerate() {
            if channels == 1 {
                plane.iter_mut().zip(pixels).for_each(|(out, &value)| *out = value ^ flip);
            } else {
                for (out, pixel) in plane.iter_mut().zip(pixels.chunks_exact(channels)) {
                    *out = pixel[c.min(channels - 1)] ^ flip;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::draws_of;

    fn bytes(len: usize, seed: u64) -> Vec<u8> {
        let mut draws = draws_of(seed, len);
        (0..len).map(|_| draws.below(256) as u8).collect()
    }

    #[test]
    fn opacity_and_brightness_are_rounded_as_stated_for_all_values() {
        for a in 0..=255u8 {
            let pixels: Vec<u8> = (0..=255).flat_map(|value| [value, a]).collect();
            for behind in [0, 77, 255] {
                let mut out = [0; 256];
                assert_eq!(f32::lay_over(&pixels, [2, 1], [behind; 3], &mut out), a < 255);
                for (value, &out) in out.iter().enumerate() {
                    let exact = f64::from(a) * value as f64 + f64::from(255 - a) * f64::from(behind);
                    assert_eq!(out, (exact / 255.0).round() as u8, "{value} {a} {behind}");
                }
            }
        }
        for len in 0..70 {
            let (pixels, mut out) = (bytes(3 * len, 3), vec![0; len]);
            f32::brightness(&pixels, &mut out);
            for (p, &out) in pixels.chunks(3).zip(&out) {
                let exact = 2126 * u64::from(p[0]) + 7152 * u64::from(p[1]) + 722 * u64::from(p[2]);
                assert_eq!(u64::from(out), exact / 10_000);
            }
            let (pixels, mut out) = (bytes(4 * len, 4), vec![0; 3 * len]);
            f32::lay_over(&pixels, [4, 3], [10, 20, 30], &mut out);
            for (p, out) in pixels.chunks(4).zip(out.chunks(3)) {
                let a = u32::from(p[3]);
                let of = |c: usize, b: u32| ((a * u32::from(p[c]) + (255 - a) * b + 127) / 255) as u8;
                assert_eq!(out, [of(0, 10), of(1, 20), of(2, 30)]);
            }
        }
    }

    #[test]
    fn means_of_rows_and_columns_are_plain_sums_for_all_lengths() {
        for len in 1..150 {
            let (image, weights) = (bytes(3 * len, 5), [0.25, 0.5, 0.125]);
            let mut out = vec![9.0; len];
            f32::weigh_rows(&image, len, &weights, &mut out);
            for (i, &out) in out.iter().enumerate() {
                let sum = (0..3).fold(0.0, |sum, k| sum + f32::from(image[k * len + i]) * weights[k]);
                assert_eq!(out, sum);
            }
        }
        for (rows, channels) in (1..10).flat_map(|rows| [(rows, 1), (rows, 3)]) {
            let (taps, weights) = triangle(7, 5);
            let len = 7 * channels;
            let numbers: Vec<f32> = bytes(rows * len, 6).into_iter().map(f32::from).collect();
            let mut out = vec![0; rows * 5 * channels];
            f32::weigh_columns(&numbers, len, channels, &taps, &weights, &mut out);
            for (at, &out) in out.iter().enumerate() {
                let (row, x, c) = (at / (5 * channels), at / channels % 5, at % channels);
                let before: usize = taps[..x].iter().map(|tap| tap.count).sum();
                let of = |k| numbers[row * len + (taps[x].first + k) * channels + c] * weights[before + k];
                let sum = (0..taps[x].count).fold(0.0, |sum, k| sum + of(k));
                assert_eq!(out, sum.round() as u8, "{rows} {channels} {at}");
            }
        }
    }

    #[test]
    fn sums_are_rounded_as_round_does_and_cut() {
        let below = 0.5f32.next_down();
        let numbers = [below, 0.5, 1.5, 254.5, 254.5f32.next_down(), 256.0, -0.5, -7.0];
        let mut out = [0; 8];
        let each: Vec<Taps> = (0..8).map(|first| Taps { first, count: 1 }).collect();
        f32::weigh_columns(&numbers, 8, 1, &each, &[1.0; 8], &mut out);
        assert_eq!(out, [0, 1, 2, 255, 254, 255, 0, 0]);
    }

    #[test]
    fn weights_of_an_axis_are_a_triangle() {
        let (taps, weights) = triangle(4, 2);
        assert_eq!(taps, [Taps { first: 0, count: 3 }, Taps { first: 1, count: 3 }]);
        assert_eq!(weights[..3], [0.75 / 1.75, 0.75 / 1.75, 0.25 / 1.75]);
        let (taps, weights) = triangle(1, 3);
        assert!(taps.iter().all(|tap| *tap == Taps { first: 0, count: 1 }) && weights == [1.0; 3]);
    }

    #[test]
    fn planes_follow_each_other() {
        let mut out = [0; 6];
        f32::to_planes(&[1, 2, 3, 4, 5, 6], 3, 0, &mut out);
        assert_eq!(out, [1, 4, 2, 5, 3, 6]);
        f32::to_planes(&[1, 255], 1, 255, &mut out);
        assert_eq!(out, [254, 0, 254, 0, 254, 0]);
    }
}
