//! Model files in `f32` and `f64`. Half of the mutations keep the form of the file and change its content.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use plywood_fuzz::{mutated, quickly};

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    hostile::mend(&mut bytes);
    quickly(|| hostile::model(&bytes));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutated(data, size, max_size, seed)
});
