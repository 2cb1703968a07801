//! Writes the corpora: small files as the crate writes them. `cargo run --bin seeds`, in this folder.

use plywood::prelude::*;
use plywood_fuzz::seed;
use std::fs;
use std::path::Path;

fn write(target: &str, name: &str, data: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), data).unwrap();
}

/// A model, as it is and in parts; and its weights.
fn model(name: &str, builder: plywood::SequentialBuilder) {
    let model = builder.build().unwrap();
    let bytes = model.to_bytes().unwrap();
    write("model", name, &seed(&bytes));
    let whole = |bytes: &[u8]| [&[0], bytes].concat();
    write("model", &format!("{name}-whole"), &whole(&bytes));
    let weights = model.weights_to_bytes().unwrap();
    write("safetensors", &format!("{name}-whole"), &whole(&weights));
    let mut parts = vec![1, weights[0], weights[1]];
    parts.extend(&weights[8..]);
    write("safetensors", name, &parts);
}

fn main() {
    model("dense", Sequential::builder([3]).layer(Dense::units(2)).layer(BatchNorm::new()));
    model("activations", Sequential::builder([2]).layer(PReLU::new()).layer(ELU::alpha(0.5)).layer(Softmax));
    let images = Sequential::builder([1, 6, 6]).layer(Conv2d::filters(2, 3).padding(1)).layer(MaxPool2d::window(2));
    let images = images.layer(ZeroPad2d::sides([1, 1], [0, 1])).layer(Upsample::by(2)).layer(AvgPool2d::window(2));
    model("images", images.layer(Dropout2d::rate(0.1)).layer(GroupNorm::groups(2)).layer(Flatten).layer(Dense::units(2)));
    let sequences = Sequential::builder([2, 8]).layer(Conv1d::filters(2, 3)).layer(MaxPool1d::window(2));
    model("sequences", sequences.layer(AvgPool1d::window(2)).layer(Reshape::to([1, 2])).layer(LayerNorm::new()));
    model("ids", Sequential::builder([3]).layer(Embedding::vocabulary(5, 2)).layer(GlobalAvgPool));
    model("bag", Sequential::builder([3]).layer(EmbeddingBag::vocabulary(5, 2)).layer(RMSNorm::new()));
    let block = || Sequential::block().layer(Dense::units(2)).layer(Dropout::rate(0.5));
    let branches = Concat::of([block(), Sequential::block().layer(Residual::around(block()))]);
    model("branches", Sequential::builder([2]).layer(branches).layer(Sum::of([block(), block()])));
    write("idx", "u8", &[0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9]);
    write("idx", "f32", &[0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0, 0, 0, 0]);
    write("idx", "i16", &[0, 0, 0x0b, 1, 0, 0, 0, 2, 0, 1, 0, 2]);
    let gzip = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 224, 96, 100, 96, 96, 96, 102, 231, 224, 4, 0, 173, 152, 10, 186, 11, 0, 0,
        0,
    ];
    write("idx", "gzip", &gzip);
}
