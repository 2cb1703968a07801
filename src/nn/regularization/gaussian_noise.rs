//! Gaussian noise in training.
//!
//! With `y = x + σ n`, `n` normal, the derivative is 1: the gradient passes unchanged. On inputs, noise with a small σ
//! acts like a penalty of `σ²` times the squared gradient of the model with respect to its input (Bishop, "Training
//! with noise is equivalent to Tikhonov regularization", 1995), and so makes the model smoother.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, slice_mut, standard};
use ndarray::{Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// In training, adds normal noise with mean 0 and this standard deviation to each value; at inference, does nothing.
/// Any shape.
///
/// Keras' `GaussianNoise(stddev)`; PyTorch has no such layer. The noise is a function of the model's seed, the layer's
/// position in the model, the number of the forward pass in training (saved with the layer) and the sample's position
/// in the batch.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8]).layer(GaussianNoise::std_dev(0.1)).layer(Dense::units(4)).build()?;
/// let y = model.predict(&plywood::ndarray::Array2::<f32>::ones((2, 8)))?;
/// assert!((0..4).all(|i| y[[0, i]] == y[[1, i]])); // no noise
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | |
/// |---|---|
/// | memory in training | none: the noise is drawn in chunks |
/// | inference | the input itself: nothing is copied or computed |
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GaussianNoise {
    /// Checked again in each training pass, because a file may hold any number.
    #[serde(with = "crate::codec::words")]
    std_dev: f64,
    /// The layer's random stream: "noise" below that of its position.
    random: Random,
    /// The number of forward passes in training so far.
    step: u64,
}

impl GaussianNoise {
    /// Returns the spec of a layer with this standard deviation, at least 0.
    ///
    /// It is in the units of the input: 0.1 is small for inputs of variance 1, and large for probabilities.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([8]).layer(GaussianNoise::std_dev(-1.0)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (gaussian_noise): the standard deviation must be at least 0 and finite, got -1. It is in the \
    ///      units of the input; 0.1 is usual for inputs with a variance of 1."
    /// );
    /// ```
    pub fn std_dev(std_dev: f64) -> GaussianNoiseSpec {
        GaussianNoiseSpec { std_dev }
    }

    /// Checks the standard deviation, in the element type too: a finite `f64` may be infinite in `f32`.
    fn check<F: Scalar>(&self) -> Result<()> {
        if self.std_dev >= 0.0 && F::of(self.std_dev).is_finite() {
            return Ok(());
        }
        Err(Error::argument("the standard deviation", "at least 0 and finite", self.std_dev)
            .help("It is in the units of the input; 0.1 is usual for inputs with a variance of 1."))
    }
}

impl<F: Scalar> Layer<F> for GaussianNoise {
    const KIND: Kind = Kind::builtin("gaussian_noise");
    /// The input's shape.
    type Cache = IxDyn;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.check::<F>()?;
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty()
    }

    /// Returns the input unchanged, in its memory order.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(input)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        Ok(input)
    }

    /// Draws in `f64` and rounds, so that models of either type have the same noise.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, IxDyn)> {
        self.check::<F>()?;
        let mut output = standard(input);
        let shape = output.raw_dim();
        let columns = shape.slice().iter().skip(1).product::<usize>().max(1);
        let (mut noise, deviation) = ([0.0; 256], F::of(self.std_dev));
        for (sample, row) in slice_mut(&mut output).chunks_mut(columns).enumerate() {
            let mut draws = self.random.at(self.step, sample as u64);
            for some in row.chunks_mut(noise.len()) {
                draws.fill_normal(&mut noise[..some.len()]);
                F::add_f64s(&noise, deviation, some);
            }
        }
        self.step = self.step.wrapping_add(1); // a file may say anything
        Ok((output, shape))
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, IxDyn)> {
        let shape = input.raw_dim();
        Ok((input, shape))
    }

    /// Returns the gradient unchanged.
    fn backward(&mut self, shape: IxDyn, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, shape.slice())?;
        Ok(grad)
    }

    /// Passes on what is known of the input.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input
    }

    /// Normal noise is unbounded, and so are sums with it.
    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        if self.std_dev == 0.0 || input == OutputActivation::Unknown {
            input
        } else {
            OutputActivation::Linear
        }
    }
}

/// The spec of a [`GaussianNoise`] layer, from [`GaussianNoise::std_dev`].
#[derive(Clone, Copy, Debug)]
pub struct GaussianNoiseSpec {
    std_dev: f64,
}

impl<F: Scalar> LayerSpec<F> for GaussianNoiseSpec {
    type Layer = GaussianNoise;

    /// Builds the layer; the shape does not matter.
    fn build(self, _: &[usize], random: &Random) -> Result<GaussianNoise> {
        let layer = GaussianNoise { std_dev: self.std_dev, random: random.child("noise"), step: 0 };
        layer.check::<F>()?;
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(deviation: f64) -> GaussianNoise {
        LayerSpec::<f32>::build(GaussianNoise::std_dev(deviation), &[1000], &Random::seed(1)).unwrap()
    }

    #[test]
    fn the_noise_has_its_moments_and_is_another_in_each_step_and_sample() {
        let mut n = layer(0.5);
        let ones = || Tensor::<f32>::ones(vec![100, 1000]);
        let (y, cache) = n.forward_train(ones()).unwrap();
        let noise: Vec<f64> = y.iter().map(|&v| f64::from(v) - 1.).collect();
        let mean = noise.iter().sum::<f64>() / 1e5;
        let square = noise.iter().map(|v| v * v).sum::<f64>() / 1e5;
        assert!(mean.abs() < 5. * 0.5 / 1e5f64.sqrt());
        assert!((square - 0.25).abs() < 5. * 0.25 * (2. / 1e5f64).sqrt());
        assert_ne!(noise[..1000], noise[1000..2000]);
        assert_eq!(n.backward(cache, y.clone()).unwrap(), y);
        assert_ne!(n.forward_train(ones()).unwrap().0, y);
        assert_eq!(layer(0.5).forward_train(ones()).unwrap().0, y);
        assert_eq!(layer(0.).forward_train(ones()).unwrap().0, ones());
    }

    #[test]
    fn bad_deviations_and_gradients_are_refused() {
        for deviation in [-0.1, f64::NAN, f64::INFINITY, 1e300] {
            let spec = GaussianNoise::std_dev(deviation);
            assert!(LayerSpec::<f32>::build(spec, &[3], &Random::seed(0)).is_err(), "{deviation}");
        }
        let (_, cache) = layer(1.).forward_train(Tensor::<f32>::ones(vec![2, 3])).unwrap();
        assert!(layer(1.).backward(cache, Tensor::<f32>::ones(vec![2, 1])).is_err());
        assert!(layer(1.).forward_train(Tensor::<f32>::ones(vec![])).is_ok());
        assert!(layer(1.).forward_train(Tensor::<f32>::ones(vec![2, 0])).is_ok());
    }
}
