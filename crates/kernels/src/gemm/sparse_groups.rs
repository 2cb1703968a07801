//! Products that skip the zeros of `a`: the background of images, the words that a text does not contain.
//!
//! A term with a 0 in it changes no sum as long as the other factor is finite, so skipping it changes no bit of the
//! result (except the sign of a 0, which is why the contract has no -0). The rows of `b` that are used are checked on
//! the way: if one is not finite, the other kernels compute the product, so that `0 · NaN` is NaN as usual.
//!
//! Both kernels treat `a` as samples: contiguous rows of numbers, in groups of a few numbers. For each group a word of
//! 32 bits says which of up to 32 samples have a nonzero number in it.
//!
//! - [`spread`], for samples that are the rows of the product (a layer's forward product): a group's rows of `b` are
//!   held in registers, and added to the rows of those samples. `b` is read once, instead of once per tile.
//! - [`collect`], for numbers that are the rows of the product (the gradient of the weights): a tile of `c` is held in
//!   registers, and those samples' rows of `b` are added to it.
//!
//! Both add in ascending `k`, in one chain per element and block. The share of zeros affects only the time, so for
//! samples of many numbers it is estimated from a few samples first.
#![cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "NEON has no kernels of this kind"))]

use super::blocks::BLOCK;
use super::hint::prefetch;
use super::tile::LINE;
use crate::vector::Vector;
use ndarray::ArrayView2;
use std::mem::MaybeUninit;

/// The number of samples per word.
const SAMPLES: usize = 32;

/// The most columns of `b` at once: rows of this length, one per sample, fill half of an L1 cache.
pub(super) const COLUMNS: usize = 128;

/// The most numbers of a sample at once: a block of `k`, or rows of `c`.
pub(super) const NUMBERS: usize = BLOCK;

/// The largest share of nonzero groups for which skipping the others pays.
const DENSE: f64 = 0.85;

/// Vectors that record in words of bits which numbers are 0.
///
/// # Safety
/// As [`Vector`]; `store_bits` writes as many integers.
pub(super) unsafe trait Words: Vector {
    /// Integers of 32 bits, as many as the vector has numbers.
    type Bits: Copy;

    /// Zeros.
    unsafe fn no_bits() -> Self::Bits;
    /// `2 · bits`, plus 1 where `self` is not +0.
    unsafe fn append(self, bits: Self::Bits) -> Self::Bits;
    /// Writes the integers contiguously.
    unsafe fn store_bits(bits: Self::Bits, to: *mut u32);
}

/// Contiguous rows of numbers at a fixed stride.
#[derive(Clone, Copy)]
pub(super) struct Strided<P> {
    pub at: P,
    /// The distance from one row to the next.
    pub stride: isize,
}

impl Strided<*const f32> {
    /// Returns the rows from this row and column on.
    pub fn skip(self, rows: usize, columns: usize) -> Self {
        Self { at: self.at.wrapping_offset(rows as isize * self.stride).wrapping_add(columns), ..self }
    }
}

/// A part of `a`, treated as samples.
#[derive(Clone, Copy)]
pub(super) struct Samples {
    pub rows: Strided<*const f32>,
    pub count: usize,
    /// The length of a sample, at most [`NUMBERS`].
    pub numbers: usize,
}

impl Samples {
    /// Returns the samples from `first` on, at most as many as a word covers.
    fn from(self, first: usize) -> Self {
        Self { rows: self.rows.skip(first, 0), count: SAMPLES.min(self.count - first), ..self }
    }

    /// Returns a word for each group of `G` numbers, the last of which may be shorter: the samples with a number in it
    /// that is not +0.
    ///
    /// # Safety
    /// There are at most [`SAMPLES`] samples, valid for reads, and the processor has the vectors.
    #[inline(always)]
    unsafe fn words<T: Words, const G: usize>(self, words: &mut [MaybeUninit<u32>; NUMBERS]) -> &[u32] {
        let Self { rows: Strided { at, stride }, count, numbers } = self;
        let whole = numbers / T::LANES * T::LANES;
        for j in (0..whole).step_by(T::LANES) {
            // SAFETY: `LANES` numbers from `j < whole <= numbers <= NUMBERS` on, of samples below `count`.
            unsafe {
                let mut bits = T::no_bits();
                for i in (0..count).rev() {
                    bits = T::load(at.offset(i as isize * stride).add(j)).append(bits);
                }
                T::store_bits(bits, words[j..j + T::LANES].as_mut_ptr().cast());
            }
        }
        for (j, word) in words[..numbers].iter_mut().enumerate().skip(whole) {
            // SAFETY: `j < numbers`, `i < count`.
            let number = |i| unsafe { *at.offset(i as isize * stride).add(j) };
            word.write((0..count).rev().fold(0, |bits, i| bits << 1 | u32::from(number(i).to_bits() != 0)));
        }
        // SAFETY: all of them have been written.
        let words = unsafe { &mut *(&raw mut words[..numbers] as *mut [u32]) };
        let groups = numbers.div_ceil(G);
        let any = |bits: &[u32]| bits.iter().fold(0, |word, bits| word | bits);
        for group in 0..groups {
            let bits = &words[group * G..];
            // All groups but the last have `G` numbers, which needs no loop.
            words[group] = bits.first_chunk::<G>().map_or_else(|| any(bits), |bits| any(bits));
        }
        &words[..groups]
    }

    /// Prefetches the next 32 samples a little at a time: the group that begins at `p` prefetches the same fraction of
    /// them as it is of its sample, so that all groups together prefetch them all. Behind the last samples of a product
    /// are those of the next product of a prediction, or nothing, and a useless prefetch costs little.
    #[inline(always)]
    fn fetch_next(&self, p: usize) {
        const AT_ONCE: usize = SAMPLES * SPREAD / LINE;
        let first = p % LINE / SPREAD * AT_ONCE;
        for i in first..first + AT_ONCE {
            let row = (SAMPLES + i) as isize * self.rows.stride;
            prefetch(self.rows.at.wrapping_offset(row).wrapping_add(p));
        }
    }

    /// Returns whether there are so few zeros that skipping them does not pay.
    fn are_dense(self, words: &[u32]) -> bool {
        let used: u32 = words.iter().map(|word| word.count_ones()).sum();
        f64::from(used) > DENSE * (self.count * words.len()) as f64
    }
}

/// A product of one block of `k` for some columns. With `by_samples`, `b` has a row for each number of a sample of `x`,
/// and `c` one for each sample; otherwise the other way round. The numbers of a sample and those of a row are
/// contiguous.
pub(super) struct Part {
    /// True if the rows of `c` are the samples, false if they are their numbers.
    pub by_samples: bool,
    pub x: Samples,
    pub b: Strided<*const f32>,
    pub beta: f32,
    pub c: Strided<*mut f32>,
    pub columns: usize,
}

/// Returns the share of groups of `G` numbers that are all 0, in four of the rows, whose numbers are contiguous.
pub(super) fn share<const G: usize>(x: &ArrayView2<'_, f32>) -> f64 {
    let (mut zeros, mut all) = (0, 0);
    for row in x.rows().into_iter().step_by(x.nrows().div_ceil(4)) {
        let (groups, _) = row.to_slice().unwrap_or_default().as_chunks::<G>();
        // Without a branch: the zeros of an image are unpredictable.
        let bits = |group: &[f32; G]| group.iter().fold(0, |bits, v| bits | v.to_bits());
        zeros += groups.iter().map(|group| usize::from(bits(group) == 0)).sum::<usize>();
        all += groups.len();
    }
    zeros as f64 / all.max(1) as f64
}

/// Computes a part, with tiles of `S` vectors in [`spread`], and in [`collect`] of `C`, or of `W` if they fit the
/// columns. Returns false if the other kernels must compute it; the old content of `c` is then still there if it is
/// needed.
///
/// # Safety
/// The processor has the vectors. The part has at most [`COLUMNS`] columns, in whole tiles: of `S` vectors by samples,
/// otherwise of `C`. The matrices are as [`Part`] says, valid for reads, and `c` for writes too, with nobody else using
/// it meanwhile.
#[inline(always)]
pub(super) unsafe fn leave_out<T: Words, const S: usize, const C: usize, const W: usize>(
    part: &Part,
) -> bool {
    // SAFETY: the conditions are the same, and the columns are whole tiles: of `S` or `C` vectors as this function
    // requires, of `W` by the check before the call.
    unsafe {
        if part.by_samples {
            spread::<T, S>(part)
        } else if W > C && part.columns.is_multiple_of(W * T::LANES) {
            collect::<T, W>(part)
        } else {
            collect::<T, C>(part)
        }
    }
}

/// The stride of the samples' sums. Not a power of 2: Intel's processors at first mistake addresses a multiple of 4096
/// bytes apart for the same one, and delay the load until the store is done.
const APART: usize = COLUMNS + 16;

/// The sums of some samples, outside of `c`.
#[repr(align(64))]
struct Sums([MaybeUninit<f32>; SAMPLES * APART]);

/// The numbers of a group in [`spread`]: as many rows of `b` are in registers.
pub(super) const SPREAD: usize = 4;

/// # Safety
/// As [`leave_out`], for a part `by_samples` and tiles of `V` vectors.
#[inline(always)]
unsafe fn spread<T: Words, const V: usize>(part: &Part) -> bool {
    let Part { b, beta, c, columns, .. } = *part;
    let mut words = [MaybeUninit::uninit(); NUMBERS];
    for first in (0..part.x.count).step_by(SAMPLES) {
        let samples = part.x.from(first);
        // SAFETY: samples `i < samples.count <= SAMPLES` have bits in the words, a row of `columns <= COLUMNS < APART`
        // sums, all set to 0 first, and row `first + i` of `c`. A group's numbers from `p` on are numbers of each
        // sample and have rows of `b`, and the match calls the version for the number that is left. The columns from
        // `j` on are a whole tile.
        unsafe {
            let words = samples.words::<T, SPREAD>(&mut words);
            if first == 0 && samples.are_dense(words) {
                return false;
            }
            // All of `b` is checked with the first samples, before anything is written.
            let mut doubts = [T::splat(0.); V];
            let mut sums = Sums([MaybeUninit::uninit(); SAMPLES * APART]);
            let all_sums = sums.0.as_mut_ptr().cast::<f32>();
            for i in 0..samples.count {
                for j in (0..columns).step_by(T::LANES) {
                    T::splat(0.).store(all_sums.add(i * APART + j));
                }
            }
            for (group, &word) in words.iter().enumerate() {
                let p = group * SPREAD;
                let x = Strided { at: samples.rows.at.add(p), ..samples.rows };
                if part.x.count > SAMPLES {
                    samples.fetch_next(p);
                }
                for j in (0..columns).step_by(V * T::LANES) {
                    let sums = all_sums.add(j);
                    let b = Strided { at: b.at.offset(p as isize * b.stride).add(j), ..b };
                    let check = (first == 0).then_some(&mut doubts);
                    match samples.numbers - p {
                        1 => add_rows::<T, 1, V>(word, x, b, sums, check),
                        2 => add_rows::<T, 2, V>(word, x, b, sums, check),
                        3 => add_rows::<T, 3, V>(word, x, b, sums, check),
                        _ => add_rows::<T, SPREAD, V>(word, x, b, sums, check),
                    }
                }
            }
            if doubts.into_iter().any(|doubt| doubt.any_nan()) {
                return false;
            }
            for i in 0..samples.count {
                for j in (0..columns).step_by(T::LANES) {
                    let to = c.at.offset((first + i) as isize * c.stride).add(j);
                    let sum = T::load(all_sums.add(i * APART + j)).plus(T::splat(0.));
                    let sum = if beta == 0. { sum } else { sum.plus_product(T::splat(beta), T::load(to)) };
                    sum.store(to);
                }
            }
        }
    }
    true
}

/// Computes `sums += x · b` for a group of `G` numbers, their rows of `b` and `V` vectors of columns, in the samples of
/// the word; with a `check`, the rows of `b` are [checked](look_at).
///
/// # Safety
/// The processor has the vectors. For each bit `i` of the word, `G` numbers of row `i` of `x` are valid for reads, and
/// `V` vectors from `sums + i · APART` on for reads and writes; of `b`, `V` vectors of `G` rows for reads.
#[inline(always)]
unsafe fn add_rows<T: Vector, const G: usize, const V: usize>(
    word: u32,
    x: Strided<*const f32>,
    b: Strided<*const f32>,
    sums: *mut f32,
    check: Option<&mut [T; V]>,
) {
    // SAFETY: `i` is a bit of the word, and `g < G`, `v < V`, so numbers and sums are those named above; `read` reads
    // the `G` rows of `b`.
    unsafe {
        let rows = read::<T, G, V>(b);
        if let Some(doubts) = check {
            rows.iter().for_each(|row| look_at(row, doubts));
        }
        let mut left = word;
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let (x, sums) = (x.at.offset(i as isize * x.stride), sums.add(i * APART));
            let mut numbers = [T::splat(0.); G];
            for (g, number) in numbers.iter_mut().enumerate() {
                *number = T::splat(*x.add(g));
            }
            let mut chains: [T; V] = std::array::from_fn(|v| T::load(sums.add(v * T::LANES)));
            for (&number, row) in numbers.iter().zip(&rows) {
                for (sum, &b) in chains.iter_mut().zip(row) {
                    *sum = sum.plus_product(b, number);
                }
            }
            for (v, sum) in chains.into_iter().enumerate() {
                sum.store(sums.add(v * T::LANES));
            }
        }
    }
}

/// Checks that a row is finite: `doubts` are 0 at first, and become NaN if a row contains a number that is not finite.
///
/// # Safety
/// The processor has the vectors.
#[inline(always)]
unsafe fn look_at<T: Vector, const V: usize>(row: &[T; V], doubts: &mut [T; V]) {
    for (doubt, &b) in doubts.iter_mut().zip(row) {
        // SAFETY: the processor has the vectors, and no address is used.
        *doubt = unsafe { doubt.plus_product(b, T::splat(0.)) };
    }
}

/// Reads `R` rows of `V` vectors.
///
/// # Safety
/// The processor has the vectors, and all `R` rows are valid for reads.
#[inline(always)]
unsafe fn read<T: Vector, const R: usize, const V: usize>(from: Strided<*const f32>) -> [[T; V]; R] {
    // SAFETY: `r < R` and `v < V`, as `from_fn` counts, so this is one of the vectors that are valid for reads.
    let vector = |r: usize, v| unsafe { T::load(from.at.offset(r as isize * from.stride).add(v * T::LANES)) };
    std::array::from_fn(|r| std::array::from_fn(|v| vector(r, v)))
}

/// The numbers of a group in [`collect`]: the rows of a tile of `c`.
const COLLECT: usize = 3;

/// # Safety
/// As [`leave_out`], for a part that is not `by_samples` and tiles of `V` vectors.
#[inline(always)]
unsafe fn collect<T: Words, const V: usize>(part: &Part) -> bool {
    let Part { b, c, columns, .. } = *part;
    // SAFETY: samples below `first + samples.count <= part.x.count` have bits in the words and rows of `b`. A group's
    // numbers from `p` on are numbers of each sample and have rows of `c`, and the match calls the version for the
    // number that is left. The columns from `j` on are a whole tile.
    unsafe {
        let mut words = [MaybeUninit::uninit(); NUMBERS];
        for first in (0..part.x.count).step_by(SAMPLES) {
            let samples = part.x.from(first);
            let words = samples.words::<T, COLLECT>(&mut words);
            if samples.are_dense(words) || first == 0 && !is_finite::<T, V>(part) {
                return false;
            }
            let b = Strided { at: b.at.offset(first as isize * b.stride), ..b };
            for (group, &word) in words.iter().enumerate() {
                let p = group * COLLECT;
                let x = Strided { at: samples.rows.at.add(p), ..samples.rows };
                for j in (0..columns).step_by(V * T::LANES) {
                    let b = Strided { at: b.at.add(j), ..b };
                    let c = Strided { at: c.at.offset(p as isize * c.stride).add(j), ..c };
                    match samples.numbers - p {
                        1 => add_tile::<T, 1, V>(word, x, b, c, first > 0),
                        2 => add_tile::<T, 2, V>(word, x, b, c, first > 0),
                        _ => add_tile::<T, COLLECT, V>(word, x, b, c, first > 0),
                    }
                }
            }
        }
    }
    true
}

/// Returns whether all of the part's `b` is finite.
///
/// # Safety
/// As [`collect`].
#[inline(always)]
unsafe fn is_finite<T: Vector, const V: usize>(part: &Part) -> bool {
    let Part { b, columns, .. } = *part;
    // SAFETY: `i` is a sample of a part that is not `by_samples`, so `b` has row `i`, and from `j` on it has a tile's
    // `V` vectors.
    unsafe {
        let mut doubts = [T::splat(0.); V];
        for i in 0..part.x.count {
            for j in (0..columns).step_by(V * T::LANES) {
                let row = Strided { at: b.at.offset(i as isize * b.stride).add(j), ..b };
                look_at(&read::<T, 1, V>(row)[0], &mut doubts);
            }
        }
        !doubts.into_iter().any(|doubt| doubt.any_nan())
    }
}

/// Computes `c = x · b`, or `c += x · b` if `on`, for `R` numbers of the samples in the word and `V` vectors of
/// columns.
///
/// # Safety
/// The processor has the vectors. For each bit `i` of the word, `R` numbers of row `i` of `x` and `V` vectors of row
/// `i` of `b` are valid for reads, and so are `V` vectors of `R` rows of `c`, for writes too, with nobody else using
/// them.
#[inline(always)]
unsafe fn add_tile<T: Vector, const R: usize, const V: usize>(
    word: u32,
    x: Strided<*const f32>,
    b: Strided<*const f32>,
    c: Strided<*mut f32>,
    on: bool,
) {
    // SAFETY: `i` is a bit of the word, and `r < R`, `v < V`, so all numbers of `x`, `b` and `c` are those named above.
    unsafe {
        let mut sums = [[T::splat(0.); V]; R];
        if on {
            sums = read(Strided { at: c.at.cast_const(), stride: c.stride });
        }
        let mut left = word;
        while left != 0 {
            let i = left.trailing_zeros() as isize;
            left &= left - 1;
            let (x, b) = (x.at.offset(i * x.stride), b.at.offset(i * b.stride));
            let mut numbers = [T::splat(0.); R];
            for (r, number) in numbers.iter_mut().enumerate() {
                *number = T::splat(*x.add(r));
            }
            for v in 0..V {
                let columns = T::load(b.add(v * T::LANES));
                for (sums, &number) in sums.iter_mut().zip(&numbers) {
                    sums[v] = sums[v].plus_product(columns, number);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                sum.plus(T::splat(0.)).store(c.at.offset(r as isize * c.stride).add(v * T::LANES));
            }
        }
    }
}
