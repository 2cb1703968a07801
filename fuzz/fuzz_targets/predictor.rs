//! Files of predictors: a model with its preprocessing and its answers.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::fuzz_target;
use plywood_fuzz::quickly;

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    hostile::mend(&mut bytes);
    quickly(|| drop(hostile::predictors::predictor(&bytes)));
});
