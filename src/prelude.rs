//! What most programs need: `use plywood::prelude::*;`.
//!
//! It has the layers, losses, rules, metrics and data sets, the traits with the methods that are called on them,
//! and `Result` and `Error`, whose one-parameter [`Result`] stands in for the standard one. What is used once in a
//! program, or by those who write layers, is left out and named by its path: schedules
//! ([`CosineDecay`](crate::CosineDecay)), single results ([`ConfusionMatrix`](crate::ConfusionMatrix)), buffers
//! ([`scratch`](crate::scratch)).
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
pub use crate::ImageFolder;
pub use crate::Metadata;
#[cfg(feature = "datasets")]
pub use crate::datasets;
#[cfg(feature = "plots")]
pub use crate::plot;
pub use crate::testing::check_layer;
pub use crate::{
    Accuracy, Adadelta, Adagrad, Adam, AdamW, Adamax, AdaptiveAvgPool2d, ArrayDataset, Augment, Augmented,
    AvgPool1d, AvgPool2d, Batch, BatchNorm, Callback, Concat, Conv1d, Conv2d, CrossEntropy, Dataset, Dense,
    Dropout, Dropout2d, ELU, EarlyStopping, Elementwise, Embedding, EmbeddingBag, Error, Flatten, GELU,
    GaussianNoise, GlobalAvgPool, GlobalMaxPool, GroupNorm, HardSigmoid, HardSwish, History, Initializer,
    LabelledTexts, Layer, LayerNorm, LayerSpec, LeakyReLU, Lion, LogSoftmax, Loss, MaxPool1d, MaxPool2d,
    MeanAbsoluteError, MeanSquaredError, Metric, Mish, MixUp, Muon, NAdam, OneHot, Optimizer, PReLU, Padding,
    Param, Pass, Progress, RAdam, RMSNorm, RMSprop, Random, ReLU, ReLU6, Registry, Reshape, Residual, Result,
    SELU, SGD, Scalar, ScheduleFreeAdamW, Sequential, SiLU, Sigmoid, SoftCrossEntropy, Softmax, Softplus,
    Softsign, Sum, Tanh, Tensor, Tokenizer, Trainer, Upsample, Vocabulary, ZeroPad2d, evaluate, random_split,
};
pub use crate::{
    AveragePrecision, BrierScore, CalibrationError, ExactMatch, FBeta, HammingLoss, LogLoss, MAE, Precision,
    R2, RMSE, Recall, RocAuc, TopK,
};
pub use crate::{BinaryCrossEntropy, Focal, Hinge, Huber, KLDivergence, SoftBinaryCrossEntropy};
pub use crate::{KFold, Normalizer, StratifiedKFold, TableCsv, stratified_split};
