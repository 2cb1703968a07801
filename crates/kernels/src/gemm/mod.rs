//! Products of `f32` matrices, with the crate's own kernels.
//!
//! # The contract
//!
//! `k` is split into blocks: as few of at most [`BLOCK`](blocks::BLOCK) as cover it, all of the same length except the
//! last, which may be shorter ([`blocks`]). Within a block, each element of `c` is one chain of multiplications and
//! additions, in ascending `k`, that starts from 0; a -0 at its end becomes +0. The first block's chain is added to
//! `beta · c` (with a `beta` of 0, `c` is not read and the chain is the result), each further one to the result of the
//! blocks before it.
//!
//! No kernel splits `k` in any other way, or keeps several partial sums for one element. Terms that change no sum may
//! be skipped: those with a 0 in `a` and a finite number in `b`. So the bits depend on the row of `a`, the column of
//! `b`, the length of `k` and `beta`, and on nothing else: not on how many rows and columns are computed together, on
//! how they are split or among how many threads, nor on the layout of the matrices in memory. A row alone has the same
//! bits as in any batch.
//!
//! On processors with fused multiply-add (`x86_64` with AVX2 and FMA, or with AVX-512, and `aarch64`), each
//! multiplication and addition is rounded once, so all of these agree to the bit, except for the bits of a NaN.
//! Elsewhere the product is rounded and then the sum, and the last bits differ from theirs.
//!
//! # The structure
//!
//! [`multiply`] chooses the level of vector instructions, once per call and from a cached answer. [`driver`] computes
//! the product block by block, in the tiles and panels of [`plan`], and copies parts of `a` and `b` into a better order
//! if that pays ([`pack`]), into buffers that each thread keeps. If much of `a` is 0, [`sparse_rows`] packs only what a
//! tile needs, and for narrow products with images [`sparse`] and [`sparse_groups`] replace all of that. [`schedule`]
//! distributes the columns of a wide product among several threads. The kernels are implementations of
//! [`TileKernels`](tile_kernels::TileKernels): [`avx512`], [`avx2`] and, on `aarch64`, [`neon`]. [`portable`], for
//! other processors, uses none of this and is safe code.
//!
//! [`transpose`] makes the transposing part of packing available to other modules.
//!
//! Vector instructions and addresses need unsafe code.
#![allow(unsafe_code, reason = "vector instructions and addresses; every block says why it is sound")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod driver;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod hint;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod pack;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod plan;
pub(super) mod portable;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod schedule;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sparse;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sparse_groups;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sparse_rows;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tile;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tile_kernels;

pub(crate) use blocks::blocks;

use crate::level::Level;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Computes `c = a · b + beta · c`; with a `beta` of 0, the old content of `c` is not read.
///
/// # Panics
/// If the shapes do not agree.
pub fn multiply(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: ArrayViewMut2<'_, f32>) {
    match Kernels::in_use() {
        Some(Kernels { product, .. }) => product(a, b, beta, c),
        None => portable::product(a, b, beta, c),
    }
}

/// Computes [`multiply`] on several threads, each of which takes the next panel of columns when it is done with its
/// last one. Returns whether this level has kernels for it; if not, nothing was done. It pays for many columns only, as
/// each thread packs the rows for itself.
///
/// # Panics
/// If the shapes do not agree, `c` is empty, or its columns are not contiguous.
pub fn multiply_by(
    threads: usize,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    c: ArrayViewMut2<'_, f32>,
) -> bool {
    Kernels::in_use().is_some_and(|Kernels { product_by, .. }| {
        product_by(threads, a, b, beta, c);
        true
    })
}

/// Transposes a matrix of `columns` columns: `to[j · rows + i]` is element `j` of row `i`.
///
/// # Panics
/// If `from` is not a whole number of rows, or `to` has another length than `from`.
pub fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    match Kernels::in_use() {
        Some(Kernels { transpose, .. }) => transpose(from, columns, to),
        None => portable::transpose(from, columns, to),
    }
}

/// The functions of the level of vector instructions in use.
struct Kernels {
    product: fn(ArrayView2<'_, f32>, ArrayView2<'_, f32>, f32, ArrayViewMut2<'_, f32>),
    product_by: fn(usize, ArrayView2<'_, f32>, ArrayView2<'_, f32>, f32, ArrayViewMut2<'_, f32>),
    transpose: fn(&[f32], usize, &mut [f32]),
}

impl Kernels {
    /// `None` at the lowest level.
    fn in_use() -> Option<Self> {
        match Level::in_use() {
            Level::Portable => None,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Some(Self::of::<avx2::Avx2>()),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Some(Self::of::<avx512::Avx512>()),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Some(Self::of::<neon::Neon>()),
        }
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn of<L: tile_kernels::TileKernels>() -> Self {
        Self {
            product: driver::product::<L>,
            product_by: driver::product_by::<L>,
            transpose: pack::transpose::<L>,
        }
    }
}
