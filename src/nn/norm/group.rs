//! Group normalization; the derivative is in `per_sample.rs`.

use super::per_sample::{NormCache, NormShape, check_epsilon};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, size};
use serde::{Deserialize, Serialize};

/// Group normalization: the channels are divided into groups, and `y = (x - mean) / √(variance + ε) · weight + bias`,
/// with mean and (biased) variance over each group of a sample, and a weight and a bias per channel.
///
/// Wu and He, "Group normalization", 2018. Use it for images when batches are too small for
/// [`BatchNorm`](crate::nn::BatchNorm): no statistics are shared between samples.
///
/// | groups | also called |
/// |---|---|
/// | 1 | layer normalization of images |
/// | 1 per channel | instance normalization (Ulyanov, Vedaldi and Lempitsky, 2016), `nn.InstanceNorm2d(affine=True)` |
///
/// | | shape |
/// |---|---|
/// | input and output | `[batch, channels, …]` |
/// | `weight`, `bias` | `[channels]` |
///
/// PyTorch's `nn.GroupNorm(num_groups, num_channels, eps=1e-5)`, with the same names. Keras' `GroupNormalization` has
/// channels last and ε 1e-3.
///
/// ```
/// use plywood::ndarray::arr3;
/// use plywood::prelude::*;
///
/// let instance = GroupNorm::groups(2); // as many as channels
/// let model = Sequential::builder([2, 2]).layer(instance).build()?;
/// let y = model.predict(&arr3(&[[[1.0, 3.0], [100.0, 300.0]]]))?;
/// assert!(y.iter().all(|y| (y.abs() - 1.0).abs() < 1e-4));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct GroupNorm<F: Scalar = f32> {
    /// Starts at 1.
    weight: Param<F>,
    /// Starts at 0.
    bias: Param<F>,
    groups: usize,
    #[serde(with = "crate::codec::words")]
    epsilon: f64,
}

impl GroupNorm<f32> {
    /// Returns the spec of a layer with this number of groups, which must divide the number of channels.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([6, 8, 8]).layer(GroupNorm::groups(4)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (group_norm): `groups` must be a divisor of 6, the number of channels, got 4. 1 group \
    ///      normalizes all channels together; as many groups as channels normalize each channel by itself."
    /// );
    /// ```
    pub fn groups(groups: usize) -> GroupNormSpec {
        GroupNormSpec { groups, epsilon: 1e-5 }
    }
}

impl<F: Scalar> GroupNorm<F> {
    /// Checks the settings and the number of channels, and returns the shape of the rows to normalize.
    fn cut(&self, input: &[usize]) -> Result<NormShape> {
        check_epsilon::<F>(self.epsilon)?;
        let n = self.weight.len();
        if self.groups == 0 || !n.is_multiple_of(self.groups) {
            let expected = format!("a divisor of {n}, the number of channels");
            return Err(Error::argument("groups", expected, self.groups).help(
                "1 group normalizes all channels together; as many groups as channels normalize each channel \
                       by itself.",
            ));
        }
        match input {
            [channels, rest @ ..] if *channels == n && n > 0 && self.bias.shape() == self.weight.shape() => {
                let inner = size(rest);
                Ok(NormShape {
                    columns: (n / self.groups).saturating_mul(inner),
                    inner,
                    centre: true,
                    epsilon: self.epsilon,
                })
            }
            _ => Err(Error::shape("the input", format!("[{n}, …]"), input)
                .help("Channels are the axis after the batch; the layer was built for that many.")),
        }
    }
}

impl<F: Scalar> Layer<F> for GroupNorm<F> {
    const KIND: Kind = Kind::builtin("group_norm");
    type Cache = NormCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.cut(input)?.check_more_than_one(input)?;
        Ok(input.to_vec())
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward(input, &self.weight, Some(&self.bias)))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, NormCache<F>)> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward_train(input, &self.weight, Some(&self.bias)))
    }

    fn backward(&mut self, cache: NormCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(grad.shape().get(1..).unwrap_or_default())?;
        cut.backward(cache, grad, &mut self.weight, Some(&mut self.bias))
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        visit("bias", &self.bias);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        visit("bias", &mut self.bias);
    }
}

/// The spec of a [`GroupNorm`] layer, from [`GroupNorm::groups`].
#[derive(Clone, Copy, Debug)]
pub struct GroupNormSpec {
    groups: usize,
    epsilon: f64,
}

impl GroupNormSpec {
    /// Sets ε (default: 1e-5), the number added to the variance; it must be above 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for GroupNormSpec {
    type Layer = GroupNorm<F>;

    /// Builds the layer; nothing is drawn at random.
    fn build(self, input: &[usize], random: &Random) -> Result<GroupNorm<F>> {
        let Self { groups, epsilon } = self;
        let [n, ..] = *input else {
            return Err(Error::shape("the input", "[channels, …]", input)
                .help("The axis after the batch is that of the channels."));
        };
        let all = |value: f64| Initializer::Constant(value).tensor(&[n], n, n, random).map(Param::new);
        let layer = GroupNorm { weight: all(1.0)?, bias: all(0.0)?, groups, epsilon };
        layer.cut(input)?;
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_and_shapes_are_refused() {
        let build = |spec: GroupNormSpec, shape: &[usize]| -> Result<GroupNorm> {
            spec.build(shape, &Random::seed(0))
        };
        assert!(build(GroupNorm::groups(0), &[2]).is_err() && build(GroupNorm::groups(1), &[]).is_err());
        assert!(build(GroupNorm::groups(1), &[0, 3]).is_err());
        assert!(build(GroupNorm::groups(2).epsilon(-1.), &[2, 3]).is_err());
        let layer = build(GroupNorm::groups(2), &[4, 3]).unwrap();
        for shape in [&[][..], &[4], &[2, 3, 4]] {
            assert!(layer.forward(Tensor::zeros(shape)).is_err(), "{shape:?}");
        }
        assert_eq!(layer.forward(Tensor::zeros(vec![2, 4, 0])).unwrap().shape(), [2, 4, 0]);
    }
}
