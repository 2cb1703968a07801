//! Models with branches are trained, saved and loaded with a registry, with a user-defined layer inside. The results
//! are bit-identical for any number of threads. Only one test sets that number, because it belongs to the whole
//! process.

use ndarray::Array2;
use plywood::ErrorKind;
use plywood::nn::Registry;
use plywood::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Square;

impl Elementwise for Square {
    const KIND: Kind = Kind::own("branches.square");
    fn value<F: Scalar>(&self, x: F) -> F {
        x * x
    }
    fn derivative<F: Scalar>(&self, x: F, _: F) -> F {
        F::of(2.0) * x
    }
}

const LENGTH: usize = 12;

/// Builds nested branches with every kind of layer that has parameters or random draws.
fn network() -> Sequential {
    let block = Sequential::block;
    let deep = block().layer(LayerNorm::new()).layer(Dense::units(8)).layer(GELU::default()).layer(Square);
    let residual = Residual::around(deep).projection(block().layer(Dense::units(8)).layer(PReLU::new()));
    let wide = block()
        .layer(RMSNorm::new())
        .layer(Dropout::rate(0.2))
        .layer(GaussianNoise::std_dev(0.01))
        .layer(Mish);
    let normal = block().layer(Dense::units(8)).layer(GroupNorm::groups(2)).layer(BatchNorm::new());
    Sequential::builder([LENGTH])
        .seed(5)
        .layer(EmbeddingBag::vocabulary(500, 16).padding(0))
        .layer(Concat::of([block().layer(residual), wide]))
        .layer(Add::of([normal, block().layer(Dense::units(8)).layer(SELU)]))
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn data(samples: usize) -> (Array2<f32>, Vec<usize>) {
    let random = Random::seed(3);
    let sample = |i: usize| {
        let mut draws = random.at(0, i as u64);
        let mut ids: Vec<f32> = (0..LENGTH).map(|_| draws.below(500) as f32).collect();
        ids[6 + i % 6..].fill(0.0);
        let even = ids.iter().filter(|&&id| id % 2.0 == 1.0).count() > 4;
        (ids, usize::from(even))
    };
    let (ids, labels): (Vec<_>, Vec<_>) = (0..samples).map(sample).unzip();
    (Array2::from_shape_vec((samples, LENGTH), ids.concat()).unwrap(), labels)
}

fn trained(threads: usize) -> (Sequential, Vec<u32>) {
    let _threads = crate::take_threads(threads);
    let (x, labels) = data(900);
    let mut model = network();
    let history = Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(8)
        .batch_size(50)
        .metric(Accuracy::default())
        .progress(Progress::Silent)
        .fit(&mut model, &ArrayDataset::new(x.clone(), labels).unwrap())
        .unwrap();
    assert!(history.last("accuracy") > history.first("accuracy"), "{history}");
    let mut bits = Vec::new();
    model.visit_params(&mut |_, param| bits.extend(param.as_slice().iter().map(|v| v.to_bits())));
    bits.extend(model.predict(&x).unwrap().iter().map(|v| v.to_bits()));
    (model, bits)
}

#[test]
fn they_train_save_and_load_and_threads_change_no_bit() {
    let (model, bits) = trained(1);
    assert_eq!(trained(4).1, bits);

    let mut names = Vec::new();
    model.visit_params(&mut |name, _| names.push(name.to_owned()));
    for name in
        ["0.weight", "1.0.0.block.0.weight", "1.0.0.projection.1.weight", "1.1.0.weight", "2.0.2.running_var"]
    {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }

    let bytes = model.to_bytes().unwrap();
    let registry = Registry::builtin().with::<Square>();
    let loaded = Sequential::from_bytes(&bytes, &registry).unwrap();
    let (x, _) = data(300);
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    // An unknown kind is named in the error, even two containers deep.
    let error = Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::UnknownLayer { kind, .. } if kind == "branches.square"),
        "{error}"
    );
    // A damaged file gives an error, not a panic, wherever it is cut off or changed.
    for cut in (0..bytes.len()).step_by(97) {
        assert!(Sequential::from_bytes(&bytes[..cut], &registry).is_err());
        let mut damaged = bytes.clone();
        damaged[cut] ^= 0x55;
        if let Ok(model) = Sequential::from_bytes(&damaged, &registry) {
            let _ = model.predict(&x);
        }
    }
}

#[test]
fn no_branches_and_errors_inside_are_told_with_their_place() {
    let error = Sequential::builder([4]).layer(Concat::of([])).build().unwrap_err().to_string();
    assert!(
        error.starts_with("layer 0 (concat): the number of branches must be at least 1, got 0."),
        "{error}"
    );
    assert!(Sequential::builder([4]).layer(Add::of([])).build().is_err());
    let bad = Sequential::block().layer(Dense::units(0));
    let error = Sequential::builder([4]).layer(Add::of([Sequential::block(), bad])).build().unwrap_err();
    assert_eq!(error.place(), "layer 0 (add), branch 1, layer 0 (dense)");
    let fixed = Sequential::builder([5]).layer(Dense::units(4));
    assert!(Sequential::builder([4]).layer(Residual::around(fixed)).build().is_err());
}
