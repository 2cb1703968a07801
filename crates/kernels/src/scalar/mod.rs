//! The element types, and the hot loops over slices of them.
//!
//! Everything that runs once per number of a batch or a parameter is here, compiled for `f32` and `f64` in this
//! crate. Generic code elsewhere calls these and holds no loop of its own: it would be compiled in the user's
//! crate, without optimisation in a dev build, and cost more than the product of matrices beside it.
//!
//! | file | kernels |
//! |---|---|
//! | `rows.rs` | sums, scalings and normalisation over the rows of a matrix |
//! | `softmax.rs` | softmax, its logarithm, and cross-entropy |
//! | `channels.rs` | the same by channels of images; normalisation of rows |
//! | `activation.rs` | ReLU and the like, and their derivatives; the smooth ones' formulas in `curves.rs`, `erf.rs` |
//! | `exponential.rs` | `exp` and `tanh` without a branch, for the others |
//! | `images.rs` | images moved, turned, erased and mixed, for augmentation |
//! | `gather.rs` | rows of a table by ids, and their gradients |
//! | `losses.rs` | losses of single numbers, and their derivatives |
//! | `update.rs` | an optimiser's pass over a parameter: gradient descent, and what all passes share |
//! | `adam.rs` | Adam's pass, in a pipeline |
//! | `adaptive.rs` | the other rules' passes |
//! | `convert.rs` | stored types to the model's, and random masks |
//! | `patches.rs` | images to the columns of a matrix and back, for convolutions |
//! | `windows.rs` | maxima and means under windows, for pooling |
//! | `matmul` | products of matrices, and transposes |
//! | `kernels.rs` | the macro that compiles kernels for each level of vector instructions |
//! | `vector.rs` | vectors, where a loop's operations are written out |
//! | `spare.rs` | buffers to be used again, one store for each thread and type |
//!
//! # The same bits at every level of vector instructions
//!
//! A kernel is compiled three times: for AVX-512, for AVX2 with FMA, and for what every machine of the architecture
//! has. Rust does not reorder floating-point operations and does not join `a · b + c` into one operation of its own
//! accord, so a loop that states its operations has one result, and a wider register only does more of them at a
//! time. A plain sum, however, is a chain: each addition waits for the one before, and no register helps. Hence the
//! sixteen lanes of `rows.rs`.
//!
//! `levels.rs` holds every kernel of the macro against itself at all levels. Two things are written out for a
//! level, and have its bits: products of `f32` matrices, which agree where steps are fused (`gemm/mod.rs`), and
//! Adam's pass in `f32`. `crate::level` says which level is in use.
//!
//! In `f32`, `exp` and `tanh` are the crate's own (`exponential.rs`) and the same everywhere. What `ln` returns, and
//! `exp` and `tanh` of `f64`, is the standard library's affair; it may differ between platforms, but not between runs.

mod activation;
mod adam;
mod adaptive;
mod channels;
mod convert;
mod curves;
mod erf;
mod exponential;
mod gather;
mod gemm;
mod images;
mod kernels;
#[cfg(test)]
mod levels;
mod losses;
mod matmul;
mod patches;
mod rows;
mod softmax;
mod spare;
mod update;
mod vector;
mod windows;

pub use activation::Activation;
pub use adam::AdamStep;
pub use adaptive::{AdaStep, FreeStep, LionStep, MomentStep, RmsStep};
pub use gather::{id_of, ids_of, order_of};
pub use images::{Move, Warp};
pub(crate) use kernels::kernels;
pub use patches::BEHIND;
pub use patches::Run;
pub use spare::Marks;
pub use update::SgdStep;
pub use windows::{Span, Windows};

use ndarray::NdFloat;
use num_traits::FromPrimitive;
use serde::{Serialize, de::DeserializeOwned};
use spare::{Spare, SpareKey};
use std::cell::RefCell;
use std::iter::Sum;

/// The element type: `f32` and `f64`.
pub trait Scalar:
    sealed::Sealed
    + NdFloat
    + FromPrimitive
    + Sum
    + Default
    + Serialize
    + DeserializeOwned
    + activation::Activations<Self>
    + adam::AdamPass<Self>
    + adaptive::Adaptive<Self>
    + channels::Channels<Self>
    + convert::Convert<Self>
    + gather::Gather<Self>
    + images::Images<Self>
    + losses::Losses<Self>
    + matmul::MatMul
    + patches::Patches<Self>
    + rows::Rows<Self>
    + softmax::Softmaxes<Self>
    + update::Updates<Self>
    + windows::Pooling<Self>
    + 'static
{
    /// The type's name in files and messages: "f32", "f64".
    ///
    /// Files record it, so that a model of one type is not read as another.
    const NAME: &'static str;

    /// The nearest number of this type: `F::of(0.5)` in code that is generic over the element type.
    ///
    /// Rounded to the nearest; in `f32`, what is too large becomes infinite.
    fn of(value: f64) -> Self;

    /// The same number, exactly.
    ///
    /// Sums over a batch or an epoch are kept in it.
    fn as_f64(self) -> f64;

    /// Appends the numbers' bytes, lowest first.
    ///
    /// Little-endian on every machine, so that files can be moved; NaN keeps its bits.
    #[doc(hidden)]
    fn write_bytes(values: &[Self], out: &mut Vec<u8>);

    /// The numbers of bytes that [`write_bytes`](Scalar::write_bytes) made; what is left over at the end is ignored.
    #[doc(hidden)]
    fn read_bytes(bytes: &[u8]) -> Vec<Self> {
        let mut values = Vec::with_capacity(bytes.len() / size_of::<Self>());
        Self::extend(bytes, &mut values);
        values
    }

    /// [`read_bytes`](Scalar::read_bytes) behind what is there.
    #[doc(hidden)]
    fn extend(bytes: &[u8], out: &mut Vec<Self>);

    /// The thread's spare buffers.
    ///
    /// Thread-local, so there is no lock. A buffer that is recycled on another thread than it came from stays
    /// there.
    #[doc(hidden)]
    fn spare() -> &'static SpareKey<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Implements [`Scalar`] for a primitive type. A macro and not a generic function, as `to_le_bytes` and
/// thread-local statics belong to the concrete type.
macro_rules! scalar {
    ($t:ty, $name:literal) => {
        impl Scalar for $t {
            const NAME: &'static str = $name;

            fn of(value: f64) -> Self {
                value as $t
            }

            fn as_f64(self) -> f64 {
                f64::from(self)
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

            fn spare() -> &'static SpareKey<Self> {
                std::thread_local! {
                    static SPARE: RefCell<Spare<$t>> = const { RefCell::new(Spare::EMPTY) };
                }
                &SPARE
            }
        }
    };
}
scalar!(f32, "f32");
scalar!(f64, "f64");

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
