//! Convolution over images.

use super::conv_nd::{Count, Filters, FiltersSpec, convolution_layer};
use crate::error::Result;
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::window::{Padding, PerAxis, Window};
use crate::nn::{Layer, LayerSpec, OutputActivation};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, recycle};
use serde::{Deserialize, Serialize};

/// Convolution over images, channels first: each filter slides over the input.
///
/// ```text
/// y[n, f, r, c] = b[f] + Σ_{k, i, j} w[f, k, i, j] · x[n, k, r · stride + i · dilation - top, c · stride + …]
/// ```
///
/// | | shape |
/// |---|---|
/// | input `x` | `[batch, channels, rows, columns]` |
/// | output `y` | `[batch, filters, rows', columns']`, see [`Padding`] |
/// | `weight` | `[filters, channels / groups, window rows, window columns]` |
/// | `bias` | `[filters]`, optional |
///
/// Names and layouts are those of PyTorch's `Conv2d`; as there and in Keras, the window is not flipped, so strictly it
/// is a cross-correlation. Keras has channels last by default, and its kernel is
/// `[window rows, window columns, channels, filters]`. By default the weight starts as [`Initializer::GlorotUniform`]
/// and the bias at 0, as in Keras. LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
/// recognition", 1998.
///
/// The number of channels is known when the model is built. Greyscale images have one channel, and need an axis for it:
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28])
///     .layer(Reshape::to([1, 28, 28]))
///     .layer(Conv2d::filters(32, 3).padding(Padding::Same)).layer(ReLU).layer(MaxPool2d::window(2))
///     .layer(Flatten).layer(Dense::units(10)).layer(Softmax)
///     .build()?;
/// assert_eq!(model.predict(&plywood::ndarray::Array3::zeros((5, 28, 28)))?.shape(), [5, 10]);
///
/// let error = Sequential::builder([28, 28]).layer(Conv2d::filters(32, 3)).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (conv2d): the input must have shape [channels, rows, columns], got [28, 28]. Channels come \
///      first: put `Reshape::to([1, 28, 28])` before for images of one channel."
/// );
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Weights from PyTorch fit as they are:
///
/// ```
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let mut layer: Conv2d = Conv2d::filters(1, 2).build(&[1, 3, 3], &Random::seed(0))?;
/// let edges = Tensor::from_shape_vec(vec![1, 1, 2, 2], vec![1.0, -1.0, 1.0, -1.0]).unwrap();
/// layer.visit_params_mut(&mut |name, param| {
///     if name == "weight" {
///         param.set_value(edges.clone()).unwrap();
///     }
/// });
/// let image = array![[[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]].into_dyn();
/// assert_eq!(layer.forward(image)?, array![[[[0.0, -2.0], [0.0, -2.0]]]].into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Each pass is a matrix product over tiles that stay in a core's cache. Memory in training: the input is moved into
/// the cache, not copied, and its buffer is reused for the gradient of the input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Conv2d<F: Scalar = f32> {
    filters: Filters<F, 2>,
}

impl Conv2d<f32> {
    /// Returns the spec of a layer with `filters` filters and a window of this size: `Conv2d::filters(32, 3)`,
    /// `Conv2d::filters(64, [3, 5])`.
    ///
    /// By default, the stride is 1 and there is no padding.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let layer = Conv2d::filters(16, [3, 5]).stride(2).padding(Padding::Same);
    /// let model = Sequential::<f64>::builder_of([3, 32, 32]).layer(layer).build()?;
    /// assert_eq!(model.output_shape(), [16, 16, 16]);
    /// assert_eq!(model.parameter_count(), 16 * 3 * 3 * 5 + 16);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn filters(filters: usize, window: impl Into<PerAxis>) -> Conv2dSpec {
        Conv2dSpec { filters: FiltersSpec::new(Count::Of(filters), Window::of(window.into())) }
    }

    /// Returns the spec of a depthwise layer, `Conv2d::depthwise(1, 3)`: `each` filters per channel, each of which
    /// reads only that channel.
    ///
    /// It is a convolution with one group per channel. Followed by a `Conv2d::filters(n, 1)`, which mixes the channels,
    /// it is the separable convolution of Chollet, "Xception: deep learning with depthwise separable convolutions",
    /// 2017. In Keras it is `DepthwiseConv2D(3, depth_multiplier=1)`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([8, 14, 14])
    ///     .layer(Conv2d::depthwise(1, 3).padding(1)).layer(Conv2d::filters(16, 1))
    ///     .build()?;
    /// assert_eq!(model.parameter_count(), (8 * 9 + 8) + (16 * 8 + 16));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn depthwise(each: usize, window: impl Into<PerAxis>) -> Conv2dSpec {
        Conv2dSpec { filters: FiltersSpec::new(Count::EachChannel(each), Window::of(window.into())) }
    }
}

/// The spec of a [`Conv2d`] layer, from [`Conv2d::filters`] or [`Conv2d::depthwise`].
///
/// All settings are checked when the model is built:
///
/// ```
/// use plywood::prelude::*;
///
/// let error = Sequential::builder([3, 8, 8]).layer(Conv2d::filters(4, 3).groups(2)).build().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer 0 (conv2d): `groups` must be a divisor of 3, the number of channels, and of 4, the number of \
///      filters, got 2. Each group reads its own share of the channels and has its own share of the filters."
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Conv2dSpec {
    filters: FiltersSpec,
}

impl Conv2dSpec {
    /// Sets the stride, how many pixels the window moves at a time (default: 1): one number, or rows and columns.
    ///
    /// A stride of 2 halves the height and width of an image, as a pooling layer does, with a quarter of the work of stride 1:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let halved = Conv2d::filters(16, 3).stride(2).padding(1);
    /// assert_eq!(Sequential::builder([8, 28, 28]).layer(halved).build()?.output_shape(), [16, 14, 14]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis>) -> Self {
        self.filters.window.stride = stride.into().0;
        self
    }

    /// Sets the dilation (default: 1): the distance between the values under the window; 1 means adjacent values.
    ///
    /// A window of 3 with a dilation of 4 spans 9 pixels and still has 3 weights along an axis:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([1, 28, 28]).layer(Conv2d::filters(1, 3).dilation(4)).build()?;
    /// assert_eq!(model.output_shape(), [1, 20, 20]);
    /// assert_eq!(model.parameter_count(), 3 * 3 + 1);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", 2016.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis>) -> Self {
        self.filters.window.dilation = dilation.into().0;
        self
    }
}

convolution_layer! {
    Conv2d, Conv2dSpec, "conv2d";
    /// Sets the number of groups (default: 1) into which channels and filters are divided: the first filters read only
    /// the first channels, and so on.
    ///
    /// A depthwise layer has one group per channel, and ignores this setting. Krizhevsky, Sutskever and Hinton,
    /// "ImageNet classification with deep convolutional neural networks", 2012, used two, for two processors.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let layer: Conv2d = Conv2d::filters(6, 3).groups(2).build(&[4, 9, 9], &Random::seed(0))?;
    /// assert_eq!(layer.weight().shape(), [6, 2, 3, 3]); // a filter reads two of the four channels
    /// # Ok::<(), plywood::Error>(())
    /// ```
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array4, IxDyn};

    #[test]
    fn by_hand() {
        let mut layer: Conv2d<f64> = Conv2d::filters(1, 2).build(&[1, 3, 3], &Random::seed(0)).unwrap();
        let values = [vec![1., 2., 3., 4.], vec![0.5]];
        let mut i = 0;
        layer.visit_params_mut(&mut |_, param| {
            param.as_slice_mut().copy_from_slice(&values[i]);
            i += 1;
        });
        let x = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, r, c)| (3 * r + c) as f64).into_dyn();
        let (y, cache) = layer.forward_train(x).unwrap();
        // 1·0 + 2·1 + 3·3 + 4·4 = 27
        assert_eq!(y.as_slice().unwrap(), [27.5, 37.5, 57.5, 67.5]);
        let grad = Tensor::from_shape_vec(IxDyn(&[1, 1, 2, 2]), vec![1., 0., 0., 10.]).unwrap();
        let dx = layer.backward(cache, grad).unwrap();
        assert_eq!(dx.as_slice().unwrap(), [1., 2., 0., 3., 14., 20., 0., 30., 40.]);
        let mut gradients = Vec::new();
        layer.visit_params(&mut |_, param| match param.gradient() {
            Some(crate::param::Gradient::Dense(g)) => gradients.push(g.iter().copied().collect::<Vec<_>>()),
            other => panic!("{other:?}"),
        });
        assert_eq!(gradients, [vec![40., 51., 73., 84.], vec![11.]]);
    }
}
