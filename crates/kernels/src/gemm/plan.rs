//! How a product is split: rows into tiles, columns into panels, and which parts of both are packed.

use super::blocks::BLOCK;
use super::pack::{self, Source};
use super::sparse_rows;
use super::sparse_rows::Picks;
use super::tile::Tile;
use super::tile_kernels::TileKernels;
use ndarray::ArrayView2;
use std::ops::Range;

/// The most numbers of `a` that are packed at once: half of a usual L2 cache.
const PACKED_A: usize = 264 * BLOCK;

/// The most numbers of `a` that are multiplied by all panels of `b` before the next are read, if neither is packed: a
/// part of the L2 cache, so that each sample of a prediction is read from memory once.
const READ_A: usize = 36 * BLOCK;

/// The least number of columns of `b` for which packing `a` pays: all of `a` is read again for each panel of columns.
const COLUMNS_TO_PACK_A: usize = 193;

/// The least number of tiles of rows for which packing `b` pays if a kernel could read it in place.
pub(super) const TILES_TO_PACK_B: usize = 4;

/// The least row stride of `b` for which packing `b` pays: rows so far apart map to a few cache sets and evict each
/// other.
const STRIDE_TO_PACK_B: usize = 512;

/// The number of fractional bits of a tile's share of the next panel: fixed-point numbers, to avoid an integer division
/// per tile.
const FINE: u32 = 16;

/// How a product is split, and what is packed for it.
pub(super) struct Plan {
    /// The number of tiles of rows.
    pub tiles: usize,
    /// The rows of a tile; the first tiles have one more.
    rows: usize,
    /// The number of tiles that have one more row.
    longer: usize,
    /// The number of tiles that are multiplied by all panels before the next tiles.
    pub at_once: usize,
    /// The widest panel, in vectors.
    pub widest: usize,
    /// True if `a` is packed where it is not picked.
    pub pack_a: bool,
    /// True if only the parts of `a` that tiles need are packed (picked).
    pub picking: bool,
    /// True if `b` is packed.
    pub pack_b: bool,
}

impl Plan {
    /// Makes tiles of nearly equal height, so that no short one is left at the end; the bits do not depend on it.
    pub fn of<L: TileKernels>(a: &ArrayView2<'_, f32>, b: &ArrayView2<'_, f32>) -> Self {
        let ((m, k), n) = (a.dim(), b.ncols());
        let highest = L::rows(n.div_ceil(L::LANES));
        let tiles = m.div_ceil(highest);
        let pack_a = tiles > 1 && n >= COLUMNS_TO_PACK_A;
        let picking = pack_a && sparse_rows::may_pay(a, n, tiles);
        let [b_k, b_column] = [b.strides()[0], b.strides()[1]];
        let pack_b = picking
            || b_column != 1 && n > 1
            || tiles >= TILES_TO_PACK_B && b_k.unsigned_abs() >= STRIDE_TO_PACK_B;
        let together = match (pack_a, pack_b) {
            (true, _) => PACKED_A,
            (false, true) => usize::MAX, // each panel is packed once for all rows
            (false, false) => READ_A,
        };
        Self {
            tiles,
            rows: m / tiles,
            longer: m % tiles,
            at_once: (together / k.clamp(1, BLOCK) / highest).max(1),
            widest: L::vectors(m.div_ceil(tiles)),
            pack_a,
            picking,
            pack_b,
        }
    }

    /// Returns the first row of a tile.
    pub fn start(&self, tile: usize) -> usize {
        tile * self.rows + tile.min(self.longer)
    }

    /// Returns the number of rows of a tile.
    fn height(&self, tile: usize) -> usize {
        self.rows + usize::from(tile < self.longer)
    }

    /// Returns the row stride of a packed panel. Picks store offsets of rows of `b`, so with picks the stride is the
    /// same for all panels.
    pub fn width<L: TileKernels>(&self, panel: Panel) -> usize {
        if self.picking { self.widest * L::LANES } else { panel.width::<L>() }
    }
}

/// A panel: contiguous columns that are computed together.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first column.
    pub start: usize,
    /// The number of columns.
    pub columns: usize,
    /// The number of vectors.
    pub vectors: usize,
}

impl Panel {
    /// Returns the panel that begins with this column of `n`, if any are left.
    pub fn at<L: TileKernels>(start: usize, n: usize, widest: usize) -> Option<Self> {
        let left = n.checked_sub(start)?.div_ceil(L::LANES);
        let vectors = 1 << left.checked_ilog2()?.min(widest.ilog2());
        Some(Self { start, columns: (vectors * L::LANES).min(n - start), vectors })
    }

    /// Returns the number of columns, rounded up to whole vectors.
    pub fn width<L: TileKernels>(self) -> usize {
        self.vectors * L::LANES
    }

    /// Packs the part `from..to` of a block of `k`, which begins where `b` does, in rows of `width`. Returns whether
    /// all numbers are finite.
    ///
    /// # Safety
    /// The processor has the level, and `b` has the panel's columns and at least `to` rows.
    pub unsafe fn pack<L: TileKernels>(
        self,
        b: Source,
        [from, to]: [usize; 2],
        width: usize,
        room: &mut [f32],
    ) -> bool {
        let room = &mut room[from * width..to * width];
        // SAFETY: `b` has the columns from `start` on and the `k` below `to`, so `pack` reads no others; it writes only
        // `room`, and checks how long that is.
        unsafe { pack::pack::<L>(b.skip(from, self.start), to - from, self.columns, width, room) }
    }
}

/// A chunk: the rows of some tiles, over a block of `k`.
pub(super) struct Chunk<'a> {
    pub plan: &'a Plan,
    pub tiles: Range<usize>,
    /// The length of the block.
    pub k: usize,
    /// `a` from the chunk's first row and the block's first `k` on.
    pub a: Source,
    /// `b` from the block's first `k` on.
    pub b: Source,
    pub beta: f32,
    /// The result from the chunk's first row on.
    pub c: *mut f32,
    pub c_row: isize,
}

impl Chunk<'_> {
    /// Returns the first row of a tile, counted from the chunk's first row.
    fn start(&self, tile: usize) -> usize {
        self.plan.start(tile) - self.plan.start(self.tiles.start)
    }

    /// Packs the rows of `a`.
    ///
    /// # Safety
    /// The processor has the level, and `a`, from the chunk's first row on, has the rows of all its tiles and `k`,
    /// valid for reads.
    pub unsafe fn pack<L: TileKernels>(&self, room: &mut [f32]) {
        let (a, k, tiles) = (self.a, self.k, self.tiles.clone());
        // If the columns of `a` are contiguous, a few of them are read at a time for several tiles, in memory order.
        let (together, length) = if a.other == 1 { (8, 8) } else { (1, k) };
        for some in tiles.clone().step_by(together) {
            for q in (0..k).step_by(length.max(1)) {
                for tile in some..(some + together).min(tiles.end) {
                    let (from, rows) = (self.start(tile), self.plan.height(tile));
                    let length = length.min(k - q);
                    let room = &mut room[from * k + q * rows..][..length * rows];
                    // SAFETY: the tile's rows, `from..from + rows` of the chunk, and the `k` in `q..q + length`, at
                    // most `self.k`, are in `a`; `pack` writes only `room`, and checks how long that is.
                    unsafe { pack::pack::<L>(a.skip(q, from), length, rows, rows, room) };
                }
            }
        }
    }

    /// Multiplies the tiles by a panel. Meanwhile the next panel is prefetched and packed, a part of it with each tile.
    /// Returns whether all of that panel is finite.
    ///
    /// # Safety
    /// The processor has the level. The panels come from [`Panel::at`], the matrices have their columns, the chunk's
    /// rows and its `k`, and nobody else uses these elements of `c` meanwhile. What was packed or picked belongs to
    /// this chunk and this panel: `packed_b` has `k` rows of the plan's width, and is present if the columns of `b` are
    /// not contiguous, or if there are `picks`, which were made for that width.
    pub unsafe fn meet<L: TileKernels>(
        &self,
        panel: Panel,
        packed_a: Option<&[f32]>,
        packed_b: Option<&[f32]>,
        picks: Option<&Picks>,
        mut next: Option<(Panel, &mut [f32])>,
    ) -> bool {
        let (plan, k, c_row) = (self.plan, self.k, self.c_row);
        let (b, b_k) = match packed_b {
            Some(packed) => (packed.as_ptr(), plan.width::<L>(panel) as isize),
            None => (self.b.skip(0, panel.start).at, self.b.k),
        };
        let c = self.c.wrapping_add(panel.start);
        let last = panel.columns - (panel.vectors - 1) * L::LANES;
        let (mut i, mut finite) = (0, true);
        // How many rows of the next panel are packed before the tile with this number.
        let all = self.tiles.len();
        let share = if next.is_some() { (k << FINE) / all.max(1) } else { 0 };
        let before = |number: usize| match number {
            number if number == all => k,
            number => ((number * share) >> FINE) / L::LANES * L::LANES,
        };
        for (number, tile) in self.tiles.clone().enumerate() {
            let to_pack = next.as_ref().map(|(next, _)| (*next, [before(number), before(number + 1)]));
            if let Some((next, [from, to])) = to_pack {
                pack::fetch(self.b.skip(from, next.start), to - from, next.columns);
            }
            let rows = plan.height(tile);
            let picked = picks.map(|picks| picks.tile(number));
            let (from, a_row, a_k) = match (&picked, packed_a) {
                (Some(picked), _) => (picked.numbers.as_ptr(), 1, rows as isize),
                (None, Some(packed)) => (packed[i * k..(i + rows) * k].as_ptr(), 1, rows as isize),
                (None, None) => (self.a.skip(0, i).at, self.a.other, self.a.k),
            };
            let job = Tile {
                k: picked.as_ref().map_or(k, |picked| picked.k),
                picked: picked.as_ref(),
                a: from,
                a_row,
                a_k,
                b,
                b_k,
                beta: self.beta,
                // A picked tile contains its row numbers.
                c: c.wrapping_offset(if picked.is_some() { 0 } else { i as isize * c_row }),
                c_row,
                last,
                first: number == 0 && packed_b.is_none(),
            };
            // SAFETY: the plan's rows and vectors are supported by the level, and `last >= 1` as a panel has no vector
            // without columns. The tile's rows are `i..i + rows` of the chunk, or those `picked`, with a place for each
            // `k` that is a row of `packed_b`, and `AHEAD` more. So its numbers of `a` and `b` are within the matrices,
            // where the rows of `b` are contiguous, or within the packed copies, and those of `c` belong to the panel.
            unsafe { L::tile(&job, rows, panel.vectors) };
            i += rows;
            if let (Some((_, room)), Some((next, share))) = (&mut next, to_pack) {
                // SAFETY: the next panel's columns and the block's `k`, of which `share` is a part, are within `b`.
                finite &= unsafe { next.pack::<L>(self.b, share, plan.width::<L>(next), room) };
            }
        }
        finite
    }
}
