//! Random numbers as a function of (seed, place, step, sample). The one file that names `rand`.

use rand::{Rng, RngCore, SeedableRng};
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
/// use plywood::Random;
///
/// let layer = Random::seed(42).child(3);
/// let first = layer.at(7, 0).unit();
/// assert_eq!(first, layer.at(7, 0).unit()); // the same step and sample: the same number
/// assert_ne!(first, layer.at(8, 0).unit());
/// assert_ne!(first, Random::seed(42).child(4).at(7, 0).unit());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    key: u64,
}

/// A name or a number for a place: what [`Random::child`] takes.
pub trait Place {
    /// The place as 64 bits.
    fn bits(&self) -> u64;
}

impl Place for usize {
    fn bits(&self) -> u64 {
        *self as u64
    }
}

impl Place for &str {
    /// FNV-1a, 64 bits.
    fn bits(&self) -> u64 {
        self.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// SplitMix64's finaliser over the sum of both, the second spread by the golden ratio.
fn mix(key: u64, value: u64) -> u64 {
    let mut z = key.wrapping_add(value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The root of everything drawn from this seed.
    pub fn seed(seed: u64) -> Self {
        Self { key: mix(0, seed) }
    }

    /// A place below this one: a layer by its number, a parameter by its name.
    pub fn child(&self, place: impl Place) -> Self {
        Self { key: mix(self.key, place.bits()) }
    }

    /// The numbers of one sample in one step. What is drawn once only (an initial weight) is drawn at `(0, 0)`.
    pub fn at(&self, step: u64, sample: u64) -> Draws {
        Draws(Xoshiro256PlusPlus::seed_from_u64(mix(mix(self.key, step), sample)))
    }
}

/// The random numbers of one (seed, place, step, sample), in order. Not kept, not saved: asked for again instead.
#[derive(Clone, Debug)]
pub struct Draws(Xoshiro256PlusPlus);

impl Draws {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from the uniform distribution over `[0, 1)`, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number from the uniform distribution over `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A number from the standard normal distribution (mean 0, deviation 1).
    pub fn normal(&mut self) -> f64 {
        self.0.sample(ndarray_rand::rand_distr::StandardNormal)
    }

    /// A whole number from the uniform distribution over `0..end`; 0 when `end` is 0 (Lemire's multiplication,
    /// whose bias is below `end / 2^64`).
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Puts a slice into a random order, each with the same probability (Fisher and Yates; Durstenfeld, 1964).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Fills a slice with random bits, two numbers from each draw.
    pub(crate) fn fill(&mut self, out: &mut [u32]) {
        for pair in out.chunks_mut(2) {
            let bits = self.bits();
            for (half, out) in pair.iter_mut().enumerate() {
                *out = (bits >> (32 * half)) as u32;
            }
        }
    }

    /// The generator itself, for the distributions of `ndarray-rand`.
    pub(crate) fn generator(&mut self) -> &mut Xoshiro256PlusPlus {
        &mut self.0
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
