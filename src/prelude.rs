//! The items that most programs need: `use plywood::prelude::*;`.
//!
//! It contains the layers, losses, optimizers, metrics and data sets, the traits whose methods are called on them, and
//! `Result` and `Error`; the one-parameter [`Result`] replaces the standard one. Items that a program names once, or
//! that only authors of layers need, are left out and must be imported by path: schedules
//! ([`CosineDecay`](crate::optim::CosineDecay)), single results ([`ConfusionMatrix`](crate::metrics::ConfusionMatrix)),
//! buffers ([`scratch`](crate::scratch)).
//!
//! ```
//! use plywood::prelude::*;
//!
//! fn classifier(pixels: usize) -> Result<Sequential> {
//!     Sequential::builder([pixels])
//!         .layer(Dense::units(32))
//!         .layer(ReLU)
//!         .layer(Dense::units(10))
//!         .layer(Softmax)
//!         .build()
//! }
//! assert_eq!(classifier(784)?.output_shape(), [10]);
//! # Ok::<(), Error>(())
//! ```

#[cfg(feature = "images")]
pub use crate::data::ImageFolder;
#[cfg(feature = "datasets")]
pub use crate::data::datasets;
pub use crate::data::{
    ArrayDataset, Arrays, Augment, Augmented, Batch, Column, ColumnType, Csv, Dataset, InputShapes, KFold,
    LabelledTexts, MixUp, NamedTargets, Normalizer, OneHot, OneTarget, Pass, Pixels, StratifiedKFold, Table,
    TableCsv, TargetArrays, Tokenizer, Vocabulary, random_split, stratified_split,
};
pub use crate::init::Initializer;
pub use crate::io::{Kind, Metadata, Save, Weights};
pub use crate::losses::{
    BinaryCrossEntropy, CrossEntropy, Focal, GraphLoss, Hinge, Huber, KLDivergence, Loss, Losses,
    MeanAbsoluteError, MeanSquaredError, OutputLoss, SoftBinaryCrossEntropy, SoftCrossEntropy,
};
pub use crate::metrics::{
    Accuracy, AveragePrecision, BrierScore, CalibrationError, ExactMatch, FBeta, HammingLoss, LogLoss, MAE,
    Metric, On, Precision, R2, RMSE, Recall, RocAuc, TopK,
};
pub use crate::nn::{
    AdaptiveAvgPool2d, Add, AvgPool1d, AvgPool2d, BagMode, BatchNorm, Concat, Conv1d, Conv2d, Dense, Dropout,
    Dropout2d, ELU, Elementwise, Embedding, EmbeddingBag, Flatten, GELU, GaussianNoise, GlobalAvgPool,
    GlobalMaxPool, Graph, GraphBuilder, GroupNorm, HardSigmoid, HardSwish, Infer, Inputs, Layer, LayerNorm,
    LayerSpec, LeakyReLU, LogSoftmax, MaxPool1d, MaxPool2d, Maximum, Mish, Model, PReLU, Padding, Param,
    Parameters, PoolSteps, Port, Predict, Product, RMSNorm, ReLU, ReLU6, Registry, Reshape, Residual, SELU,
    Sequential, SiLU, Sigmoid, Softmax, Softplus, Softsign, Tanh, Upsample, Value, WithoutLengths, ZeroPad2d,
};
pub use crate::optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Lion, Muon, NAdam, Optimizer, RAdam, RMSprop, SGD,
    ScheduleFreeAdamW,
};
#[cfg(feature = "plots")]
pub use crate::plot;
pub use crate::predictor::{Answer, Classes, Labels, Numbers, Predictor, Raw, Row};
pub use crate::preprocessing::{CategoryIds, Columns, Features, Image, Text, TextEncoder};
pub use crate::random::Random;
pub use crate::recipe::Recipe;
pub use crate::testing::{check_layer, check_loss, check_op};
pub use crate::train::{Callback, Context, EarlyStopping, History, Progress, Trainer};
pub use crate::{Error, Result, Scalar, Tensor, evaluate};
