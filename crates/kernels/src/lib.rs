//! The kernels of [Plywood](https://docs.rs/plywood): loops over slices of `f32` and `f64`, matrix products, and
//! threads.
//!
//! This crate is a part of Plywood that is compiled separately, and not a public interface: use `plywood`.
//! Everything here may change with each version, and each version of Plywood depends on exactly one version of this
//! crate.
//!
//! All code that runs once per element of a batch or a parameter is here, compiled for `f32` and `f64` in this crate.
//! Generic code elsewhere calls these kernels and contains no such loop: it would be compiled in the user's crate,
//! without optimization in a dev build, and take longer than the matrix products.
//!
//! | file | kernels |
//! |---|---|
//! | `scalar.rs` | the trait of the element types `f32` and `f64`, with all kernels as methods |
//! | `gemm/`, `matmul.rs` | matrix products and transposes |
//! | `activation/` | activation functions and their derivatives; branch-free `exp` and `tanh`; softmax, log-softmax, and cross-entropy |
//! | `elementwise/` | functions of one, two and three numbers and their derivatives, for chains of them |
//! | `along.rs` | passes along an axis: extremes, products, sums so far |
//! | `norm/` | sums, scalings and normalization over the rows of a matrix, and over the channels of images |
//! | `conv/` | im2col and col2im; pooling; images in other sizes |
//! | `embedding.rs` | looking up rows of a table by id, and their gradients |
//! | `losses.rs` | elementwise losses and their derivatives |
//! | `optim/` | the optimizers' passes over a parameter: gradient descent and shared code; Adam, software-pipelined; the other rules |
//! | `augment.rs` | image augmentation: shifts, affine maps, erasing, mixing |
//! | `convert.rs` | conversion from stored types to the element type, and random masks |
//! | `raster.rs` | images of bytes: transparency, brightness, other sizes |
//! | `level/` | the level of vector instructions in use |
//! | `dispatch.rs` | the macro that compiles kernels for each level of vector instructions |
//! | `vector.rs` | SIMD vectors for loops that are written with intrinsics |
//! | `workspace.rs` | reusable buffers, a list per thread and type |
//! | `platform.rs` | what the platform offers: a clock, threads, files |
//! | `threads/` | the number of threads, and how work is distributed among them |
//!
//! # The same bits at every level of vector instructions
//!
//! A kernel is compiled three times: for AVX-512, for AVX2 with FMA, and for the baseline of the architecture. Rust
//! neither reorders floating-point operations nor fuses `a · b + c` on its own, so a loop that states its operations
//! has one result, and a wider register only does more of them at a time. A plain sum, however, is a chain: each
//! addition waits for the one before, and no register helps. Hence the sixteen lanes of `norm/rows.rs`.
//!
//! `level/same_bits.rs` compares every kernel of the macro at all levels. Two things are written separately for each
//! level, and have bits that depend on it: products of `f32` matrices, which agree on all levels with fused
//! multiply-add (`gemm/mod.rs`), and Adam's pass in `f32`. The module `level` determines the level in use.
//!
//! In `f32`, `exp` and `tanh` are the crate's own (`activation/exponential.rs`) and the same everywhere; so are `ln`,
//! `exp_m1` and `ln_1p` of the activations and the elementwise functions. Those in `f64`, `sin` and `cos`, and the logarithms
//! of losses and of log-softmax are the standard library's; their results may differ between platforms, but not between runs.

mod activation;
mod along;
mod augment;
mod conv;
mod convert;
mod dispatch;
mod elementwise;
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
mod raster;
mod scalar;
#[cfg(test)]
mod test_random;
#[doc(hidden)]
pub mod threads;
mod vector;
mod workspace;

#[doc(hidden)]
pub use activation::{Activation, Gate};
#[doc(hidden)]
pub use along::Most;
#[doc(hidden)]
pub use augment::{Move, Warp};
#[doc(hidden)]
pub use conv::{BEHIND, Between, PixelRun, Span, Windows};
pub(crate) use dispatch::kernels;
#[doc(hidden)]
pub use elementwise::{Binary, Pair, Side, Unary};
#[doc(hidden)]
pub use embedding::{id_of, ids_of, order_of};
#[doc(hidden)]
pub use optim::{AdaStep, AdamStep, FreeStep, LionStep, MomentStep, RmsStep, SgdStep};
#[doc(hidden)]
pub use raster::{Raster, Taps, triangle};
#[doc(hidden)]
pub use scalar::OfEach;
pub use scalar::Scalar;
#[doc(hidden)]
pub use workspace::Marks;

/// The optimization level that this crate was compiled with, as in `opt-level`.
#[doc(hidden)]
pub const OPT_LEVEL: &str = env!("PLYWOOD_OPT_LEVEL");

/// Frees the spare buffers of this thread and of its worker threads.
#[doc(hidden)]
pub fn release_buffers() {
    threads::fork(threads::threads(), |_| {
        f32::workspace().with(|spare| spare.borrow_mut().clear());
        f64::workspace().with(|spare| spare.borrow_mut().clear());
        Marks::clear_spare();
    });
}
