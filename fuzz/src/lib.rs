//! What the targets share: a limit of time, and mutations that keep a model's file readable.

#[path = "../../tests/hostile/file.rs"]
pub mod file;

use file::{Dice, File};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzzer_mutate;
use std::io::Write;
use std::time::{Duration, Instant};

/// Runs `read`, and refuses one that takes more than a second three times: a machine that is busy does not.
pub fn quickly(read: impl Fn()) {
    let slow = |_| {
        let begin = Instant::now();
        read();
        begin.elapsed() > Duration::from_secs(1)
    };
    assert!(!(0..3).all(slow), "more than a second");
}

/// These bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("into memory")
}

/// A mutator of models and checkpoints, for `fuzz_mutator!`: every other time one that keeps the form of the file.
pub fn mutated(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
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
}
