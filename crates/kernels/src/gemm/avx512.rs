//! Kernels for `x86_64` with AVX-512.

use super::hint::{opaque, prefetch};
use super::sparse_groups;
use super::sparse_groups::{Part, Words};
use super::tile::{AHEAD, K_TO_FETCH_C, Tile};
use super::tile_kernels::TileKernels;
use crate::level::Level;
use crate::vector::Vector;
use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::LazyLock;

/// Vectors of 16 numbers; there are 32 registers.
pub(super) struct Avx512;

/// Returns the mask of the first `count` of 16 lanes.
fn first(count: usize) -> __mmask16 {
    debug_assert!(count <= 16);
    ((1u32 << count) - 1) as __mmask16
}

// SAFETY: the kernels read and write only what their contracts allow; each element of `c` has one chain.
unsafe impl TileKernels for Avx512 {
    const IS: Level = Level::Avx512;

    const LANES: usize = 16;

    fn rows(vectors: usize) -> usize {
        if vectors <= 2 { 12 } else { 6 }
    }

    fn vectors(rows: usize) -> usize {
        match rows {
            0..=3 => 8,
            4..=6 => 4,
            _ => 2,
        }
    }

    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize) {
        macro_rules! kernels {
            ($($rows:literal: $($vectors:literal)*;)*) => {
                match (rows, vectors, tile.a_row == 1, tile.picked.is_some(), tile.first) {
                    // SAFETY: the kernels require what `TileKernels::tile` does. `NEXT` is set only if `a_row` is 1,
                    // which it is if the tile is picked; `FIRST` concerns prefetching alone.
                    $($(($rows, $vectors, _, true, _) => unsafe { kernel::<$rows, $vectors, true, true, false>(tile) },
                    ($rows, $vectors, true, ..) => unsafe { kernel::<$rows, $vectors, true, false, false>(tile) },
                    ($rows, $vectors, .., true) => unsafe { kernel::<$rows, $vectors, false, false, true>(tile) },
                    ($rows, $vectors, ..) => unsafe { kernel::<$rows, $vectors, false, false, false>(tile) },)*)*
                    _ => unreachable!("no kernel for a tile of {rows} by {vectors}"),
                }
            };
        }
        kernels! {
            1: 1 2 4 8; 2: 1 2 4 8; 3: 1 2 4 8;
            4: 1 2 4; 5: 1 2 4; 6: 1 2 4;
            7: 1 2; 8: 1 2; 9: 1 2; 10: 1 2; 11: 1 2; 12: 1 2;
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn copy(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        width: usize,
    ) -> bool {
        let whole = columns / 16 * 16;
        let mut doubt = _mm512_setzero_si512();
        for p in 0..rows {
            let from = from.wrapping_offset(p as isize * stride);
            for j in (0..whole).step_by(16) {
                // SAFETY: `p < rows` and `j + 16 <= whole <= columns <= width`, so row `p` of `from` has 16 numbers
                // from `j` on, and so has that of `to`.
                unsafe {
                    let numbers = _mm512_loadu_ps(from.add(j));
                    doubt = doubts(numbers, doubt);
                    _mm512_storeu_ps(to.add(p * width + j), numbers);
                }
            }
            for j in (whole..width).step_by(16) {
                let mask = first(columns.saturating_sub(j).min(16));
                let wide = first((width - j).min(16));
                // SAFETY: `p < rows`. `mask` leaves the numbers below `columns` to be read, and `wide` those below
                // `width` to be written.
                unsafe {
                    let numbers = _mm512_maskz_loadu_ps(mask, from.wrapping_add(j));
                    doubt = doubts(numbers, doubt);
                    _mm512_mask_storeu_ps(to.add(p * width + j), wide, numbers);
                }
            }
        }
        all_finite(doubt)
    }

    #[target_feature(enable = "avx512f")]
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
        let mut lines = [_mm512_setzero_ps(); 16];
        let mut doubt = _mm512_setzero_si512();
        for (j, line) in lines.iter_mut().enumerate() {
            if j < columns {
                // SAFETY: `j < columns`, so line `j` of `from` has `rows` numbers to be read; the mask leaves no
                // others.
                *line = unsafe { _mm512_maskz_loadu_ps(mask, from.offset(j as isize * stride)) };
                doubt = doubts(*line, doubt);
            }
        }
        let mut pairs = lines;
        for i in 0..8 {
            pairs[2 * i] = _mm512_unpacklo_ps(lines[2 * i], lines[2 * i + 1]);
            pairs[2 * i + 1] = _mm512_unpackhi_ps(lines[2 * i], lines[2 * i + 1]);
        }
        // `quads[4 · g + c]` has numbers `4 · l + c` of lines `4 · g ..= 4 · g + 3` in its quarter `l`.
        let mut quads = lines;
        for g in (0..16).step_by(4) {
            for half in 0..2 {
                let (low, high) = (_mm512_castps_pd(pairs[g + half]), _mm512_castps_pd(pairs[g + half + 2]));
                quads[g + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                quads[g + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
            }
        }
        let mut out = lines;
        for c in 0..4 {
            let even_low = _mm512_shuffle_f32x4::<0x88>(quads[c], quads[4 + c]);
            let even_high = _mm512_shuffle_f32x4::<0x88>(quads[8 + c], quads[12 + c]);
            let odd_low = _mm512_shuffle_f32x4::<0xDD>(quads[c], quads[4 + c]);
            let odd_high = _mm512_shuffle_f32x4::<0xDD>(quads[8 + c], quads[12 + c]);
            out[c] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
            out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
            out[8 + c] = _mm512_shuffle_f32x4::<0xDD>(even_low, even_high);
            out[12 + c] = _mm512_shuffle_f32x4::<0xDD>(odd_low, odd_high);
        }
        for (p, &line) in out.iter().enumerate() {
            if p < rows {
                // SAFETY: `p < rows`, so row `p` of `to` has `width` numbers to be written; the mask leaves no others.
                unsafe { _mm512_mask_storeu_ps(to.add(p * stride_to), wide, line) };
            }
        }
        all_finite(doubt)
    }

    const PANEL: usize = 64;

    /// Returns false on Intel's processors: they start two vector FMAs per cycle, AMD's Zen 4 only one, so on Intel
    /// the instructions other than FMAs weigh more.
    fn leaves_out_of_samples() -> bool {
        static OF_INTEL: LazyLock<bool> = LazyLock::new(|| {
            #[allow(unused_unsafe, reason = "safe in later versions of Rust")]
            // SAFETY: the processor has AVX-512, and so this instruction.
            let vendor = unsafe { __cpuid(0) };
            [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
        });
        // Tests check the result on every processor.
        !*OF_INTEL || cfg!(test)
    }

    unsafe fn leave_out(part: &Part) -> bool {
        // SAFETY: the conditions are the same: the processor has the level, and so AVX-512F and BMI1.
        unsafe { leave_out(part) }
    }
}

/// # Safety
/// As [`TileKernels::leave_out`].
#[target_feature(enable = "avx512f,bmi1")]
unsafe fn leave_out(part: &Part) -> bool {
    // SAFETY: the processor has AVX-512F, which is all that `__m512` needs; `PANEL` is 4 vectors of 16, so whole panels
    // are whole tiles, and the part is as `TileKernels::leave_out` says.
    unsafe { sparse_groups::leave_out::<__m512, 4, 4, 8>(part) }
}

// SAFETY: the operations do what their documentation says.
#[rustfmt::skip]
unsafe impl Words for __m512 {
    type Bits = __m512i;

    #[inline(always)]
    unsafe fn no_bits() -> __m512i { unsafe { _mm512_setzero_si512() } }
    #[inline(always)]
    unsafe fn append(self, bits: __m512i) -> __m512i {
        unsafe {
            let any = _mm512_test_epi32_mask(_mm512_castps_si512(self), _mm512_castps_si512(self));
            let twice = _mm512_add_epi32(bits, bits);
            _mm512_mask_add_epi32(twice, any, twice, _mm512_set1_epi32(1))
        }
    }
    #[inline(always)]
    unsafe fn store_bits(bits: __m512i, to: *mut u32) { unsafe { _mm512_storeu_si512(to.cast(), bits) } }
}

/// Adds to a tile's sums the products of number `$q` of the next four `k`, for all rows and whole vectors of columns.
///
/// One row in three is multiplied directly from memory, which saves an instruction per FMA; if all rows were, loads
/// would limit the speed instead of FMAs. The rows are unrolled by the macro, since the compiler does not unroll a loop
/// that contains inline assembly, and the sums would then be in memory.
macro_rules! add_products {
    ($q:literal, $sums:ident, $a:ident, $a_row:ident, $a_k:ident, $b:ident, $b_k:ident) => {{
        let b = $b.wrapping_offset($q * $b_k);
        let mut columns = [_mm512_setzero_ps(); V];
        for (v, columns) in columns.iter_mut().enumerate() {
            if FIRST {
                prefetch(b.wrapping_offset(AHEAD as isize * $b_k).wrapping_add(16 * v));
            }
            // SAFETY: number `$q` of a round is a `p < k`, and the last vector of the tile is whole, so row `p` of `b`
            // has 16 columns from `16 · v` on for all `v < V`.
            *columns = unsafe { _mm512_loadu_ps(b.add(16 * v)) };
        }
        let a = if NEXT && $q > 0 { $a.map(|a| opaque(a.wrapping_offset($q * $a_k))) } else { $a };
        add_products!(rows 0 1 2 3 4 5 6 7 8 9 10 11: $q, $sums, a, $a_row, columns);
    }};
    (rows $($i:literal)*: $q:literal, $sums:ident, $a:ident, $a_row:ident, $columns:ident) => {$(
        if $i < R && $i % 3 == 0 {
            for (sum, &columns) in $sums[$i].iter_mut().zip(&$columns) {
                // SAFETY: `$i < R`. With `NEXT`, `a[0]` is at number `$q` of row 0, and row `$i` is `$i` numbers
                // further on; otherwise `a[$i / 3]` is row `$i` itself, whose numbers are contiguous, at offset `$q`.
                // So the 4 bytes read are the tile's number of `a`, valid for reads; nothing but the sum is written.
                unsafe {
                    asm!(
                        "vfmadd231ps {sum}, {columns}, dword ptr [{a} + 4 * {i}]{{1to16}}",
                        sum = inout(zmm_reg) *sum, columns = in(zmm_reg) columns,
                        a = in(reg) $a[if NEXT { 0 } else { $i / 3 }], i = const if NEXT { $i } else { $q },
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
            }
        } else if $i < R {
            let a = if NEXT { $a[0].wrapping_add($i) } else { $a[$i / 3].wrapping_offset($i % 3 * $a_row + $q) };
            // SAFETY: `$i < R`, so this is number `$q` of the round in row `$i` of `a`, valid for reads: contiguous by
            // rows with `NEXT`, otherwise by `k`.
            let row = _mm512_set1_ps(unsafe { a.read() });
            for (sum, &columns) in $sums[$i].iter_mut().zip(&$columns) {
                *sum = _mm512_fmadd_ps(row, columns, *sum);
            }
        }
    )*};
}

/// Computes a tile of `R` rows and `V` vectors. `NEXT` says that the rows of `a` are contiguous, `PICKED` that only a
/// part of `a` is kept, `FIRST` that the columns of `b` are to be prefetched.
///
/// # Safety
/// As [`TileKernels::tile`]; `PICKED` says whether the tile is picked, and with `NEXT` its `a_row` is 1, as it is with
/// `PICKED`.
#[target_feature(enable = "avx512f")]
unsafe fn kernel<const R: usize, const V: usize, const NEXT: bool, const PICKED: bool, const FIRST: bool>(
    tile: &Tile<'_>,
) {
    let Tile { k, a_k, b_k, beta, .. } = *tile;
    let a_row = if NEXT { 1 } else { tile.a_row };
    let mask = first(tile.last);
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    // One pointer for three rows: the addressing mode adds one or two strides to it.
    let mut a = [0, 1, 2, 3].map(|i| {
        let a = tile.a.wrapping_offset(if NEXT { 0 } else { 3 * i * a_row });
        if NEXT { a } else { opaque(a) }
    });
    let mut b = tile.b;
    if k >= K_TO_FETCH_C {
        for i in 0..R {
            for v in 0..V {
                prefetch(tile.row_of_c::<PICKED>(i).wrapping_add(16 * v));
            }
        }
    }
    let whole = tile.last == 16 && (NEXT || a_k == 1);
    let rounds = if R > 3 && V > 1 && !PICKED && whole { k / 4 } else { 0 };
    for _ in 0..rounds {
        add_products!(0, sums, a, a_row, a_k, b, b_k);
        add_products!(1, sums, a, a_row, a_k, b, b_k);
        add_products!(2, sums, a, a_row, a_k, b, b_k);
        add_products!(3, sums, a, a_row, a_k, b, b_k);
        a = a.map(|a| opaque(a.wrapping_offset(4 * a_k)));
        b = b.wrapping_offset(4 * b_k);
    }
    for p in 4 * rounds..k {
        if PICKED {
            // SAFETY: the tile is picked, as `PICKED` says, and `p < k`.
            let [now, later] = unsafe { tile.picked_of_b(p) };
            b = now;
            for v in 0..V {
                prefetch(later.wrapping_add(16 * v));
            }
        }
        let mut columns = [_mm512_setzero_ps(); V];
        for (v, columns) in columns.iter_mut().enumerate() {
            let mask = if v + 1 < V { 0xFFFF } else { mask };
            // SAFETY: `b` is the row for `p < k`. It has 16 columns from `16 · v` on, or, in the last vector, those in
            // the mask, and no others are read.
            *columns = unsafe { _mm512_maskz_loadu_ps(mask, b.add(16 * v)) };
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `i < R`, and the `a` are at number `p < k` of rows 0, 3, 6 and 9, so this is number `p` of row
            // `i`, valid for reads.
            let row =
                unsafe { if NEXT { a[0].add(i) } else { a[i / 3].offset((i % 3) as isize * a_row) }.read() };
            let row = _mm512_set1_ps(row);
            for (sum, &columns) in sums.iter_mut().zip(&columns) {
                *sum = _mm512_fmadd_ps(row, columns, *sum);
            }
        }
        a = a.map(|a| a.wrapping_offset(a_k));
        if !PICKED {
            b = b.wrapping_offset(b_k);
        }
    }
    let scale = _mm512_set1_ps(beta);
    for (i, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            let mask = if v + 1 < V { 0xFFFF } else { mask };
            // SAFETY: `i < R`, so this is a row of the tile's `c`. From `16 · v` on it has the columns in the mask,
            // valid for reads and writes; no others are read or written.
            unsafe {
                let c = tile.row_of_c::<PICKED>(i).add(16 * v);
                let sum = _mm512_add_ps(sum, _mm512_setzero_ps());
                let sum = if beta == 0. {
                    sum
                } else {
                    _mm512_fmadd_ps(scale, _mm512_maskz_loadu_ps(mask, c), sum)
                };
                _mm512_mask_storeu_ps(c, mask, sum);
            }
        }
    }
}

/// Accumulates in `doubts` the bits of `0 · x`, which is NaN unless `x` is finite, and otherwise 0 except for its sign.
#[inline]
#[target_feature(enable = "avx512f")]
fn doubts(numbers: __m512, before: __m512i) -> __m512i {
    _mm512_or_si512(before, _mm512_castps_si512(_mm512_mul_ps(numbers, _mm512_setzero_ps())))
}

/// Returns whether all numbers were finite.
#[target_feature(enable = "avx512f")]
fn all_finite(doubts: __m512i) -> bool {
    // SAFETY: this function is compiled with the instructions of `__m512`.
    unsafe { !_mm512_castsi512_ps(doubts).any_nan() }
}
