//! Kernels for `x86_64` with AVX2 and FMA.

use super::drive::{K_TO_FETCH_C, Level, Tile};
use std::arch::x86_64::*;

/// Vectors of 8 numbers, 16 of them in registers.
pub(super) struct Avx2;

/// The mask of the first `count` lanes, of 8.
#[target_feature(enable = "avx2,fma")]
fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
}

// SAFETY: the kernels read and write what they are told to; each has one chain for each number.
unsafe impl Level for Avx2 {
    fn detected() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    const LANES: usize = 8;

    fn rows(_: usize, _: usize) -> usize {
        6
    }

    fn vectors(rows: usize) -> usize {
        match rows {
            0..=1 => 8,
            2..=3 => 4,
            _ => 2,
        }
    }

    unsafe fn tile(tile: &Tile, rows: usize, vectors: usize) {
        macro_rules! kernels {
            ($($rows:literal: $($vectors:literal)*;)*) => {
                match (rows, vectors, tile.last < Self::LANES) {
                    // SAFETY: by the caller's word.
                    $($(($rows, $vectors, true) => unsafe { kernel::<$rows, $vectors, true>(tile) },
                    ($rows, $vectors, false) => unsafe { kernel::<$rows, $vectors, false>(tile) },)*)*
                    _ => unreachable!("no kernel for a tile of {rows} by {vectors}"),
                }
            };
        }
        kernels! {
            1: 1 2 4 8; 2: 1 2 4; 3: 1 2 4; 4: 1 2; 5: 1 2; 6: 1 2;
        }
    }

    unsafe fn copy(from: *const f32, stride: isize, rows: usize, columns: usize, to: *mut f32, width: usize) {
        // SAFETY: by the caller's word.
        unsafe { copy(from, stride, rows, columns, to, width) }
    }

    unsafe fn transpose(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        stride_to: usize,
        width: usize,
    ) {
        // SAFETY: by the caller's word.
        unsafe { transpose(from, stride, rows, columns, to, stride_to, width) }
    }
}

/// The numbers at an address, all or those in the mask; the others are 0.
///
/// # Safety
/// They are valid for reads.
#[target_feature(enable = "avx2,fma")]
unsafe fn load(from: *const f32, masked: bool, mask: __m256i) -> __m256 {
    // SAFETY: by the caller's word.
    unsafe { if masked { _mm256_maskload_ps(from, mask) } else { _mm256_loadu_ps(from) } }
}

/// Writes all the numbers, or those in the mask.
///
/// # Safety
/// They are valid for writes.
#[target_feature(enable = "avx2,fma")]
unsafe fn store(to: *mut f32, masked: bool, mask: __m256i, numbers: __m256) {
    // SAFETY: by the caller's word.
    unsafe { if masked { _mm256_maskstore_ps(to, mask, numbers) } else { _mm256_storeu_ps(to, numbers) } }
}

/// A tile of `R` rows and `V` vectors, of which the last has all columns unless `MASKED`.
///
/// # Safety
/// As [`Level::tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn kernel<const R: usize, const V: usize, const MASKED: bool>(tile: &Tile) {
    let Tile { k, a_row, a_k, b_k, beta, c_row, .. } = *tile;
    let mask = first(tile.last);
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    let (mut a, mut b) = (tile.a, tile.b);
    if k >= K_TO_FETCH_C {
        for i in 0..R as isize {
            for v in (0..V).step_by(2) {
                _mm_prefetch::<_MM_HINT_T0>(tile.c.wrapping_offset(i * c_row).wrapping_add(8 * v).cast());
            }
        }
    }
    for _ in 0..k {
        let mut columns = [_mm256_setzero_ps(); V];
        for (v, columns) in columns.iter_mut().enumerate() {
            // SAFETY: the masked columns are valid by the caller's word.
            *columns = unsafe { load(b.add(8 * v), MASKED && v + 1 == V, mask) };
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row `i` is valid by the caller's word.
            let row = _mm256_set1_ps(unsafe { *a.offset(i as isize * a_row) });
            for (sum, &columns) in sums.iter_mut().zip(&columns) {
                *sum = _mm256_fmadd_ps(row, columns, *sum);
            }
        }
        a = a.wrapping_offset(a_k);
        b = b.wrapping_offset(b_k);
    }
    let scale = _mm256_set1_ps(beta);
    for (i, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            let masked = MASKED && v + 1 == V;
            // SAFETY: row `i` and the masked columns are valid for reads and writes by the caller's word.
            unsafe {
                let c = tile.c.offset(i as isize * c_row).add(8 * v);
                let sum = if beta == 0. { sum } else { _mm256_fmadd_ps(scale, load(c, masked, mask), sum) };
                store(c, masked, mask, sum);
            }
        }
    }
}

/// # Safety
/// As [`Level::copy`].
#[target_feature(enable = "avx2,fma")]
unsafe fn copy(from: *const f32, stride: isize, rows: usize, columns: usize, to: *mut f32, width: usize) {
    for j in (0..width).step_by(8) {
        let (wide, count) = ((width - j).min(8), columns.saturating_sub(j).min(8));
        let (to_mask, mask) = (first(wide), first(count));
        for p in 0..rows {
            // SAFETY: the masked columns are valid by the caller's word.
            unsafe {
                let from = from.wrapping_offset(p as isize * stride).wrapping_add(j);
                store(to.add(p * width + j), wide < 8, to_mask, load(from, count < 8, mask));
            }
        }
    }
}

/// # Safety
/// As [`Level::transpose`].
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose(
    from: *const f32,
    stride: isize,
    rows: usize,
    columns: usize,
    to: *mut f32,
    stride_to: usize,
    width: usize,
) {
    let (mask, wide) = (first(rows), first(width));
    let mut lines = [_mm256_setzero_ps(); 8];
    for (j, line) in lines.iter_mut().enumerate() {
        if j < columns {
            // SAFETY: `j < columns`, and the first `rows` numbers are valid by the caller's word.
            *line = unsafe { load(from.offset(j as isize * stride), rows < 8, mask) };
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
            // SAFETY: `p < rows`, and `width` numbers from there on are valid by the caller's word.
            unsafe { store(to.add(p * stride_to), width < 8, wide, line) };
        }
    }
}
