//! Random numbers for tests: the same as those of Plywood's `Random` for a seed and a position.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// Returns the numbers of `Random::seed(seed).child(place).at(0, 0)`.
pub fn draws_of(seed: u64, place: usize) -> Draws {
    let key = [place as u64, 0, 0].into_iter().fold(mix(0, seed), mix);
    Draws(Xoshiro256PlusPlus::seed_from_u64(key))
}

fn mix(key: u64, value: u64) -> u64 {
    let mut z = key.wrapping_add(value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub struct Draws(Xoshiro256PlusPlus);

impl Draws {
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        low + (high - low) * unit
    }

    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }
}
