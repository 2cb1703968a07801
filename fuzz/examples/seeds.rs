//! Writes the files that fuzzing begins with: `cargo run --example seeds` in the folder `fuzz`.

#[path = "../../tests/hostile/kinds.rs"]
#[allow(missing_docs)]
mod kinds;

#[path = "../../tests/hostile/run.rs"]
#[allow(missing_docs)]
mod run;

use kinds::every_kind;
use plywood::prelude::*;
use plywood::{Checkpoints, Scalar};
use std::fs;
use std::path::Path;

fn main() {
    models::<f32>();
    models::<f64>();
    let metadata =
        Metadata::new().classes(["cat", "dog"]).preprocessing("bytes / 255").note("author", "nobody");
    let mut bytes = Vec::new();
    network::<f32>().write_to(&mut bytes, &metadata).expect("a file in memory");
    write("model", "network", &bytes);

    let folder = std::env::temp_dir().join(format!("plywood-seeds-{}", std::process::id()));
    let every = Checkpoints::in_folder(&folder).every_batches(1).keep_last(10).keep_best("val_loss");
    let (mut model, trainer) = run::begun(2);
    trainer.checkpoints(every).fit(&mut model, &run::data()).expect("a run");
    for file in fs::read_dir(&folder).expect("checkpoints").map(|file| file.expect("one of them").path()) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        write("checkpoint", &name, &fs::read(&file).expect("a file that was written"));
    }
    fs::remove_dir_all(&folder).expect("a folder to remove");

    let dict = network::<f32>().weights_to_bytes().expect("weights");
    write("safetensors", "network", &dict);
    write("safetensors", "f64", &network::<f64>().weights_to_bytes().expect("weights"));
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/torch/state_dict.safetensors");
    write("safetensors", "torch", &fs::read(theirs).expect("a state dict of PyTorch"));
    for dtype in ["F16", "BF16", "I64", "F8_E4M3", "F4"] {
        let header = format!(
            "{{\"__metadata__\":{{\"format\":\"pt\"}},\"0.bi\\u0061s\":{{\"dtype\":\"{dtype}\",\"shape\":[2],\
             \"data_offsets\":[0,4]}}}}"
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0, 60, 0, 188]].concat();
        write("safetensors", dtype, &bytes);
    }

    for (kind, size) in [(8u8, 1), (9, 1), (11, 2), (12, 4), (13, 4), (14, 8)] {
        for way in 0..4 {
            let numbers = vec![1; 6 * size];
            let bytes = [&[way, 0, 0, kind, 2, 0, 0, 0, 2, 0, 0, 0, 3], &numbers[..]].concat();
            write("idx", &format!("{kind}-{way}"), &bytes);
        }
    }
    let packed =
        [31, 139, 8, 8, 0, 0, 0, 0, 2, 255, 110, 0, 99, 96, 96, 224, 96, 100, 96, 96, 96, 102, 100, 98, 6, 0];
    write("idx", "gzip", &[&[0], &packed[..]].concat());
}

/// The network that the target compares with, and some more.
fn network<F: Scalar>() -> Sequential<F> {
    let block = || Sequential::<F>::block_of();
    let builder = Sequential::<F>::builder_of([2, 4, 4]).layer(Conv2d::filters(2, 3)).layer(Flatten);
    let residual = Residual::around(block().layer(Dense::units(8)));
    let inner = block().layer(Dense::units(2)).layer(BatchNorm::new());
    builder.layer(residual).layer(inner).build().expect("a network")
}

/// A file for each kind of layer, and one for each inside a container.
fn models<F: Scalar>() {
    for (kind, shape, block) in every_kind::<F>() {
        let model = Sequential::<F>::builder_of(shape).layer(block).build().expect("a model of one layer");
        write("model", &format!("{kind}-{}", F::NAME), &model.to_bytes().expect("its bytes"));
    }
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join(name), bytes))
        .expect("a folder to write");
}
