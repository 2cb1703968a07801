//! Decides which products skip the zeros of `a`, and splits them into the parts that
//! [`sparse_groups`](super::sparse_groups) computes.

use super::blocks::{BLOCK, blocks};
use super::sparse_groups::{COLUMNS, NUMBERS, Part, SPREAD, Samples, Strided, share};
use super::tile_kernels::TileKernels;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// The least number of columns for which looking for zeros pays.
const LEAST_COLUMNS: usize = 64;

/// The least number of rows of `c`: they share the cost of checking `b`.
const LEAST_ROWS: usize = 8;

/// The most rows of `c` for which a block of `b` is checked once.
const ROWS: usize = 256;

/// The row stride of `b` from which on reading a few rows at a time is too slow.
const FAR: usize = 512;

/// The least share of groups that are all 0, in a few samples, for which zeros are skipped.
const LEAST_SHARE: f64 = 1. / 6.;

/// Computes the product if skipping zeros pays, and returns whether it did. Parts that cannot be computed here are
/// computed by `dense`.
///
/// # Safety
/// The processor has the level, the shapes agree, only `k` may be 0, and the columns of `c` are contiguous. `dense` may
/// require no more than that of the parts it is called with.
pub(super) unsafe fn product<L: TileKernels>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
    dense: unsafe fn(&ArrayView2<'_, f32>, &ArrayView2<'_, f32>, f32, &mut ArrayViewMut2<'_, f32>),
) -> bool {
    let ((m, k), n) = (a.dim(), b.ncols());
    let (by_samples, by_numbers) = (a.strides()[1] == 1, a.strides()[0] == 1);
    // If an element's chain spans several words, its sum so far is stored in `c`.
    let fits = by_samples || by_numbers && beta == 0. && k <= BLOCK;
    let near = b.strides()[1] == 1 && b.strides()[0].unsigned_abs() < FAR;
    let too_small = n < LEAST_COLUMNS || m < LEAST_ROWS || k < 2;
    if L::PANEL == 0 || too_small || !fits || !near || by_samples && !L::leaves_out_of_samples() {
        return false;
    }
    let x = if by_samples { a.view() } else { a.t() };
    // With `by_numbers` no estimate is needed: checking a few numbers of all 32 samples is as fast.
    if by_samples && share::<SPREAD>(&x) < LEAST_SHARE {
        return false;
    }
    let samples = Strided { at: x.as_ptr(), stride: x.strides()[0] };
    let b_rows = Strided { at: b.as_ptr(), stride: b.strides()[0] };
    let c_rows = Strided { at: c.as_mut_ptr().cast_const(), stride: c.strides()[0] };
    for (p, length) in blocks(k) {
        let beta = if p == 0 { beta } else { 1. };
        let most = if by_samples { ROWS } else { NUMBERS };
        for top in (0..m).step_by(most) {
            let rows = top..(top + most).min(m);
            let mut left = 0;
            while left < n {
                // Whole panels, and at the end the columns of less than one.
                let width = COLUMNS.min(n - left);
                let columns = left..left + if width > L::PANEL { width / L::PANEL * L::PANEL } else { width };
                left = columns.end;
                let (sample, number) = if by_samples { (top, p) } else { (p, top) };
                let (count, numbers) = if by_samples { (rows.len(), length) } else { (length, rows.len()) };
                let to = c_rows.skip(top, columns.start);
                let part = Part {
                    by_samples,
                    x: Samples { rows: samples.skip(sample, number), count, numbers },
                    b: b_rows.skip(p, columns.start),
                    beta,
                    c: Strided { at: to.at.cast_mut(), stride: to.stride },
                    columns: columns.len(),
                };
                // SAFETY: the part's rows, `k` and columns are within the matrices, of which `c` is borrowed for
                // writing. The strides checked above make the rows contiguous as `Part` requires, and `leave_out` gets
                // at most `COLUMNS` columns, in whole panels. `dense` gets slices of the same matrices: none is empty,
                // their shapes agree, and the columns of `c` stay contiguous.
                unsafe {
                    if !part.columns.is_multiple_of(L::PANEL) || !L::leave_out(&part) {
                        let a = a.slice(s![rows.clone(), p..p + length]);
                        let b = b.slice(s![p..p + length, columns.clone()]);
                        dense(&a, &b, beta, &mut c.slice_mut(s![rows.clone(), columns]));
                    }
                }
            }
        }
    }
    true
}
