//! The types that inputs are stored as.

use crate::kernels::Scalar;

/// A type that inputs may be stored as: `u8`, `f32`, `f64`. Conversion happens batch by batch, so 60,000 images
/// of 28 x 28 bytes take 47 MB in memory.
///
/// The trait is sealed: convert arrays of other types first.
pub trait Element: Copy + std::fmt::Debug + Send + Sync + 'static + sealed::Sealed {
    /// The largest magnitude of a value, for types without NaN and infinity.
    #[doc(hidden)]
    const LARGEST: Option<f64>;

    /// Writes the rows that begin at these offsets, as `value · scale + offset`.
    ///
    /// It calls a kernel in `kernels/convert.rs`.
    #[doc(hidden)]
    fn rows<F: Scalar>(values: &[Self], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]);

    /// Converts the number to `f64`, for error messages.
    #[doc(hidden)]
    fn exact(self) -> f64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Element for u8 {
    const LARGEST: Option<f64> = Some(255.0);

    fn rows<F: Scalar>(values: &[u8], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]) {
        F::rows_of_u8s(values, rows, columns, scale, offset, out);
    }

    fn exact(self) -> f64 {
        self.into()
    }
}
impl Element for f32 {
    const LARGEST: Option<f64> = None;

    fn rows<F: Scalar>(values: &[f32], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]) {
        F::rows_of_f32s(values, rows, columns, scale, offset, out);
    }

    fn exact(self) -> f64 {
        self.into()
    }
}
impl Element for f64 {
    const LARGEST: Option<f64> = None;

    fn rows<F: Scalar>(values: &[f64], rows: &[usize], columns: usize, scale: F, offset: F, out: &mut [F]) {
        F::rows_of_f64s(values, rows, columns, scale, offset, out);
    }

    fn exact(self) -> f64 {
        self
    }
}
