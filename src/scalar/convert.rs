//! From what data is stored as to what the model computes with.
//!
//! Reading a batch of images is `values · scale + offset` over bytes, which takes eight to sixteen of them at a
//! time. The multiplication and the addition are rounded separately, at every level of instructions.

use super::kernels;

kernels! {
    /// Conversions, `out = value · scale + offset`, and random masks.
    Convert {
        /// From bytes, as images are stored.
        fn from_u8s(values: &[u8], scale: F, offset: F, out: &mut [F]);
        /// From `f32`.
        fn from_f32s(values: &[f32], scale: F, offset: F, out: &mut [F]);
        /// From `f64`.
        ///
        /// To `f32` it rounds to the nearest before scaling.
        fn from_f64s(values: &[f64], scale: F, offset: F, out: &mut [F]);
        /// `scale` where the random bits lie below `threshold` (of 2^32), else 0.
        ///
        /// A threshold of 2^32 keeps all, and needs 33 bits: hence `u64`. Dropout makes its mask so, with `scale =
        /// 1 / (1 - rate)`.
        fn mask(bits: &[u32], threshold: u64, scale: F, out: &mut [F]);
    }
}

mod generic {
    use num_traits::{AsPrimitive, Float};

    /// The one loop behind the three conversions.
    #[inline(always)]
    fn affine<T: Copy + AsPrimitive<F>, F: Float + 'static>(
        values: &[T],
        scale: F,
        offset: F,
        out: &mut [F],
    ) {
        for (out, &v) in out.iter_mut().zip(values) {
            *out = v.as_() * scale + offset;
        }
    }

    #[inline(always)]
    pub fn from_u8s<F: Float + 'static>(values: &[u8], scale: F, offset: F, out: &mut [F])
    where
        u8: AsPrimitive<F>,
    {
        affine(values, scale, offset, out);
    }

    #[inline(always)]
    pub fn from_f32s<F: Float + 'static>(values: &[f32], scale: F, offset: F, out: &mut [F])
    where
        f32: AsPrimitive<F>,
    {
        affine(values, scale, offset, out);
    }

    #[inline(always)]
    pub fn from_f64s<F: Float + 'static>(values: &[f64], scale: F, offset: F, out: &mut [F])
    where
        f64: AsPrimitive<F>,
    {
        affine(values, scale, offset, out);
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
            let mut out = vec![0f64; len];
            f64::from_u8s(&bytes, 0.5, -1., &mut out);
            assert!(out.iter().zip(&bytes).all(|(o, &b)| *o == f64::from(b) * 0.5 - 1.));
        }
    }
}
