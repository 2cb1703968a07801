//! IDX files: plain, as gzip, and read batch by batch. The first byte selects which.
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
        // The bytes as they are, compressed or not.
        0 => hostile::idx(bytes),
        // The bytes as the content of a valid gzip file.
        1 => hostile::idx(&gzip(bytes)),
        // A gzip header, with the bytes as compressed data.
        2 => hostile::idx(&[b"\x1f\x8b\x08\0\0\0\0\0\0\x03", bytes].concat()),
        _ => {
            let name = format!("plywood-fuzz-{}.idx", std::process::id());
            hostile::idx_stream(bytes, &std::env::temp_dir().join(name));
        }
    });
});
