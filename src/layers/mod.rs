//! The crate's layers, a file each, and the container.
//!
//! | layer | function | parameters | shape of a sample | kept for backward |
//! |---|---|---|---|---|
//! | [`Dense`] | `x · W + b` | `weight`, `bias` | `[…, inputs]` to `[…, units]` | the input |
//! | [`Embedding`] | row `x` of a table | `weight` | any, ids | the ids |
//! | [`EmbeddingBag`] | the mean, sum or maximum of rows | `weight` | `[length]`, ids | the ids |
//! | [`BatchNorm`] | `(x - mean) / √(var + ε) · w + b` | 2, and 2 buffers | `[features]`, `[channels, …]` | x̂ |
//! | [`LayerNorm`] | the same over a sample's last axes | `weight`, `bias` | `[…, n]` | x̂ |
//! | [`GroupNorm`] | the same over groups of channels | `weight`, `bias` | `[channels, …]` | x̂ |
//! | [`RMSNorm`] | `x / √(mean x² + ε) · w` | `weight` | `[…, n]` | x̂ |
//! | [`Dropout`] | 0, or `x / (1 - rate)` | | any | the mask |
//! | [`Dropout2d`] | the same for whole channels | | `[channels, …]` | the mask |
//! | [`GaussianNoise`] | `x + σ n` in training | | any | a shape |
//! | [`ReLU`] | `max(x, 0)` | | any | the output |
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
//! | [`Flatten`] | | | any to `[size]` | a shape |
//! | [`Reshape`] | | | any to the one given | a shape |
//! | [`Sequential`] | one after the other | those of its layers | | theirs |
//! | [`Residual`] | `x + block(x)` | the block's | the block's | the block's |
//! | [`Sum`], [`Concat`] | branches, added up or joined | theirs | theirs | theirs |
//!
//! A layer's file holds the layer, its spec and its tests by hand; `tests/layers.rs` runs the battery of
//! [`testing`](crate::testing) on every one of them.
//!
//! The files share three habits. A tensor that comes in goes through [`standard`](crate::tensor::standard), and from
//! there on loops run over slices by the kernels of [`scalar`](crate::scalar). What goes out comes from
//! [`scratch`](crate::tensor::scratch) or is the input, changed in place. What `backward` has used up goes to
//! [`recycle`](crate::tensor::recycle). After the first steps a training step of these layers takes its large arrays
//! from the spare buffers.

mod activation;
mod batch_norm;
mod branches;
mod builder;
mod concat;
mod dense;
mod dropout;
mod dropout2d;
mod embedding;
mod embedding_bag;
mod group_norm;
mod layer_norm;
mod log_softmax;
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
mod sum;
mod summary;
mod table;

pub use activation::{LeakyReLU, ReLU, Sigmoid, Tanh};
pub use batch_norm::{BatchNorm, BatchNormCache, BatchNormSpec};
pub use builder::SequentialBuilder;
pub use concat::{Concat, ConcatSpec};
pub use dense::{Dense, DenseSpec};
pub use dropout::{Dropout, DropoutSpec};
pub use dropout2d::{Dropout2d, Dropout2dSpec};
pub use embedding::{Embedding, EmbeddingCache, EmbeddingSpec};
pub use embedding_bag::{EmbeddingBag, EmbeddingBagCache, EmbeddingBagSpec};
pub use group_norm::{GroupNorm, GroupNormSpec};
pub use layer_norm::{LayerNorm, LayerNormSpec};
pub use log_softmax::LogSoftmax;
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

use crate::layer::registry::Registry;
use crate::scalar::Scalar;

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
    /// assert_eq!(registry.kinds().count(), 33);
    /// assert!(registry.kinds().any(|kind| kind == "batch_norm"));
    /// ```
    pub fn builtin() -> Self {
        Self::empty()
            .with::<BatchNorm<F>>()
            .with::<Concat<F>>()
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
    }
}
