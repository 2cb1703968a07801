//! The kernels that a level of vector instructions has for tiles of a product.

use super::sparse_groups::Part;
use super::tile::Tile;
use crate::level::Level;

/// The kernels of a level of vector instructions.
///
/// # Safety
/// A kernel may read and write what its documentation says and nothing else, and keeps the order of the sums that
/// the module's documentation gives.
pub(super) unsafe trait TileKernels {
    /// Which level it is.
    const IS: Level;

    /// Whether the processor has it, and nothing leaves it out.
    fn usable() -> bool {
        Self::IS <= Level::in_use()
    }

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
    /// The processor has the level. `rows` and `vectors` are such as [`rows`](TileKernels::rows) and
    /// [`vectors`](TileKernels::vectors) lead to, and `last` is 1 to `LANES`.
    /// With `w = (vectors - 1) · LANES + last` columns, every `a + i · a_row + p · a_k`, `b + p · b_k + j` and
    /// `c + i · c_row + j` for `i < rows`, `p < k`, `j < w` is valid for reads, and those of `c` also for writes, and
    /// nobody else uses those of `c` meanwhile.
    /// If the tile is picked, `a_row` is 1, and `picked` has `rows` rows and, for the tile's `k`, `k + AHEAD` places.
    /// The same then holds for `b + places[p] + j` and `c + picked.rows[i] · c_row + j` in place of those of `b` and
    /// `c`.
    unsafe fn tile(tile: &Tile<'_>, rows: usize, vectors: usize);

    /// Copies rows of numbers that are neighbours: `to[p · width + j] = from[p · stride + j]` for `p < rows`,
    /// `j < columns`, and 0 for `columns <= j < width`. Whether all numbers are finite.
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

    /// Transposes a block of at most `LANES` by `LANES`: `to[p · stride_to + j] = from[j · stride + p]` for
    /// `p < rows`, `j < columns`, and 0 for `columns <= j < width`. Whether all numbers are finite.
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

    /// The columns that [`leave_out`](TileKernels::leave_out) computes at once; 0 if it does nothing.
    const PANEL: usize = 0;

    /// Whether [`leave_out`](TileKernels::leave_out) takes less time than the kernels for all of `a` where the samples are
    /// the rows of the product.
    fn leaves_out_of_samples() -> bool {
        true
    }

    /// Computes a part without the zeros of `a`, if that pays; whether it did, see [`sparse_groups`].
    ///
    /// # Safety
    /// The processor has the level, `columns` is a multiple of `PANEL` and at most
    /// [`COLUMNS`](super::sparse_groups::COLUMNS), and the matrices are as [`Part`] says: valid for reads, and `c` for
    /// writes too, with nobody else using it meanwhile.
    unsafe fn leave_out(_: &Part) -> bool {
        false
    }
}
