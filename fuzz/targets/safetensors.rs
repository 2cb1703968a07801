#![no_main]
use plywood::StateDict;
use plywood::prelude::*;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The length of the header is right where the first byte is odd; see `plywood_fuzz::file`.
    let mut file = data.get(1..).unwrap_or_default().to_vec();
    if data.first().is_some_and(|kind| kind % 2 == 1) && file.len() >= 2 {
        let length = u64::from(u16::from_le_bytes([file[0], file[1]])).min(file.len() as u64 - 2);
        file.splice(..2, length.to_le_bytes());
    }
    plywood_fuzz::measured(file.len(), || {
        let Ok(dict) = StateDict::from_bytes(&file) else { return };
        for name in dict.names() {
            let _ = dict.tensor::<f32>(name);
        }
        let model = Sequential::builder([3]).layer(Dense::units(2)).layer(BatchNorm::new()).build();
        let mut model = model.expect("a model");
        let _ = model.load_state_dict(&dict).map_err(|error| error.to_string());
        let _ = model.load_matching(&dict).to_string();
    });
});
