//! Training the network of each example gives the same bits with 1 and 4 threads.
//!
//! The number of threads belongs to the whole process, so tests that set it take turns. The networks are those of
//! examples/. Each takes a few steps on synthetic images or ids. The examples that are not named here have the layers
//! of `fashion_mnist`; optimizers, losses and activations are tested in tests/library/optimizer_threads.rs and
//! tests/library/threads.rs.

use plywood::data::Images;
use plywood::data::synthetic::garments;
use plywood::losses::class_weights;
use plywood::ndarray;
use plywood::optim::Averaging;
use plywood::prelude::*;

/// The number of samples, and the batch size.
const SAMPLES: usize = 192;
const BATCH: usize = 64;

/// Trains with the loss, optimizer and metric of most examples.
fn bits<D>(model: Sequential, data: &D) -> Vec<u64>
where
    D: Dataset<Target = Vec<usize>>,
{
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).metric(Accuracy::default());
    bits_of(model, trainer, data)
}

/// Trains for one epoch and returns the bits of parameters, buffers, losses, metrics and predictions.
fn bits_of<L: Loss, D: Dataset>(mut model: Sequential, trainer: Trainer<L>, data: &D) -> Vec<u64>
where
    D::Target: plywood::losses::AsTarget<L::Target>,
{
    let mut trainer = trainer.batch_size(BATCH).validation_split(0.25).progress(Progress::Silent);
    let history = trainer.fit(&mut model, data).unwrap();
    let mut numbers: Vec<f64> = history.epochs[0].values.iter().map(|(_, value)| *value).collect();
    model.visit_params(&mut |_, param| numbers.extend(param.as_slice().iter().map(|&v| f64::from(v))));
    let mut batch = Batch::<f32, D::Target>::default();
    data.read(&(0..SAMPLES).collect::<Vec<_>>(), Pass::Evaluate, &mut batch).unwrap();
    numbers.extend(model.predict(&batch.inputs[0]).unwrap().iter().map(|&v| f64::from(v)));
    numbers.into_iter().map(f64::to_bits).collect()
}

fn fashion_mnist() -> Sequential {
    let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(128)).layer(ReLU);
    model.layer(Dense::units(10)).layer(Softmax).build().unwrap()
}

fn convolutional(filters: [usize; 2], units: usize, dropout: f64) -> Sequential {
    Sequential::builder([28, 28])
        .layer(Reshape::to([1, 28, 28]))
        .layer(Conv2d::filters(filters[0], 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(filters[1], 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Flatten)
        .layer(Dense::units(units))
        .layer(ReLU)
        .layer(Dropout::rate(dropout))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap()
}

/// The small network with batch normalization and residual blocks, on augmented images.
fn augmented(images: &Images) -> Vec<u64> {
    let unit = |builder: plywood::nn::SequentialBuilder, filters| {
        let conv = Conv2d::filters(filters, 3).padding(Padding::Same).bias(false);
        builder.layer(conv.initializer(Initializer::HeNormal)).layer(BatchNorm::new()).layer(ReLU)
    };
    let mut model = Sequential::builder([28, 28])
        .layer(Reshape::to([1, 28, 28]))
        .layer(Conv2d::filters(24, 3).padding(Padding::Same).bias(false))
        .layer(MaxPool2d::window(2))
        .layer(BatchNorm::new())
        .layer(ReLU);
    for filters in [48, 96] {
        model = unit(model, filters)
            .layer(Residual::around(unit(Sequential::block(), filters)))
            .layer(MaxPool2d::window(2));
    }
    let model = unit(model, 160).layer(Flatten).layer(Dropout::rate(0.3));
    let model = model.layer(Dense::units(10)).layer(Softmax);
    let augment = Augment::seed(1).flip_horizontal(true).shift(1).erase(0.5, 0.02..=0.25);
    let soft = OneHot::new(Augmented::new(images, augment).unwrap(), 10).unwrap().smoothing(0.1).unwrap();
    let rule = Optimizer::new(AdamW::default().weight_decay(0.05)).average(Averaging::exponential(0.5));
    let trainer = Trainer::new(SoftCrossEntropy::default(), rule).metric(Accuracy::default());
    bits_of(model.build().unwrap(), trainer, &soft)
}

/// `best_dense`: normalized, mirrored images and smoothed labels.
fn best_dense(images: &Images) -> Vec<u64> {
    let mut model = Sequential::builder([28, 28]).layer(Flatten);
    for units in [256, 128] {
        let dense = Dense::units(units).initializer(Initializer::HeNormal);
        model = model.layer(dense).layer(SiLU).layer(Dropout::rate(0.4));
    }
    let normalizer = Normalizer::standard().whole(true).fit::<f32, _>(images).unwrap();
    let mirrored = Augmented::new(normalizer.apply(images), Augment::seed(1).flip_horizontal(true)).unwrap();
    let soft = OneHot::new(mirrored, 10).unwrap().smoothing(0.1).unwrap();
    let trainer = Trainer::new(SoftCrossEntropy::default(), AdamW::default()).metric(Accuracy::default());
    bits_of(model.layer(Dense::units(10)).layer(Softmax).build().unwrap(), trainer, &soft)
}

/// `tabular_regression`: numeric columns and a numeric target.
fn tabular() -> Vec<u64> {
    let mut draws = Random::seed(6).at(0, 0);
    let inputs = ndarray::Array2::from_shape_simple_fn((SAMPLES, 9), || draws.below(100) as f32 / 50.0 - 1.0);
    let targets = inputs.map_axis(ndarray::Axis(1), |row| row[0] * row[1] + row[2]);
    let data = ArrayDataset::new(inputs, targets.insert_axis(ndarray::Axis(1))).unwrap();
    let dense = || Dense::units(64).initializer(Initializer::HeNormal);
    let model = Sequential::builder([9]).layer(dense()).layer(ReLU).layer(dense()).layer(ReLU);
    let rule = AdamW::default().weight_decay(1e-3);
    let trainer = Trainer::new(MeanSquaredError, rule).metric(R2::default());
    bits_of(model.layer(Dense::units(1)).build().unwrap(), trainer, &data)
}

/// A trained network with frozen convolutions and a new head, as in `transfer`.
fn transfer(data: &Images) -> Sequential {
    let mut trunk = convolutional([16, 32], 64, 0.0);
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(BATCH);
    trainer.progress(Progress::Silent).fit(&mut trunk, data).unwrap();
    trunk.split_off(8).unwrap();
    trunk.freeze("").unwrap();
    let head = trunk.into_builder().layer(Dense::units(64)).layer(ReLU);
    head.layer(Dense::units(10)).layer(Softmax).build().unwrap()
}

fn medical() -> Sequential {
    let mut model = Sequential::builder([3, 32, 32]);
    for filters in [16, 32, 32] {
        model = model
            .layer(Conv2d::filters(filters, 3).padding(Padding::Same).bias(false))
            .layer(BatchNorm::new())
            .layer(ReLU)
            .layer(MaxPool2d::window(2));
    }
    let model = model.layer(Flatten).layer(Dense::units(64)).layer(ReLU).layer(Dropout::rate(0.4));
    model.layer(Dense::units(2)).layer(Softmax).build().unwrap()
}

/// Images with three channels, and unbalanced classes with class weights.
fn moles() -> Images {
    let mut draws = Random::seed(4).at(0, 0);
    let pixels = ndarray::Array4::from_shape_simple_fn((SAMPLES, 3, 32, 32), || draws.below(256) as u8);
    let labels: Vec<usize> = (0..SAMPLES).map(|i| usize::from(i % 7 == 0)).collect();
    let weights = class_weights(&labels, 2).unwrap();
    let of_samples = labels.iter().map(|&label| weights[label]).collect();
    ArrayDataset::new(pixels, labels).unwrap().scale(1.0 / 255.0).weights(of_samples).unwrap()
}

fn texts() -> (Sequential, ArrayDataset<f32, Vec<usize>>) {
    let mut draws = Random::seed(5).at(0, 0);
    let ids = ndarray::Array2::from_shape_fn((SAMPLES, 64), |(i, j)| {
        if j > i % 60 { 0.0 } else { draws.below(5_000) as f32 }
    });
    let labels = (0..SAMPLES).map(|i| i % 14).collect();
    let bag = || {
        EmbeddingBag::vocabulary(5_000, 128)
            .padding(Vocabulary::PADDING)
            .initializer(Initializer::Normal { mean: 0.0, std_dev: 0.01 })
    };
    let both =
        Concat::of([Sequential::block().layer(bag()), Sequential::block().layer(bag().mode(BagMode::Max))]);
    let model = Sequential::builder([64]).layer(both).layer(Dropout::rate(0.7)).layer(Dense::units(14));
    (model.layer(Softmax).build().unwrap(), ArrayDataset::new(ids, labels).unwrap())
}

#[test]
fn each_examples_network_has_the_same_bits_with_1_and_4_threads() {
    let (images, _) = garments(SAMPLES, 1, 3).unwrap();
    let run = |threads| {
        let _threads = crate::take_threads(threads);
        let (text_model, text_data) = texts();
        [
            ("fashion_mnist", bits(fashion_mnist(), &images)),
            ("image_cnn", bits(convolutional([32, 64], 128, 0.3), &images)),
            ("image_cnn_augmented", augmented(&images)),
            ("best_dense", best_dense(&images)),
            ("tabular_regression", tabular()),
            ("text_classification", bits(text_model, &text_data)),
            ("medical_imaging", bits(medical(), &moles())),
            ("transfer", bits(transfer(&images), &images)),
        ]
    };
    let (one, four) = (run(1), run(4));
    for ((name, one), (_, four)) in one.iter().zip(&four) {
        assert!(one == four, "{name}");
        assert!(one.iter().all(|&bits| f64::from_bits(bits).is_finite()), "{name}");
    }
    assert_ne!(one[0].1, one[1].1);
}
