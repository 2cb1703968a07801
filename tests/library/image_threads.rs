//! Convolutions and pooling are bit-identical for any number of threads, and for a sample alone or in any batch.
//!
//! The number of threads belongs to the whole process, so tests that set it take turns.

use plywood::ndarray::Axis;
use plywood::prelude::*;

/// Builds a network with all kinds of convolutions, large enough to be split between threads. The first has one
/// channel.
fn network<F: Scalar>() -> Sequential<F> {
    Sequential::<F>::builder_of([1, 28, 28])
        .seed(5)
        .layer(Conv2d::filters(12, 3).padding(Padding::Same))
        .layer(ReLU)
        .layer(MaxPool2d::window(2))
        .layer(Conv2d::filters(20, 5).padding(2).groups(2))
        .layer(LeakyReLU::default())
        .layer(MaxPool2d::window(3).stride(2).padding(1))
        .layer(Conv2d::filters(70, 3))
        .layer(Tanh)
        .layer(AvgPool2d::window(2).stride(1).padding(1))
        .layer(Upsample::by(2))
        .layer(Conv2d::depthwise(1, 3).stride(2).padding(1))
        .layer(Reshape::to([70, 36]))
        .layer(Conv1d::filters(8, 5).dilation(2))
        .layer(GlobalMaxPool)
        .layer(Dense::units(4))
        .build()
        .unwrap()
}

/// Returns the gradients of all parameters, and the predictions, as bits.
fn run<F: Scalar>(threads: usize) -> Vec<u64> {
    let _threads = crate::take_threads(threads);
    let mut model = network::<F>();
    let mut draws = Random::seed(8).at(0, 0);
    let x = Tensor::<F>::from_shape_simple_fn(vec![37, 1, 28, 28], || F::of(draws.uniform(-1.0, 1.0)));
    let mut numbers = Vec::new();
    let (y, cache) = model.forward_train(x.clone()).unwrap();
    numbers.extend(y.iter().map(|v| v.as_f64()));
    let dx = model.backward(cache, y.clone()).unwrap();
    numbers.extend(dx.iter().map(|v| v.as_f64()));
    model.visit_params(&mut |_, param| match param.gradient() {
        Some(plywood::nn::Gradient::Dense(g)) => numbers.extend(g.iter().map(|v| v.as_f64())),
        other => panic!("{other:?}"),
    });
    let bits = |y: &Tensor<F>| y.iter().map(|v| v.as_f64().to_bits()).collect::<Vec<_>>();
    assert_eq!(
        bits(&model.forward(x.clone()).unwrap()),
        bits(&y),
        "inference and training have the same outputs"
    );
    for (from, to) in [(0, 1), (36, 37), (3, 5), (10, 27)] {
        let part = x.slice_axis(Axis(0), (from..to).into()).to_owned();
        let expected = y.slice_axis(Axis(0), (from..to).into()).to_owned();
        assert_eq!(bits(&model.forward(part).unwrap()), bits(&expected), "samples {from} to {to} alone");
    }
    numbers.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn the_same_bits_with_1_2_3_4_and_8_threads_and_for_samples_alone() {
    let (single, double) = (run::<f32>(1), run::<f64>(1));
    for threads in [2, 3, 4, 8] {
        assert_eq!(run::<f32>(threads), single, "f32, {threads} threads");
        assert_eq!(run::<f64>(threads), double, "f64, {threads} threads");
    }
}
