//! A small training run with everything that a checkpoint can hold.

use plywood::optim::Averaging;
use plywood::prelude::*;

/// Returns the data: 8 samples for training, 4 for validation.
pub fn data() -> ArrayDataset<f32, Vec<usize>> {
    let inputs = ndarray::Array2::from_shape_fn((12, 3), |(i, j)| ((i * 5 + j * 3) % 7) as f32 / 7.0);
    ArrayDataset::new(inputs, (0..12).map(|i| i % 2).collect()).expect("data")
}

/// Returns the model, and a trainer for this number of epochs of two batches each.
pub fn begun(epochs: usize) -> (Sequential, Trainer<CrossEntropy>) {
    let model = Sequential::builder([3])
        .layer(Dense::units(2))
        .layer(BatchNorm::new())
        .layer(Dropout::rate(0.5))
        .layer(Softmax)
        .build()
        .expect("a model");
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(epochs)
        .batch_size(4)
        .batches_per_step(2)
        .validation_split(1.0 / 3.0)
        .average(Averaging::exponential(0.9))
        .metric(Accuracy::default())
        .metric(RocAuc::default())
        .callback(EarlyStopping::patience(5))
        .progress(Progress::Silent);
    (model, trainer)
}
