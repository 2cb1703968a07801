//! Measures each layer: prediction, and the forward and backward pass in training.
//!
//! `cargo bench -p plywood-benches --bench layers`, or `-- dense` for a selection. Dense shapes are those of the seed
//! job, image shapes those of a small convolutional network, batches of 32.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use plywood::nn::Value;
use plywood::prelude::*;
use plywood::random::Random;
use plywood::{recycle, scratch};
use std::hint::black_box;

const BATCH: usize = 32;

/// Makes a batch of random numbers: ids below `below` if it is given, else numbers from -1 to 1.
fn batch(sample: &[usize], below: Option<usize>) -> Tensor {
    let shape: Vec<usize> = [BATCH].into_iter().chain(sample.iter().copied()).collect();
    let mut draws = Random::seed(1).at(0, 0);
    Tensor::from_shape_simple_fn(shape, || match below {
        Some(below) => draws.below(below) as f32,
        None => draws.uniform(-1.0, 1.0) as f32,
    })
}

/// Copies a tensor into a spare buffer, as it would come from the previous layer.
fn copy(tensor: &Tensor) -> Tensor {
    let mut out = scratch(tensor.shape());
    out.assign(tensor);
    out
}

/// Measures one layer, built for the sample's shape. The time includes copying its input.
fn layer<S: LayerSpec>(c: &mut Criterion, name: &str, spec: S, sample: &[usize], below: Option<usize>) {
    let mut layer = spec.build(sample, &Random::seed(0)).expect("a layer for the sample");
    let x = batch(sample, below);
    let y = layer.forward(x.clone()).expect("an output");
    let mut group = c.benchmark_group("layer");
    group.bench_function(BenchmarkId::new(name, "predict"), |b| {
        b.iter(|| layer.forward(black_box(copy(&x))).map(recycle));
    });
    group.bench_function(BenchmarkId::new(name, "train"), |b| {
        b.iter(|| -> Result<()> {
            let (output, cache) = layer.forward_train(black_box(copy(&x)))?;
            recycle(output);
            recycle(layer.backward(cache, copy(&y))?);
            layer.visit_params_mut(&mut |_, param| param.clear_gradient());
            Ok(())
        });
    });
    group.finish();
}

fn dense(c: &mut Criterion) {
    layer(c, "dense 784 to 128", Dense::units(128), &[784], None);
    layer(c, "dense 128 to 10", Dense::units(10), &[128], None);
    layer(c, "dense 2048 to 2048", Dense::units(2048), &[2048], None);
}

fn activations(c: &mut Criterion) {
    layer(c, "relu 128", ReLU, &[128], None);
    layer(c, "sigmoid 128", Sigmoid, &[128], None);
    layer(c, "tanh 128", Tanh, &[128], None);
    layer(c, "gelu 128", GELU::default(), &[128], None);
    layer(c, "gelu by tanh 128", GELU::default().tanh(true), &[128], None);
    layer(c, "silu 128", SiLU, &[128], None);
    layer(c, "mish 128", Mish, &[128], None);
    layer(c, "softmax 10", Softmax, &[10], None);
}

fn others(c: &mut Criterion) {
    layer(c, "flatten 28 x 28", Flatten, &[28, 28], None);
    layer(c, "dropout 128", Dropout::rate(0.5), &[128], None);
    layer(c, "batch norm 128", BatchNorm::new(), &[128], None);
    layer(c, "layer norm 128", LayerNorm::new(), &[128], None);
    layer(c, "embedding bag 200 of 20000 x 16", EmbeddingBag::vocabulary(20_000, 16), &[200], Some(20_000));
}

/// Formulas as operations of a graph, to compare with the layers.
fn graphs(c: &mut Criterion) {
    let mut formula = |name: &str, sample: &[usize], of: for<'g> fn(Value<'g>) -> Value<'g>| {
        let g = Graph::builder();
        g.output("y", of(g.input("x", sample)));
        layer(c, name, g.build().expect("a graph"), sample, None);
    };
    formula("silu of operations 128", &[128], |x| x * x.sigmoid());
    formula("tanh of operations 128", &[128], |x| x.tanh());
    formula("gelu of operations 128", &[128], |x| {
        0.5 * x * (1.0 + (0.797_884_56 * (x + 0.044_715 * x.powf(3.0))).tanh())
    });
    formula("attention of operations 16 x 64", &[16, 64], |x| {
        let [q, k, v] = x.layer(Dense::units(3 * 64)).split(-1);
        (q.matmul(k.t()) / 8.0).softmax(-1).matmul(v)
    });
}

fn images(c: &mut Criterion) {
    let same = |filters| Conv2d::filters(filters, 3).padding(Padding::Same);
    layer(c, "conv 1 to 32, 28 x 28", same(32), &[1, 28, 28], None);
    layer(c, "conv 32 to 64, 14 x 14", same(64), &[32, 14, 14], None);
    layer(c, "max pool 2, 32 x 28 x 28", MaxPool2d::window(2), &[32, 28, 28], None);
    layer(c, "average pool 2, 32 x 28 x 28", AvgPool2d::window(2), &[32, 28, 28], None);
    layer(c, "batch norm 32 x 28 x 28", BatchNorm::new(), &[32, 28, 28], None);
}

criterion_group!(benches, dense, activations, others, graphs, images);
criterion_main!(benches);
