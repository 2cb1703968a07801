//! Layers, and the models made of them.
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
//! | [`Dropout`] | 0 or `x / (1 - rate)` | | any | the mask |
//! | [`Dropout2d`] | the same for whole channels | | `[channels, …]` | the mask |
//! | [`GaussianNoise`] | `x + σ n` in training | | any | a shape |
//! | [`ReLU`] | `max(x, 0)` | | any | a bit per value |
//! | [`LeakyReLU`] | `x` or `slope · x` | | any | the input |
//! | [`Sigmoid`] | `1 / (1 + e^-x)` | | any | the output |
//! | [`Tanh`] | `tanh x` | | any | the output |
//! | [`ReLU6`], [`HardSigmoid`], [`HardSwish`] | piecewise, from straight lines | | any | the output, or the input |
//! | [`ELU`], [`SELU`] | `x` or `α · (e^x - 1)`, scaled | | any | the input |
//! | [`GELU`], [`SiLU`], [`Mish`] | `x` times a curve from 0 to 1 | | any | the derivative |
//! | [`Softplus`], [`Softsign`] | `ln(1 + e^x)`, `x / (1 + \|x\|)` | | any | the input |
//! | [`PReLU`] | `x` or `w · x` | `weight` | any, or `[channels, …]` | the input |
//! | [`Softmax`] | `e^x_i / Σ e^x_j` | | `[…, classes]` | the output |
//! | [`LogSoftmax`] | `x_i - ln Σ e^x_j` | | `[…, classes]` | the output |
//! | [`MaxPool2d`], [`MaxPool1d`] | the maximum under a window | | as `Conv2d`, `Conv1d` | indices |
//! | [`AvgPool2d`], [`AvgPool1d`] | the mean under a window | | as `Conv2d`, `Conv1d` | a shape |
//! | [`AdaptiveAvgPool2d`] | the means over a grid of given size | | `[channels, rows, columns]` | a shape |
//! | [`GlobalAvgPool`] | the mean of each channel | | `[channels, …]` to `[channels]` | a shape |
//! | [`GlobalMaxPool`] | the maximum of each channel | | `[channels, …]` to `[channels]` | indices |
//! | [`PoolSteps`] | the mean, sum or maximum over the steps | | `[steps, …]` to `[…]` | the input of a maximum |
//! | [`WithoutLengths`] | drops the lengths of sequences | | any | |
//! | [`ZeroPad2d`] | a border of zeros | | `[channels, rows, columns]` | a shape |
//! | [`Upsample`] | repeated pixels | | `[channels, rows, columns]` | a shape |
//! | [`Flatten`] | | | any to `[size]` | a shape |
//! | [`Reshape`] | | | any to the one given | a shape |
//! | [`Sequential`] | its layers in order | those of its layers | | theirs |
//! | [`Residual`] | `x + block(x)` | the block's | the block's | the block's |
//! | [`Add`], [`Average`], [`Concat`] | branches, summed, averaged or concatenated | theirs | theirs | theirs |
//! | [`Product`], [`Maximum`] | the product or the largest of branches | theirs | theirs | theirs, and their outputs |
//!
//! Models are built with [`Sequential::builder`]. A custom layer implements [`Layer`], or [`Elementwise`] if it is a
//! function of one number, and [`LayerSpec`] if its parameters depend on the shape of the input; add it to a
//! [`Registry`] to load models that contain it.

// A layer's file holds the layer, its spec and tests against values worked out by hand; `tests/library/layers.rs` runs
// the checks of `testing` on every layer.
//
// | file | what is in it |
// |---|---|
// | `layer.rs`, `layer_spec.rs` | the traits `Layer` and `LayerSpec` |
// | `shape_checks.rs` | checks of the shapes that a layer gets |
// | `elementwise.rs` | layers of a function of one number |
// | `output_activation.rs` | the known range of outputs, and their meaning for losses and metrics |
// | `parts.rs`, `wiring.rs` | access to the layers inside a layer, and how they are connected |
// | `node.rs` | a model as one list of what it computes |
// | `ports.rs`, `io.rs`, `port_calls.rs` | layers with several inputs and outputs |
// | `lengths.rs`, `steps.rs` | the lengths of sequences, and layers about them |
// | `reduction.rs` | sums, means and maxima along an axis |
// | `erased.rs` | type-erased layers, as containers hold them |
// | `model.rs`, `boxed_model.rs`, `predict.rs`, `parameters.rs` | the traits of whole models |
// | `chain/` | layers one after the other, as far as inference goes |
// | `registry.rs`, `infer_registry.rs`, `decoders.rs` | the kinds that a file may hold |
// | `decode_scope.rs` | the state of a thread's decoding call |
// | `cast.rs` | a graph in another element type |
// | `sequential/` | the container: builder, training; `summary.rs` prints it |
// | `dense.rs`, `reshape.rs`, … and the folders | the layers, by kind |
// | `window.rs` | how a window slides over an image, for `conv/` and `pooling/` |
//
// All layers follow three conventions. An incoming tensor goes through `standard`; from there on the kernels loop over
// slices. An outgoing tensor comes from `scratch`, or is the input, changed in place. Whatever `backward` has used up
// goes to `recycle`. After the first few steps, the large arrays of a training step therefore come from the spare
// buffers.

mod activation;
mod boxed_model;
mod branches;
pub(crate) mod cast;
pub(crate) mod chain;
mod conv;
pub(crate) mod decode_scope;
mod decoders;
mod dense;
pub(crate) mod elementwise;
mod embedding;
pub(crate) mod erased;
pub(crate) mod graph;
pub(crate) mod infer_registry;
pub(crate) mod inputs;
mod io;
mod layer;
mod layer_spec;
mod lengths;
mod model;
mod names;
mod node;
mod norm;
mod one_output;
mod output_activation;
mod parameters;
mod parts;
mod pooling;
mod port;
mod port_calls;
mod ports;
pub(crate) mod predict;
mod predict_named;
pub(crate) mod predict_parts;
mod reduction;
pub(crate) mod registry;
mod regularization;
mod reshape;
mod sequential;
mod shape_checks;
mod steps;
mod summary;
mod upsample;
mod window;
mod wiring;
mod zero_pad;

/// Operations of your own in a [`Graph`]: the trait [`Op`](op::Op), and what it works with.
pub mod op {
    pub use super::graph::{Backward, Needs, Op, Shape, Shapes, Steps};
}

pub use crate::param::{Gradient, GradientMut, Param, ParamKind};
pub use activation::{
    ELU, GELU, HardSigmoid, HardSwish, LeakyReLU, LogSoftmax, Mish, PReLU, PReLUSpec, ReLU, ReLU6, ReLUCache,
    SELU, SiLU, Sigmoid, Softmax, Softplus, Softsign, Tanh,
};
pub use branches::{
    Add, AddSpec, Average, AverageSpec, Concat, ConcatSpec, Maximum, MaximumSpec, Product, ProductSpec,
    Residual, ResidualSpec,
};
pub use conv::{Conv1d, Conv1dSpec, Conv2d, Conv2dSpec};
pub use dense::{Dense, DenseSpec};
pub use elementwise::Elementwise;
pub use embedding::{
    BagMode, Embedding, EmbeddingBag, EmbeddingBagCache, EmbeddingBagSpec, EmbeddingCache, EmbeddingSpec,
};
pub use graph::{Graph, GraphBuilder, GraphSpec, Operand, Positions, ResizeMode, Size, Value};
pub use infer_registry::InferRegistry;
pub use inputs::{Inputs, IntoInput};
pub use io::{Io, PortGradients};
pub use layer::Layer;
pub use layer_spec::LayerSpec;
pub use model::{Infer, Model, ModelCache};
pub(crate) use model::{check_one_output, several};
pub use node::{Node, Role};
pub use norm::{
    BatchNorm, BatchNormCache, BatchNormSpec, GroupNorm, GroupNormSpec, LayerNorm, LayerNormSpec, NormCache,
    RMSNorm, RMSNormSpec,
};
pub use one_output::OneOutput;
pub use output_activation::{OutputActivation, Outputs, WithoutActivation};
pub use parameters::Parameters;
pub use parts::{BoxedLayer, Part};
pub use pooling::{
    AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, GlobalMaxPoolCache, MaxPool1d,
    MaxPool2d, MaxPoolCache,
};
pub use port::Port;
pub use port_calls::{
    backward_ports, first_input_gradient, first_output, first_output_shape, first_output_train, infer_ports,
    train_ports,
};
pub use ports::Ports;
pub use predict::Predict;
pub use predict_named::Predictions;
pub use registry::Registry;
pub use regularization::{Dropout, Dropout2d, Dropout2dSpec, DropoutSpec, GaussianNoise, GaussianNoiseSpec};
pub use reshape::{Flatten, Reshape};
pub use sequential::{Sequential, SequentialBuilder};
pub(crate) use shape_checks::batch_error;
pub use shape_checks::{check_batch, check_gradient};
pub use steps::{PoolSteps, PoolStepsCache, WithoutLengths};
pub use upsample::Upsample;
pub use window::{Padding, PerAxis};
pub use wiring::Wiring;
pub use zero_pad::ZeroPad2d;

use crate::kernels::{OfEach, Scalar};
use std::sync::LazyLock;

/// The built-in layers of each element type. Both lists are compiled in this crate: if they were generic, every program
/// that loads a model would compile all layers anew, which took two fifths of its compile time.
static SINGLE: LazyLock<Registry<f32>> = LazyLock::new(all);
static DOUBLE: LazyLock<Registry<f64>> = LazyLock::new(all);

/// Selects one of the two by type, so that a program that works in `f32` does not link the `f64` version of each layer.
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
    /// Returns a registry with all built-in layers.
    ///
    /// This is what [`Sequential::load`] uses.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let registry = Registry::<f64>::builtin();
    /// assert_eq!(registry.kinds().count(), 50);
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
        .with::<Graph<F>>()
        .with::<GroupNorm<F>>()
        .with::<HardSigmoid>()
        .with::<HardSwish>()
        .with::<LayerNorm<F>>()
        .with::<LeakyReLU>()
        .with::<LogSoftmax>()
        .with::<Mish>()
        .with::<PReLU<F>>()
        .with::<PoolSteps>()
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
        .with::<Add<F>>()
        .with::<Average<F>>()
        .with::<Maximum<F>>()
        .with::<Product<F>>()
        .with::<Tanh>()
        .with::<Upsample>()
        .with::<WithoutLengths>()
        .with::<ZeroPad2d>()
}
