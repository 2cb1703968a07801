//! State dicts: they are read, compared with a model, and loaded into it.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use plywood_fuzz::quickly;

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| quickly(|| hostile::safetensors(bytes)));

// Half of the mutations change only the header, and recompute the length in front of it.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let length = data[..size].first_chunk::<8>().map(|n| u64::from_le_bytes(*n) as usize);
    let Some(length) = length.filter(|&n| seed % 2 == 0 && n <= size - 8) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let (mut header, numbers) = (data[8..8 + length].to_vec(), data[8 + length..size].to_vec());
    let room = max_size - 8 - numbers.len();
    header.resize(room, 0);
    let length = fuzzer_mutate(&mut header, length, room);
    header.truncate(length);
    let bytes = [&(length as u64).to_le_bytes()[..], &header, &numbers].concat();
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
});
