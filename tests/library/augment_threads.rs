//! Augmented batches, and training on them, are bit-identical for any number of threads.
//!
//! The number of threads belongs to the whole process, so only one test at a time sets it.

use plywood::ndarray::Array4;
use plywood::prelude::*;

/// Returns the values of a batch and the predictions after two epochs, as bits.
fn run<F: Scalar>(threads: usize) -> Vec<u64> {
    let _threads = crate::take_threads(threads);
    let images =
        Array4::from_shape_fn((70, 2, 28, 20), |(i, c, y, x)| ((i * 31 + c * 7 + y * 5 + x * 3) % 256) as u8);
    let data =
        ArrayDataset::new(images, (0..70).map(|i| i % 4).collect::<Vec<usize>>()).unwrap().scale(1.0 / 255.0);
    let augment =
        Augment::seed(1).flip_horizontal(true).shift(2).rotate(20.0).crop(0.6..=1.0).erase(0.5, 0.02..=0.3);
    let soft = OneHot::new(Augmented::new(data, augment).unwrap(), 4).unwrap();
    let train = MixUp::new(soft.smoothing(0.1).unwrap(), 0.4, 2).unwrap();

    let mut batch = Batch::<F, Tensor<F>>::default();
    train.read(&(0..70).rev().collect::<Vec<_>>(), Pass::Train { epoch: 3 }, &mut batch).unwrap();
    let mut model = Sequential::<F>::builder_of([2, 28, 20])
        .layer(Conv2d::filters(4, 3))
        .layer(ReLU)
        .layer(GlobalAvgPool)
        .layer(Dense::units(4))
        .layer(Softmax)
        .build()
        .unwrap();
    let mut trainer = Trainer::new(SoftCrossEntropy::default(), Optimizer::new(Adam::default())).epochs(2);
    trainer = trainer.batch_size(32).progress(Progress::Silent);
    trainer.fit(&mut model, &train).unwrap();
    let predicted = model.forward(batch.inputs[0].clone()).unwrap();
    let numbers = batch.inputs[0].iter().chain(&batch.target).chain(&predicted);
    numbers.map(|x| x.as_f64().to_bits()).collect()
}

#[test]
fn the_same_bits_with_1_2_3_4_and_8_threads() {
    let (single, double) = (run::<f32>(1), run::<f64>(1));
    for threads in [2, 3, 4, 8] {
        assert_eq!(run::<f32>(threads), single, "f32, {threads} threads");
        assert_eq!(run::<f64>(threads), double, "f64, {threads} threads");
    }
}
