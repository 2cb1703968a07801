//! State dicts of PyTorch: one made with the real packages loads, with the same logits; ours loads there.
//!
//! The files are those of torch/state_dict.py, which says how to make them anew and reads what this test writes.

use ndarray::{Array2, Array4};
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

#[test]
fn a_state_dict_is_made_of_arrays_and_given_back_as_arrays() {
    let block =
        || Sequential::block_of().layer(Dense::units(6).bias(false)).layer(BatchNorm::new()).layer(Tanh);
    let network = |seed| {
        Sequential::<f64>::builder_of([4]).seed(seed).layer(block()).layer(Dense::units(3)).build().unwrap()
    };
    let (model, mut other) = (network(1), network(2));
    let x = Array2::from_shape_fn((5, 4), |(i, j)| (i as f64 - j as f64) / 3.0);
    let arrays = model.state_dict().unwrap().arrays::<f64>().unwrap();
    let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"0.1.running_mean"), "{names:?}");
    // In another order, and not in one piece in memory.
    let turned =
        arrays.iter().rev().map(|(name, array)| (name.clone(), array.t().to_owned().reversed_axes()));
    let dict = StateDict::from_arrays(turned).unwrap();
    assert_eq!(dict.arrays::<f64>().unwrap(), arrays);
    other.load_state_dict(&dict).unwrap();
    assert_eq!(other.predict(&x).unwrap(), model.predict(&x).unwrap());

    // As a file; the numbers of a model's own file are the same.
    let bytes = dict.to_bytes().unwrap();
    assert_eq!(StateDict::from_bytes(&bytes).unwrap().arrays::<f64>().unwrap(), arrays);
    let own = model.weights_to_bytes().unwrap();
    assert_eq!(StateDict::from_bytes(&own).unwrap().arrays::<f64>().unwrap(), arrays);
    let path = std::env::temp_dir().join(format!("plywood-arrays-{}.safetensors", std::process::id()));
    dict.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    network(3).load_weights(&path).unwrap();
    std::fs::remove_file(&path).unwrap();

    // What a rename has left out is not in the file.
    let fewer = dict.clone().rename(|name| if name.starts_with("0.1") { "one".into() } else { name.into() });
    let fewer = StateDict::from_bytes(&fewer.to_bytes().unwrap()).map(|dict| dict.arrays::<f64>().unwrap());
    assert_eq!(fewer.unwrap().len(), arrays.len() - 3);

    let twice = StateDict::from_arrays([("a", Tensor::<f32>::zeros(vec![0])), ("a", Tensor::zeros(vec![1]))]);
    assert!(twice.unwrap_err().to_string().contains("distinct names"));
    let large = StateDict::from_arrays([("a", Tensor::from_elem(vec![1], 1e300))]).unwrap();
    let text = large.arrays::<f32>().unwrap_err().to_string();
    assert!(text.contains("the array a must have numbers that fit f32, got F64"), "{text}");
    let nothing = StateDict::from_arrays(Vec::<(String, Tensor)>::new()).unwrap();
    assert_eq!(StateDict::from_bytes(&nothing.to_bytes().unwrap()).unwrap().names().count(), 0);
}
