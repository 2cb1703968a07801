//! The kernels of a level of vector instructions, for tiles of a product.

use super::sparse_groups::Part;
use super::tile::Tile;
use crate::level::Level;

/// The kernels of a level of vector instructions.
///
/// # Safety
/// A kernel may read and write only what its documentation says, and must keep the order of the sums given in the
/// module's documentation.
pub(super) unsafe trait TileKernels {
    /// The level.
    const IS: Level;

    /// Returns whether the processor has the level and the environment allows it.
    fn usable() -> bool {
        Self::IS <= Level::in_use()
    }

    /// The number of numbers in a vector.
    const LANES: usize;

    /// Returns the most rows of a tile, for a product with this many vectors of columns.
    fn rows(vectors: usize) -> usize;

    /// Returns the width of the widest tile with this many rows, in vectors: a power of 2. The columns left at the end
    /// are computed in tiles of smaller powers of 2.
    fn vectors(rows: usize) -> usize;

    /// Computes a tile with this many rows and vectors of columns.
    ///
    /// # Safety
    /// The processor has the level. `rows` and `vectors` are values that [`rows`](TileKernels::rows) and
    /// [`vectors`](TileKernels::vectors) allow, and `last` is 1 to `LANES`. With `w = (vectors - 1) · LANES + last`
    /// columns, every `a + i · a_row + p · a_k`, `b + p · b_k + j` and `c + i · c_row + j` for `i < rows`, `p < k`,
    /// `j < w` is valid for reads, and those of `c` also for writes, and nobody else uses those of `c` meanwhile.
    /// If the tile is picked, `a_row` is 1, and `picked` has `rows` rows and, for the tile's `k`, `k + AHEAD` places.
    /// The same then holds for `b + places[p] + j` and `c + picked.rows[i] · c_row + j` in place of those of `b` and
    /// `c`.
    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize);

    /// Copies rows of contiguous numbers: `to[p · width + j] = from[p · stride + j]` for `p < rows`, `j < columns`.
    /// Pads each row with 0 for `columns <= j < width`. Returns whether every number copied is finite.
    ///
    /// # Safety
    /// The processor has the level, `columns <= width`, the numbers of `from` named above are valid for reads, and
    /// those of `to`, all `rows · width` of them, for writes.
    unsafe fn copy(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        width: usize,
    ) -> bool;

    /// Transposes a block of at most `LANES` by `LANES`: `to[p · stride_to + j] = from[j · stride + p]` for `p < rows`,
    /// `j < columns`. Pads each row with 0 for `columns <= j < width`. Returns whether every number copied is finite.
    ///
    /// # Safety
    /// The processor has the level, `rows`, `columns` and `width` are at most `LANES`, `columns <= width`, the numbers
    /// of `from` named above are valid for reads, and those of `to`, `width` in each of `rows` rows, for writes.
    unsafe fn transpose(
        from: *const f32,
        stride: isize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        stride_to: usize,
        width: usize,
    ) -> bool;

    /// The number of columns that [`leave_out`](TileKernels::leave_out) computes at once; 0 if it does nothing.
    const PANEL: usize = 0;

    /// Returns whether [`leave_out`](TileKernels::leave_out) is faster than the dense kernels if the samples are the
    /// rows of the product.
    fn leaves_out_of_samples() -> bool {
        true
    }

    /// Computes a part without the zeros of `a`, if that pays. Returns whether it did; see [`sparse_groups`].
    ///
    /// # Safety
    /// The processor has the level, `columns` is a multiple of `PANEL` and at most
    /// [`COLUMNS`](super::sparse_groups::COLUMNS), and the matrices are as [`Part`] says: valid for reads, and `c` for
    /// writes too, with nobody else using it meanwhile.
    unsafe fn leave_out(_: &Part) -> bool {
        false
    }
}
