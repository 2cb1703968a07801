//! Random numbers as a function of (seed, key, step, sample): [`Random`] and [`RandomStream`].
//!
//! Most libraries keep a generator in a global variable or in a layer and advance it at each draw. Then a number
//! depends on every draw before it: on the order of the layers, on the number of threads, on whether a metric was
//! computed in between. To resume a run, the generator's state must be saved. Here a number is computed from the place
//! where it is used. This is the idea of counter-based generators (Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", 2011) and of JAX's `fold_in`:
//!
//! ```text
//! seed ──mix──> key ──child("layer")──> key ──child(3)──> key ──at(step, sample)──> xoshiro256++ ──> numbers
//! ```
//!
//! There are two generators, each with one task. SplitMix64's finaliser is a bijection of 64 bits that spreads every
//! input bit over every output bit; it derives keys from keys and costs three multiplications. xoshiro256++ produces
//! the numbers: its 256 bits of state are filled from the last key by SplitMix64, as its authors advise.
//!
//! Keys have 64 bits. The probability that any two of `n` places share a key is about `n² / 2^65`: for the 3.6 million
//! pairs of step and sample that a dropout layer meets in sixty epochs over Fashion-MNIST, 4 in ten million.
//!
//! None of this is suitable for cryptography.

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

/// A source of random numbers without a state to advance: a seed, and a place in the model.
///
/// Every draw of the crate is a function of (seed, place in the model, step, sample). A `Random` holds the first two;
/// [`at`](Random::at) adds the last two and returns the numbers. So the order of the draws, the number of threads and
/// interruptions do not matter, and a layer such as dropout saves its `Random` and its step count like any other field.
///
/// The place is a path of [`child`](Random::child) names, mixed into the seed by SplitMix64's finaliser (Steele, Lea
/// and Flood, "Fast splittable pseudorandom number generators", 2014). The numbers come from xoshiro256++ (Blackman and
/// Vigna, 2021), a published, portable generator.
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
/// It takes 8 bytes and is saved as one integer. In PyTorch, by contrast, `torch.manual_seed` sets a global generator
/// and each `Generator` advances; in Keras, the state of a `SeedGenerator` is a variable of the layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    key: u64,
}

/// A name or a number of a place: the argument of [`Random::child`].
///
/// Use names for things that have one ("weight", "mask"), and numbers for things that are counted (layers, blocks). You
/// can also implement it for a type of your own:
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
    /// Returns the key as 64 bits.
    ///
    /// Two children of one parent draw different numbers exactly if their bits differ. Keep the bits the same between
    /// versions: otherwise models built from the same seed would start from different weights.
    fn bits(&self) -> u64;
}

/// The number itself.
impl ChildKey for usize {
    fn bits(&self) -> u64 {
        *self as u64
    }
}

impl ChildKey for &str {
    /// Hashes the text with FNV-1a, 64 bits.
    ///
    /// This is the hash of Fowler, Noll and Vo: for each byte, an exclusive or, then a product with a prime. `std`'s
    /// hasher is not suitable, because its values may change between releases.
    fn bits(&self) -> u64 {
        self.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// Applies SplitMix64's finaliser to the sum of both, with the second multiplied by the golden ratio.
///
/// The result is output number `value + 1` of a SplitMix64 generator whose state is `key`, computed in one step: the
/// state of that generator is a counter that goes up by the golden ratio times 2^64. For a fixed key it is a bijection
/// of `value`, so siblings never collide; only keys on different paths can.
fn mix(key: u64, value: u64) -> u64 {
    let mut z = key.wrapping_add(value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// Returns the root of everything drawn from this seed.
    ///
    /// All seeds are equally good, 0 and 1 included: the key is mixed before anything is drawn.
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

    /// Returns a place below this one: a layer by its number, a parameter by its name.
    ///
    /// The parent does not change, so children may be requested in any order and more than once:
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

    /// Returns the numbers of one sample in one step. Values that are drawn only once, such as initial weights, use
    /// `(0, 0)`.
    ///
    /// `step` counts calls over time, and `sample` the items of one batch, so that the samples of a batch may be drawn
    /// on several threads. A call costs about 20 multiplications and no allocation. That is little if several numbers
    /// are drawn per sample, but most of the cost if only one is.
    pub fn at(&self, step: u64, sample: u64) -> RandomStream {
        RandomStream(Xoshiro256PlusPlus::seed_from_u64(mix(mix(self.key, step), sample)))
    }
}

/// The random numbers of one (seed, place, step, sample), in order. A stream is not saved: call [`Random::at`] again.
///
/// `RandomStream` has state: the second number differs from the first. A clone continues from the same point.
#[derive(Clone, Debug)]
pub struct RandomStream(Xoshiro256PlusPlus);

impl RandomStream {
    /// Returns 64 random bits.
    ///
    /// The other methods take their bits from the same sequence.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number from the uniform distribution over `[0, 1)`, with 53 random bits.
    ///
    /// It is the upper 53 bits times 2^-53: every multiple of 2^-53 below 1 has the same probability; 0 can occur, 1
    /// cannot. Converted to `f32`, the number may round to 1.
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

    /// Returns a number from the uniform distribution over `[low, high)`.
    ///
    /// It is computed as `low + (high - low) · unit`. If the interval contains only few floating-point numbers, the sum
    /// may round to `high`. The bounds are not checked; if `low` is above `high`, the interval is `(high, low]`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns a number from the standard normal distribution (mean 0, standard deviation 1).
    ///
    /// It uses the ziggurat method (Marsaglia and Tsang, 2000), which takes one 64-bit draw in about 99 of 100 cases
    /// and more in the others. For another mean and standard deviation: `mean + deviation * draws.normal()`.
    pub fn normal(&mut self) -> f64 {
        self.0.sample(rand_distr::StandardNormal)
    }

    /// Returns a number from the beta distribution with both parameters `alpha`, which is symmetrical about 1/2.
    ///
    /// It uses Cheng's methods (1978), which reject some draws. The result is 1/2 if `alpha` is not valid for a beta
    /// distribution.
    pub(crate) fn beta(&mut self, alpha: f64) -> f64 {
        rand_distr::Beta::new(alpha, alpha).map_or(0.5, |beta| self.0.sample(beta))
    }

    /// Returns an integer from the uniform distribution over `0..end`, or 0 when `end` is 0. It uses Lemire's
    /// multiplication, whose bias is below `end / 2^64`.
    ///
    /// The result is the upper half of a 128-bit product: `⌊bits · end / 2^64⌋`. Of the 2^64 values of `bits`, each
    /// result gets either `⌊2^64 / end⌋` or one more, so each probability differs from `1 / end` by less than 2^-64.
    /// For `end` = 60,000 no experiment can detect this. In return, every call takes one draw, while the number of
    /// draws of an exact method (Lemire, "Fast random integer generation in an interval", 2019, section 4) depends on
    /// their values.
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

    /// Shuffles a slice; every order has the same probability (Fisher and Yates; Durstenfeld, 1964).
    ///
    /// It takes one draw for each item but the first. With 64-bit keys at most 2^64 of the `n!` orders can occur, which
    /// for more than 20 items is not all of them; that holds for every generator that is seeded with 64 bits.
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
    /// Dropout needs one number per unit, and 32 bits are precise enough for its probability, so this saves half the
    /// draws.
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
    /// It is here and not in the layer, because the layer's code is compiled in the user's crate.
    pub(crate) fn fill_normal(&mut self, out: &mut [f64]) {
        out.fill_with(|| self.normal());
    }

    /// Returns a tensor of numbers from a distribution, drawn in the order of its elements.
    ///
    /// This is the only place where another crate's algorithm decides how many draws are taken. On targets without
    /// `ndarray-rand` the same code is written out; the bits are the same.
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
