//! What a level of vector instructions does: tiles of a product, and what belongs to them.

use super::pick::{AHEAD, Picked};
use super::zeros::Part;

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
    /// How many of the last vector's columns there are: 1 to [`Level::LANES`].
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

    /// The most rows of a tile, for a product with this many vectors of columns.
    fn rows(vectors: usize) -> usize;

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
