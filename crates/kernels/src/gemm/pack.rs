//! Packing: copies of parts of the factors in the order in which the kernels read them.

use super::hint::prefetch;
use super::tile::LINE;
use super::tile_kernels::TileKernels;
use crate::norm::rows::RowKernels;
use std::cell::Cell;

/// A factor in memory, indexed by `k` and by `other`: the row of `a` or the column of `b`.
#[derive(Clone, Copy)]
pub(super) struct Source {
    /// The address of the first number.
    pub at: *const f32,
    /// The stride of `k`.
    pub k: isize,
    /// The stride of the rows of `a` or the columns of `b`.
    pub other: isize,
}

impl Source {
    /// Returns the factor from `p` of `k` and `i` of the other index on.
    pub fn skip(self, p: usize, i: usize) -> Self {
        Self { at: self.at.wrapping_offset(p as isize * self.k + i as isize * self.other), ..self }
    }
}

/// Packs the first `k` by `count` numbers of a factor: `to[p · width + i]` is number `p`, `i`, and 0 for `i` from
/// `count` on. Returns whether all are finite.
///
/// # Safety
/// The processor has the level, and the factor's numbers `p`, `i` for `p < k` and `i < count` are valid for reads.
///
/// # Panics
/// If `to` does not have `k · width` numbers, or `count > width`.
pub(super) unsafe fn pack<L: TileKernels>(
    from: Source,
    k: usize,
    count: usize,
    width: usize,
    to: &mut [f32],
) -> bool {
    assert!(count <= width && k.checked_mul(width) == Some(to.len()));
    if from.other == 1 {
        // SAFETY: `copy` reads `k` rows of `count` contiguous numbers, since `other` is 1, and the factor has those. It
        // writes `k` rows of `width` numbers, which `to` has, and `count <= width`, by the assertion above.
        unsafe { L::copy(from.at, from.k, k, count, to.as_mut_ptr(), width) }
    } else if from.k == 1 {
        let mut finite = true;
        for p in (0..k).step_by(L::LANES) {
            let rows = (k - p).min(L::LANES);
            for i in (0..width).step_by(L::LANES) {
                let wide = (width - i).min(L::LANES);
                let columns = count.saturating_sub(i).min(wide);
                let part = &mut to[p * width + i..];
                let from = from.skip(p, i);
                // SAFETY: the block of `rows` by `columns` lies within the factor; its last number written is
                // `(p + rows - 1) · width + i + wide - 1 < k · width`.
                finite &= unsafe {
                    L::transpose(from.at, from.other, rows, columns, part.as_mut_ptr(), width, wide)
                };
            }
        }
        finite
    } else {
        for (p, row) in to.chunks_exact_mut(width).enumerate() {
            for (i, to) in row.iter_mut().enumerate() {
                // SAFETY: `to` has `k` rows by the assertion above, so `p < k`; with `i < count` the factor has number
                // `p`, `i`.
                *to = if i < count { unsafe { *from.skip(p, i).at } } else { 0. };
            }
        }
        f32::all_finite(to)
    }
}

/// Transposes with the kernels of a level; see [`transpose`](super::transpose).
///
/// # Panics
/// If the processor does not support the level, `from` is not a whole number of rows, or `to` has another length.
pub(super) fn transpose<L: TileKernels>(from: &[f32], columns: usize, to: &mut [f32]) {
    assert!(L::usable(), "the processor has not the vector instructions");
    let rows = from.len() / columns.max(1);
    assert!(rows * columns == from.len(), "{} numbers in rows of {columns}", from.len());
    let source = Source { at: from.as_ptr(), k: 1, other: columns as isize };
    // SAFETY: the processor has the level, and `from` has this number of rows.
    unsafe { pack::<L>(source, columns, rows, rows, to) };
}

/// Prefetches the cache lines of the first `k` by `count` numbers of a factor.
pub(super) fn fetch(from: Source, k: usize, count: usize) {
    if k == 0 || count == 0 {
        return;
    }
    let (lines, along) = if from.other == 1 { (k, count) } else { (count, k) };
    for line in 0..lines {
        for j in (0..along + LINE - 1).step_by(LINE) {
            let j = j.min(along - 1);
            let at = if from.other == 1 { from.skip(line, j) } else { from.skip(j, line) }.at;
            prefetch(at);
        }
    }
}

/// A cache line: the alignment of the buffers.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A thread's buffer for packed factors, taken out while it is in use.
pub(super) struct PackBuffer(Vec<Line>);

thread_local! {
    static SPARE: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

impl PackBuffer {
    /// Takes the thread's buffer; an empty one if it is in use, or if the thread is ending.
    pub fn take() -> Self {
        Self(SPARE.try_with(Cell::take).unwrap_or_default())
    }

    /// Returns the buffer for the next product.
    pub fn put_back(self) {
        // A thread that is ending has no next product.
        let _ = SPARE.try_with(|spare| spare.set(self.0));
    }

    /// Returns slices of these lengths, each at the start of a cache line, with arbitrary content.
    pub fn parts<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
        let lines = lengths.map(|length| length.div_ceil(LINE));
        let total = lines.iter().sum();
        if self.0.len() < total {
            self.0.resize(total, Line([0.; LINE]));
        }
        let mut rest = &mut self.0[..];
        std::array::from_fn(|i| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(lines[i]);
            rest = after;
            &mut numbers(part)[..lengths[i]]
        })
    }
}

/// Returns the numbers of some lines.
fn numbers(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a line is an array of `LINE` numbers without padding between or behind them.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LINE) }
}
