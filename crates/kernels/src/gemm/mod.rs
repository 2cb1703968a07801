//! The product of `f32` matrices, in kernels of the crate's own.
//!
//! # The contract
//!
//! `k` is cut into blocks: as few of at most [`BLOCK`](blocks::BLOCK) as cover it, all of one length but the last,
//! which may be shorter ([`blocks`]). Within a block, each number of `c` has one chain of multiplications and
//! additions, in ascending `k`, that starts from 0; a -0 at its end is made +0. The first block's chain is added to
//! `beta · c` (with a `beta` of 0, `c` is not read and the chain is the result), each further one to what the blocks
//! before it made.
//!
//! No kernel cuts `k` in any other way, or keeps several sums for one number. Terms that change no sum may be left out:
//! those with a 0 of `a` beside a finite number of `b`. So the bits depend on the row of `a`, the column of `b`, the
//! length of `k` and `beta`, and on nothing else: not on how many rows and columns are computed together, where they
//! are cut or by how many threads, nor on how the matrices lie in memory. A row alone has the bits it has in any batch.
//!
//! Each multiplication and addition is rounded once, as a fused step, where the processor has such steps
//! (`x86_64` with AVX2 and FMA, or with AVX-512, `aarch64`), so all of those agree on the bits, but for those of a NaN.
//! Elsewhere the product is rounded and then the sum, and the bits differ from those in the last places.
//!
//! # The structure
//!
//! [`multiply`] picks the level of vector instructions, once for each call and from a cached answer. [`driver`] goes
//! through the product block by block, as [`plan`] has it in tiles and panels, and copies parts of `a` and `b` into a
//! better order where that pays ([`pack`]), into buffers that each thread keeps. Where much of `a` is 0,
//! [`sparse_rows`] packs only what a tile needs, and for narrow products of pictures [`sparse`] and [`sparse_groups`]
//! take the place of all that. The columns of a wide product are dealt to several threads by [`schedule`]. A
//! [`TileKernels`](tile_kernels::TileKernels) has the kernels: [`avx512`], [`avx2`] and, on `aarch64`, [`neon`]. [`portable`], for other
//! processors, has no use for any of this and is in safe code.
//!
//! [`transpose`] is what packing has of its own accord, for others.
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

/// `c = a · b + beta · c`; with a `beta` of 0, what `c` held is not read.
///
/// # Panics
/// When the shapes do not agree.
pub fn multiply(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: ArrayViewMut2<'_, f32>) {
    match Kernels::in_use() {
        Some(Kernels { product, .. }) => product(a, b, beta, c),
        None => portable::product(a, b, beta, c),
    }
}

/// [`multiply`] by several threads, which take the columns panel by panel as each is done with its last; whether there
/// are kernels that can, else nothing was done. It pays for many columns only, as each thread packs the rows for
/// itself.
///
/// # Panics
/// When the shapes do not agree, `c` is empty, or its columns are no neighbours.
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

/// The transpose of a matrix with so many columns: `to[j · rows + i]` is number `j` of row `i`.
///
/// # Panics
/// When `from` has no whole rows, or `to` is not as long.
pub fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    match Kernels::in_use() {
        Some(Kernels { transpose, .. }) => transpose(from, columns, to),
        None => portable::transpose(from, columns, to),
    }
}

/// What is done by the level of vector instructions in use.
struct Kernels {
    product: fn(ArrayView2<'_, f32>, ArrayView2<'_, f32>, f32, ArrayViewMut2<'_, f32>),
    product_by: fn(usize, ArrayView2<'_, f32>, ArrayView2<'_, f32>, f32, ArrayViewMut2<'_, f32>),
    transpose: fn(&[f32], usize, &mut [f32]),
}

impl Kernels {
    /// None at the lowest level.
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
