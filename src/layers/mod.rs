//! The crate's layers, a file each, and the container.
//!
//! | layer | function | parameters | shape of a sample | kept for backward |
//! |---|---|---|---|---|
//! | [`Dense`] | `x · W + b` | `weight`, `bias` | `[…, inputs]` to `[…, units]` | the input |
//! | [`Conv2d`] | `W ⋆ x + b` over images | `weight`, `bias` | `[channels, rows, columns]` | the input |
//! | [`Conv1d`] | the same over sequences | `weight`, `bias` | `[channels, length]` | the input |
//! | [`BatchNorm`] | `(x - mean) / √(var + ε) · w + b` | 2, and 2 buffers | `[features]` | x̂ |
//! | [`Dropout`] | 0, or `x / (1 - rate)` | | any | the mask |
//! | [`ReLU`] | `max(x, 0)` | | any | a bit for each number |
//! | [`LeakyReLU`] | `x` or `slope · x` | | any | the input |
//! | [`Sigmoid`] | `1 / (1 + e^-x)` | | any | the output |
//! | [`Tanh`] | `tanh x` | | any | the output |
//! | [`Softmax`] | `e^x_i / Σ e^x_j` | | `[…, classes]` | the output |
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
mod adaptive_pool;
mod avg_pool;
mod batch_norm;
mod builder;
mod conv1d;
mod conv2d;
mod convolve;
mod dense;
mod dropout;
mod filters;
mod global_pool;
mod max_pool;
mod passes;
mod predict;
mod reshape;
mod sequential;
mod softmax;
mod spans;
mod summary;
mod upsample;
mod window;
mod zero_pad;

pub use activation::{LeakyReLU, ReLU, ReLUCache, Sigmoid, Tanh};
pub use adaptive_pool::AdaptiveAvgPool2d;
pub use avg_pool::{AvgPool1d, AvgPool2d};
pub use batch_norm::{BatchNorm, BatchNormCache, BatchNormSpec};
pub use builder::SequentialBuilder;
pub use conv1d::{Conv1d, Conv1dSpec};
pub use conv2d::{Conv2d, Conv2dSpec};
pub use dense::{Dense, DenseSpec};
pub use dropout::{Dropout, DropoutSpec};
pub use global_pool::{GlobalAvgPool, GlobalMaxPool, GlobalMaxPoolCache};
pub use max_pool::{MaxPool1d, MaxPool2d, MaxPoolCache};
pub use passes::SequentialCache;
pub use reshape::{Flatten, Reshape};
pub use sequential::Sequential;
pub use softmax::Softmax;
pub use upsample::Upsample;
pub use window::{Padding, Pair};
pub use zero_pad::ZeroPad2d;

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
    /// assert_eq!(registry.kinds().count(), 22);
    /// assert!(registry.kinds().any(|kind| kind == "batch_norm"));
    /// ```
    pub fn builtin() -> Self {
        Self::empty()
            .with::<AdaptiveAvgPool2d>()
            .with::<AvgPool1d>()
            .with::<AvgPool2d>()
            .with::<BatchNorm<F>>()
            .with::<Conv1d<F>>()
            .with::<Conv2d<F>>()
            .with::<Dense<F>>()
            .with::<Dropout>()
            .with::<Flatten>()
            .with::<GlobalAvgPool>()
            .with::<GlobalMaxPool>()
            .with::<LeakyReLU>()
            .with::<MaxPool1d>()
            .with::<MaxPool2d>()
            .with::<ReLU>()
            .with::<Reshape>()
            .with::<Sequential<F>>()
            .with::<Sigmoid>()
            .with::<Softmax>()
            .with::<Tanh>()
            .with::<Upsample>()
            .with::<ZeroPad2d>()
    }
}
