#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod codec;
mod data;
mod disk;
mod error;
pub mod evaluate;
mod history;
mod infer;
mod init;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub mod instances;
mod io;
mod layer;
mod layers;
mod loss;
mod metric;
mod monitor;
mod ops;
mod optim;
mod param;
#[cfg(feature = "plots")]
pub mod plot;
pub mod prelude;
mod random;
mod shown;
mod state;
mod target;
mod tensor;
pub mod testing;
mod threads;
mod trace;
mod train;

use plywood_kernels::{platform, pool, scalar};

pub use data::{
    ArrayDataset, Augment, Augmented, Batch, Dataset, Element, Images, LabelledTexts, MixUp, OneHot, Pass,
    Subset, Targets, Tokenizer, Vocabulary, VocabularySpec, garments, random_split, split_at,
};
pub use data::{
    Fold, Folds, HoldOut, KFold, Normalized, Normalizer, NormalizerSpec, StratifiedHoldOut, StratifiedKFold,
    TableCsv, TableStream, stratified_split,
};
#[cfg(feature = "datasets")]
pub use data::{IdxStream, datasets, idx};
#[cfg(feature = "images")]
pub use data::{ImageFiles, ImageFolder};
#[cfg(feature = "csv")]
pub use data::{TextCsv, TextRows};
pub use error::{Error, ErrorKind, Result};
pub use history::{Epoch, History};
pub use init::{Fan, Initializer, ScalingDistribution};
pub use io::{Metadata, Mismatches, StateDict};
pub use layer::elementwise::Elementwise;
pub use layer::registry::Registry;
pub use layer::{Layer, LayerSpec, Link, Outputs, check_batch, check_gradient};
pub use layers::{
    AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, BatchNorm, BatchNormCache, BatchNormSpec, Concat, ConcatSpec,
    Conv1d, Conv1dSpec, Conv2d, Conv2dSpec, Dense, DenseSpec, Dropout, Dropout2d, Dropout2dSpec, DropoutSpec,
    ELU, Embedding, EmbeddingBag, EmbeddingBagCache, EmbeddingBagSpec, EmbeddingCache, EmbeddingSpec,
    Flatten, GELU, GaussianNoise, GaussianNoiseSpec, GlobalAvgPool, GlobalMaxPool, GlobalMaxPoolCache,
    GroupNorm, GroupNormSpec, HardSigmoid, HardSwish, LayerNorm, LayerNormSpec, LeakyReLU, LogSoftmax,
    MaxPool1d, MaxPool2d, MaxPoolCache, Mish, NormCache, PReLU, PReLUSpec, Padding, Pair, RMSNorm,
    RMSNormSpec, ReLU, ReLU6, ReLUCache, Reshape, Residual, ResidualSpec, SELU, Sequential,
    SequentialBuilder, SequentialCache, SiLU, Sigmoid, Softmax, Softplus, Softsign, Sum, SumSpec, Tanh,
    Upsample, ZeroPad2d,
};
pub use loss::{
    BinaryCrossEntropy, CrossEntropy, Focal, Hinge, Huber, KLDivergence, Loss, LossSum, MeanAbsoluteError,
    MeanSquaredError, SoftBinaryCrossEntropy, SoftCrossEntropy, class_weights, sample_weights,
};
pub use metric::{
    Accuracy, Average, AveragePrecision, BrierScore, CalibrationBin, CalibrationError, ClassCalibration,
    ClassReport, ClassificationReport, ConfusedPair, ConfusionMatrix, ErrorAnalysis, ExactMatch, FBeta,
    HammingLoss, LabelReport, LogLoss, MAE, Metric, Mistake, Named, Precision, R2, RMSE, Recall, RocAuc,
    RocCurve, Spread, TopK, roc_curve,
};
pub use monitor::{Direction, Monitor};
pub use ndarray;
pub use ops::{Thresholds, argmax_rows};
pub use optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Averaging, Chain, CosineDecay, CosineRestarts, ExponentialDecay,
    Group, Lion, MultiStepDecay, Muon, NAdam, OneCycle, Optimizer, OptimizerState, Piecewise,
    PolynomialDecay, RAdam, RMSprop, ReduceOnPlateau, Rule, SGD, Schedule, ScheduleFreeAdamW, Scope, Step,
    StepDecay, Update, WarmUp,
};
pub use param::{Gradient, GradientMut, Param, ParamKind};
pub use random::{Draws, Place, Random};
/// The element type of tensors: `f32`, or `f64` for checks and references.
///
/// It is sealed. Arithmetic comes from [`ndarray::NdFloat`] (so from `num_traits::Float`), and arrays of it have all
/// of ndarray's numeric methods; what is hidden here are the crate's loops over slices.
///
/// ```
/// use plywood::Scalar;
///
/// /// The mean of squares, for either type.
/// fn mean_square<F: Scalar>(x: &[F]) -> F {
///     x.iter().map(|&x| x * x).sum::<F>() / F::of(x.len() as f64)
/// }
/// assert_eq!(mean_square(&[1.0f32, 3.0]), 5.0);
/// assert_eq!((mean_square(&[0.5f64]), <f64 as Scalar>::NAME), (0.25, "f64"));
/// ```
///
/// `f32` has 24 bits of precision, about seven decimals, and is the default everywhere: half the memory and about
/// twice the speed. `f64` is for checking gradients by differences, where seven decimals are too few.
#[doc(inline)]
pub use scalar::Scalar;
pub use state::State;
pub use target::AsTarget;
pub use tensor::{CowTensor, Tensor, recycle, scratch, standard};
pub use threads::{set_threads, threads};
pub use trace::GradientTrace;
pub use train::{
    BatchEnd, Callback, Checkpoints, EarlyStopping, Evaluation, GradientNorms, Progress, RateCurve, Resumed,
    Trainer, accumulate,
};
pub use train::{CrossValidation, cross_validate, cross_validate_with};
pub use train::{CsvLog, JsonLines, TensorBoard};
pub use train::{Search, SearchResults, Space, Trial, TrialRun, Tried, Value};

/// The pages of docs/, so that their code is compiled and run with the other examples.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/extending.md")]
    struct Extending;
    #[doc = include_str!("../docs/platforms.md")]
    struct Platforms;
    #[doc = include_str!("../docs/saving.md")]
    struct Saving;
    #[doc = include_str!("../docs/transfer.md")]
    struct Transfer;
}
