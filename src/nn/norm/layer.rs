//! Layer normalization; the derivative is in `per_sample.rs`.

use super::per_sample::{NormCache, NormShape, check_epsilon};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Layer normalization: `y = (x - mean) / √(variance + ε) · weight + bias`, with mean and (biased) variance over the
/// last axes of each sample.
///
/// Ba, Kiros and Hinton, "Layer normalization", 2016. No statistics are shared between samples, so training and
/// inference compute the same function, and batches of one sample work.
///
/// | | shape |
/// |---|---|
/// | input and output | `[batch, …, n]`; with `axes(2)`, `[batch, …, m, n]`, and so on |
/// | `weight`, `bias` | `[n]`; `[m, n]` |
///
/// PyTorch's `nn.LayerNorm(normalized_shape, eps=1e-5)`, with the same names. Keras' `LayerNormalization` has ε 1e-3
/// and the names `gamma` and `beta`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([4]).layer(LayerNorm::new()).build()?;
/// let y = model.predict(&arr2(&[[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]))?;
/// assert!((y[[0, 3]] - 1.5 / 1.25f32.sqrt()).abs() < 1e-4);
/// assert!((y[[1, 3]] - y[[0, 3]]).abs() < 1e-4); // the scale of a sample does not matter, up to ε
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Memory in training: `x̂` in the input's buffer, a copy for the output, and one number per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct LayerNorm<F: Scalar = f32> {
    /// In the shape of the normalized axes; starts at 1.
    weight: Param<F>,
    /// In the same shape; starts at 0.
    bias: Option<Param<F>>,
    #[serde(with = "crate::codec::words")]
    epsilon: f64,
}

impl LayerNorm<f32> {
    /// Returns a spec with PyTorch's ε that normalizes over the last axis.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let norm = LayerNorm::new().axes(2).epsilon(1e-6).bias(false);
    /// let model = Sequential::builder([3, 8, 8]).layer(norm).build()?;
    /// assert_eq!(model.parameter_count(), 64);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "the axes' sizes are known when the model is built")]
    pub fn new() -> LayerNormSpec {
        LayerNormSpec { axes: 1, epsilon: 1e-5, bias: true }
    }
}

impl<F: Scalar> LayerNorm<F> {
    /// Checks the settings and the last axes, and returns the shape of the rows to normalize.
    fn cut(&self, input: &[usize]) -> Result<NormShape> {
        check_epsilon::<F>(self.epsilon)?;
        let own = self.weight.shape();
        let bias_fits = self.bias.as_ref().is_none_or(|bias| bias.shape() == own);
        if own.is_empty() || own.contains(&0) || !bias_fits || !input.ends_with(own) {
            return Err(Error::shape("the input", format!("{own:?} in its last axes"), input)
                .help("Layer normalization takes the last axes that it was built for."));
        }
        Ok(NormShape { columns: self.weight.len(), inner: 1, centre: true, epsilon: self.epsilon })
    }
}

impl<F: Scalar> Layer<F> for LayerNorm<F> {
    const KIND: Kind = Kind::builtin("layer_norm");
    type Cache = NormCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.cut(input)?.check_more_than_one(input)?;
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() > self.weight.shape().len()
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward(input, &self.weight, self.bias.as_ref()))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, NormCache<F>)> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward_train(input, &self.weight, self.bias.as_ref()))
    }

    fn backward(&mut self, cache: NormCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(grad.shape().get(1..).unwrap_or_default())?;
        cut.backward(cache, grad, &mut self.weight, self.bias.as_mut())
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visit("bias", bias);
        }
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visit("bias", bias);
        }
    }
}

/// The spec of a [`LayerNorm`] layer, from [`LayerNorm::new`].
#[derive(Clone, Copy, Debug)]
pub struct LayerNormSpec {
    axes: usize,
    epsilon: f64,
    bias: bool,
}

impl LayerNormSpec {
    /// Sets over how many of the last axes to normalize (default: 1), at least 1; the batch axis does not count.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([8]).layer(LayerNorm::new().axes(2)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (layer_norm): the number of axes must be 1 for an input of shape [8], got 2. Axes are \
    ///      counted from the last; the batch axis does not count."
    /// );
    /// ```
    #[must_use]
    pub fn axes(mut self, axes: usize) -> Self {
        self.axes = axes;
        self
    }

    /// Sets ε (default: 1e-5), the number added to the variance; it must be above 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets whether the layer has a bias (default: true): PyTorch's `bias`.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for LayerNormSpec {
    type Layer = LayerNorm<F>;

    /// Builds the layer; nothing is drawn at random.
    fn build(self, input: &[usize], random: &Random) -> Result<LayerNorm<F>> {
        let Self { axes, epsilon, bias } = self;
        if axes == 0 || axes > input.len() {
            let range = if input.len() == 1 { "1".to_owned() } else { format!("from 1 to {}", input.len()) };
            let expected = format!("{range} for an input of shape {input:?}");
            return Err(Error::argument("the number of axes", expected, axes)
                .help("Axes are counted from the last; the batch axis does not count."));
        }
        let shape = &input[input.len() - axes..];
        let all = |value: f64| Initializer::Constant(value).tensor(shape, 1, 1, random).map(Param::new);
        let layer = LayerNorm { weight: all(1.0)?, bias: bias.then(|| all(0.0)).transpose()?, epsilon };
        layer.cut(input)?;
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(spec: LayerNormSpec, shape: &[usize]) -> Result<LayerNorm> {
        spec.build(shape, &Random::seed(0))
    }

    #[test]
    fn bad_settings_and_shapes_are_refused() {
        assert!(build(LayerNorm::new().axes(0), &[2]).is_err());
        assert!(build(LayerNorm::new(), &[]).is_err() && build(LayerNorm::new(), &[0]).is_err());
        for epsilon in [0., -1., f64::NAN, f64::INFINITY, 1e-60] {
            assert!(build(LayerNorm::new().epsilon(epsilon), &[2]).is_err(), "{epsilon}");
        }
        let mut layer = build(LayerNorm::new(), &[2]).unwrap();
        for shape in [&[][..], &[2], &[3, 3], &[0, 4]] {
            assert!(layer.forward(Tensor::zeros(shape)).is_err(), "{shape:?}");
        }
        let (y, cache) = layer.forward_train(Tensor::zeros(vec![0, 2])).unwrap();
        assert!(layer.backward(cache, y).is_ok());
        let (_, cache) = layer.forward_train(Tensor::zeros(vec![3, 2])).unwrap();
        assert!(layer.backward(cache, Tensor::zeros(vec![2, 2])).is_err());
    }

    #[test]
    fn a_constant_row_becomes_0_and_nan_stays() {
        let layer = build(LayerNorm::new(), &[3]).unwrap();
        let x = ndarray::arr2(&[[5., 5., 5.], [1., f32::NAN, 2.]]).into_dyn();
        let y = layer.forward(x).unwrap();
        assert!(y.iter().take(3).all(|&y| y == 0.) && y.iter().skip(3).all(|y| y.is_nan()));
    }
}
