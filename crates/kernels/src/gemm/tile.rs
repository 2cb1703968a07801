//! What a kernel is given: a tile of a product, and of what is picked for it.

/// Numbers in a line of the caches.
pub(super) const LINE: usize = 16;

/// How far ahead in a tile's list a kernel asks for the numbers of `b`; processors foresee rows without gaps only.
pub(super) const AHEAD: usize = 8;

/// A tile of what was picked of `a`.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    /// Which rows of the chunk it has.
    pub rows: &'a [u32],
    /// How many `k` are kept.
    pub k: usize,
    /// Where the row of `b` for each of them begins, and behind them [`AHEAD`] more places.
    pub places: &'a [u32],
    /// Their numbers: of one `k` after the other all rows.
    pub numbers: &'a [f32],
}

/// From which length of a block on a kernel asks for its tile of `c` at the start, to have it at the end.
pub(super) const K_TO_FETCH_C: usize = 64;

/// What a kernel computes: a tile of `c`, from some rows of `a` and some columns of `b`, over one block of `k`.
pub(super) struct Tile<'a> {
    /// The length of the block, or how much of it is kept.
    pub k: usize,
    /// Which rows of `b` and of `c` those of `a` meet, where not all of `a` is kept.
    pub picked: Option<&'a Picked<'a>>,
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
    /// How many of the last vector's columns there are: 1 to [`TileKernels::LANES`](super::tile_kernels::TileKernels::LANES).
    pub last: usize,
    /// Whether it is the first of its chunk to read these columns of `b`, which lie as they came: they may be out of all
    /// but the last cache, and far apart.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "NEON does not ask for them"))]
    pub first: bool,
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
    /// The tile is picked, its list has `k + AHEAD` places, and `p < k`.
    #[inline(always)]
    pub unsafe fn picked_of_b(&self, p: usize) -> [*const f32; 2] {
        let places = self.picked.map_or(std::ptr::null(), |picked| picked.places.as_ptr());
        // SAFETY: the tile is picked, so `places` is where its list begins. The list has `k + AHEAD` places, and both
        // numbers are below that as `p < k`. The addresses made of them are not read here.
        [p, p + AHEAD].map(|p| self.b.wrapping_add(unsafe { *places.add(p) } as usize))
    }
}
