//! Images in another size.

use crate::kernels::{Raster, triangle};

/// The rows that are made before their pixels are weighed.
const TOGETHER: usize = 4;

/// Returns an image of 1 or 3 channels in another size: each pixel is a mean of those around its centre, weighted by a
/// triangle that widens as the image becomes smaller, so that fine patterns average to grey.
///
/// ```text
/// between[y, x] = Σ_k weight_y[k] · image[first_y + k, x]           numbers of f32, not rounded
/// out[y, x]     = Σ_k weight_x[k] · between[y, first_x + k]         rounded to nearest, a half up
/// ```
///
/// `Σ` goes from the first pixel to the last. The weights are those of [`triangle`]. The bits are those of
/// `imageops::resize` with `FilterType::Triangle` in the crate `image` 0.25.
pub(super) fn resized(bytes: &[u8], from: [usize; 2], channels: usize, to: [usize; 2]) -> Vec<u8> {
    let (row_taps, row_weights) = triangle(from[0], to[0]);
    let (taps, weights) = triangle(from[1], to[1]);
    let (stride, stride_out) = (from[1] * channels, to[1] * channels);
    let mut out = vec![0; to[0] * stride_out];
    let mut rows = vec![0.0; TOGETHER.min(to[0]) * stride];
    let mut row_weights = &row_weights[..];
    for (some, out) in row_taps.chunks(TOGETHER).zip(out.chunks_mut(TOGETHER * stride_out)) {
        for (tap, row) in some.iter().zip(rows.chunks_exact_mut(stride)) {
            let (these, others) = row_weights.split_at(tap.count);
            f32::weigh_rows(&bytes[tap.first * stride..], stride, these, row);
            row_weights = others;
        }
        f32::weigh_columns(&rows[..some.len() * stride], stride, channels, &taps, &weights, out);
    }
    out
}

#[cfg(all(test, feature = "images"))]
mod tests {
    use super::*;
    use crate::random::Random;
    use image::imageops::{FilterType, resize};
    use image::{GrayImage, RgbImage};

    /// Compares with the crate `image` in each pixel.
    fn compare(from: [usize; 2], to: [usize; 2], mut byte: impl FnMut() -> u8) {
        let bytes: Vec<u8> = (0..from[0] * from[1] * 3).map(|_| byte()).collect();
        let [[height, width], [tall, wide]] = [from, to].map(|size| size.map(|side| side as u32));
        let rgb = RgbImage::from_raw(width, height, bytes.clone()).unwrap();
        let expected = resize(&rgb, wide, tall, FilterType::Triangle).into_raw();
        assert!(resized(&bytes, from, 3, to) == expected, "RGB from {from:?} to {to:?}");
        let grey = bytes[..from[0] * from[1]].to_vec();
        let image = GrayImage::from_raw(width, height, grey.clone()).unwrap();
        let expected = resize(&image, wide, tall, FilterType::Triangle).into_raw();
        assert!(resized(&grey, from, 1, to) == expected, "grey from {from:?} to {to:?}");
    }

    #[test]
    fn the_bits_are_those_of_the_crate_image() {
        let mut draws = Random::seed(4).at(0, 0);
        for most in [6, 40, 150] {
            for _ in 0..150 {
                let mut side = || 1 + draws.below(most);
                let (from, to) = ([side(), side()], [side(), side()]);
                compare(from, to, || draws.below(256) as u8);
                // Black and white alone: many sums lie half-way between two bytes.
                compare(from, to, || 255 * draws.below(2) as u8);
            }
        }
        for (from, to) in [
            ([768, 1024], [64, 64]),
            ([28, 28], [224, 224]),
            ([1, 5000], [1, 7]),
            ([5000, 1], [3, 1]),
            ([1, 1], [90, 70]),
            ([28, 28], [28, 28]),
            ([28, 40], [28, 28]),
        ] {
            compare(from, to, || draws.below(256) as u8);
        }
    }
}
