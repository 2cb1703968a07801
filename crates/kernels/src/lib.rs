//! The kernels of [Plywood](https://docs.rs/plywood): loops over slices of `f32` and `f64`, products of matrices, and
//! threads.
//!
//! This is a part of Plywood that is compiled by itself, and not an interface: use `plywood`. Everything here may change
//! with each version, and each version of Plywood depends on exactly one of this crate.
//!
//! Everything that runs once per number of a batch or a parameter is here, compiled for `f32` and `f64` in this
//! crate. Generic code elsewhere calls these and holds no loop of its own: it would be compiled in the user's
//! crate, without optimization in a dev build, and cost more than the product of matrices beside it.
//!
//! | file | kernels |
//! |---|---|
//! | `scalar.rs` | the trait of `f32` and `f64`, which has all kernels as methods |
//! | `gemm/`, `matmul.rs` | products of matrices, and transposes |
//! | `activation/` | ReLU and the like, and their derivatives; the smooth ones' formulas; `exp` and `tanh` without a branch; softmax, its logarithm, and cross-entropy |
//! | `norm/` | sums, scalings and normalization over the rows of a matrix, and by channels of images |
//! | `conv/` | images to the columns of a matrix and back (im2col); maxima and means under windows |
//! | `embedding.rs` | rows of a table by ids, and their gradients |
//! | `losses.rs` | losses of single numbers, and their derivatives |
//! | `optim/` | an optimizer's pass over a parameter: gradient descent, and what all passes share; Adam's, in a pipeline; the other rules' |
//! | `augment.rs` | images moved, turned, erased and mixed |
//! | `convert.rs` | stored types to the model's, and random masks |
//! | `level/` | which vector instructions are used |
//! | `dispatch.rs` | the macro that compiles kernels for each level of vector instructions |
//! | `vector.rs` | vectors, where a loop's operations are written out |
//! | `workspace.rs` | buffers to be used again, one store for each thread and type |
//! | `platform.rs` | what the platform gives: a clock, threads, files |
//! | `threads/` | how many threads, and how work is dealt out to them |
//!
//! # The same bits at every level of vector instructions
//!
//! A kernel is compiled three times: for AVX-512, for AVX2 with FMA, and for what every machine of the architecture
//! has. Rust does not reorder floating-point operations and does not join `a · b + c` into one operation of its own
//! accord, so a loop that states its operations has one result, and a wider register only does more of them at a
//! time. A plain sum, however, is a chain: each addition waits for the one before, and no register helps. Hence the
//! sixteen lanes of `norm/rows.rs`.
//!
//! `level/same_bits.rs` holds every kernel of the macro against itself at all levels. Two things are written out for a
//! level, and have its bits: products of `f32` matrices, which agree where steps are fused (`gemm/mod.rs`), and
//! Adam's pass in `f32`. `level` says which level is in use.
//!
//! In `f32`, `exp` and `tanh` are the crate's own (`activation/exponential.rs`) and the same everywhere. What `ln` returns, and
//! `exp` and `tanh` of `f64`, is the standard library's affair; it may differ between platforms, but not between runs.

mod activation;
mod augment;
mod conv;
mod convert;
mod dispatch;
mod embedding;
mod gemm;
#[doc(hidden)]
pub mod level;
mod losses;
mod matmul;
mod norm;
mod optim;
#[doc(hidden)]
pub mod platform;
mod scalar;
#[cfg(test)]
mod test_random;
#[doc(hidden)]
pub mod threads;
mod vector;
mod workspace;

#[doc(hidden)]
pub use activation::Activation;
#[doc(hidden)]
pub use augment::{Move, Warp};
#[doc(hidden)]
pub use conv::{BEHIND, PixelRun, Span, Windows};
pub(crate) use dispatch::kernels;
#[doc(hidden)]
pub use embedding::{id_of, ids_of, order_of};
#[doc(hidden)]
pub use optim::{AdaStep, AdamStep, FreeStep, LionStep, MomentStep, RmsStep, SgdStep};
#[doc(hidden)]
pub use scalar::OfEach;
pub use scalar::Scalar;
#[doc(hidden)]
pub use workspace::Marks;

/// The optimization that this crate was compiled with, as in `opt-level`.
#[doc(hidden)]
pub const OPT_LEVEL: &str = env!("PLYWOOD_OPT_LEVEL");

/// Frees the spare buffers of this thread and of the threads that work for it.
#[doc(hidden)]
pub fn release_buffers() {
    threads::fork(threads::threads(), |_| {
        f32::workspace().with(|spare| spare.borrow_mut().clear());
        f64::workspace().with(|spare| spare.borrow_mut().clear());
        Marks::clear_spare();
    });
}
