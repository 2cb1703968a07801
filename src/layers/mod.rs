//! The crate's layers, a file each, and the container.
//!
//! | layer | function | parameters | shape of a sample | kept for backward |
//! |---|---|---|---|---|
//! | [`Dense`] | `x · W + b` | `weight`, `bias` | `[…, inputs]` to `[…, units]` | the input |
//! | [`Conv2d`] | `W ⋆ x + b` over images | `weight`, `bias` | `[channels, rows, columns]` | the input |
//! | [`Conv1d`] | the same over sequences | `weight`, `bias` | `[channels, length]` | the input |
//! | [`Embedding`] | row `x` of a table | `weight` | any, ids | the ids |
//! | [`EmbeddingBag`] | the mean, sum or maximum of rows | `weight` | `[length]`, ids | the ids |
//! | [`BatchNorm`] | `(x - mean) / √(var + ε) · w + b` | 2, and 2 buffers | `[features]`, `[channels, …]` | x̂ |
//! | [`LayerNorm`] | the same over a sample's last axes | `weight`, `bias` | `[…, n]` | x̂ |
//! | [`GroupNorm`] | the same over groups of channels | `weight`, `bias` | `[channels, …]` | x̂ |
//! | [`RMSNorm`] | `x / √(mean x² + ε) · w` | `weight` | `[…, n]` | x̂ |
//! | [`Dropout`] | 0, or `x / (1 - rate)` | | any | the mask |
//! | [`Dropout2d`] | the same for whole channels | | `[channels, …]` | the mask |
//! | [`GaussianNoise`] | `x + σ n` in training | | any | a shape |
//! | [`ReLU`] | `max(x, 0)` | | any | a bit for each number |
//! | [`LeakyReLU`] | `x` or `slope · x` | | any | the input |
//! | [`Sigmoid`] | `1 / (1 + e^-x)` | | any | the output |
//! | [`Tanh`] | `tanh x` | | any | the output |
//! | [`ReLU6`], [`HardSigmoid`], [`HardSwish`] | pieces of straight lines | | any | the output, or the input |
//! | [`ELU`], [`SELU`] | `x` or `α · (e^x - 1)`, scaled | | any | the input |
//! | [`GELU`], [`SiLU`], [`Mish`] | `x` times a curve from 0 to 1 | | any | the input |
//! | [`Softplus`], [`Softsign`] | `ln(1 + e^x)`, `x / (1 + \|x\|)` | | any | the input |
//! | [`PReLU`] | `x` or `w · x` | `weight` | any, or `[channels, …]` | the input |
//! | [`Softmax`] | `e^x_i / Σ e^x_j` | | `[…, classes]` | the output |
//! | [`LogSoftmax`] | `x_i - ln Σ e^x_j` | | `[…, classes]` | the output |
//! | [`MaxPool2d`], [`MaxPool1d`] | the maximum under a window | | as `Conv2d`, `Conv1d` | places |
//! | [`AvgPool2d`], [`AvgPool1d`] | the mean under a window | | as `Conv2d`, `Conv1d` | a shape |
//! | [`AdaptiveAvgPool2d`] | the means of pieces | | `[channels, rows, columns]` | a shape |
//! | [`GlobalAvgPool`] | the mean of each channel | | `[channels, …]` to `[channels]` | a shape |
//! | [`GlobalMaxPool`] | the maximum of each channel | | `[channels, …]` to `[channels]` | places |
//! | [`ZeroPad2d`] | a border of zeros | | `[channels, rows, columns]` | a shape |
//! | [`Upsample`] | repeated pixels | | `[channels, rows, columns]` | a shape |
//! | [`Flatten`] | | | any to `[size]` | a shape |
//! | [`Reshape`] | | | any to the one given | a shape |
//! | [`Sequential`] | one after the other | those of its layers | | theirs |
//! | [`Residual`] | `x + block(x)` | the block's | the block's | the block's |
//! | [`Sum`], [`Concat`] | branches, added up or joined | theirs | theirs | theirs |
//!
//! A layer's file holds the layer, its spec and its tests by hand; `tests/library/layers.rs` runs the battery of
//! [`testing`](crate::testing) on every one of them.
//!
//! The files share three habits. A tensor that comes in goes through [`standard`](crate::tensor::standard), and from
//! there on loops run over slices by the kernels of [`scalar`](crate::scalar). What goes out comes from
//! [`scratch`](crate::tensor::scratch) or is the input, changed in place. What `backward` has used up goes to
//! [`recycle`](crate::tensor::recycle). After the first steps a training step of these layers takes its large arrays
//! from the spare buffers.

mod activation;
mod adaptive_pool;
mod avg_pool;
mod batch_norm;
mod branches;
mod builder;
mod concat;
mod conv1d;
mod conv2d;
mod convolve;
mod dense;
mod dropout;
mod dropout2d;
mod embedding;
mod embedding_bag;
mod filters;
mod global_pool;
mod group_norm;
mod layer_norm;
mod log_softmax;
mod max_pool;
mod noise;
mod norm;
mod passes;
mod predict;
mod prelu;
mod rectifiers;
mod reshape;
mod residual;
mod rms_norm;
mod sequential;
mod smooth;
mod softmax;
mod spans;
mod sum;
mod summary;
mod table;
mod upsample;
mod window;
mod zero_pad;

pub use activation::{LeakyReLU, ReLU, ReLUCache, Sigmoid, Tanh};
pub use adaptive_pool::AdaptiveAvgPool2d;
pub use avg_pool::{AvgPool1d, AvgPool2d};
pub use batch_norm::{BatchNorm, BatchNormCache, BatchNormSpec};
pub use builder::SequentialBuilder;
pub use concat::{Concat, ConcatSpec};
pub use conv1d::{Conv1d, Conv1dSpec};
pub use conv2d::{Conv2d, Conv2dSpec};
pub use dense::{Dense, DenseSpec};
pub use dropout::{Dropout, DropoutSpec};
pub use dropout2d::{Dropout2d, Dropout2dSpec};
pub use embedding::{Embedding, EmbeddingCache, EmbeddingSpec};
pub use embedding_bag::{EmbeddingBag, EmbeddingBagCache, EmbeddingBagSpec};
pub use global_pool::{GlobalAvgPool, GlobalMaxPool, GlobalMaxPoolCache};
pub use group_norm::{GroupNorm, GroupNormSpec};
pub use layer_norm::{LayerNorm, LayerNormSpec};
pub use log_softmax::LogSoftmax;
pub use max_pool::{MaxPool1d, MaxPool2d, MaxPoolCache};
pub use noise::{GaussianNoise, GaussianNoiseSpec};
pub use norm::NormCache;
pub use passes::SequentialCache;
pub use prelu::{PReLU, PReLUSpec};
pub use rectifiers::{ELU, HardSigmoid, HardSwish, ReLU6, SELU};
pub use reshape::{Flatten, Reshape};
pub use residual::{Residual, ResidualSpec};
pub use rms_norm::{RMSNorm, RMSNormSpec};
pub use sequential::Sequential;
pub use smooth::{GELU, Mish, SiLU, Softplus, Softsign};
pub use softmax::Softmax;
pub use sum::{Sum, SumSpec};
pub use upsample::Upsample;
pub use window::{Padding, Pair};
pub use zero_pad::ZeroPad2d;

use crate::layer::registry::Registry;
use crate::scalar::{OfEach, Scalar};
use std::sync::LazyLock;

/// The built-in layers of each element type. Both lists are compiled here: were they generic as they are used, every
/// program that loads a model would compile all layers anew, which was two fifths of its compiler's work.
static SINGLE: LazyLock<Registry<f32>> = LazyLock::new(all);
static DOUBLE: LazyLock<Registry<f64>> = LazyLock::new(all);

/// One of the two, by the type alone, so that a program that works in `f32` is not linked with each layer in `f64`.
struct Builtin;

impl OfEach for Builtin {
    type Of<F: Scalar> = &'static Registry<F>;

    fn single() -> &'static Registry<f32> {
        &SINGLE
    }

    fn double() -> &'static Registry<f64> {
        &DOUBLE
    }
}

impl<F: Scalar> Registry<F> {
    /// A registry with every layer of this crate.
    ///
    /// This is what [`Sequential::load`] uses. It stands here and not beside [`Registry`], which comes below the
    /// layers in the order of modules and must not know them.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f64>::builtin();
    /// assert_eq!(registry.kinds().count(), 44);
    /// assert!(registry.kinds().any(|kind| kind == "batch_norm"));
    /// ```
    pub fn builtin() -> Self {
        F::of_each::<Builtin>().clone()
    }
}

fn all<F: Scalar>() -> Registry<F> {
    Registry::empty()
        .with::<AdaptiveAvgPool2d>()
        .with::<AvgPool1d>()
        .with::<AvgPool2d>()
        .with::<BatchNorm<F>>()
        .with::<Concat<F>>()
        .with::<Conv1d<F>>()
        .with::<Conv2d<F>>()
        .with::<Dense<F>>()
        .with::<Dropout>()
        .with::<Dropout2d>()
        .with::<ELU>()
        .with::<Embedding<F>>()
        .with::<EmbeddingBag<F>>()
        .with::<Flatten>()
        .with::<GELU>()
        .with::<GaussianNoise>()
        .with::<GroupNorm<F>>()
        .with::<HardSigmoid>()
        .with::<HardSwish>()
        .with::<LayerNorm<F>>()
        .with::<LeakyReLU>()
        .with::<LogSoftmax>()
        .with::<Mish>()
        .with::<PReLU<F>>()
        .with::<RMSNorm<F>>()
        .with::<GlobalAvgPool>()
        .with::<GlobalMaxPool>()
        .with::<MaxPool1d>()
        .with::<MaxPool2d>()
        .with::<ReLU>()
        .with::<ReLU6>()
        .with::<Reshape>()
        .with::<Residual<F>>()
        .with::<SELU>()
        .with::<Sequential<F>>()
        .with::<SiLU>()
        .with::<Sigmoid>()
        .with::<Softmax>()
        .with::<Softplus>()
        .with::<Softsign>()
        .with::<Sum<F>>()
        .with::<Tanh>()
        .with::<Upsample>()
        .with::<ZeroPad2d>()
}
