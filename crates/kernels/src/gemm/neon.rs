//! Kernels for `aarch64`, where NEON is part of every processor.

use super::hint::{opaque, prefetch};
use super::tile::{K_TO_FETCH_C, Tile};
use super::tile_kernels::TileKernels;
use crate::level::Level;
use std::arch::aarch64::*;
use std::arch::asm;

/// Vectors of 4 numbers; there are 32 registers.
pub(super) struct Neon;

// SAFETY: the kernels read and write only what their contracts allow; each element of `c` has one chain.
unsafe impl TileKernels for Neon {
    const IS: Level = Level::Neon;

    const LANES: usize = 4;

    fn rows(vectors: usize) -> usize {
        // The registers hold 24 sums, 4 vectors of `b` and 2 of `a`. Four FMA pipes with a latency of four cycles need
        // 16 sums; with 3 vectors or fewer, no tile is wider than 2 vectors.
        if vectors <= 3 { 8 } else { 6 }
    }

    fn vectors(rows: usize) -> usize {
        match rows {
            0..=2 => 8,
            3..=6 => 4,
            _ => 2,
        }
    }

    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize) {
        macro_rules! kernels {
            ($($rows:literal: $($vectors:literal)*;)*) => {
                match (rows, vectors, tile.a_row == 1, tile.picked.is_some()) {
                    // SAFETY: the kernels require what `TileKernels::tile` does. The first flag, `NEXT`, is set only if
                    // `a_row` is 1, which it is if the tile is picked.
                    $($(($rows, $vectors, _, true) => unsafe { kernel::<$rows, $vectors, true, true>(tile) },
                    ($rows, $vectors, true, false) => unsafe { kernel::<$rows, $vectors, true, false>(tile) },
                    ($rows, $vectors, false, false) => unsafe { kernel::<$rows, $vectors, false, false>(tile) },)*)*
                    _ => unreachable!("no kernel for a tile of {rows} by {vectors}"),
                }
            };
        }
        kernels! {
            1: 1 2 4 8; 2: 1 2 4 8; 3: 1 2 4; 4: 1 2 4; 5: 1 2 4; 6: 1 2 4; 7: 1 2; 8: 1 2;
        }
    }

    #[target_feature(enable = "neon")]
    unsafe fn copy(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        width: usize,
    ) -> bool {
        let whole = columns / 4 * 4;
        let mut doubt = vdupq_n_u32(0);
        for p in 0..rows {
            let from = from.wrapping_offset(p as isize * stride);
            for j in (0..whole).step_by(4) {
                // SAFETY: `p < rows` and `j + 4 <= whole <= columns <= width`, so row `p` of `from` has 4 numbers from
                // `j` on, and so has that of `to`.
                unsafe {
                    let numbers = vld1q_f32(from.add(j));
                    doubt = doubts(numbers, doubt);
                    vst1q_f32(to.add(p * width + j), numbers);
                }
            }
            for j in (whole..width).step_by(4) {
                let count = columns.saturating_sub(j);
                // SAFETY: `p < rows`. `count` numbers, fewer than 4, are left of the row of `from`, and `width - j` of
                // that of `to`, of which at most 4 are written.
                unsafe {
                    let numbers = load(from.wrapping_add(j), count);
                    doubt = doubts(numbers, doubt);
                    store(to.add(p * width + j), width - j, numbers);
                }
            }
        }
        all_finite(doubt)
    }

    #[target_feature(enable = "neon")]
    unsafe fn transpose(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        stride_to: usize,
        width: usize,
    ) -> bool {
        let mut lines = [vdupq_n_f32(0.); 4];
        let mut doubt = vdupq_n_u32(0);
        for (j, line) in lines.iter_mut().enumerate() {
            if j < columns {
                // SAFETY: `j < columns`, so line `j` of `from` has `rows` numbers, at most 4, and as many are read.
                *line = unsafe { load(from.offset(j as isize * stride), rows) };
                doubt = doubts(*line, doubt);
            }
        }
        let [a, b, c, d] = lines;
        // Numbers 0 and 2, then 1 and 3, of two lines alternately.
        let (even, odd) = ((vtrn1q_f32(a, b), vtrn1q_f32(c, d)), (vtrn2q_f32(a, b), vtrn2q_f32(c, d)));
        let out = [
            vcombine_f32(vget_low_f32(even.0), vget_low_f32(even.1)),
            vcombine_f32(vget_low_f32(odd.0), vget_low_f32(odd.1)),
            vcombine_f32(vget_high_f32(even.0), vget_high_f32(even.1)),
            vcombine_f32(vget_high_f32(odd.0), vget_high_f32(odd.1)),
        ];
        for (p, &line) in out.iter().enumerate() {
            if p < rows {
                // SAFETY: `p < rows`, so row `p` of `to` has `width` numbers, at most 4, and as many are written.
                unsafe { store(to.add(p * stride_to), width, line) };
            }
        }
        all_finite(doubt)
    }
}

/// Reads the first `count` numbers at an address, 4 if there are more; the other lanes are 0.
///
/// # Safety
/// They are valid for reads.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(from: *const f32, count: usize) -> float32x4_t {
    let none = vdupq_n_f32(0.);
    // SAFETY: each arm reads as many numbers as `count` says, and the last one 4 where it is 4 or more.
    unsafe {
        match count {
            0 => none,
            1 => vld1q_lane_f32::<0>(from, none),
            2 => vcombine_f32(vld1_f32(from), vdup_n_f32(0.)),
            3 => vld1q_lane_f32::<2>(from.add(2), vcombine_f32(vld1_f32(from), vdup_n_f32(0.))),
            _ => vld1q_f32(from),
        }
    }
}

/// Writes the first `count` numbers, 4 if there are more.
///
/// # Safety
/// They are valid for writes.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(to: *mut f32, count: usize, numbers: float32x4_t) {
    // SAFETY: each arm writes as many numbers as `count` says, and the last one 4 where it is 4 or more.
    unsafe {
        match count {
            0 => {}
            1 => vst1q_lane_f32::<0>(to, numbers),
            2 => vst1_f32(to, vget_low_f32(numbers)),
            3 => {
                vst1_f32(to, vget_low_f32(numbers));
                vst1q_lane_f32::<2>(to.add(2), numbers);
            }
            _ => vst1q_f32(to, numbers),
        }
    }
}

/// `sum + columns · row[lane]`, rounded once.
#[inline]
#[target_feature(enable = "neon")]
fn step(sum: float32x4_t, columns: float32x4_t, row: float32x4_t, lane: usize) -> float32x4_t {
    match lane {
        0 => vfmaq_laneq_f32::<0>(sum, columns, row),
        1 => vfmaq_laneq_f32::<1>(sum, columns, row),
        2 => vfmaq_laneq_f32::<2>(sum, columns, row),
        _ => vfmaq_laneq_f32::<3>(sum, columns, row),
    }
}

/// Broadcasts a number to all lanes, hiding the load from the compiler. Otherwise it would load and broadcast in one
/// instruction, which takes one of the pipes that the sums need. This way it loads lane 0 and multiplies by that lane.
#[inline]
#[target_feature(enable = "neon")]
fn splat(mut number: f32) -> float32x4_t {
    // SAFETY: nothing is executed.
    unsafe { asm!("/* {0:s} */", inout(vreg) number, options(pure, nomem, nostack, preserves_flags)) };
    vdupq_n_f32(number)
}

/// Computes a tile of `R` rows and `V` vectors. `NEXT` says that the rows of `a` are contiguous, `PICKED` that only a
/// part of `a` is kept.
///
/// If the last vector has fewer than 4 columns, it starts earlier and computes some columns of the vector before it
/// again: the same chain, and so the same bits. A single vector is read and written in part.
///
/// # Safety
/// As [`TileKernels::tile`]; `PICKED` says whether the tile is picked, and with `NEXT` its `a_row` is 1, as it is with
/// `PICKED`.
#[target_feature(enable = "neon")]
unsafe fn kernel<const R: usize, const V: usize, const NEXT: bool, const PICKED: bool>(tile: &Tile<'_>) {
    let Tile { k, a_k, b_k, beta, .. } = *tile;
    let a_row = if NEXT { 1 } else { tile.a_row };
    let count = if V == 1 { tile.last } else { 4 };
    let last = ((V - 1) * 4 + tile.last).saturating_sub(4);
    let mut sums = [[vdupq_n_f32(0.); V]; R];
    // One pointer for three rows: the addressing mode adds one or two strides to it.
    let mut a = [0, 1, 2].map(|i| {
        let a = tile.a.wrapping_offset(if NEXT { 0 } else { 3 * i * a_row });
        if NEXT { a } else { opaque(a) }
    });
    let mut b = tile.b;
    if k >= K_TO_FETCH_C {
        for i in 0..R {
            for v in (0..V).step_by(4) {
                prefetch(tile.row_of_c::<PICKED>(i).wrapping_add(4 * v));
            }
        }
    }
    for p in 0..k {
        if PICKED {
            // SAFETY: the tile is picked, as `PICKED` says, and `p < k`.
            let [now, later] = unsafe { tile.picked_of_b(p) };
            b = now;
            prefetch(later);
        }
        let mut columns = [vdupq_n_f32(0.); V];
        for (v, columns) in columns.iter_mut().enumerate() {
            // SAFETY: `b` is the row for `p < k`, with `4 · (V - 1) + tile.last` columns. The last vector ends with
            // them: from `last` on there are `count`, and so there are from `4 · v` on for those before it.
            *columns = unsafe { load(b.add(if v + 1 < V { 4 * v } else { last }), count) };
        }
        // With `NEXT`, a vector has 4 rows in its lanes.
        let mut rows = [vdupq_n_f32(0.); R];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: the `a` are at number `p < k` of rows 0, 3 and 6, and `i < R`, so row `i` has such a number. With
            // `NEXT` the numbers of the next rows follow it, and `load` reads at most the `R - i` that are left.
            *row = match NEXT {
                true if i % 4 > 0 => continue,
                true if i + 1 < R => unsafe { load(a[0].add(i), R - i) },
                true => splat(unsafe { *a[0].add(i) }),
                false => splat(unsafe { *a[i / 3].offset((i % 3) as isize * a_row) }),
            };
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            let (row, lane) = if NEXT { (rows[i / 4 * 4], i % 4) } else { (rows[i], 0) };
            for (sum, &columns) in sums.iter_mut().zip(&columns) {
                *sum = step(*sum, columns, row, lane);
            }
        }
        a = a.map(|a| a.wrapping_offset(a_k));
        if !PICKED {
            b = b.wrapping_offset(b_k);
        }
    }
    let scale = vdupq_n_f32(beta);
    for (i, sums) in sums.iter_mut().enumerate() {
        let c = tile.row_of_c::<PICKED>(i);
        let at = |v| c.wrapping_add(if v + 1 < V { 4 * v } else { last });
        for sum in sums.iter_mut() {
            *sum = vaddq_f32(*sum, vdupq_n_f32(0.));
        }
        if beta != 0. {
            // The whole row is read before any of it is written, as some columns may be in two vectors.
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `i < R`, so this is a row of the tile's `c`. It has the columns that `b` has, so `count` of
                // them from `at(v)` on.
                *sum = vfmaq_f32(*sum, scale, unsafe { load(at(v), count) });
            }
        }
        for (v, &sum) in sums.iter().enumerate() {
            // SAFETY: as above; the columns of `c` are valid for writes too.
            unsafe { store(at(v), count, sum) };
        }
    }
}

/// Accumulates in `doubts` the bits of `0 · x`, which is NaN unless `x` is finite, and otherwise 0 except for its sign.
#[inline]
#[target_feature(enable = "neon")]
fn doubts(numbers: float32x4_t, before: uint32x4_t) -> uint32x4_t {
    vorrq_u32(before, vreinterpretq_u32_f32(vmulq_f32(numbers, vdupq_n_f32(0.))))
}

/// Returns whether all numbers were finite.
#[target_feature(enable = "neon")]
fn all_finite(doubts: uint32x4_t) -> bool {
    vaddvq_f32(vreinterpretq_f32_u32(doubts)) == 0.
}
