//! The input of a kernel: a tile of a product, and the picked part of `a` for it.

/// The numbers in a cache line.
pub(super) const LINE: usize = 16;

/// The prefetch distance in a tile's list of rows of `b`; hardware prefetchers follow only rows without gaps.
pub(super) const AHEAD: usize = 8;

/// The picked part of `a` for a tile.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    /// The rows of the chunk that it contains.
    pub rows: &'a [u32],
    /// The number of `k` that are kept.
    pub k: usize,
    /// The offset of the row of `b` for each kept `k`, followed by [`AHEAD`] more places.
    pub places: &'a [u32],
    /// The packed values, k-major: all rows for one `k`, then all rows for the next.
    pub numbers: &'a [f32],
}

/// The least length of a block for which a kernel prefetches its tile of `c` at the start, to have it at the end.
pub(super) const K_TO_FETCH_C: usize = 64;

/// The work of a kernel: a tile of `c`, from some rows of `a` and some columns of `b`, over one block of `k`.
pub(super) struct Tile<'a> {
    /// The length of the block, or how much of it is kept.
    pub k: usize,
    /// If only a part of `a` is kept: which rows of `b` and of `c` belong to it.
    pub picked: Option<&'a Picked<'a>>,
    /// The first row of `a`, at the block's first `k`.
    pub a: *const f32,
    /// The row stride of `a`.
    pub a_row: isize,
    /// The stride of `k` in `a`.
    pub a_k: isize,
    /// The first column of `b`, at the block's first `k`; the columns are contiguous.
    pub b: *const f32,
    /// The stride of `k` in `b`.
    pub b_k: isize,
    /// The factor of the old content of `c`; with 0 it is not read.
    pub beta: f32,
    /// The first number of the tile; the columns are contiguous.
    pub c: *mut f32,
    /// The row stride of `c`.
    pub c_row: isize,
    /// The number of columns in the last vector: 1 to [`TileKernels::LANES`](super::tile_kernels::TileKernels::LANES).
    pub last: usize,
    /// True if this is the first tile of its chunk to read these columns of an unpacked `b`: they may be in no cache
    /// but the last, and far apart.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "NEON does not ask for them"))]
    pub first: bool,
}

impl Tile<'_> {
    /// Returns the address of a row of the tile in `c`; rows are consecutive unless the tile is picked.
    #[inline(always)]
    pub fn row_of_c<const PICKED: bool>(&self, row: usize) -> *mut f32 {
        let row = match self.picked {
            Some(picked) if PICKED => picked.rows[row] as usize,
            _ => row,
        };
        self.c.wrapping_offset(row as isize * self.c_row)
    }

    /// Returns the addresses in `b` of the row for the kept number `p`, and of the row `AHEAD` places later.
    ///
    /// # Safety
    /// The tile is picked, its list has `k + AHEAD` places, and `p < k`.
    #[inline(always)]
    pub unsafe fn picked_of_b(&self, p: usize) -> [*const f32; 2] {
        let places = self.picked.map_or(std::ptr::null(), |picked| picked.places.as_ptr());
        // SAFETY: the tile is picked, so `places` is where its list begins. The list has `k + AHEAD` places, and both
        // numbers are below that as `p < k`. The resulting addresses are not read here.
        [p, p + AHEAD].map(|p| self.b.wrapping_add(unsafe { *places.add(p) } as usize))
    }
}
