#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Files of gzip may decompress to a thousand times their size, up to `idx::MAX_BYTES`; the sum is over what comes
    // out of them.
    let gzip = data.starts_with(&[0x1f, 0x8b]);
    let bytes = if gzip { data.len() * 1100 } else { data.len() };
    plywood_fuzz::measured(bytes, || {
        if let Ok(array) = plywood::idx::read_from(data, "a fuzzer") {
            let _ = array.into_labels();
        }
    });
});
