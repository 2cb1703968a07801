//! From a product to tiles: which rows and columns a kernel computes at once, and what is packed for it.

use super::deal::Deal;
use super::pack::{self, Source, Spare};
use super::pick::{self, AHEAD, Picked, Picks};
use super::zeros::{self, Part};
use super::{BLOCK, blocks, check};
use crate::pool;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use std::ops::Range;

/// The most numbers of `a` that are packed at once: half of a usual L2 cache.
const PACKED_A: usize = 264 * BLOCK;

/// The most numbers of `a` that meet all panels of `b` before the next are read, where neither is packed: a part of the
/// L2 cache, as samples of a prediction come from memory once.
const READ_A: usize = 36 * BLOCK;

/// From how many columns of `b` on packing `a` pays: each panel of them reads all of `a` again.
const COLUMNS_TO_PACK_A: usize = 193;

/// From how many tiles of rows on packing `b` pays where a kernel could read it in place.
const TILES_TO_PACK_B: usize = 4;

/// From how many numbers between one `k` and the next on packing `b` pays: so far apart, they fall on a few places of
/// the caches and push each other out.
const STRIDE_TO_PACK_B: usize = 512;

/// From which length of a block on the next panel of `b` is packed while one is in use.
const K_TO_PACK_AHEAD: usize = 320;

/// From which length of a block on a kernel asks for its tile of `c` at the start, to have it at the end.
pub(super) const K_TO_FETCH_C: usize = 64;

/// What a kernel computes: a tile of `c`, from some rows of `a` and some columns of `b`, over one block of `k`.
pub(super) struct Tile<'a> {
    /// The length of the block, or how much of it is kept.
    pub k: usize,
    /// Which rows of `b` and of `c` those of `a` meet, where not all of `a` is kept.
    pub picked: Option<Picked<'a>>,
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

impl Tile<'_> {
    /// The first number of a row of the tile, which is as it comes unless the tile is picked.
    #[inline(always)]
    pub fn row_of_c<const PICKED: bool>(&self, row: usize) -> *mut f32 {
        let row = match self.picked {
            Some(picked) if PICKED => picked.rows[row] as usize,
            _ => row,
        };
        self.c.wrapping_offset(row as isize * self.c_row)
    }

    /// The first columns of the `b` that number `p` of what is picked meets, and of the one some places later.
    ///
    /// # Safety
    /// The tile is picked, and `p < k`.
    #[inline(always)]
    pub unsafe fn picked_of_b(&self, p: usize) -> [*const f32; 2] {
        let places = self.picked.map_or(std::ptr::null(), |picked| picked.places.as_ptr());
        // SAFETY: by the caller's word; behind the places are `AHEAD` more.
        [p, p + AHEAD].map(|p| self.b.wrapping_add(unsafe { *places.add(p) } as usize))
    }
}

/// A level of vector instructions.
///
/// # Safety
/// A kernel may read and write what its documentation says and nothing else, and keeps the order of the sums that
/// the module's documentation gives.
pub(super) unsafe trait Level {
    /// Whether the processor has it; the answer is cached.
    fn detected() -> bool;

    /// Numbers in a vector.
    const LANES: usize;

    /// The most rows of a tile, for a product with this many rows and vectors of columns.
    fn rows(rows: usize, vectors: usize) -> usize;

    /// The widest tile with this many rows, in vectors: a power of 2. What is left of the columns at the end is
    /// computed in tiles of smaller powers of 2.
    fn vectors(rows: usize) -> usize;

    /// Computes a tile with this many rows and vectors of columns.
    ///
    /// # Safety
    /// The processor has the level. `rows` and `vectors` are such as [`rows`](Level::rows) and
    /// [`vectors`](Level::vectors) lead to.
    /// With `w = (vectors - 1) · LANES + last` columns, every `a + i · a_row + p · a_k`, `b + p · b_k + j` and
    /// `c + i · c_row + j` for `i < rows`, `p < k`, `j < w` is valid, for reads and `c` also for writes. Of what is
    /// picked, there are `rows` rows, and the same holds for its rows and places.
    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize);

    /// Copies rows of numbers that are neighbours: `to[p · width + j] = from[p · stride + j]` for `p < rows`,
    /// `j < columns`, and 0 for `columns <= j < width`. Whether all numbers are finite.
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
    ) -> bool;

    /// Transposes a block of at most `LANES` by `LANES`: `to[p · stride_to + j] = from[j · stride + p]` for
    /// `p < rows`, `j < columns`, and 0 for `columns <= j < width`. Whether all numbers are finite.
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
    ) -> bool;

    /// The columns that [`leave_out`](Level::leave_out) computes at once; 0 if it does nothing.
    const PANEL: usize = 0;

    /// Whether [`leave_out`](Level::leave_out) takes less time than the kernels for all of `a` where the samples are the
    /// rows of the product.
    fn leaves_out_of_samples() -> bool {
        true
    }

    /// Computes a part without the zeros of `a`, if that pays; whether it did, see [`zeros`].
    ///
    /// # Safety
    /// The processor has the level, the part has whole panels, and its matrices are valid, `c` for writes too.
    unsafe fn leave_out(_: &Part) -> bool {
        false
    }
}

/// The product by the kernels of a level; see [`multiply`](super::multiply).
///
/// # Panics
/// When the processor has not the level, or the shapes do not agree.
pub(super) fn product<L: Level>(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    assert!(L::detected(), "the processor has not the vector instructions");
    check(&a, &b, &c);
    let (m, n) = c.dim();
    if m == 0 || n == 0 {
        return;
    }
    let [row, column] = [c.strides()[0], c.strides()[1]];
    // A single column is computed as a row where it can be, in whole vectors.
    let (by_columns, by_rows) = (column == 1 || n == 1, row == 1 || m == 1);
    if by_columns && !(by_rows && n == 1) {
        // SAFETY: the processor has the level, the shapes agree, and the columns of `c` are neighbours.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c) }
    } else if by_rows {
        // The same chains: a product of two numbers does not depend on their order.
        let (a, b) = (b.reversed_axes(), a.reversed_axes());
        // SAFETY: as above; the rows of `c`, now its columns, are neighbours.
        unsafe { rows_by_columns::<L>(&a, &b, beta, &mut c.reversed_axes()) }
    } else {
        let mut dense = Array2::zeros((m, n));
        if beta != 0. {
            dense.assign(&c);
        }
        product::<L>(a, b, beta, dense.view_mut());
        c.assign(&dense);
    }
}

/// Neighbouring columns that are computed together.
#[derive(Clone, Copy)]
struct Panel {
    /// The first.
    start: usize,
    /// How many.
    columns: usize,
    /// In how many vectors.
    vectors: usize,
}

impl Panel {
    /// The panel that begins with a column of `n`, if there are any left.
    fn at<L: Level>(start: usize, n: usize, widest: usize) -> Option<Self> {
        let left = n.checked_sub(start)?.div_ceil(L::LANES);
        let vectors = 1 << left.checked_ilog2()?.min(widest.ilog2());
        Some(Self { start, columns: (vectors * L::LANES).min(n - start), vectors })
    }

    /// Its columns, filled up to whole vectors.
    fn width<L: Level>(self) -> usize {
        self.vectors * L::LANES
    }

    /// Packs the part `from..to` of a block of `k` that begins at `p`, in rows of this width.
    ///
    /// # Safety
    /// The processor has the level, and `b` has the columns and `p + to` of `k`.
    unsafe fn pack<L: Level>(
        self,
        b: Source,
        p: usize,
        [from, to]: [usize; 2],
        width: usize,
        room: &mut [f32],
    ) -> bool {
        let room = &mut room[from * width..to * width];
        // SAFETY: by the caller's word.
        unsafe { pack::pack::<L>(b.skip(p + from, self.start), to - from, self.columns, width, room) }
    }
}

/// Packs the rows of some tiles over a block of `k`, which begins where `a` does, as does the first tile.
///
/// # Safety
/// The processor has the level, and `a` has those rows and `k`.
unsafe fn pack_rows<L: Level>(
    a: Source,
    k: usize,
    tiles: Range<usize>,
    start: impl Fn(usize) -> usize,
    room: &mut [f32],
) {
    let top = start(tiles.start);
    // Columns of `a` are read a few at a time and across some tiles, as they lie in memory.
    let (together, length) = if a.other == 1 { (8, 8) } else { (1, k) };
    for some in tiles.clone().step_by(together) {
        for q in (0..k).step_by(length.max(1)) {
            for tile in some..(some + together).min(tiles.end) {
                let (from, rows) = (start(tile) - top, start(tile + 1) - start(tile));
                let length = length.min(k - q);
                let room = &mut room[from * k + q * rows..][..length * rows];
                // SAFETY: by the caller's word.
                unsafe { pack::pack::<L>(a.skip(q, from), length, rows, rows, room) };
            }
        }
    }
}

/// A product, without the zeros of `a` where that pays.
///
/// # Safety
/// The processor has the level, the shapes agree, none is empty but for `k`, and the columns of `c` are neighbours.
unsafe fn rows_by_columns<L: Level>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) {
    // SAFETY: by the caller's word.
    unsafe {
        if !zeros::product::<L>(a, b, beta, c, alone::<L>) {
            alone::<L>(a, b, beta, c);
        }
    }
}

/// A product by the calling thread.
///
/// # Safety
/// As [`rows_by_columns`].
unsafe fn alone<L: Level>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) {
    // SAFETY: by the caller's word.
    unsafe { in_tiles::<L>(a, b, beta, c.as_mut_ptr(), c.strides()[0], &Deal::default()) }
}

/// The product by the kernels of a level and several threads, to which the panels are dealt.
///
/// # Panics
/// When the processor has not the level, the shapes do not agree, or the columns of `c` are no neighbours.
pub(super) fn product_by<L: Level>(
    threads: usize,
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    beta: f32,
    mut c: ArrayViewMut2<'_, f32>,
) {
    /// Where all threads write, each into panels of its own.
    struct Shared(*mut f32);
    // SAFETY: a panel of a block is dealt to one thread, once those of the block before are done.
    unsafe impl Sync for Shared {}

    assert!(L::detected(), "the processor has not the vector instructions");
    check(&a, &b, &c);
    let [row, column] = [c.strides()[0], c.strides()[1]];
    assert!(column == 1 && !c.is_empty(), "no columns that are neighbours");
    let (c, deal) = (Shared(c.as_mut_ptr()), Deal::default());
    pool::fork(threads, |_| {
        let Shared(c) = &c;
        // SAFETY: the processor has the level, the shapes agree, none is empty, and the columns of `c` are neighbours.
        unsafe { in_tiles::<L>(&a, &b, beta, *c, row, &deal) }
    });
}

/// The blocks, tiles and panels of a product, as far as they are dealt to this thread.
///
/// # Safety
/// As [`rows_by_columns`], where `c` is the first number of the result and `c_row` leads from one row to the next. Nobody
/// reads or writes it meanwhile but threads in here, with the same arguments.
unsafe fn in_tiles<L: Level>(
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: *mut f32,
    c_row: isize,
    deal: &Deal,
) {
    let ((m, k), n) = (a.dim(), b.ncols());
    let matrix = a;
    let a = Source { at: a.as_ptr(), k: a.strides()[1], other: a.strides()[0] };
    let b = Source { at: b.as_ptr(), k: b.strides()[0], other: b.strides()[1] };

    // Tiles as equal as can be: the bits do not depend on it, and no short one is left at the end.
    let highest = L::rows(m, n.div_ceil(L::LANES));
    let tiles = m.div_ceil(highest);
    let (each, longer) = (m / tiles, m % tiles);
    let start = |tile: usize| tile * each + tile.min(longer);
    let widest = L::vectors(m.div_ceil(tiles));

    let pack_a = tiles > 1 && n >= COLUMNS_TO_PACK_A;
    let mut picks = if pack_a && pick::may_pay(matrix, n, tiles) { Some(Picks::take()) } else { None };
    let picking = picks.is_some();
    let pack_b = picking
        || b.other != 1 && n > 1
        || tiles >= TILES_TO_PACK_B && b.k.unsigned_abs() >= STRIDE_TO_PACK_B;
    let together = match (pack_a, pack_b) {
        (true, _) => PACKED_A,
        (false, true) => usize::MAX, // a panel is packed for all rows
        (false, false) => READ_A,
    };
    let at_once = (together / k.clamp(1, BLOCK) / highest).max(1);
    let mut spare = if pack_a || pack_b { Some(Spare::take()) } else { None };
    // What is dealt: the columns of a widest panel, or at the end what is left of them, in several panels.
    let full = widest * L::LANES;
    // What is picked knows where its rows of `b` are, so those are equally far apart in all panels.
    let width = |panel: Panel| if picking { full } else { panel.width::<L>() };
    let (places, mut stage, mut in_order) = (n.div_ceil(full), 0, false);

    for (p, k) in blocks(k) {
        let beta = if p == 0 { beta } else { 1. };
        for first in (0..tiles).step_by(at_once) {
            let (dealt, to_deal) = (stage * places, (stage + 1) * places);
            stage += 1;
            if deal.is_over(to_deal) {
                continue;
            }
            let end = (first + at_once).min(tiles);
            let (top, bottom) = (start(first), start(end));
            let starts = (first..=end).map(|tile| start(tile) - top);
            // SAFETY: the chunk's rows and `k` numbers from `p` on are within `a`, which `may_pay` has seen.
            let picks = picks.as_mut().and_then(|picks| unsafe {
                picks.pick::<L>(a.skip(p, top), k, starts, full, in_order && at_once >= tiles)
            });
            in_order = true;
            let pack_a = pack_a && picks.is_none();
            let numbers_a = if pack_a { (bottom - top) * k } else { 0 };
            let numbers_b = if pack_b { full * k } else { 0 };
            let [room_a, mut room, mut room_next]: [&mut [f32]; 3] = match &mut spare {
                Some(spare) => spare.parts([numbers_a, numbers_b, numbers_b]),
                None => Default::default(),
            };
            if pack_a {
                // SAFETY: the tiles' rows and `k` numbers from `p` on are within `a`.
                unsafe { pack_rows::<L>(a.skip(p, top), k, first..end, start, room_a) };
            }
            deal.wait(dealt);
            let after = |panel: Option<Panel>| match panel.map(|panel| panel.start + panel.columns) {
                Some(start) if start < n && !start.is_multiple_of(full) => Panel::at::<L>(start, n, widest),
                _ => Panel::at::<L>((deal.take(to_deal)? - dealt) * full, n, widest),
            };
            let ahead = pack_b && end - first >= TILES_TO_PACK_B && k >= K_TO_PACK_AHEAD;
            let (mut next, mut packed) = (after(None), false);
            // Whether what was packed of a panel is.
            let mut finite = true;
            while let Some(panel) = next {
                next = after(Some(panel));
                if pack_b && !packed {
                    // SAFETY: the panel's columns and `k` numbers from `p` on are within `b`.
                    finite = unsafe { panel.pack::<L>(b, p, [0, k], width(panel), room) };
                }
                let (from_b, b_k) = if pack_b {
                    (room.as_ptr(), width(panel) as isize)
                } else {
                    (b.skip(p, panel.start).at, b.k)
                };
                let picks = picks.filter(|_| finite);
                finite = true;
                for tile in first..end {
                    // The next panel is packed in parts, a part after each tile, fetched before it.
                    let to_pack = next.filter(|_| ahead).map(|next| {
                        let share = [tile - first, tile + 1 - first].map(|i| match i {
                            i if i == end - first => k,
                            i => k * i / (end - first) / L::LANES * L::LANES,
                        });
                        (next, share)
                    });
                    if let Some((next, share)) = to_pack {
                        pack::fetch(b.skip(p + share[0], next.start), share[1] - share[0], next.columns);
                    }
                    let (i, rows) = (start(tile), start(tile + 1) - start(tile));
                    let (from_a, a_row, a_k) = if pack_a {
                        (room_a[(i - top) * k..(i - top + rows) * k].as_ptr(), 1, rows as isize)
                    } else {
                        (a.skip(p, i).at, a.other, a.k)
                    };
                    let job = Tile {
                        k,
                        picked: None,
                        a: from_a,
                        a_row,
                        a_k,
                        b: from_b,
                        b_k,
                        beta,
                        c: c.wrapping_offset(i as isize * c_row + panel.start as isize),
                        c_row,
                        last: panel.columns - (panel.vectors - 1) * L::LANES,
                    };
                    let job = match picks.map(|picks| picks.tile(tile - first)) {
                        Some(picked) => Tile {
                            k: picked.k,
                            picked: Some(picked),
                            a: picked.numbers.as_ptr(),
                            a_row: 1,
                            a_k: rows as isize,
                            c: c.wrapping_offset(top as isize * c_row + panel.start as isize),
                            ..job
                        },
                        None => job,
                    };
                    // SAFETY: the tile's rows and columns are within the matrices or the packed copies of them.
                    unsafe { L::tile(&job, rows, panel.vectors) };
                    if let Some((next, share)) = to_pack {
                        // SAFETY: the panel's columns and `k` numbers from `p` on are within `b`.
                        finite &= unsafe { next.pack::<L>(b, p, share, width(next), room_next) };
                    }
                }
                if ahead {
                    std::mem::swap(&mut room, &mut room_next);
                    packed = true;
                }
                if next.is_none_or(|next| next.start.is_multiple_of(full)) {
                    deal.done();
                }
            }
        }
    }
    if let Some(spare) = spare {
        spare.put_back();
    }
    if let Some(picks) = picks {
        picks.put_back();
    }
}
