//! From a product to tiles: which rows and columns a kernel computes at once, and what is packed for it.

use super::pack::{self, Source, Spare};
use super::{blocks, check};
use ndarray::{ArrayView2, ArrayViewMut2};

/// The most rows of `a` that are packed at once; with [`BLOCK`](super::BLOCK) they fill half of a usual L2 cache.
const ROWS_AT_ONCE: usize = 264;

/// From how many panels of columns on packing `a` pays: each reads all of `a` again.
const PANELS_TO_PACK_A: usize = 6;

/// From how many tiles of rows on packing `b` pays where a kernel could read it in place.
const TILES_TO_PACK_B: usize = 4;

/// What a kernel computes: a tile of `c`, from some rows of `a` and some columns of `b`, over one block of `k`.
pub(super) struct Tile {
    /// The length of the block.
    pub k: usize,
    /// The first row of `a`, at the block's first `k`.
    pub a: *const f32,
    /// From one row of `a` to the next.
    pub a_row: isize,
    /// From one `k` to the next in `a`.
    pub a_k: isize,
    /// The first column of `b`, at the block's first `k`; the columns are neighbours.
    pub b: *const f32,
    /// From one `k` to the next in `b`.
    pub b_k: isize,
    /// What the old content of `c` is multiplied with; with 0 it is not read.
    pub beta: f32,
    /// The first number of the tile; the columns are neighbours.
    pub c: *mut f32,
    /// From one row of `c` to the next.
    pub c_row: isize,
    /// How many of the last vector's columns there are: 1 to [`Level::LANES`].
    pub last: usize,
}

/// A level of vector instructions.
///
/// # Safety
/// A kernel may read and write what its documentation says and nothing else, and keeps the order of the sums that
/// the module's documentation gives.
pub(super) unsafe trait Level {
    /// Numbers in a vector.
    const LANES: usize;

    /// The most rows of a tile.
    const ROWS: usize;

    /// The widest tile with this many rows, in vectors: a power of 2. What is left of the columns at the end is
    /// computed in tiles of smaller powers of 2.
    fn vectors(rows: usize) -> usize;

    /// Computes a tile with this many rows and vectors of columns.
    ///
    /// # Safety
    /// The processor has the level. `1 <= rows <= ROWS`, and `vectors` is a power of 2, at most `vectors(rows)`.
    /// With `w = (vectors - 1) · LANES + last` columns, every `a + i · a_row + p · a_k`, `b + p · b_k + j` and
    /// `c + i · c_row + j` for `i < rows`, `p < k`, `j < w` is valid, for reads and `c` also for writes.
    unsafe fn tile(tile: &Tile, rows: usize, vectors: usize);

    /// Copies rows of numbers that are neighbours: `to[p · width + j] = from[p · stride + j]` for `p < rows`,
    /// `j < columns`, and 0 for `columns <= j < width`.
    ///
    /// # Safety
    /// The processor has the level, `columns <= width`, and what is named above is valid for reads and writes.
    unsafe fn copy(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        width: usize,
    );

    /// Transposes a block of at most `LANES` by `LANES`: `to[p · stride_to + j] = from[j · stride + p]` for
    /// `p < rows`, `j < columns`, and 0 for `columns <= j < width`.
    ///
    /// # Safety
    /// The processor has the level, `rows`, `columns` and `width` are at most `LANES`, `columns <= width`, and what
    /// is named above is valid for reads and writes.
    unsafe fn transpose(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        stride_to: usize,
        width: usize,
    );
}

/// The product by the kernels of a level that the processor has; see [`multiply`](super::multiply).
pub(super) fn product<L: Level>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    check(&a, &b, &c);
    let (m, n) = c.dim();
    if m == 0 || n == 0 {
        return;
    }
    let [row, column] = [c.strides()[0], c.strides()[1]];
    if column == 1 || n == 1 {
        // SAFETY: the shapes agree, and the columns of `c` are neighbours, or there is one.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c) }
    } else if row == 1 || m == 1 {
        // The same chains: a product of two numbers does not depend on their order.
        let (a, b) = (b.reversed_axes(), a.reversed_axes());
        // SAFETY: the shapes agree, and the rows of `c`, now its columns, are neighbours, or there is one.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c.reversed_axes()) }
    } else {
        let mut dense = if beta == 0. { ndarray::Array2::zeros((m, n)) } else { c.to_owned() };
        if dense.strides()[1] != 1 {
            dense = dense.as_standard_layout().into_owned();
        }
        product::<L>(a, b, beta, dense.view_mut());
        c.assign(&dense);
    }
}

/// The blocks, tiles and panels of a product.
///
/// # Safety
/// The processor has the level, the shapes agree, none is empty but for `k`, and the columns of `c` are neighbours.
unsafe fn rows_by_columns<L: Level>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) {
    let ((m, k), n) = (a.dim(), b.ncols());
    let c_row = c.strides()[0];
    let c = c.as_mut_ptr();
    let a = Source { at: a.as_ptr(), k: a.strides()[1], other: a.strides()[0] };
    let b = Source { at: b.as_ptr(), k: b.strides()[0], other: b.strides()[1] };

    // Tiles as equal as can be: the bits do not depend on it, and no short one is left at the end.
    let tiles = m.div_ceil(L::ROWS);
    let start = |tile: usize| tile * m / tiles;
    let widest = L::vectors(m.div_ceil(tiles));
    let at_once = (ROWS_AT_ONCE / L::ROWS).max(1);

    let panels = n.div_ceil(widest * L::LANES);
    let pack_a = panels >= PANELS_TO_PACK_A && a.other != 1 || panels > 2 && tiles > 8;
    let pack_b = b.other != 1 && n > 1 || tiles >= TILES_TO_PACK_B && k * n > 4096;
    let mut spare = if pack_a || pack_b { Some(Spare::take()) } else { None };

    for (p, k) in blocks(k) {
        let beta = if p == 0 { beta } else { 1. };
        for first in (0..tiles).step_by(at_once) {
            let end = (first + at_once).min(tiles);
            let (top, bottom) = (start(first), start(end));
            let numbers_a = if pack_a { (bottom - top) * k } else { 0 };
            let numbers_b = if pack_b { widest * L::LANES * k } else { 0 };
            let (to_a, to_b) = match &mut spare {
                Some(spare) => spare.two(numbers_a, numbers_b),
                None => (&mut [][..], &mut [][..]),
            };
            if pack_a {
                for tile in first..end {
                    let (from, to) = (start(tile), start(tile + 1));
                    let room = &mut to_a[(from - top) * k..(to - top) * k];
                    // SAFETY: rows `from..to` and `k` numbers from `p` on are within `a`.
                    unsafe { pack::pack::<L>(a.skip(p, from), k, to - from, to - from, room) };
                }
            }
            let mut j = 0;
            while j < n {
                let full = ((n - j).div_ceil(L::LANES)).min(widest);
                let vectors = if full.is_power_of_two() { full } else { full.next_power_of_two() / 2 };
                let columns = (vectors * L::LANES).min(n - j);
                let width = vectors * L::LANES;
                let in_place = b.skip(p, j);
                let (from_b, b_k) = if pack_b {
                    let room = &mut to_b[..width * k];
                    // SAFETY: `columns` from `j` on and `k` numbers from `p` on are within `b`.
                    unsafe { pack::pack::<L>(in_place, k, columns, width, room) };
                    (room.as_ptr(), width as isize)
                } else {
                    (in_place.at, in_place.k)
                };
                for tile in first..end {
                    let (i, rows) = (start(tile), start(tile + 1) - start(tile));
                    let (from_a, a_row, a_k) = if pack_a {
                        (to_a[(i - top) * k..(i - top + rows) * k].as_ptr(), 1, rows as isize)
                    } else {
                        let at = a.skip(p, i);
                        (at.at, at.other, at.k)
                    };
                    let job = Tile {
                        k,
                        a: from_a,
                        a_row,
                        a_k,
                        b: from_b,
                        b_k,
                        beta,
                        c: c.wrapping_offset(i as isize * c_row + j as isize),
                        c_row,
                        last: columns - (vectors - 1) * L::LANES,
                    };
                    // SAFETY: the tile's rows and columns are within the matrices or the packed copies of them.
                    unsafe { L::tile(&job, rows, vectors) };
                }
                j += columns;
            }
        }
    }
    if let Some(spare) = spare {
        spare.put_back();
    }
}
