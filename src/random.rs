//! Random numbers as a function of (seed, key, step, sample): [`Random`] and [`RandomStream`].
//!
//! Most libraries keep a generator in a global or in a layer and advance it at each draw. Then a number depends on
//! every draw before it: on the order of the layers, on the number of threads, on whether a metric was computed in
//! between, and a run that is resumed needs the generator's state from the file. Here a number is computed from where
//! it is needed, which is the idea of counter-based generators (Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", 2011) and of JAX's `fold_in`:
//!
//! ```text
//! seed ──mix──> key ──child("layer")──> key ──child(3)──> key ──at(step, sample)──> xoshiro256++ ──> numbers
//! ```
//!
//! Two generators have one task each. SplitMix64's finaliser is a bijection of 64 bits that spreads every input bit
//! over every output bit; it makes keys out of keys and costs three multiplications. xoshiro256++ makes the numbers:
//! its 256 bits of state are filled from the last key by SplitMix64, as its authors advise.
//!
//! Keys have 64 bits. Of `n` places drawn from, two share a key with a probability of about `n² / 2^65`: for the 3.6
//! million pairs of step and sample that a dropout layer meets in sixty epochs over Fashion-MNIST, 4 in ten million.
//!
//! Nothing here is fit for cryptography.

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) use ::rand_distr;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) use ndarray_rand::rand_distr;

use ndarray::{ArrayD, IxDyn};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use ndarray_rand::RandomExt;
use rand::{Rng, RngCore, SeedableRng};
use rand_distr::Distribution;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// A source of random numbers that has no state to advance: a seed, and a place.
///
/// Every draw of the crate is a function of (seed, place in the model, step, sample). A `Random` is the first two;
/// [`at`](Random::at) adds the last two and hands out the numbers. So it does not matter in which order, on how
/// many threads, or after which interruption they are drawn, and a layer that drops out at random saves its
/// `Random` and its count of steps like any other field.
///
/// The place is a path of [`child`](Random::child) names, mixed into the seed by SplitMix64's finaliser (Steele,
/// Lea and Flood, "Fast splittable pseudorandom number generators", 2014). The numbers are those of xoshiro256++
/// (Blackman and Vigna, 2021), which is a named, portable generator.
///
/// ```
/// use plywood::random::Random;
///
/// let layer = Random::seed(42).child(3);
/// let first = layer.at(7, 0).unit();
/// assert_eq!(first, layer.at(7, 0).unit()); // the same step and sample: the same number
/// assert_ne!(first, layer.at(8, 0).unit());
/// assert_ne!(first, Random::seed(42).child(4).at(7, 0).unit());
/// ```
///
/// It costs 8 bytes and is saved as one integer. Compare PyTorch, where `torch.manual_seed` sets a global and each
/// `Generator` advances, and Keras' `SeedGenerator`, whose state is a variable of the layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    key: u64,
}

/// A name or a number for a place: what [`Random::child`] takes.
///
/// Names are for what a person would name ("weight", "mask"), numbers for what is counted (layers, blocks). A type of
/// your own may be a place, too:
///
/// ```
/// use plywood::random::{ChildKey, Random};
///
/// enum Part { Query, Key }
///
/// impl ChildKey for Part {
///     fn bits(&self) -> u64 {
///         match self { Part::Query => 1 << 32, Part::Key => 2 << 32 }
///     }
/// }
///
/// let random = Random::seed(0);
/// assert_ne!(random.child(Part::Query), random.child(Part::Key));
/// ```
pub trait ChildKey {
    /// The place as 64 bits.
    ///
    /// Two places below one parent draw different numbers exactly if their bits differ. Keep it the same between
    /// versions: models built from a seed would begin differently.
    fn bits(&self) -> u64;
}

/// The number itself.
impl ChildKey for usize {
    fn bits(&self) -> u64 {
        *self as u64
    }
}

impl ChildKey for &str {
    /// FNV-1a, 64 bits.
    ///
    /// Fowler, Noll and Vo's hash: for each byte, exclusive or, then a product with a prime. `std`'s hasher would not
    /// do, for its values are not promised to stay.
    fn bits(&self) -> u64 {
        self.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// SplitMix64's finaliser over the sum of both, the second spread by the golden ratio.
///
/// That is output number `value + 1` of a SplitMix64 generator whose state is `key`, reached in one step: the state
/// of that generator is a counter that goes up by the golden ratio times 2^64. For one key it is a bijection of
/// `value`, so siblings never collide; only keys on different paths may.
fn mix(key: u64, value: u64) -> u64 {
    let mut z = key.wrapping_add(value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The root of everything drawn from this seed.
    ///
    /// Every seed is as good as another, 0 and 1 included: the key is mixed before anything is drawn.
    ///
    /// ```
    /// use plywood::random::Random;
    ///
    /// let ones = |seed: u64| Random::seed(seed).at(0, 0).bits().count_ones();
    /// assert!((0..100).all(|seed| (10..=54).contains(&ones(seed)))); // about half of 64, for any seed
    /// ```
    pub fn seed(seed: u64) -> Self {
        Self { key: mix(0, seed) }
    }

    /// A place below this one: a layer by its number, a parameter by its name.
    ///
    /// The parent is not changed, so children may be asked for in any order and more than once:
    ///
    /// ```
    /// use plywood::random::Random;
    ///
    /// let model = Random::seed(42);
    /// let second_first = (model.child(1), model.child(0));
    /// assert_eq!(second_first, (model.child(1), model.child(0)));
    /// assert_ne!(model.child(0).child("weight"), model.child("weight").child(0));
    /// ```
    pub fn child(&self, place: impl ChildKey) -> Self {
        Self { key: mix(self.key, place.bits()) }
    }

    /// The numbers of one sample in one step. What is drawn once only (an initial weight) is drawn at `(0, 0)`.
    ///
    /// `step` counts what a layer does over time and `sample` what it does side by side, so that the samples of a
    /// batch may be drawn on several threads. Costs about 20 multiplications and no allocation; for a few numbers of
    /// each sample that is little, for one number it is most of the cost.
    pub fn at(&self, step: u64, sample: u64) -> RandomStream {
        RandomStream(Xoshiro256PlusPlus::seed_from_u64(mix(mix(self.key, step), sample)))
    }
}

/// The random numbers of one (seed, place, step, sample), in order. Not kept, not saved: asked for again instead.
///
/// `RandomStream` has state: the second number differs from the first. A clone goes on from the same point.
#[derive(Clone, Debug)]
pub struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// 64 random bits.
    ///
    /// The other methods take their bits from the same sequence.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from the uniform distribution over `[0, 1)`, with 53 random bits.
    ///
    /// The upper 53 bits times 2^-53: every multiple of 2^-53 below 1 comes up with the same probability, 0 included
    /// and 1 never. Kept in `f32` the number may round to 1.
    ///
    /// ```
    /// use plywood::random::Random;
    ///
    /// let mut draws = Random::seed(3).at(0, 0);
    /// let unit = draws.unit();
    /// assert!((0.0..1.0).contains(&unit));
    /// assert_eq!((unit * (1u64 << 53) as f64).fract(), 0.0);
    /// ```
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number from the uniform distribution over `[low, high)`.
    ///
    /// Computed as `low + (high - low) · unit`. Where the interval is so narrow that few numbers lie in it, the sum
    /// may round to `high`. The bounds are not checked; out of order they work as `(high, low]`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A number from the standard normal distribution (mean 0, deviation 1).
    ///
    /// By the ziggurat method (Marsaglia and Tsang, 2000), which takes one 64-bit draw in about 99 of 100 cases and
    /// more in the others. For another mean and deviation: `mean + deviation * draws.normal()`.
    pub fn normal(&mut self) -> f64 {
        self.0.sample(rand_distr::StandardNormal)
    }

    /// A number from the beta distribution with both parameters `alpha`, which is symmetrical about 1/2.
    ///
    /// By Cheng's methods (1978), which reject some draws. 1/2 where `alpha` is none of a beta distribution.
    pub(crate) fn beta(&mut self, alpha: f64) -> f64 {
        rand_distr::Beta::new(alpha, alpha).map_or(0.5, |beta| self.0.sample(beta))
    }

    /// A whole number from the uniform distribution over `0..end`; 0 when `end` is 0 (Lemire's multiplication,
    /// whose bias is below `end / 2^64`).
    ///
    /// The upper half of a 128-bit product: `⌊bits · end / 2^64⌋`. Of the 2^64 values of `bits`, each answer gets
    /// either `⌊2^64 / end⌋` or one more, so the probabilities differ from `1 / end` by less than 2^-64 each. For
    /// `end` = 60,000 no experiment can see it, and in return every call takes one draw, where an exact method
    /// (Lemire, "Fast random integer generation in an interval", 2019, section 4) takes a number of draws that
    /// depends on their values.
    ///
    /// ```
    /// use plywood::random::Random;
    ///
    /// let mut draws = Random::seed(9).at(0, 0);
    /// let mut throws = [0; 6];
    /// for _ in 0..6000 {
    ///     throws[draws.below(6)] += 1;
    /// }
    /// assert!(throws.iter().all(|n| (850..1150).contains(n)));
    /// assert_eq!(draws.below(0), 0);
    /// ```
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Puts a slice into a random order, each with the same probability (Fisher and Yates; Durstenfeld, 1964).
    ///
    /// One draw for each item but the first. With 64-bit keys at most 2^64 of the `n!` orders can come up, which for
    /// more than 20 items is not all of them; that holds for every generator that is seeded with 64 bits.
    ///
    /// ```
    /// use plywood::random::Random;
    ///
    /// let order = |epoch: u64| {
    ///     let mut order: Vec<usize> = (0..5).collect();
    ///     Random::seed(1).child("order").at(epoch, 0).shuffle(&mut order);
    ///     order
    /// };
    /// assert_eq!(order(1), order(1)); // an epoch's order can be had again
    /// assert_ne!(order(1), order(2));
    /// ```
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Fills a slice with random bits, two numbers from each draw.
    ///
    /// Dropout needs one number for each unit and 32 bits are enough for its rate, so half the draws are saved.
    pub(crate) fn fill(&mut self, out: &mut [u32]) {
        for pair in out.chunks_mut(2) {
            let bits = self.bits();
            for (half, out) in pair.iter_mut().enumerate() {
                *out = (bits >> (32 * half)) as u32;
            }
        }
    }

    /// Fills a slice from the standard normal distribution.
    ///
    /// Here and not in the layer, whose code is compiled in the user's crate.
    pub(crate) fn fill_normal(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.normal());
    }

    /// A tensor of numbers from a distribution, drawn in the order of its elements.
    ///
    /// This is the one place where another crate's algorithm decides how many draws are taken. What `ndarray-rand` does is
    /// written out where that crate is not: the bits are the same.
    pub(crate) fn tensor<F>(&mut self, shape: IxDyn, distribution: impl Distribution<F>) -> ArrayD<F> {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        return ArrayD::random_using(shape, distribution, &mut self.0);
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        return ArrayD::from_shape_simple_fn(shape, || distribution.sample(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generators() {
        // SplitMix64 from state 0, first three outputs, as published with the reference code.
        assert_eq!(
            [mix(0, 0), mix(0, 1), mix(0, 2)],
            [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
        );
    }

    #[test]
    fn seeds_places_steps_and_samples_all_matter() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..4 {
            for place in 0..4 {
                for step in 0..4 {
                    for sample in 0..4 {
                        assert!(seen.insert(Random::seed(seed).child(place).at(step, sample).bits()));
                    }
                }
            }
        }
        assert_ne!(Random::seed(0).child("weight"), Random::seed(0).child("bias"));
    }

    #[test]
    fn the_distributions_have_their_moments() {
        let mut draws = Random::seed(1).at(0, 0);
        let n = 200_000;
        let (mut mean, mut square, mut unit, mut below) = (0.0, 0.0, 0.0, [0usize; 7]);
        for _ in 0..n {
            let z = draws.normal();
            mean += z;
            square += z * z;
            unit += draws.unit();
            below[draws.below(7)] += 1;
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!((mean / n).abs() < 5.0 / n.sqrt());
        assert!((square / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((unit / n - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt());
        assert!(below.iter().all(|&c| (c as f64 - n / 7.0).abs() < 5.0 * (n * 6.0 / 49.0).sqrt()));
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_reaches_every_order() {
        let mut orders = std::collections::HashSet::new();
        for step in 0..500 {
            let mut items = [0, 1, 2, 3];
            Random::seed(5).at(step, 0).shuffle(&mut items);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            orders.insert(items);
        }
        assert_eq!(orders.len(), 24);
    }
}
