//! CSV of numbers, whole and streamed, plain and as gzip. The first byte selects the form and the separator.
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
    let path = std::env::temp_dir().join(format!("plywood-fuzz-{}.csv", std::process::id()));
    quickly(|| match way / 4 % 4 {
        0 => hostile::tables::numbers(&gzip(bytes), separator, &path),
        _ => hostile::tables::numbers(bytes, separator, &path),
    });
});
