//! Measures the parts of the seed job: reading a batch, a training step, an epoch, predictions.
//!
//! `cargo bench -p plywood-benches --bench step`. The network is Flatten, Dense 128 ReLU, Dense 10 Softmax on 28 x 28
//! bytes, batch 32, Adam; the data are synthetic images, so that it runs anywhere.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plywood::data::{Images, synthetic};
use plywood::ndarray::{Array2, Array3, Axis};
use plywood::prelude::*;
use std::hint::black_box;

const BATCH: usize = 32;

fn network() -> Sequential {
    Sequential::builder([28, 28])
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .expect("the seed network")
}

fn data() -> Images {
    synthetic::garments(3200, 10, 1).expect("drawn garments").0
}

fn step(c: &mut Criterion) {
    let data = data();
    let mut model = network();
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default());
    let mut batch = Batch::default();
    let order: Vec<usize> = (0..data.len()).collect();
    let mut batches = order.chunks(BATCH).cycle();
    let mut group = c.benchmark_group("seed network");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("read a batch of 32", |b| {
        b.iter(|| data.read(batches.next().unwrap_or(&[]), Pass::Evaluate, black_box(&mut batch)));
    });
    group.bench_function("training step, batch 32", |b| {
        b.iter(|| {
            data.read(batches.next().unwrap_or(&[]), Pass::Train { epoch: 0 }, &mut batch)?;
            let input = batch.take_input();
            trainer.step(&mut model, input, &batch.target, None)
        });
    });
    group.finish();
}

fn fit(c: &mut Criterion) {
    let data = data();
    let mut group = c.benchmark_group("seed network");
    group.throughput(Throughput::Elements(data.len() as u64)).sample_size(40);
    let bare = || {
        Trainer::new(CrossEntropy::default(), Adam::default())
            .validation_split(0.2)
            .progress(Progress::Silent)
    };
    // Measures the cost of metrics, callbacks and progress: the second should be within 3 % of the first.
    group.bench_function("epoch of 3,200 with validation, and no more", |b| {
        let (mut model, mut trainer) = (network(), bare());
        b.iter(|| trainer.fit(&mut model, &data));
    });
    group.bench_function("epoch of 3,200 with validation, accuracy, early stopping, progress", |b| {
        let mut model = network();
        let mut trainer = bare()
            .metric(Accuracy::default())
            .callback(EarlyStopping::patience(1000))
            .progress(Progress::Auto);
        b.iter(|| trainer.fit(&mut model, &data));
    });
    group.finish();
}

fn predict(c: &mut Criterion) {
    let model = network();
    let images = Array3::from_shape_fn((1000, 28, 28), |(i, y, x)| ((i + y * x) % 256) as f32 / 255.0);
    let one = images.slice_axis(Axis(0), (..1).into());
    let mut group = c.benchmark_group("seed network");
    group.throughput(Throughput::Elements(1));
    group.bench_function("predict 1", |b| b.iter(|| model.predict(black_box(&one))));
    let mut answer = Array2::zeros((1, 10));
    group.bench_function("predict 1 into an array", |b| {
        b.iter(|| model.predict_into(black_box(&one), &mut answer));
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function("predict 1,000", |b| b.iter(|| model.predict(black_box(&images))));
    let images = Array3::from_shape_fn((10_000, 28, 28), |(i, y, x)| ((i + y * x) % 256) as f32 / 255.0);
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("predict 10,000", |b| b.iter(|| model.predict(black_box(&images))));
    let data = ArrayDataset::new(images.clone(), (0..10_000).map(|i| i % 10).collect::<Vec<_>>()).unwrap();
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).metric(Accuracy::default());
    group.bench_function("evaluate 10,000", |b| b.iter(|| trainer.evaluate(&model, &data)));
    group.finish();
}

criterion_group!(benches, step, fit, predict);
criterion_main!(benches);
