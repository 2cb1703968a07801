//! How a product is cut: rows into tiles, columns into panels, and what is packed of both.

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

/// The most numbers of `a` that meet all panels of `b` before the next are read, where neither is packed: a part of the
/// L2 cache, as samples of a prediction come from memory once.
const READ_A: usize = 36 * BLOCK;

/// From how many columns of `b` on packing `a` pays: each panel of them reads all of `a` again.
const COLUMNS_TO_PACK_A: usize = 193;

/// From how many tiles of rows on packing `b` pays where a kernel could read it in place.
pub(super) const TILES_TO_PACK_B: usize = 4;

/// From how many numbers between one `k` and the next on packing `b` pays: so far apart, they fall on a few places of
/// the caches and push each other out.
const STRIDE_TO_PACK_B: usize = 512;

/// A tile's share of a panel is counted in parts of a `k`, so many to one as a power of 2: a division for each tile would
/// show.
const FINE: u32 = 16;

/// How a product is cut, and what is packed for it.
pub(super) struct Plan {
    /// How many tiles the rows are cut into.
    pub tiles: usize,
    /// The rows of a tile; the first ones have one more.
    rows: usize,
    /// How many have one more.
    longer: usize,
    /// The tiles that meet all panels before the next do.
    pub at_once: usize,
    /// The widest panel, in vectors.
    pub widest: usize,
    /// Whether `a` is packed where it is not picked.
    pub pack_a: bool,
    /// Whether what tiles need of `a` is picked.
    pub picking: bool,
    /// Whether `b` is packed.
    pub pack_b: bool,
}

impl Plan {
    /// Tiles as equal as can be: the bits do not depend on it, and no short one is left at the end.
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
            (false, true) => usize::MAX, // a panel is packed for all rows
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

    /// The first row of a tile.
    pub fn start(&self, tile: usize) -> usize {
        tile * self.rows + tile.min(self.longer)
    }

    /// How many rows a tile has.
    fn height(&self, tile: usize) -> usize {
        self.rows + usize::from(tile < self.longer)
    }

    /// From one row of a packed panel to the next. What is picked knows where its rows of `b` are, so those are equally far
    /// apart in all panels.
    pub fn width<L: TileKernels>(&self, panel: Panel) -> usize {
        if self.picking { self.widest * L::LANES } else { panel.width::<L>() }
    }
}

/// Neighbouring columns that are computed together.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first.
    pub start: usize,
    /// How many.
    pub columns: usize,
    /// In how many vectors.
    pub vectors: usize,
}

impl Panel {
    /// The panel that begins with a column of `n`, if there are any left.
    pub fn at<L: TileKernels>(start: usize, n: usize, widest: usize) -> Option<Self> {
        let left = n.checked_sub(start)?.div_ceil(L::LANES);
        let vectors = 1 << left.checked_ilog2()?.min(widest.ilog2());
        Some(Self { start, columns: (vectors * L::LANES).min(n - start), vectors })
    }

    /// Its columns, filled up to whole vectors.
    pub fn width<L: TileKernels>(self) -> usize {
        self.vectors * L::LANES
    }

    /// Packs the part `from..to` of a block of `k`, which begins where `b` does, in rows of this width.
    ///
    /// # Safety
    /// The processor has the level, and `b` has the columns and `to` of `k`.
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

/// The rows of some tiles, over a block of `k`.
pub(super) struct Chunk<'a> {
    pub plan: &'a Plan,
    pub tiles: Range<usize>,
    /// The length of the block.
    pub k: usize,
    /// From the chunk's first row and the block's first `k` on.
    pub a: Source,
    /// From the block's first `k` on.
    pub b: Source,
    pub beta: f32,
    /// The result from the chunk's first row on.
    pub c: *mut f32,
    pub c_row: isize,
}

impl Chunk<'_> {
    /// The first row of a tile, of those of the chunk.
    fn start(&self, tile: usize) -> usize {
        self.plan.start(tile) - self.plan.start(self.tiles.start)
    }

    /// Packs the rows.
    ///
    /// # Safety
    /// The processor has the level, and `a`, from the chunk's first row on, has the rows of all its tiles and `k`,
    /// valid for reads.
    pub unsafe fn pack<L: TileKernels>(&self, room: &mut [f32]) {
        let (a, k, tiles) = (self.a, self.k, self.tiles.clone());
        // Columns of `a` are read a few at a time and across some tiles, as they lie in memory.
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

    /// Computes what the tiles make of a panel. A next panel is packed in parts meanwhile, a part after each tile, fetched
    /// before it: whether all of it is finite.
    ///
    /// # Safety
    /// The processor has the level. The panels are those of [`Panel::at`], the matrices have their columns, the chunk's
    /// rows and its `k`, and nobody else uses those of `c` meanwhile. What was packed or picked is of this chunk and
    /// this panel: `packed_b` has `k` rows of the plan's width, and it is there if the columns of `b` are no
    /// neighbours, or if there are `picks`, which were made for that width.
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
        // How much of the next panel is packed before a tile of this number.
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
                // What is picked knows its rows.
                c: c.wrapping_offset(if picked.is_some() { 0 } else { i as isize * c_row }),
                c_row,
                last,
                first: number == 0 && packed_b.is_none(),
            };
            // SAFETY: the plan's rows and vectors are such as the level has, and `last >= 1` as a panel has no vector
            // without columns. The tile's rows are `i..i + rows` of the chunk, or those `picked`, with a place for each
            // `k` that is a row of `packed_b`, and `AHEAD` more. So its numbers of `a` and `b` are within the matrices,
            // whose rows of `b` are then neighbours, or within the packed copies, and those of `c` are the panel's own.
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
