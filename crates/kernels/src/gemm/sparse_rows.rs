//! Tiles that skip the `k` at which all of their rows of `a` are 0, such as units that ReLU has switched off.
//!
//! A single 0 saves nothing, as a vector of `b` is multiplied by all rows of a tile. But after ReLU some samples have
//! few active units, and some units are active for few samples, so it helps to put rows with the same zeros into one
//! tile. The rows are sorted by a score, twice: first by what a row has in common with the first one; then by how often
//! its nonzero positions are nonzero in the upper half of that order rather than in the lower. That takes three passes
//! over `a` and finds most of what a search for the nearest neighbours finds. With four fifths of `a` 0, after a layer
//! of a trained network, tiles of six rows keep 0.36 of the `k`, against 0.50 in the original order and 0.32 with the
//! search. If the rows are pixels, neighbours already have the same zeros, and the order is left as it is.
//!
//! Only terms that the contract allows to skip are skipped: a panel of `b` that is not finite is multiplied by all of
//! `a`. Each element of `c` has its chain in ascending `k`; the order of the rows only decides which of them are
//! computed together.

use super::pack::{Source, pack};
use super::sparse_groups;
use super::tile::{AHEAD, Picked};
use super::tile_kernels::TileKernels;
use crate::kernels;
use ndarray::ArrayView2;
use std::cell::Cell;

/// The least number of columns of `b` for which looking for zeros pays.
const LEAST_COLUMNS: usize = 256;

/// The least number of tiles of rows that gives enough choice.
const LEAST_TILES: usize = 8;

/// The least `k`.
const LEAST_K: usize = 16;

/// The least share of zeros.
const LEAST_SHARE: f64 = 0.25;

/// The most rows of a tile at any level.
const MOST_ROWS: usize = 12;

kernels! {
    /// Kernels that depend on where numbers are not 0.
    Where {
        /// Adds `by` to `to` where `x` is not 0.
        fn add_where(x: &[F], by: F, to: &mut [F]);
        /// Sets `to` to 1 where `x` is not 0.
        fn mark_where(x: &[F], to: &mut [F]);
        /// The sum of `y` where `x` is not 0.
        fn sum_where(x: &[F], y: &[F]) -> F;
    }
}

mod generic {
    use num_traits::Float;

    #[inline(always)]
    pub fn add_where<F: Float>(x: &[F], by: F, to: &mut [F]) {
        for (&x, to) in x.iter().zip(to) {
            *to = *to + if x == F::zero() { F::zero() } else { by };
        }
    }

    #[inline(always)]
    pub fn mark_where<F: Float>(x: &[F], to: &mut [F]) {
        for (&x, to) in x.iter().zip(to) {
            *to = if x == F::zero() { *to } else { F::one() };
        }
    }

    /// In lanes, so that it is vectorized.
    #[inline(always)]
    pub fn sum_where<F: Float>(x: &[F], y: &[F]) -> F {
        let term = |x: F, y: F| if x == F::zero() { F::zero() } else { y };
        let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<64>(), y.as_chunks::<64>());
        let mut sums = [F::zero(); 64];
        for (x, y) in x.iter().zip(y) {
            for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
                *sum = *sum + term(x, y);
            }
        }
        let rest = x_rest.iter().zip(y_rest).map(|(&x, &y)| term(x, y));
        sums.into_iter().chain(rest).fold(F::zero(), |sum, x| sum + x)
    }
}

/// The picked parts of a chunk of `a`, over a block of `k`. A thread keeps the buffers, which contain old numbers.
pub(super) struct Picks {
    /// The length of the block.
    k: usize,
    /// The start of each tile in `order`, and the end of the chunk.
    starts: Vec<usize>,
    /// The rows of the chunk, tile by tile.
    order: Vec<u32>,
    /// The number of `k` that each tile keeps.
    kept: Vec<usize>,
    /// Their offsets in `b`, with space for `k` and [`AHEAD`] per tile.
    places: Vec<u32>,
    /// The row stride of `b`, as a power of 2.
    shift: u32,
    /// The numbers of each tile, from its start times `k` on.
    numbers: Vec<f32>,
    /// The score of each row.
    scores: Vec<f32>,
    /// The weight of each `k` in a score, or whether a tile needs it.
    weights: Vec<f32>,
    /// The transposed rows, if they are columns in memory.
    turned: Vec<f32>,
}

thread_local! {
    static PICKS: Cell<Picks> = const { Cell::new(Picks::EMPTY) };
}

/// Returns whether looking for zeros in a product may pay: it is large enough, and enough of a few rows or columns of
/// `a` is 0.
pub(super) fn may_pay(a: &ArrayView2<'_, f32>, columns: usize, tiles: usize) -> bool {
    let lines = if a.strides()[1] == 1 { a.view() } else { a.t() };
    columns >= LEAST_COLUMNS
        && tiles >= LEAST_TILES
        && a.ncols() >= LEAST_K
        && lines.strides()[1] == 1
        && sparse_groups::share::<1>(&lines) >= LEAST_SHARE
}

impl Picks {
    const EMPTY: Self = Self {
        k: 0,
        starts: Vec::new(),
        order: Vec::new(),
        kept: Vec::new(),
        places: Vec::new(),
        shift: 0,
        numbers: Vec::new(),
        scores: Vec::new(),
        weights: Vec::new(),
        turned: Vec::new(),
    };

    /// Takes the thread's buffers; empty ones if they are in use, or if the thread is ending.
    pub fn take() -> Self {
        PICKS.try_with(|picks| picks.replace(Self::EMPTY)).unwrap_or(Self::EMPTY)
    }

    /// Returns the buffers for the next product.
    pub fn put_back(self) {
        // A thread that is ending has no next product.
        let _ = PICKS.try_with(|picks| picks.set(self));
    }

    /// Picks from a chunk of `a`, over a block of `k`. `starts` are the first rows of the tiles, followed by the end of
    /// the chunk, and `width` is the row stride of `b`, a power of 2. Returns `None` if less than an eighth of the
    /// tiles' `k` can be skipped. With `same_rows`, the order of the block before is kept, which is as good.
    ///
    /// # Safety
    /// The processor has the level. `a` has those rows, at least one, and `k`, and one of its strides is 1. With
    /// `same_rows`, the previous pick of `self` was of as many rows.
    pub unsafe fn pick<L: TileKernels>(
        &mut self,
        a: Source,
        k: usize,
        starts: impl Iterator<Item = usize>,
        width: usize,
        same_rows: bool,
    ) -> Option<&Self> {
        (self.k, self.shift) = (k, width.trailing_zeros());
        self.starts.clear();
        self.starts.extend(starts);
        let rows = self.starts.last().copied().unwrap_or(0);
        grow(&mut self.numbers, rows * k);
        let mut turned = std::mem::take(&mut self.turned);
        let lines = if a.k == 1 {
            a
        } else {
            grow(&mut turned, rows * k);
            // SAFETY: the processor has the level. `a` has `rows` rows of `k` numbers, which `pack` reads with the two
            // indices exchanged; it writes only the slice, whose length it checks.
            unsafe { pack::<L>(Source { k: a.other, other: a.k, ..a }, rows, k, k, &mut turned[..rows * k]) };
            Source { at: turned.as_ptr(), k: 1, other: k as isize }
        };
        // SAFETY: `i < rows`: it is 0 or an entry of `order`, which has the numbers below `rows`, from now or from a
        // block of the same rows. Row `i` is `k` contiguous numbers, in `a` if `a.k` is 1, and otherwise in `turned`,
        // which was just written and does not change until the last use of `row`.
        let row = |i: u32| unsafe { std::slice::from_raw_parts(lines.skip(0, i as usize).at, k) };
        let kept = if same_rows { self.list(row) } else { self.put_in_order(rows, a.k != 1, row) };
        let pays = 8 * kept <= 7 * self.kept.len() * k;
        if pays {
            self.collect(row);
        }
        self.turned = turned;
        pays.then_some(self)
    }

    /// Sorts the rows, and lists what the tiles then keep. With `side_by_side`, the original order may have a meaning,
    /// and is kept if it is better.
    fn put_in_order<'a>(
        &mut self,
        rows: usize,
        side_by_side: bool,
        row: impl Fn(u32) -> &'a [f32] + Copy,
    ) -> usize {
        self.order.clear();
        self.order.extend(0..rows as u32);
        let as_they_come = if side_by_side { self.list(row) } else { usize::MAX };
        self.sort(row);
        match self.list(row) {
            kept if kept <= as_they_come => kept,
            _ => {
                self.order.sort_unstable();
                self.list(row)
            }
        }
    }

    /// Sorts the rows twice: see the module's documentation.
    fn sort<'a>(&mut self, row: impl Fn(u32) -> &'a [f32]) {
        let rows = self.order.len();
        self.weights.clear();
        self.weights.resize(self.k, -1.);
        f32::add_where(row(0), 2., &mut self.weights);
        let mut by_score = |order: &mut [u32], weights: &[f32]| {
            self.scores.clear();
            self.scores.extend((0..rows as u32).map(|i| f32::sum_where(row(i), weights)));
            let score = |&i: &u32| self.scores[i as usize];
            order.sort_unstable_by(|i, j| score(i).total_cmp(&score(j)).then(i.cmp(j)));
        };
        by_score(&mut self.order, &self.weights);
        self.weights.clear();
        self.weights.resize(self.k, 0.);
        let (lower, upper) = self.order.split_at(rows / 2);
        lower.iter().for_each(|&i| f32::add_where(row(i), -1., &mut self.weights));
        upper.iter().for_each(|&i| f32::add_where(row(i), 1., &mut self.weights));
        by_score(&mut self.order, &self.weights);
    }

    /// Lists the places that each tile keeps, and returns their total number.
    fn list<'a>(&mut self, row: impl Fn(u32) -> &'a [f32]) -> usize {
        let (k, tiles) = (self.k, self.starts.len().saturating_sub(1));
        grow(&mut self.places, tiles * (k + AHEAD));
        self.kept.clear();
        for (tile, places) in self.starts.windows(2).zip(self.places.chunks_exact_mut(k + AHEAD)) {
            self.weights.clear();
            self.weights.resize(k, 0.);
            for &i in &self.order[tile[0]..tile[1]] {
                f32::mark_where(row(i), &mut self.weights);
            }
            let mut kept = 0;
            for (p, &needed) in self.weights.iter().enumerate() {
                places[kept] = (p << self.shift) as u32;
                kept += usize::from(needed != 0.);
            }
            self.kept.push(kept);
        }
        self.kept.iter().sum()
    }

    /// Copies the numbers that are kept.
    fn collect<'a>(&mut self, row: impl Fn(u32) -> &'a [f32]) {
        let k = self.k;
        for (t, tile) in self.starts.windows(2).enumerate() {
            let (rows, kept) = (&self.order[tile[0]..tile[1]], self.kept[t]);
            let places = &self.places[t * (k + AHEAD)..][..kept];
            let numbers = &mut self.numbers[tile[0] * k..][..kept * rows.len()];
            let mut lines: [&[f32]; MOST_ROWS] = [&[]; MOST_ROWS];
            let lines = &mut lines[..rows.len()];
            lines.iter_mut().zip(rows).for_each(|(line, &i)| *line = row(i));
            for (numbers, &p) in numbers.chunks_exact_mut(rows.len()).zip(places) {
                let p = (p >> self.shift) as usize;
                numbers.iter_mut().zip(&*lines).for_each(|(number, line)| *number = line[p]);
            }
        }
    }

    /// Returns a tile.
    pub fn tile(&self, tile: usize) -> Picked<'_> {
        let (rows, k) = (&self.order[self.starts[tile]..self.starts[tile + 1]], self.kept[tile]);
        Picked {
            rows,
            k,
            places: &self.places[tile * (self.k + AHEAD)..][..k + AHEAD],
            numbers: &self.numbers[self.starts[tile] * self.k..][..k * rows.len()],
        }
    }
}

/// Grows a buffer to at least this length.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
}
