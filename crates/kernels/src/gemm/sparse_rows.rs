//! Tiles that leave out the `k` at which all of their rows of `a` are 0, as units are that ReLU has switched off.
//!
//! A single 0 saves nothing: the rows of a tile meet a vector of `b` together. But behind ReLU some samples have few units
//! on, and some units are on for few samples, so it helps to put rows with the same zeros into one tile. They are
//! ordered by a number each: first by what a row has in common with the first one; then by how often what is not 0 in it
//! is so in the upper half of that order rather than in the lower. That takes three passes over `a` and finds most of
//! what a search for the nearest neighbours does: with four fifths of `a` 0, behind a layer of a trained network, tiles of
//! six rows keep 0.36 of the `k`, in the order in which they come 0.50, and by the search 0.32. Where the rows are pixels,
//! neighbours have the same zeros as they come, and the order is left.
//!
//! Left out are only terms that the contract lets be: a panel of `b` that is not finite meets all of `a`. Each number of `c`
//! has its chain in ascending `k`; the order of the rows is about which of them are computed together.

use super::pack::{Source, pack};
use super::sparse_groups;
use super::tile::{AHEAD, Picked};
use super::tile_kernels::TileKernels;
use crate::kernels;
use ndarray::ArrayView2;
use std::cell::Cell;

/// From how many columns of `b` on looking for zeros pays.
const LEAST_COLUMNS: usize = 256;

/// From how many tiles of rows on they can be chosen well.
const LEAST_TILES: usize = 8;

/// From how many `k` on.
const LEAST_K: usize = 16;

/// From which share of zeros on.
const LEAST_SHARE: f64 = 0.25;

/// The most rows of a tile, of any level.
const MOST_ROWS: usize = 12;

kernels! {
    /// What is said about numbers by others not being 0.
    Where {
        /// `to + by` where `x` is not 0.
        fn add_where(x: &[F], by: F, to: &mut [F]);
        /// 1 in place of `to` where `x` is not 0.
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

    /// In lanes, so that a vector takes many at once.
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

/// What is picked of a chunk of `a`, over a block of `k`. A thread keeps the buffers, in which old numbers are left over.
pub(super) struct Picks {
    /// The length of the block.
    k: usize,
    /// Where each tile begins in `order`, and at last where the chunk ends.
    starts: Vec<usize>,
    /// The rows of the chunk, those of a tile one after the other.
    order: Vec<u32>,
    /// How many `k` each tile keeps.
    kept: Vec<usize>,
    /// Where they are in `b`, with room for `k` and [`AHEAD`] for each tile.
    places: Vec<u32>,
    /// From one row of `b` to the next, as a power of 2.
    shift: u32,
    /// The numbers of a tile, from its start times `k` on.
    numbers: Vec<f32>,
    /// For each row, what it is ordered by.
    scores: Vec<f32>,
    /// For each `k`, what it counts for in a score, or whether a tile needs it.
    weights: Vec<f32>,
    /// The rows, where they are columns in memory.
    turned: Vec<f32>,
}

thread_local! {
    static PICKS: Cell<Picks> = const { Cell::new(Picks::EMPTY) };
}

/// Whether a product is such that looking for zeros may pay: it is large enough, and enough of a few rows or columns of
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

    /// The thread's; empty ones if they are in use, or if the thread is ending.
    pub fn take() -> Self {
        PICKS.try_with(|picks| picks.replace(Self::EMPTY)).unwrap_or(Self::EMPTY)
    }

    /// Gives them back for the next product.
    pub fn put_back(self) {
        // A thread that is ending has no next product.
        let _ = PICKS.try_with(|picks| picks.set(self));
    }

    /// Picks from a chunk of `a`, over a block of `k`, for tiles that begin with these rows, the last of which is where
    /// the chunk ends, and for a `b` with rows of this width, a power of 2. None if an eighth of the tiles' `k` cannot be
    /// left out. If the block before was of the `same_rows`, they stay in its order, which does as well.
    ///
    /// # Safety
    /// The processor has the level. `a` has those rows, at least one, and `k`, and one of its strides is 1. With
    /// `same_rows`, what was picked before by `self` was of as many rows.
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
        // SAFETY: `i < rows`: it is 0 or stands in `order`, which has the numbers below `rows`, from now or from a
        // block of the same rows. Row `i` is `k` neighbours, in `a` where `a.k` is 1, and else in `turned`, where they
        // were just written and which no one changes until `row` was used for the last time.
        let row = |i: u32| unsafe { std::slice::from_raw_parts(lines.skip(0, i as usize).at, k) };
        let kept = if same_rows { self.list(row) } else { self.put_in_order(rows, a.k != 1, row) };
        let pays = 8 * kept <= 7 * self.kept.len() * k;
        if pays {
            self.collect(row);
        }
        self.turned = turned;
        pays.then_some(self)
    }

    /// Puts the rows in order, and lists what the tiles keep then. Only rows that lie side by side may come in an order
    /// that has a meaning, and stay in it where that is better.
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

    /// Sorts the rows, twice: see the module.
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

    /// Lists the places that each tile keeps; how many that are of all.
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

    /// A tile.
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

/// Makes room for so many.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
}
