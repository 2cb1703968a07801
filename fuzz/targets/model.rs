#![no_main]
use plywood::prelude::*;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = plywood_fuzz::file(1, data);
    let registry = Registry::<f32>::builtin();
    let loaded = plywood_fuzz::measured(file.len(), || Sequential::from_bytes(&file, &registry));
    let _ = Metadata::read_from(&file[..]);
    if let Ok(mut model) = loaded {
        let bytes = model.to_bytes().expect("what loads is saved");
        assert!(Sequential::from_bytes(&bytes, &registry).is_ok(), "and loads again");
        plywood_fuzz::run(&mut model);
    }
});
