//! The product in plain, safe code that the compiler vectorizes.
//!
//! It keeps the contract. If the target has fused multiply-add, it uses that and has the bits of the kernels.

use super::blocks::{blocks, check};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::cell::Cell;

/// True if the target has fused multiply-add; without it, `mul_add` would call a slow function.
pub(super) const FUSED: bool = cfg!(target_feature = "fma");

/// The rows of a tile.
const ROWS: usize = 4;

/// The columns of a tile: as many as there are registers for their sums.
const COLUMNS: usize = 8;

/// The most rows of `a` that are packed at once.
const ROWS_AT_ONCE: usize = 256;

thread_local! {
    /// The thread's buffers for packed rows and columns.
    static SPARE: Cell<(Vec<f32>, Vec<f32>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

/// Computes the product; see [`multiply`](super::multiply).
pub(super) fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: ArrayViewMut2<'_, f32>) {
    product_with::<FUSED>(a, b, beta, c);
}

/// Transposes a matrix; see [`transpose`](super::transpose).
pub fn transpose<F: Copy>(from: &[F], columns: usize, to: &mut [F]) {
    let rows = from.len() / columns.max(1);
    assert!(rows * columns == from.len() && to.len() == from.len(), "no transpose of a matrix");
    for (i, row) in from.chunks_exact(columns.max(1)).enumerate() {
        for (j, &number) in row.iter().enumerate() {
            to[j * rows + i] = number;
        }
    }
}

/// Computes the product with or without fused multiply-add.
pub(super) fn product_with<const FUSED: bool>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    c: ArrayViewMut2<'_, f32>,
) {
    check(&a, &b, &c);
    match b.to_slice() {
        Some(b) if a.nrows() == 1 && c.ncols() > 0 => one_row::<FUSED>(a, b, beta, c),
        _ if a.nrows() == 1 => in_tiles::<1, FUSED>(a, b, beta, c),
        _ => in_tiles::<ROWS, FUSED>(a, b, beta, c),
    }
}

/// Computes one row, with `b` in standard layout: reads `b` once, in memory order.
fn one_row<const FUSED: bool>(a: ArrayView2<'_, f32>, b: &[f32], beta: f32, mut c: ArrayViewMut2<'_, f32>) {
    let n = c.ncols();
    let (mut sums, other) = SPARE.try_with(Cell::take).unwrap_or_default();
    for (p, k) in blocks(a.ncols()) {
        let beta = if p == 0 { beta } else { 1. };
        sums.clear();
        sums.resize(n, 0.);
        for (&a, b) in a.slice(s![0, p..p + k]).iter().zip(b[p * n..].chunks_exact(n)) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum = step::<FUSED>(a, b, *sum);
            }
        }
        for (c, &sum) in c.iter_mut().zip(&sums) {
            *c = merge::<FUSED>(beta, *c, sum);
        }
    }
    // A thread that is ending has no next product.
    let _ = SPARE.try_with(|spare| spare.set((sums, other)));
}

/// Adds a block's sum, with -0 made +0, to `beta · c`; with a `beta` of 0, `c` is not used.
#[inline(always)]
fn merge<const FUSED: bool>(beta: f32, c: f32, sum: f32) -> f32 {
    let sum = sum + 0.;
    if beta == 0. { sum } else { step::<FUSED>(beta, c, sum) }
}

/// `sum + a · b`, rounded once or twice.
#[inline(always)]
fn step<const FUSED: bool>(a: f32, b: f32, sum: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { a * b + sum }
}

/// Computes the product in tiles of `R` rows.
fn in_tiles<const R: usize, const FUSED: bool>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    let (m, n) = c.dim();
    let (mut packed_a, mut packed_b) = SPARE.try_with(Cell::take).unwrap_or_default();
    for (p, k) in blocks(a.ncols()) {
        let beta = if p == 0 { beta } else { 1. };
        for top in (0..m).step_by(ROWS_AT_ONCE) {
            let bottom = (top + ROWS_AT_ONCE).min(m);
            packed_a.resize(ROWS_AT_ONCE.div_ceil(R) * R * k, 0.);
            for i in (top..bottom).step_by(R) {
                let rows = a.slice(s![i..(i + R).min(bottom), p..p + k]);
                pack::<R>(rows.reversed_axes(), &mut packed_a[(i - top) * k..][..R * k]);
            }
            for j in (0..n).step_by(COLUMNS) {
                let end = (j + COLUMNS).min(n);
                packed_b.resize(COLUMNS * k, 0.);
                pack::<COLUMNS>(b.slice(s![p..p + k, j..end]), &mut packed_b);
                for i in (top..bottom).step_by(R) {
                    let sums = sums::<R, FUSED>(&packed_a[(i - top) * k..][..R * k], &packed_b);
                    let mut c = c.slice_mut(s![i..(i + R).min(bottom), j..end]);
                    for (mut c, sums) in c.rows_mut().into_iter().zip(&sums) {
                        for (c, &sum) in c.iter_mut().zip(sums) {
                            *c = merge::<FUSED>(beta, *c, sum);
                        }
                    }
                }
            }
        }
    }
    // A thread that is ending has no next product.
    let _ = SPARE.try_with(|spare| spare.set((packed_a, packed_b)));
}

/// Copies a matrix of at most `W` columns into rows of `W`, padded with 0.
fn pack<const W: usize>(from: ArrayView2<'_, f32>, to: &mut [f32]) {
    for (from, to) in from.rows().into_iter().zip(to.as_chunks_mut::<W>().0) {
        *to = [0.; W];
        for (to, &from) in to.iter_mut().zip(from) {
            *to = from;
        }
    }
}

/// Computes the chains of one tile over one block.
fn sums<const R: usize, const FUSED: bool>(a: &[f32], b: &[f32]) -> [[f32; COLUMNS]; R] {
    let mut sums = [[0.; COLUMNS]; R];
    for (a, b) in a.as_chunks::<R>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
        for (sums, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum = step::<FUSED>(a, b, *sum);
            }
        }
    }
    sums
}
