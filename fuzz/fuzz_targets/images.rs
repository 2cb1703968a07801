//! Images, and folders with any names in them. The first byte selects which.
#![no_main]

#[path = "../../tests/hostile/mod.rs"]
#[allow(dead_code, missing_docs)]
mod hostile;

use libfuzzer_sys::fuzz_target;
use plywood_fuzz::quickly;

#[global_allocator]
static METER: hostile::Meter = hostile::Meter;

fuzz_target!(|bytes: &[u8]| {
    let Some((way, bytes)) = bytes.split_first() else { return };
    let folder = std::env::temp_dir().join(format!("plywood-fuzz-{}-images", std::process::id()));
    quickly(|| match way % 4 {
        0 => hostile::images::tree(bytes, &folder),
        _ => hostile::images::image(bytes, &folder),
    });
});
