//! Whole training runs are bit-identical for any number of threads, with products and updates split between threads. So
//! are predictions for a sample alone or in any batch.
//!
//! The number of threads belongs to the whole process, so tests that set it take turns.

use plywood::data::Images;
use plywood::data::synthetic::garments;
use plywood::ndarray::{Axis, Slice};
use plywood::optim::UpdateRule;
use plywood::prelude::*;

/// Layers large enough to be split: along k (784 inputs), by columns (600 units), and by rows (their gradients).
fn network<F: Scalar>() -> Sequential<F> {
    Sequential::<F>::builder_of([28, 28])
        .seed(3)
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(600))
        .layer(BatchNorm::new())
        .layer(Tanh)
        .layer(Dropout::rate(0.3))
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap()
}

/// Returns parameters, buffers, the values of training and evaluation, and predictions, all as bits.
fn run<F: Scalar, R: UpdateRule<F>>(rule: R, threads: usize, data: &Images, batch: usize) -> Vec<u64> {
    let _threads = crate::take_threads(threads);
    let mut model = network::<F>();
    let mut trainer = Trainer::<_, F>::new(CrossEntropy::default(), Optimizer::new(rule))
        .epochs(2)
        .batch_size(batch)
        .validation_split(0.25)
        .metric(Accuracy::default())
        .progress(Progress::Silent);
    let history = trainer.fit(&mut model, data).unwrap();
    let mut numbers: Vec<f64> = Vec::new();
    model.visit_params(&mut |_, param| numbers.extend(param.as_slice().iter().map(|v| v.as_f64())));
    for epoch in &history.epochs {
        numbers.extend(epoch.values.iter().map(|(_, value)| *value));
    }
    let images = data.inputs().mapv(|byte| F::of(f64::from(byte) / 255.0));
    let whole = model.predict(&images).unwrap();
    // A sample alone, and batches split between the threads in various ways, give the bits of the whole batch.
    for size in [1, 2, 7, 31, 129, 300] {
        let mut some = Tensor::<F>::zeros(vec![size, 10]);
        for from in (0..700 - size).step_by(size.max(50)) {
            let rows = Slice::from(from..from + size);
            model.predict_into(&images.slice_axis(Axis(0), rows), &mut some).unwrap();
            let expected = whole.slice_axis(Axis(0), rows);
            let same = some.iter().zip(expected).all(|(a, b)| a.as_f64().to_bits() == b.as_f64().to_bits());
            assert!(same, "{size} samples from {from}, {} with {threads} threads", F::NAME);
        }
    }
    numbers.extend(whole.iter().map(|v| v.as_f64()));
    numbers.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn training_gives_the_same_bits_with_1_2_3_4_and_8_threads() {
    let (data, _) = garments(700, 1, 1).unwrap();
    let first = [
        run::<f32, _>(Adam::default(), 1, &data, 32),
        run::<f32, _>(SGD::default().momentum(0.9), 1, &data, 100),
        run::<f64, _>(Adam::default(), 1, &data, 32),
    ];
    assert_ne!(first[0], first[1]);
    for threads in [2, 3, 4, 8] {
        assert_eq!(run::<f32, _>(Adam::default(), threads, &data, 32), first[0], "f32, {threads} threads");
        let sgd = run::<f32, _>(SGD::default().momentum(0.9), threads, &data, 100);
        assert_eq!(sgd, first[1], "f32, batches of 100, {threads} threads");
        assert_eq!(run::<f64, _>(Adam::default(), threads, &data, 32), first[2], "f64, {threads} threads");
    }
}
