//! Root mean square normalization; the derivative is in `per_sample.rs`.

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

/// Root mean square normalization: `y = x / √(mean of x² + ε) · weight`, over the last axis.
///
/// Zhang and Sennrich, "Root mean square layer normalization", 2019: [`LayerNorm`](crate::nn::LayerNorm) without the
/// mean and without a bias, at two thirds of the cost. Large language models use it in place of `LayerNorm`.
///
/// | | shape |
/// |---|---|
/// | input and output | `[batch, …, n]` |
/// | `weight` | `[n]` |
///
/// By default ε is the distance from 1 to the next number of the type (1.2e-7 in `f32`, 2.2e-16 in `f64`), as in
/// PyTorch's `nn.RMSNorm`. Keras' `RMSNormalization` has 1e-6.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([2]).layer(RMSNorm::new()).build()?;
/// let y = model.predict(&arr2(&[[3.0, 4.0]]))?;
/// assert!((y[[0, 0]] - 3.0 / 12.5f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RMSNorm<F: Scalar = f32> {
    /// Starts at 1.
    weight: Param<F>,
    #[serde(with = "crate::codec::words")]
    epsilon: f64,
}

impl RMSNorm<f32> {
    /// Returns a spec with PyTorch's ε.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([10, 16]).layer(RMSNorm::new().epsilon(1e-6)).build()?;
    /// assert_eq!(model.parameter_count(), 16);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "the axis' size is known when the model is built")]
    pub fn new() -> RMSNormSpec {
        RMSNormSpec { epsilon: None }
    }
}

impl<F: Scalar> RMSNorm<F> {
    /// Checks the settings and the last axis, and returns the shape of the rows to normalize.
    fn cut(&self, input: &[usize]) -> Result<NormShape> {
        check_epsilon::<F>(self.epsilon)?;
        let n = self.weight.len();
        if n == 0 || self.weight.shape() != [n] || input.last() != Some(&n) {
            return Err(Error::shape("the input", format!("[…, {n}]"), input)
                .help("The last axis must be the one that the layer was built for."));
        }
        Ok(NormShape { columns: n, inner: 1, centre: false, epsilon: self.epsilon })
    }
}

impl<F: Scalar> Layer<F> for RMSNorm<F> {
    const KIND: Kind = Kind::builtin("rms_norm");
    type Cache = NormCache<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.cut(input)?;
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() > self.weight.shape().len()
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward(input, &self.weight, None))
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, NormCache<F>)> {
        let cut = self.cut(input.shape().get(1..).unwrap_or_default())?;
        Ok(cut.forward_train(input, &self.weight, None))
    }

    fn backward(&mut self, cache: NormCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let cut = self.cut(grad.shape().get(1..).unwrap_or_default())?;
        cut.backward(cache, grad, &mut self.weight, None)
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
    }
}

/// The spec of an [`RMSNorm`] layer, from [`RMSNorm::new`].
#[derive(Clone, Copy, Debug)]
pub struct RMSNormSpec {
    epsilon: Option<f64>,
}

impl RMSNormSpec {
    /// Sets ε, the number added to the mean of squares; it must be above 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = Some(epsilon);
        self
    }
}

impl<F: Scalar> LayerSpec<F> for RMSNormSpec {
    type Layer = RMSNorm<F>;

    /// Builds the layer; nothing is drawn at random.
    fn build(self, input: &[usize], random: &Random) -> Result<RMSNorm<F>> {
        let Some(&n) = input.last() else {
            return Err(Error::shape("the input", "[…, features]", input)
                .help("The layer works along the last axis, so there has to be one."));
        };
        let epsilon = self.epsilon.unwrap_or_else(|| F::epsilon().as_f64());
        let weight = Initializer::Constant(1.0).tensor(&[n], n, n, random)?;
        let layer = RMSNorm { weight: Param::new(weight), epsilon };
        layer.cut(input)?;
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_and_shapes_are_refused() {
        let build =
            |spec: RMSNormSpec, shape: &[usize]| -> Result<RMSNorm> { spec.build(shape, &Random::seed(0)) };
        assert!(build(RMSNorm::new(), &[]).is_err() && build(RMSNorm::new(), &[3, 0]).is_err());
        assert!(build(RMSNorm::new().epsilon(f64::NAN), &[2]).is_err());
        let layer = build(RMSNorm::new(), &[2]).unwrap();
        assert!(layer.forward(Tensor::zeros(vec![])).is_err());
        assert!(layer.forward(Tensor::zeros(vec![2])).is_err());
        assert_eq!(layer.forward(Tensor::zeros(vec![1, 5, 2])).unwrap(), Tensor::<f32>::zeros(vec![1, 5, 2]));
    }
}
