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
/// looks only back; here put zeros before the sequence. In all else it is [`Conv2d`](crate::nn::Conv2d) with one row,
/// by the same passes. Waibel, Hanazawa, Hinton, Shikano and Lang, "Phoneme recognition using time-delay neural
/// networks", 1989.
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
    /// So many filters with a window of this length.
    ///
    /// The window moves by 1 and stays inside unless told otherwise.
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

    /// So many filters for each channel, each of which reads that channel alone.
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

/// What a [`Conv1d`] layer is built from: [`Conv1d::filters`] or [`Conv1d::depthwise`].
///
/// Every number is checked when the model is built.
#[derive(Clone, Copy, Debug)]
pub struct Conv1dSpec {
    filters: FiltersSpec,
}

impl Conv1dSpec {
    /// By how much the window moves on.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.filters.window.stride = [1, stride];
        self
    }

    /// How far apart the numbers under the window lie; 1 is next to each other.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.filters.window.dilation = [1, dilation];
        self
    }
}

convolution_layer! {
    Conv1d, Conv1dSpec, "conv1d";
    /// Into how many groups channels and filters are divided.
    ///
    /// A depthwise layer has as many groups as channels, whatever is said here.
}
