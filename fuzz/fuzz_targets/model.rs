//! Files of models, in `f32` and `f64`. Half of the mutations keep the form of the file and change what is in it.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use plywood_fuzz::{Dice, File, quickly};

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    hostile::mend(&mut bytes);
    quickly(|| hostile::model(&bytes));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut dice = Dice(u64::from(seed));
    let file = if dice.below(2) == 0 { None } else { File::of(&data[..size]) };
    let Some(mut file) = file else { return fuzzer_mutate(data, size, max_size) };
    for _ in 0..=dice.below(3) {
        file.mutate(&mut dice, &mut |part| {
            let length = part.len();
            part.resize(length + 16, 0);
            let most = part.len();
            let length = fuzzer_mutate(part, length, most);
            part.truncate(length);
        });
    }
    let bytes = file.bytes();
    match data.get_mut(..bytes.len()).filter(|place| place.len() <= max_size) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            bytes.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
