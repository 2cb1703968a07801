//! Kernels for `x86_64` with AVX2, FMA and BMI1, which come together.

use super::hint::prefetch;
use super::sparse_groups;
use super::sparse_groups::{Part, Words};
use super::tile::{K_TO_FETCH_C, Tile};
use super::tile_kernels::TileKernels;
use crate::level::Level;
use crate::vector::Vector;
use std::arch::x86_64::*;

/// Vectors of 8 numbers; there are 16 registers.
pub(super) struct Avx2;

/// The unroll factor over `k`: the loop counter costs noticeable time if another program shares the core.
const UNROLLED: usize = 4;

/// Returns the mask of the first `count` of 8 lanes.
#[target_feature(enable = "avx2,fma,bmi1")]
fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

// SAFETY: the kernels read and write only what their contracts allow; each element of `c` has one chain.
unsafe impl TileKernels for Avx2 {
    const IS: Level = Level::Avx2;

    const LANES: usize = 8;

    fn rows(_: usize) -> usize {
        6
    }

    fn vectors(rows: usize) -> usize {
        match rows {
            0..=1 => 8,
            2..=3 => 4,
            _ => 2,
        }
    }

    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize) {
        macro_rules! kernels {
            ($($rows:literal: $($vectors:literal)*;)*) => {
                match (rows, vectors, tile.last < Self::LANES, tile.picked.is_some()) {
                    // SAFETY: the kernels require what `TileKernels::tile` does. The first flag, `MASKED`, is false
                    // only if `last` is 8; the second says whether the tile is picked.
                    $($(($rows, $vectors, true, true) => unsafe { kernel::<$rows, $vectors, true, true>(tile) },
                    ($rows, $vectors, true, false) => unsafe { kernel::<$rows, $vectors, true, false>(tile) },
                    ($rows, $vectors, false, true) => unsafe { kernel::<$rows, $vectors, false, true>(tile) },
                    ($rows, $vectors, false, false) => unsafe { kernel::<$rows, $vectors, false, false>(tile) },)*)*
                    _ => unreachable!("no kernel for a tile of {rows} by {vectors}"),
                }
            };
        }
        kernels! {
            1: 1 2 4 8; 2: 1 2 4; 3: 1 2 4; 4: 1 2; 5: 1 2; 6: 1 2;
        }
    }

    #[target_feature(enable = "avx2,fma,bmi1")]
    unsafe fn copy(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        width: usize,
    ) -> bool {
        let mut doubt = _mm256_setzero_ps();
        for j in (0..width).step_by(8) {
            let (wide, count) = ((width - j).min(8), columns.saturating_sub(j).min(8));
            let (to_mask, mask) = (first(wide), first(count));
            for p in 0..rows {
                // SAFETY: `p < rows`. `load` reads the `count` numbers from `j` on, which end at `columns`, and `store`
                // writes the `wide` ones from `j` on, which end at `width`; without a mask those are 8.
                unsafe {
                    let from = from.wrapping_offset(p as isize * stride).wrapping_add(j);
                    let numbers = load(from, count < 8, mask);
                    doubt = doubts(numbers, doubt);
                    store(to.add(p * width + j), wide < 8, to_mask, numbers);
                }
            }
        }
        all_finite(doubt)
    }

    #[target_feature(enable = "avx2,fma,bmi1")]
    unsafe fn transpose(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        stride_to: usize,
        width: usize,
    ) -> bool {
        let (mask, wide) = (first(rows), first(width));
        let mut lines = [_mm256_setzero_ps(); 8];
        let mut doubt = _mm256_setzero_ps();
        for (j, line) in lines.iter_mut().enumerate() {
            if j < columns {
                // SAFETY: `j < columns`, so line `j` of `from` has `rows` numbers to be read; the mask leaves no
                // others.
                *line = unsafe { load(from.offset(j as isize * stride), rows < 8, mask) };
                doubt = doubts(*line, doubt);
            }
        }
        let mut pairs = lines;
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(lines[2 * i], lines[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(lines[2 * i], lines[2 * i + 1]);
        }
        // `quads[4 · g + c]` has numbers `4 · l + c` of lines `4 · g ..= 4 · g + 3` in its half `l`.
        let mut quads = lines;
        for g in (0..8).step_by(4) {
            for half in 0..2 {
                let (low, high) = (_mm256_castps_pd(pairs[g + half]), _mm256_castps_pd(pairs[g + half + 2]));
                quads[g + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
                quads[g + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
            }
        }
        let mut out = lines;
        for c in 0..4 {
            out[c] = _mm256_permute2f128_ps::<0x20>(quads[c], quads[4 + c]);
            out[4 + c] = _mm256_permute2f128_ps::<0x31>(quads[c], quads[4 + c]);
        }
        for (p, &line) in out.iter().enumerate() {
            if p < rows {
                // SAFETY: `p < rows`, so row `p` of `to` has `width` numbers to be written; the mask leaves no others.
                unsafe { store(to.add(p * stride_to), width < 8, wide, line) };
            }
        }
        all_finite(doubt)
    }

    const PANEL: usize = 32;

    unsafe fn leave_out(part: &Part) -> bool {
        // SAFETY: the conditions are the same: the processor has the level, and so AVX2, FMA and BMI1.
        unsafe { leave_out(part) }
    }
}

/// # Safety
/// As [`TileKernels::leave_out`].
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn leave_out(part: &Part) -> bool {
    // SAFETY: the processor has AVX2 and FMA, which are all that `__m256` needs here; `PANEL` is a multiple of 2 and of
    // 4 vectors of 8, so whole panels are whole tiles, and the part is as `TileKernels::leave_out` says.
    unsafe { sparse_groups::leave_out::<__m256, 2, 4, 4>(part) }
}

// SAFETY: the operations do what their documentation says.
#[rustfmt::skip]
unsafe impl Words for __m256 {
    type Bits = __m256i;

    #[inline(always)]
    unsafe fn no_bits() -> __m256i { unsafe { _mm256_setzero_si256() } }
    #[inline(always)]
    unsafe fn append(self, bits: __m256i) -> __m256i {
        unsafe {
            // -1 in the lanes where the number is 0.
            let zero = _mm256_cmpeq_epi32(_mm256_castps_si256(self), _mm256_setzero_si256());
            _mm256_add_epi32(_mm256_add_epi32(bits, bits), _mm256_add_epi32(zero, _mm256_set1_epi32(1)))
        }
    }
    #[inline(always)]
    unsafe fn store_bits(bits: __m256i, to: *mut u32) { unsafe { _mm256_storeu_si256(to.cast(), bits) } }
}

/// Reads the numbers at an address, all or those in the mask; the other lanes are 0.
///
/// # Safety
/// All 8 numbers, or with `masked` those in the mask, are valid for reads.
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn load(from: *const f32, masked: bool, mask: __m256i) -> __m256 {
    // SAFETY: a masked load reads only what is in the mask, and the other one all 8: those that are valid.
    unsafe { if masked { _mm256_maskload_ps(from, mask) } else { _mm256_loadu_ps(from) } }
}

/// Writes all numbers, or those in the mask.
///
/// # Safety
/// All 8 numbers, or with `masked` those in the mask, are valid for writes.
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn store(to: *mut f32, masked: bool, mask: __m256i, numbers: __m256) {
    // SAFETY: a masked store writes only what is in the mask, and the other one all 8: those that are valid.
    unsafe { if masked { _mm256_maskstore_ps(to, mask, numbers) } else { _mm256_storeu_ps(to, numbers) } }
}

/// One `k` of a tile. Rows or vectors, whichever are fewer, are held in registers.
///
/// # Safety
/// `a + i · a_row` for `i < R` and `V` vectors from `b` on are valid for reads; of the last vector, if `MASKED`, only
/// the columns in the mask.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn step<const R: usize, const V: usize, const MASKED: bool>(
    a: *const f32,
    a_row: isize,
    b: *const f32,
    mask: __m256i,
    sums: &mut [[__m256; V]; R],
) {
    // SAFETY: it is called only with `i < R`, and the `R` numbers of `a` are valid for reads.
    let row = |i: usize| _mm256_set1_ps(unsafe { *a.offset(i as isize * a_row) });
    // SAFETY: it is called only with `v < V`. All 8 columns are valid, or, in the last vector, those in the mask.
    let columns = |v: usize| unsafe { load(b.add(8 * v), MASKED && v + 1 == V, mask) };
    if R < V {
        let rows: [_; R] = std::array::from_fn(row);
        for v in 0..V {
            let columns = columns(v);
            for (sums, &row) in sums.iter_mut().zip(&rows) {
                sums[v] = _mm256_fmadd_ps(row, columns, sums[v]);
            }
        }
    } else {
        let columns: [_; V] = std::array::from_fn(columns);
        for (i, sums) in sums.iter_mut().enumerate() {
            let row = row(i);
            for (sum, &columns) in sums.iter_mut().zip(&columns) {
                *sum = _mm256_fmadd_ps(row, columns, *sum);
            }
        }
    }
}

/// Computes a tile of `R` rows and `V` vectors, of which the last has all columns unless `MASKED`; `PICKED` says that
/// only a part of `a` is kept.
///
/// # Safety
/// As [`TileKernels::tile`]; `PICKED` says whether the tile is picked, and without `MASKED` its `last` is 8.
#[target_feature(enable = "avx2,fma,bmi1")]
unsafe fn kernel<const R: usize, const V: usize, const MASKED: bool, const PICKED: bool>(tile: &Tile<'_>) {
    let Tile { k, a_row, a_k, b_k, beta, .. } = *tile;
    let mask = first(tile.last);
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    let (mut a, mut b) = (tile.a, tile.b);
    if k >= K_TO_FETCH_C {
        for i in 0..R {
            for v in (0..V).step_by(2) {
                prefetch(tile.row_of_c::<PICKED>(i).wrapping_add(8 * v));
            }
        }
    }
    if PICKED {
        for p in 0..k {
            // SAFETY: the tile is picked and `p < k`. `a` points to column `p`, with `R` contiguous numbers, and `now`
            // is row `places[p]` of `b`, which has the tile's columns.
            unsafe {
                let [now, later] = tile.picked_of_b(p);
                for v in (0..V).step_by(2) {
                    prefetch(later.wrapping_add(8 * v));
                }
                step::<R, V, MASKED>(a, 1, now, mask, &mut sums);
            }
            a = a.wrapping_offset(a_k);
        }
    }
    let k = if PICKED { 0 } else { k };
    // With a mask there are too few registers to unroll.
    let rounds = if MASKED { 0 } else { k / UNROLLED };
    for _ in 0..rounds {
        for _ in 0..UNROLLED {
            // SAFETY: there were at most `rounds * UNROLLED - 1 < k` steps before, so `a` and `b` are at a `p < k`,
            // where the tile has `R` rows and `V` whole vectors of columns.
            unsafe { step::<R, V, MASKED>(a, a_row, b, mask, &mut sums) };
            a = a.wrapping_offset(a_k);
            b = b.wrapping_offset(b_k);
        }
    }
    for _ in rounds * UNROLLED..k {
        // SAFETY: `a` and `b` are at a `p < k` here too; with `MASKED`, the mask has the tile's last columns.
        unsafe { step::<R, V, MASKED>(a, a_row, b, mask, &mut sums) };
        a = a.wrapping_offset(a_k);
        b = b.wrapping_offset(b_k);
    }
    let scale = _mm256_set1_ps(beta);
    for (i, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            let masked = MASKED && v + 1 == V;
            // SAFETY: `i < R`, so this is a row of the tile's `c`. From `8 · v` on it has 8 columns, or those in the
            // mask, valid for reads and writes.
            unsafe {
                let c = tile.row_of_c::<PICKED>(i).add(8 * v);
                let sum = _mm256_add_ps(sum, _mm256_setzero_ps());
                let sum = if beta == 0. { sum } else { _mm256_fmadd_ps(scale, load(c, masked, mask), sum) };
                store(c, masked, mask, sum);
            }
        }
    }
}

/// Accumulates in `doubts` the bits of `0 · x`, which is NaN unless `x` is finite, and otherwise 0 except for its sign.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1")]
fn doubts(numbers: __m256, before: __m256) -> __m256 {
    _mm256_or_ps(before, _mm256_mul_ps(numbers, _mm256_setzero_ps()))
}

/// Returns whether all numbers were finite.
#[target_feature(enable = "avx2,fma,bmi1")]
fn all_finite(doubts: __m256) -> bool {
    // SAFETY: this function is compiled with the instructions of `__m256`.
    unsafe { !doubts.any_nan() }
}
