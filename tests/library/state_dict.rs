//! State dicts of PyTorch: one made with the real packages loads, with the same logits; ours loads there.
//!
//! The files are those of torch/state_dict.py, which says how to make them anew and reads what this test writes.

use ndarray::Array4;
use plywood::Tensor;
use plywood::io::StateDict;
use plywood::prelude::*;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(crate::ROOT).join("tests/torch").join(name)
}

/// The network of torch/state_dict.py, layer by layer in the same places.
fn network() -> Sequential {
    let block = Sequential::block().layer(Dense::units(6).bias(false)).layer(BatchNorm::new()).layer(Tanh);
    Sequential::builder([2, 6, 6])
        .layer(Conv2d::filters(4, 3).padding(1))
        .layer(BatchNorm::new())
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(GroupNorm::groups(2))
        .layer(PReLU::new())
        .layer(Flatten)
        .layer(Dense::units(8))
        .layer(LayerNorm::new())
        .layer(GELU::default())
        .layer(block)
        .layer(Dense::units(3))
        .build()
        .unwrap()
}

/// The largest difference of the logits from PyTorch's.
fn apart(model: &Sequential) -> f32 {
    let numbers = (0..360).map(|n| (n * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let logits: Tensor = model.predict(&Array4::from_shape_vec((5, 2, 6, 6), numbers).unwrap()).unwrap();
    let text = std::fs::read_to_string(file("state_dict.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = json["logits"].as_array().unwrap();
    let expected: Vec<f64> =
        rows.iter().flat_map(|row| row.as_array().unwrap()).map(|x| x.as_f64().unwrap()).collect();
    assert_eq!((logits.shape(), expected.len()), (&[5, 3][..], 15));
    logits.iter().zip(expected).map(|(x, y)| (x - y as f32).abs()).fold(0.0, f32::max)
}

#[test]
fn a_state_dict_of_pytorch_loads_unchanged_and_the_logits_agree() {
    let mut model = network();
    assert!(apart(&model) > 1e-3);
    model.load_weights(file("state_dict.safetensors")).unwrap();
    println!("logits agree to {:.1e}", apart(&model));
    assert!(apart(&model) <= 1e-6, "{}", apart(&model));
    if let Some(path) = std::env::var_os("PLYWOOD_WEIGHTS") {
        model.save_weights(path).unwrap();
    }
}

#[test]
fn what_is_written_has_the_names_shapes_and_numbers_of_pytorch() {
    let mut model = network();
    let theirs = StateDict::load(file("state_dict.safetensors")).unwrap();
    model.load_state_dict(&theirs).unwrap();
    let bytes = model.weights_to_bytes().unwrap();
    let ours = StateDict::from_bytes(&bytes).unwrap();
    let counted = |name: &&str| !name.ends_with("num_batches_tracked");
    assert!(ours.names().eq(theirs.names().filter(counted)));
    for name in ours.names() {
        assert_eq!(ours.shape(name), theirs.shape(name), "{name}");
        assert_eq!(ours.tensor::<f32>(name), theirs.tensor::<f32>(name), "{name}");
    }
}

#[test]
fn a_state_dict_cut_at_any_byte_says_so() {
    let bytes = std::fs::read(file("state_dict.safetensors")).unwrap();
    for cut in 0..bytes.len() {
        let text = StateDict::from_bytes(&bytes[..cut]).unwrap_err().to_string();
        assert!(text.contains("is truncated"), "{cut} bytes: {text}");
    }
}
