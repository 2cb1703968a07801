//! CSV of texts, plain and as gzip, and the words in them. The first byte selects the form and the separator.
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
    let separator = b",;\t|"[usize::from(way % 4)];
    quickly(|| match way / 4 % 4 {
        0 => hostile::tables::texts(&gzip(bytes), separator),
        _ => hostile::tables::texts(bytes, separator),
    });
});
