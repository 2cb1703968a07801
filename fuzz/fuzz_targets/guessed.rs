//! CSV whose form is guessed, plain and as gzip. The first byte selects the form.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::fuzz_target;
use plywood_fuzz::{gzip, quickly};

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| {
    let Some((way, bytes)) = bytes.split_first() else { return };
    quickly(|| match way % 4 {
        0 => hostile::tables::guessed(&gzip(bytes)),
        _ => hostile::tables::guessed(bytes),
    });
});
