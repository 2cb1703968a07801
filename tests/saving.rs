//! Files of models: every layer in them, every byte of them cut off or changed, and what is hostile about them.

use ndarray::{Array2, ArrayD, Dimension, IxDyn};
use plywood::prelude::*;
use plywood::{ErrorKind, StateDict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A layer of another crate.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shift {
    by: Param,
    name: String,
}

impl Layer for Shift {
    const KIND: &'static str = "tests.shift";
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

/// A model for each built-in kind, nested twice and beside the layer of another crate; with the input's shape.
///
/// A new layer has to come in here: the test below compares with the registry.
fn every_kind() -> Vec<(&'static str, Vec<usize>, Sequential)> {
    macro_rules! models {
        ($($kind:literal: $spec:expr, $shape:expr;)*) => {
            vec![$({
                let shape: Vec<usize> = $shape.to_vec();
                let inner = Sequential::block().layer($spec);
                let outer = Sequential::block().layer(inner).layer(shift());
                ($kind, shape.clone(), Sequential::builder(shape).seed(3).layer(outer).build().unwrap())
            },)*]
        };
    }
    models! {
        "adaptive_avg_pool2d": AdaptiveAvgPool2d::to([2, 4]), [2, 5, 3];
        "avg_pool1d": AvgPool1d::window(3), [2, 8];
        "avg_pool2d": AvgPool2d::window(2), [2, 5, 6];
        "batch_norm": BatchNorm::new(), [3, 2, 3];
        "concat": Concat::of([Sequential::block().layer(Dense::units(3)), Sequential::block()]), [4];
        "conv1d": Conv1d::filters(3, 4), [2, 9];
        "conv2d": Conv2d::filters(3, 3), [2, 5, 4];
        "dense": Dense::units(7), [5];
        "dropout": Dropout::rate(0.4), [20];
        "dropout2d": Dropout2d::rate(0.4), [6, 2, 2];
        "elu": ELU::alpha(1.5), [7];
        "embedding": Embedding::vocabulary(7, 2), [3];
        "embedding_bag": EmbeddingBag::vocabulary(7, 2), [3];
        "flatten": Flatten, [2, 3];
        "gaussian_noise": GaussianNoise::deviation(0.3), [7];
        "gelu": GELU::default(), [7];
        "global_avg_pool": GlobalAvgPool, [3, 2, 4];
        "global_max_pool": GlobalMaxPool, [3, 2, 4];
        "group_norm": GroupNorm::groups(2), [4, 3];
        "hard_sigmoid": plywood::HardSigmoid, [7];
        "hard_swish": plywood::HardSwish, [7];
        "layer_norm": LayerNorm::new(), [6];
        "leaky_relu": LeakyReLU::slope(0.2), [7];
        "log_softmax": LogSoftmax, [7];
        "max_pool1d": MaxPool1d::window(3), [2, 7];
        "max_pool2d": MaxPool2d::window(2), [2, 5, 6];
        "mish": Mish, [7];
        "prelu": PReLU::new(), [7];
        "relu": ReLU, [7];
        "relu6": plywood::ReLU6, [7];
        "reshape": Reshape::to([3, 2]), [6];
        "residual": Residual::around(Sequential::block().layer(Dense::units(4))), [4];
        "rms_norm": RMSNorm::new(), [6];
        "selu": SELU, [7];
        "sequential": Sequential::block().layer(Dense::units(2)), [3];
        "sigmoid": Sigmoid, [7];
        "silu": SiLU, [7];
        "softmax": Softmax, [7];
        "softplus": Softplus::default(), [7];
        "softsign": Softsign, [7];
        "sum": Sum::of([Sequential::block(), Sequential::block().layer(Tanh)]), [3];
        "tanh": Tanh, [7];
        "upsample": Upsample::by([2, 3]), [2, 3, 2];
        "zero_pad2d": ZeroPad2d::sides([1, 0], [2, 3]), [2, 3, 4];
    }
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
    let models = every_kind();
    assert_eq!(
        models.iter().map(|(kind, ..)| *kind).collect::<BTreeSet<_>>(),
        known,
        "a layer is not tested here"
    );
    for (kind, shape, mut model) in models {
        // Running statistics and counts of steps should not be at their beginning.
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

/// Some of everything: containers, buffers, frozen parameters.
fn network() -> Sequential {
    let block = Sequential::block().layer(Dense::units(4)).layer(BatchNorm::new()).layer(Dropout::rate(0.2));
    let mut model = Sequential::builder([3])
        .seed(9)
        .layer(Dense::units(4))
        .layer(Residual::around(block))
        .layer(Dense::units(2).without_bias())
        .layer(Softmax)
        .build()
        .unwrap();
    model.freeze("0.");
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
    assert!(text(3).contains("cargo update -p plywood") && text(1).contains("before the first release"));
}

/// Layers are many and deep only in hostile files.
#[test]
fn depth_and_number_of_layers_are_bounded() {
    let deep = |extra: usize| {
        let mut block = Sequential::block().layer(ReLU);
        for _ in 0..extra {
            block = Sequential::block().layer(block);
        }
        Sequential::builder([1]).layer(block).build().unwrap().to_bytes().unwrap()
    };
    let load = |bytes: &[u8]| Sequential::from_bytes(bytes, &Registry::<f32>::builtin());
    assert!(load(&deep(62)).is_ok());
    let text = load(&deep(63)).unwrap_err().to_string();
    assert!(text.contains("containers inside one another to be at most 64"), "{text}");
    let wide = |layers: usize| {
        let builder = (0..layers).fold(Sequential::builder([1]), |builder, _| builder.layer(ReLU));
        builder.build().unwrap().to_bytes().unwrap()
    };
    assert!(load(&wide(16_383)).is_ok());
    let text = load(&wide(16_384)).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("the number of layers to be at most 16384"), "{text}");
}

#[test]
fn an_unknown_kind_is_named_and_a_model_is_not_a_checkpoint() {
    let model = Sequential::builder([2]).layer(shift()).build().unwrap();
    let error = Sequential::from_bytes(&model.to_bytes().unwrap(), &Registry::<f32>::builtin()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnknownLayer { kind, .. } if kind == "tests.shift"), "{error}");
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Files of every version of the format that was released are read for ever. A new version gets files of its own; those
/// that are here are never written anew. (`PLYWOOD_GOLDEN=write` writes those of a new version.)
#[test]
fn golden_files_are_read() {
    let model = network();
    let double =
        Sequential::<f64>::builder_of([2]).seed(1).layer(Dense::units(2)).layer(Tanh).build().unwrap();
    if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        let metadata = Metadata::new().classes(["cat", "dog"]).preprocessing("none");
        model.save_with(golden("v2-f32.plywood"), &metadata).unwrap();
        double.save(golden("v2-f64.plywood")).unwrap();
    }
    let loaded = Sequential::load(golden("v2-f32.plywood")).unwrap();
    let mut names = Vec::new();
    loaded.visit_params(&mut |name, param| names.push((name.to_owned(), param.kind(), bits(param.value()))));
    let mut expected = Vec::new();
    model
        .visit_params(&mut |name, param| expected.push((name.to_owned(), param.kind(), bits(param.value()))));
    assert_eq!(names, expected);
    let x = inputs(&[3]);
    assert!((loaded.predict(&x).unwrap() - model.predict(&x).unwrap()).iter().all(|d| d.abs() < 1e-6));
    let metadata = Metadata::load(golden("v2-f32.plywood")).unwrap();
    assert_eq!(
        (metadata.class_names(), metadata.get("preprocessing")),
        (&["cat".to_owned(), "dog".to_owned()][..], Some("none"))
    );
    let loaded = Sequential::<f64>::load_of(golden("v2-f64.plywood"), &Registry::builtin()).unwrap();
    let x = Array2::from_elem((1, 2), 0.5);
    assert!((loaded.predict(&x).unwrap() - double.predict(&x).unwrap()).iter().all(|d| d.abs() < 1e-12));
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
        .layer(Dense::units(2).without_bias())
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
