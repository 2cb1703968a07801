//! Convolution over sequences.

use super::conv_nd::{Count, Filters, FiltersSpec, convolution_layer};
use crate::error::Result;
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::window::{Padding, Window};
use crate::nn::{Layer, LayerSpec, OutputActivation};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};

/// Convolution over sequences, channels first: each filter slides along the input.
///
/// ```text
/// y[n, f, t] = b[f] + Σ_{k, j} w[f, k, j] · x[n, k, t · stride + j · dilation - before]
/// ```
///
/// | | shape |
/// |---|---|
/// | input `x` | `[batch, channels, length]` |
/// | output `y` | `[batch, filters, length']`, see [`Padding`] |
/// | `weight` | `[filters, channels / groups, window]` |
/// | `bias` | `[filters]`, optional |
///
/// Names and layouts are those of PyTorch's `Conv1d`. Keras' `Conv1D` has channels last, and "causal" padding, which
/// only looks back; here, pad the sequence with zeros at its start instead. In everything else the layer is a
/// [`Conv2d`](crate::nn::Conv2d) with one row, and runs the same code. Waibel, Hanazawa, Hinton, Shikano and Lang,
/// "Phoneme recognition using time-delay neural networks", 1989.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([1, 100])
///     .layer(Conv1d::filters(16, 5).padding(Padding::Same)).layer(ReLU)
///     .layer(Conv1d::filters(8, 3).stride(2))
///     .build()?;
/// assert_eq!(model.output_shape(), [8, 49]);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Conv1d<F: Scalar = f32> {
    filters: Filters<F, 1>,
}

impl Conv1d<f32> {
    /// Returns the spec of a layer with `filters` filters and a window of this length.
    ///
    /// By default, the stride is 1 and there is no padding.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([100]).layer(Conv1d::filters(16, 5)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (conv1d): the input must have shape [channels, length], got [100]. Channels come first: put \
    ///      `Reshape::to([1, 100])` before for sequences of one channel."
    /// );
    /// ```
    pub fn filters(filters: usize, window: usize) -> Conv1dSpec {
        Conv1dSpec { filters: FiltersSpec::new(Count::Of(filters), Window::along(window)) }
    }

    /// Returns the spec of a depthwise layer: `each` filters per channel, each of which reads only that channel.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([8, 20]).layer(Conv1d::depthwise(2, 3).bias(false)).build()?;
    /// assert_eq!(model.output_shape(), [16, 18]);
    /// assert_eq!(model.parameter_count(), 16 * 3);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn depthwise(each: usize, window: usize) -> Conv1dSpec {
        Conv1dSpec { filters: FiltersSpec::new(Count::EachChannel(each), Window::along(window)) }
    }
}

/// The spec of a [`Conv1d`] layer, from [`Conv1d::filters`] or [`Conv1d::depthwise`].
///
/// All settings are checked when the model is built.
#[derive(Clone, Copy, Debug)]
pub struct Conv1dSpec {
    filters: FiltersSpec,
}

impl Conv1dSpec {
    /// Sets the stride (default: 1): by how much the window moves.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.filters.window.stride = [1, stride];
        self
    }

    /// Sets the dilation (default: 1): the distance between the values under the window; 1 means adjacent values.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.filters.window.dilation = [1, dilation];
        self
    }
}

convolution_layer! {
    Conv1d, Conv1dSpec, "conv1d";
    /// Sets the number of groups (default: 1) into which channels and filters are divided.
    ///
    /// A depthwise layer has one group per channel, and ignores this setting.
}
