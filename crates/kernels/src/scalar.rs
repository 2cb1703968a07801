//! The element types, `f32` and `f64`.

use crate::workspace::{Workspace, WorkspaceKey};
use ndarray::NdFloat;
use num_traits::FromPrimitive;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::iter::Sum;

/// A value or list that exists once per element type, such as the list of all layers.
///
/// Generic code gets the one for its own type by [`Scalar::of_each`], and only that one: the linker removes what a
/// program never uses. If the type were checked at run time, each program would contain both.
#[doc(hidden)]
pub trait OfEach {
    /// The type of the value for an element type.
    type Of<F: Scalar>;

    /// Returns the value for `f32`.
    fn single() -> Self::Of<f32>;

    /// Returns the value for `f64`.
    fn double() -> Self::Of<f64>;
}

/// The element type: `f32` or `f64`.
pub trait Scalar:
    sealed::Sealed
    + NdFloat
    + FromPrimitive
    + Sum
    + Default
    + Serialize
    + DeserializeOwned
    + crate::activation::Activations<Self>
    + crate::along::Along<Self>
    + crate::optim::adam::AdamPass<Self>
    + crate::optim::adaptive::Adaptive<Self>
    + crate::norm::channels::Channels<Self>
    + crate::convert::Convert<Self>
    + crate::elementwise::Elementwise<Self>
    + crate::embedding::Gather<Self>
    + crate::augment::Images<Self>
    + crate::losses::Losses<Self>
    + crate::matmul::MatMul
    + crate::conv::blend::Blending<Self>
    + crate::conv::im2col::Patches<Self>
    + crate::norm::rows::RowKernels<Self>
    + crate::activation::softmax::Softmaxes<Self>
    + crate::optim::update::Updates<Self>
    + crate::conv::pooling::Pooling<Self>
    + 'static
{
    /// The name of the type in files and messages: "f32", "f64".
    ///
    /// Files record it, so that a model of one type is not read as the other.
    const NAME: &'static str;

    /// Returns the nearest number of this type: `F::of(0.5)` in code that is generic over the element type.
    ///
    /// In `f32`, a value that is too large becomes infinite.
    fn of(value: f64) -> Self;

    /// Returns the same number, exactly.
    ///
    /// Sums over a batch or an epoch are kept in `f64`.
    fn as_f64(self) -> f64;

    /// Returns the value of `T` for this type.
    #[doc(hidden)]
    fn of_each<T: OfEach>() -> T::Of<Self>;

    /// Appends the bytes of the numbers.
    ///
    /// Little-endian on every machine, so that files can be moved; NaN keeps its bits.
    #[doc(hidden)]
    fn write_bytes(values: &[Self], out: &mut Vec<u8>);

    /// Reads the numbers that [`write_bytes`](Scalar::write_bytes) wrote; an incomplete number at the end is ignored.
    #[doc(hidden)]
    fn read_bytes(bytes: &[u8]) -> Vec<Self> {
        let mut values = Vec::with_capacity(bytes.len() / size_of::<Self>());
        Self::extend(bytes, &mut values);
        values
    }

    /// [`read_bytes`](Scalar::read_bytes), appending to `out`.
    #[doc(hidden)]
    fn extend(bytes: &[u8], out: &mut Vec<Self>);

    /// Returns the thread's spare buffers.
    ///
    /// They are thread-local, so there is no lock. A buffer that is recycled on another thread than it came from stays
    /// on that thread.
    #[doc(hidden)]
    fn workspace() -> &'static WorkspaceKey<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Implements [`Scalar`] for a primitive type. A macro and not a generic function, as `to_le_bytes` and thread-local
/// statics belong to the concrete type.
macro_rules! scalar {
    ($t:ty, $name:literal, $of_each:ident) => {
        impl Scalar for $t {
            const NAME: &'static str = $name;

            fn of(value: f64) -> Self {
                value as $t
            }

            fn as_f64(self) -> f64 {
                f64::from(self)
            }

            fn of_each<T: OfEach>() -> T::Of<Self> {
                T::$of_each()
            }

            fn write_bytes(values: &[Self], out: &mut Vec<u8>) {
                let start = out.len();
                out.resize(start + size_of_val(values), 0);
                let (bytes, _) = out[start..].as_chunks_mut::<{ size_of::<$t>() }>();
                bytes.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
            }

            fn extend(bytes: &[u8], out: &mut Vec<Self>) {
                let (numbers, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
                out.extend(numbers.iter().map(|b| <$t>::from_le_bytes(*b)));
            }

            fn workspace() -> &'static WorkspaceKey<Self> {
                std::thread_local! {
                    static SPARE: RefCell<Workspace<$t>> = const { RefCell::new(Workspace::EMPTY) };
                }
                &SPARE
            }
        }
    };
}
scalar!(f32, "f32", single);
scalar!(f64, "f64", double);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_back() {
        let values = [1.5f32, -0.0, f32::NAN, f32::MIN_POSITIVE];
        let mut bytes = Vec::new();
        f32::write_bytes(&values, &mut bytes);
        assert_eq!(bytes.len(), 16);
        let back = f32::read_bytes(&bytes);
        assert!(values.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
