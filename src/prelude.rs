//! What most programs need: `use plywood::prelude::*;`.

#[cfg(feature = "datasets")]
pub use crate::datasets;
pub use crate::testing::check_layer;
pub use crate::{
    Accuracy, Adam, AdamW, ArrayDataset, Batch, BatchNorm, Callback, CrossEntropy, Dataset, Dense, Dropout,
    EarlyStopping, Elementwise, Error, Flatten, History, Initializer, Layer, LayerSpec, LeakyReLU, Loss,
    MeanAbsoluteError, MeanSquaredError, Metric, Optimizer, Param, Pass, Progress, Random, ReLU, Registry,
    Reshape, Result, SGD, Scalar, Sequential, Sigmoid, SoftCrossEntropy, Softmax, Tanh, Tensor, Trainer,
    evaluate, random_split,
};
