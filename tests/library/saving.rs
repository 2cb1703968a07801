//! Model files: every kind of layer is saved and loaded, and every cut, changed or hostile file is handled.

#[path = "../hostile/kinds.rs"]
mod kinds;

use kinds::every_kind;
use ndarray::{Array2, ArrayD, Dimension, IxDyn};
use plywood::ErrorKind;
use plywood::io::StateDict;
use plywood::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A layer from another crate.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shift {
    by: Param,
    name: String,
}

impl Layer for Shift {
    const KIND: Kind = Kind::own("tests.shift");
    type Cache = ();
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input + self.by.as_slice()[0])
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, ())> {
        Ok((self.forward(input)?, ()))
    }
    fn backward(&mut self, (): (), grad: Tensor) -> Result<Tensor> {
        Ok(grad)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param)) {
        visit("by", &self.by);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param)) {
        visit("by", &mut self.by);
    }
}

fn shift() -> Shift {
    Shift { by: Param::new(ndarray::arr1(&[0.25])), name: "a quarter".into() }
}

fn registry() -> Registry {
    Registry::builtin().with::<Shift>()
}

/// Returns a model for each built-in kind, nested twice beside a layer from another crate, with its kind and input
/// shape.
fn every_model() -> Vec<(&'static str, Vec<usize>, Sequential)> {
    let nested = |(kind, shape, inner): (_, Vec<usize>, _)| {
        let outer = Sequential::block().layer(inner).layer(shift());
        (kind, shape.clone(), Sequential::builder(shape).seed(3).layer(outer).build().unwrap())
    };
    every_kind().into_iter().map(nested).collect()
}

fn inputs(shape: &[usize]) -> ArrayD<f32> {
    let shape = [&[4], shape].concat();
    ArrayD::from_shape_fn(IxDyn(&shape), |at| (at.slice().iter().sum::<usize>() % 7) as f32)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_builtin_layer_comes_back_with_its_bits_also_nested_beside_a_layer_of_another_crate() {
    let known: BTreeSet<&str> = Registry::<f32>::builtin().kinds().collect();
    let models = every_model();
    assert_eq!(
        models.iter().map(|(kind, ..)| *kind).collect::<BTreeSet<_>>(),
        known,
        "a layer is not tested here"
    );
    for (kind, shape, mut model) in models {
        // Changes running statistics and step counts from their initial values.
        model.forward_train(inputs(&shape)).unwrap();
        let bytes = model.to_bytes().unwrap();
        let loaded = Sequential::from_bytes(&bytes, &registry()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let predict = |model: &Sequential| bits(&model.predict(&inputs(&shape)).unwrap());
        assert_eq!(predict(&model), predict(&loaded), "{kind}");
        assert_eq!(loaded.to_bytes().unwrap(), bytes, "{kind}");
        let trained = |mut model: Sequential| bits(&model.forward_train(inputs(&shape)).unwrap().0);
        assert_eq!(trained(model), trained(loaded), "{kind} goes on as it was");
    }
}

/// Builds a network with containers, buffers and frozen parameters.
fn network() -> Sequential {
    let block = Sequential::block().layer(Dense::units(4)).layer(BatchNorm::new()).layer(Dropout::rate(0.2));
    let mut model = Sequential::builder([3])
        .seed(9)
        .layer(Dense::units(4))
        .layer(Residual::around(block))
        .layer(Dense::units(2).bias(false))
        .layer(Softmax)
        .build()
        .unwrap();
    model.freeze("0.").unwrap();
    model
}

#[test]
fn a_file_cut_at_any_byte_says_so_and_a_changed_byte_is_noticed() {
    let metadata = Metadata::new().classes(["a", "b"]).note("author", "nobody");
    let mut bytes = Vec::new();
    network().write_to(&mut bytes, &metadata).unwrap();
    let registry = Registry::<f32>::builtin();
    for cut in 0..bytes.len() {
        let text = Sequential::from_bytes(&bytes[..cut], &registry).unwrap_err().to_string();
        assert!(text.contains("is truncated"), "cut at {cut}: {text}");
        let text = Sequential::read_from(&bytes[..cut], &registry).unwrap_err().to_string();
        assert!(text.contains("is truncated"), "a reader that ends at {cut}: {text}");
    }
    for at in 0..bytes.len() {
        for bit in [0, 7] {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(Sequential::from_bytes(&changed, &registry).is_err(), "bit {bit} of byte {at}");
        }
    }
    bytes.push(0);
    assert!(
        Sequential::from_bytes(&bytes, &registry).unwrap_err().to_string().contains("more bytes after it")
    );
    assert_eq!(Metadata::read_from(&bytes[..]).unwrap(), metadata);
}

#[test]
fn a_newer_version_says_what_to_do_and_an_older_one_too() {
    let bytes = network().to_bytes().unwrap();
    let text = |version: u8| {
        let mut bytes = bytes.clone();
        bytes[8] = version;
        Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).unwrap_err().to_string()
    };
    assert!(text(9).contains("cargo update -p plywood"));
    for older in 1..8 {
        let expected = format!(
            "the format's version must be 8, got {older}. A version from before the first release wrote it"
        );
        assert!(text(older).starts_with(&expected), "{}", text(older));
    }
}

/// Builds by hand a file with this description of a model with one input, which `save` would refuse.
fn file(layers: usize, bytes: &[u8]) -> Vec<u8> {
    let model = [&[1, 1], &number(layers)[..], bytes].concat();
    let body = [b"\x0asequential", &number(model.len())[..], &model].concat();
    let description = [&[0, 0, 0, 0], &number(body.len())[..], &body].concat();
    let mut file = b"PLYWOOD\n\x08\0\0\0\x01\x04\0\0".to_vec();
    file.extend((description.len() as u64).to_le_bytes());
    file.extend([0; 8]);
    file.extend(crc32fast::hash(&file).to_le_bytes());
    file.extend(crc32fast::hash(&description).to_le_bytes());
    file.extend(&description);
    file.extend([0; 4]);
    file
}

/// Encodes an integer as bincode does.
fn number(n: usize) -> Vec<u8> {
    match n {
        0..=250 => vec![n as u8],
        251..=0xffff => [&[251], &(n as u16).to_le_bytes()[..]].concat(),
        _ => [&[252], &(n as u32).to_le_bytes()[..]].concat(),
    }
}

/// Only hostile files have very many or very deep layers. What could not be loaded is not saved.
#[test]
fn depth_and_number_of_layers_are_bounded_on_both_ways() {
    let load = |bytes: &[u8]| Sequential::from_bytes(bytes, &Registry::<f32>::builtin());
    let refused = |saved: Result<Vec<u8>>, loaded: Result<Sequential>, what: &str| {
        let (saved, loaded) = (saved.unwrap_err().to_string(), loaded.unwrap_err().to_string());
        assert!(saved.starts_with(what) && saved.contains("A file holds no more"), "{saved}");
        assert!(loaded.contains(what) && loaded.contains("The file is damaged"), "{loaded}");
    };
    let deep = |extra: usize| {
        let mut block = Sequential::block().layer(ReLU);
        let mut bytes = b"\x04relu\0".to_vec();
        for level in 0..=extra {
            if level > 0 {
                block = Sequential::block().layer(block);
            }
            bytes = [&[1, 1, 1], &bytes[..]].concat();
            bytes = [b"\x0asequential", &number(bytes.len())[..], &bytes].concat();
        }
        (Sequential::builder([1]).layer(block).build().unwrap().to_bytes(), load(&file(1, &bytes)))
    };
    let (saved, loaded) = deep(62);
    assert!(load(&saved.unwrap()).is_ok() && loaded.is_ok());
    let (saved, loaded) = deep(63);
    refused(saved, loaded, "the number of containers inside one another must be at most 64, got more");

    let wide = |layers: usize| {
        let builder = (0..layers).fold(Sequential::builder([1]), |builder, _| builder.layer(ReLU));
        (builder.build().unwrap().to_bytes(), load(&file(layers, &b"\x04relu\0".repeat(layers))))
    };
    let (saved, loaded) = wide(16_383);
    assert!(load(&saved.unwrap()).is_ok() && loaded.is_ok());
    let (saved, loaded) = wide(16_384);
    refused(saved, loaded, "the number of layers must be at most 16384, got more");
}

#[test]
fn what_a_description_may_hold_is_bounded_when_it_is_saved() {
    let model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap();
    let saved = |metadata: &Metadata| {
        let mut bytes = Vec::new();
        model.write_to(&mut bytes, metadata).map(|()| bytes)
    };
    let classes = |n: usize| Metadata::new().classes((0..n).map(|_| ""));
    let most = classes(65_536);
    assert_eq!(Metadata::read_from(&saved(&most).unwrap()[..]).unwrap(), most);
    let text = saved(&classes(65_537)).unwrap_err().to_string();
    assert!(text.contains("classes") && text.contains("at most 65536, got 65537"), "{text}");
    let notes = |n: usize| (0..n).fold(Metadata::new(), |metadata, i| metadata.note(i.to_string(), ""));
    assert!(Metadata::read_from(&saved(&notes(4096)).unwrap()[..]).is_ok());
    let text = saved(&notes(4097)).unwrap_err().to_string();
    assert!(text.contains("notes") && text.contains("at most 4096, got 4097"), "{text}");
    let long = |bytes: usize| Metadata::new().note("long", "x".repeat(bytes));
    assert!(Metadata::read_from(&saved(&long((1 << 21) - 100)).unwrap()[..]).is_ok());
    let text = saved(&long(1 << 21)).unwrap_err().to_string();
    assert!(text.contains("2097152 bytes beside them"), "{text}");

    // A model that no file can hold cannot be built.
    let axes = |n: usize| Sequential::builder(vec![1; n]).build();
    let bytes = axes(32).unwrap().to_bytes().unwrap();
    assert!(Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).is_ok());
    let text = axes(33).unwrap_err().to_string();
    assert!(text.contains("the number of axes must be at most 32, got 33"), "{text}");
}

/// If the `Serialize` of a layer fails, the error names the layer and its position.
#[test]
fn a_layer_that_cannot_be_saved_is_named() {
    #[derive(Clone, Debug, Deserialize)]
    struct Secret;
    impl Serialize for Secret {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("a secret"))
        }
    }
    impl Elementwise for Secret {
        const KIND: Kind = Kind::own("tests.secret");
        fn value<F: plywood::Scalar>(&self, x: F) -> F {
            x
        }
        fn derivative<F: plywood::Scalar>(&self, _: F, _: F) -> F {
            F::one()
        }
    }
    let block = Sequential::block().layer(Secret);
    let model = Sequential::builder([1]).layer(ReLU).layer(block).build().unwrap();
    assert_eq!(
        model.to_bytes().unwrap_err().to_string(),
        "layer 0 (tests.secret): the value must be serializable, got an error: a secret. Check its `Serialize`."
    );
}

#[test]
fn an_unknown_kind_is_named_and_a_model_is_not_a_checkpoint() {
    let model = Sequential::builder([2]).layer(shift()).build().unwrap();
    let error = Sequential::from_bytes(&model.to_bytes().unwrap(), &Registry::<f32>::builtin()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnknownLayer { kind, .. } if kind == "tests.shift"), "{error}");
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(crate::ROOT).join("tests/golden").join(name)
}

/// Files of every released version of the format must stay readable. A new version gets its own files; existing files
/// are never rewritten. (`PLYWOOD_GOLDEN=write` writes those of a new version.)
#[test]
fn golden_files_are_read() {
    let model = network();
    let double =
        Sequential::<f64>::builder_of([2]).seed(1).layer(Dense::units(2)).layer(Tanh).build().unwrap();
    if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        let metadata = Metadata::new().classes(["cat", "dog"]).preprocessing("none");
        model.save_with(golden("v8-f32.plywood"), &metadata).unwrap();
        double.save(golden("v8-f64.plywood")).unwrap();
    }
    let loaded = Sequential::load(golden("v8-f32.plywood")).unwrap();
    let mut names = Vec::new();
    loaded.visit_params(&mut |name, param| names.push((name.to_owned(), param.kind(), bits(param.value()))));
    let mut expected = Vec::new();
    model
        .visit_params(&mut |name, param| expected.push((name.to_owned(), param.kind(), bits(param.value()))));
    assert_eq!(names, expected);
    let x = inputs(&[3]);
    assert!((loaded.predict(&x).unwrap() - model.predict(&x).unwrap()).iter().all(|d| d.abs() < 1e-6));
    let metadata = Metadata::load(golden("v8-f32.plywood")).unwrap();
    assert_eq!(
        (metadata.class_names(), metadata.get("preprocessing")),
        (&["cat".to_owned(), "dog".to_owned()][..], Some("none"))
    );
    let loaded = Sequential::<f64>::load_of(golden("v8-f64.plywood"), &Registry::builtin()).unwrap();
    let x = Array2::from_elem((1, 2), 0.5);
    assert!((loaded.predict(&x).unwrap() - double.predict(&x).unwrap()).iter().all(|d| d.abs() < 1e-12));
}

/// A file for every kind of layer, in both element types, with the predictions at the time of writing.
/// `PLYWOOD_GOLDEN=write` adds new kinds and leaves existing ones unchanged.
#[test]
fn golden_files_of_every_kind_are_read() {
    let text = std::fs::read_to_string(golden("v8-kinds.json")).unwrap_or_else(|_| "{}".into());
    let mut golden_files: BTreeMap<String, Golden> = serde_json::from_str(&text).unwrap();
    let write = std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write");
    kinds_are_read::<f32>(&mut golden_files, write, 1e-5);
    kinds_are_read::<f64>(&mut golden_files, write, 1e-12);
    if write {
        let lines: Vec<String> = golden_files
            .iter()
            .map(|(name, file)| format!("{name:?}:{}", serde_json::to_string(file).unwrap()))
            .collect();
        std::fs::write(golden("v8-kinds.json"), format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
    }
}

#[derive(Serialize, Deserialize)]
struct Golden {
    /// The bytes of the file in hexadecimal.
    file: String,
    predicted: Vec<f64>,
}

fn kinds_are_read<F: plywood::Scalar>(files: &mut BTreeMap<String, Golden>, write: bool, apart: f64) {
    let predicted = |model: &Sequential<F>| -> Vec<f64> {
        let x = inputs(model.input_shape()).mapv(|x| F::of(f64::from(x)));
        model.predict(&x).unwrap().iter().map(|y| y.as_f64()).collect()
    };
    for (kind, shape, block) in every_kind::<F>() {
        let name = format!("{kind} {}", F::NAME);
        if write && !files.contains_key(&name) {
            let mut model = Sequential::<F>::builder_of(shape.clone()).seed(5).layer(block).build().unwrap();
            let x = inputs(&shape).mapv(|x| F::of(f64::from(x)));
            model.forward_train(x).unwrap();
            let file = model.to_bytes().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
            files.insert(name.clone(), Golden { file, predicted: predicted(&model) });
        }
        let Golden { file, predicted: expected } =
            files.get(&name).unwrap_or_else(|| panic!("no golden file of {name}"));
        let bytes: Vec<u8> =
            (0..file.len() / 2).map(|i| u8::from_str_radix(&file[2 * i..2 * i + 2], 16).unwrap()).collect();
        let model = Sequential::<F>::from_bytes(&bytes, &Registry::builtin())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = predicted(&model);
        assert_eq!(found.len(), expected.len(), "{name}");
        let near = |(x, y): (&f64, &f64)| (x - y).abs() <= apart * y.abs().max(1.0);
        assert!(found.iter().zip(expected).all(near), "{name}: {found:?} for {expected:?}");
    }
}

#[test]
fn a_state_dict_goes_round_and_what_differs_is_in_one_error() {
    let model = network();
    let bytes = model.weights_to_bytes().unwrap();
    let mut other = Sequential::builder([3])
        .layer(Dense::units(4))
        .layer(Residual::around(
            Sequential::block().layer(Dense::units(4)).layer(BatchNorm::new()).layer(Dropout::rate(0.2)),
        ))
        .layer(Dense::units(2).bias(false))
        .layer(Softmax)
        .build()
        .unwrap();
    other.load_state_dict(&StateDict::from_bytes(&bytes).unwrap()).unwrap();
    let x = inputs(&[3]);
    assert_eq!(bits(&model.predict(&x).unwrap()), bits(&other.predict(&x).unwrap()));
    let before = other.weights_to_bytes().unwrap();
    let mut wrong = Sequential::builder([3]).layer(Dense::units(5)).layer(Dense::units(1)).build().unwrap();
    let untouched = wrong.to_bytes().unwrap();
    let text = wrong.load_state_dict(&StateDict::from_bytes(&before).unwrap()).unwrap_err().to_string();
    for part in
        ["missing: 1.bias, 1.weight", "unexpected: 1.block.0.bias", "0.weight (F32 [4, 3] for [5, 3])"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(wrong.to_bytes().unwrap(), untouched);
}
