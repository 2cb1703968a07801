//! Dropout of whole channels.
//!
//! The values of an image's channel are strongly correlated: if some are dropped, the others still reveal them, and
//! plain dropout does little more than lower the learning rate. Here a channel is dropped or kept as a whole:
//!
//! ```text
//! y_ci = m_c · x_ci,   m_c = 0 with probability p, else 1 / (1 - p)          ∂L/∂x_ci = m_c · ∂L/∂y_ci
//! ```
//!
//! The mask has one value per channel of each sample, drawn as in [`Dropout`](crate::nn::Dropout).

use super::dropout::{check_rate, draw_mask};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, recycle, slice, slice_mut, standard};
use ndarray::{Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// In training, sets each channel of each sample to 0 with probability `rate` and multiplies the others by
/// `1 / (1 - rate)`; at inference, does nothing.
///
/// Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional networks", 2015.
/// PyTorch's `nn.Dropout2d` (and `1d`, `3d`), Keras' `SpatialDropout2D`, which has channels last.
///
/// | | shape |
/// |---|---|
/// | input and output | `[batch, channels, …]` |
///
/// The dropped channels are a function of the model's seed, the layer's position in the model, the number of the
/// forward pass in training (saved with the layer) and the sample's position in the batch, as in
/// [`Dropout`](crate::nn::Dropout).
///
/// ```
/// use plywood::prelude::*;
///
/// let mut layer = LayerSpec::<f32>::build(Dropout2d::rate(0.5), &[8, 3, 3], &Random::seed(1))?;
/// let (y, _) = layer.forward_train(Tensor::<f32>::ones(vec![4, 8, 3, 3]))?;
/// for channel in y.as_slice().unwrap_or_default().chunks(9) {
///     assert!(channel.iter().all(|&y| y == channel[0]) && (channel[0] == 0.0 || channel[0] == 2.0));
/// }
/// # Ok::<(), plywood::Error>(())
/// ```
#[doc(alias = "SpatialDropout")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dropout2d {
    /// Checked again in each training pass, because a file may hold any number.
    #[serde(with = "crate::codec::words")]
    rate: f64,
    /// The layer's random stream: "mask" below that of its position.
    random: Random,
    /// The number of forward passes in training so far.
    step: u64,
}

impl Dropout2d {
    /// Returns the spec of a layer that drops a channel with probability `rate`, at least 0 and below 1.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([3, 8, 8]).layer(Dropout2d::rate(-0.1)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (dropout2d): the dropout rate must be at least 0 and below 1, got -0.1. The rate is the \
    ///      share of numbers that are dropped; 0.5 drops half of them."
    /// );
    /// ```
    pub fn rate(rate: f64) -> Dropout2dSpec {
        Dropout2dSpec { rate }
    }
}

/// Checks that a sample has channels.
fn check_sample(sample: &[usize]) -> Result<()> {
    if sample.is_empty() {
        return Err(Error::shape("the input", "[channels, …]", sample)
            .help("The axis after the batch is that of the channels."));
    }
    Ok(())
}

impl<F: Scalar> Layer<F> for Dropout2d {
    const KIND: Kind = Kind::builtin("dropout2d");
    /// The mask, `[batch, channels]`, and the input's shape; `None` at inference.
    type Cache = Option<(Tensor<F>, IxDyn)>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        check_rate(self.rate)?;
        check_sample(input)?;
        Ok(input.to_vec())
    }

    /// Returns the input unchanged, in its memory order.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(input)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        Ok(input)
    }

    /// Multiplies each channel by its factor, in place.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        check_rate(self.rate)?;
        check_sample(input.shape().get(1..).unwrap_or_default())?;
        let shape = input.raw_dim();
        let mut output = standard(input);
        let (outer, inner) = shape.slice().split_at(2);
        let mask = draw_mask(self.rate, &self.random, self.step, outer);
        self.step = self.step.wrapping_add(1); // a file may say anything
        F::scale_rows(slice_mut(&mut output), inner.iter().product(), slice(&mask));
        Ok((output, Some((mask, shape))))
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        Ok((input, None))
    }

    /// Applies the same mask: dropped channels get no gradient.
    fn backward(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let Some((mask, shape)) = cache else { return Ok(grad) };
        check_gradient(&grad, shape.slice())?;
        let (mut grad, inner) = (standard(grad), shape.slice().iter().skip(2).product());
        F::scale_rows(slice_mut(&mut grad), inner, slice(&mask));
        recycle(mask);
        Ok(grad)
    }

    /// Passes on what is known of the input.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input
    }

    /// In training some values are 0 and the others are larger.
    fn training_activation(&self, input: OutputActivation) -> OutputActivation {
        if self.rate == 0.0 { input } else { input.scaled() }
    }
}

/// The spec of a [`Dropout2d`] layer, from [`Dropout2d::rate`].
#[derive(Clone, Copy, Debug)]
pub struct Dropout2dSpec {
    rate: f64,
}

impl<F: Scalar> LayerSpec<F> for Dropout2dSpec {
    type Layer = Dropout2d;

    /// Builds the layer; the number of channels does not matter, as a mask is drawn for each batch.
    fn build(self, input: &[usize], random: &Random) -> Result<Dropout2d> {
        check_rate(self.rate)?;
        check_sample(input)?;
        Ok(Dropout2d { rate: self.rate, random: random.child("mask"), step: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(rate: f64) -> Dropout2d {
        LayerSpec::<f32>::build(Dropout2d::rate(rate), &[1000, 2], &Random::seed(1)).unwrap()
    }

    #[test]
    fn drops_its_share_of_channels_and_passes_the_same_gradient() {
        let (mut d, ones) = (layer(0.3), || Tensor::<f32>::ones(vec![50, 1000, 2]));
        let (y, cache) = d.forward_train(ones()).unwrap();
        let dropped = y.iter().filter(|&&v| v == 0.).count() as f64 / 1e5;
        assert!((dropped - 0.3).abs() < 5. * (0.3 * 0.7 / 5e4f64).sqrt());
        assert!(y.as_slice().unwrap().chunks(2).all(|c| c[0] == c[1] && (c[0] == 0. || c[0] == 1. / 0.7f32)));
        assert_eq!(d.backward(cache, ones()).unwrap(), y);
        assert_ne!(d.forward_train(ones()).unwrap().0, y, "another step, another mask");
        assert_eq!(layer(0.3).forward_train(ones()).unwrap().0, y, "the same seed and step");
    }

    #[test]
    fn inference_does_nothing_and_bad_input_is_refused() {
        let x = Tensor::<f32>::ones(vec![2, 3]);
        assert_eq!(layer(0.9).forward(x.clone()).unwrap(), x);
        for rate in [-0.1, 1.0, f64::NAN] {
            assert!(LayerSpec::<f32>::build(Dropout2d::rate(rate), &[3], &Random::seed(0)).is_err());
        }
        assert!(LayerSpec::<f32>::build(Dropout2d::rate(0.5), &[], &Random::seed(0)).is_err());
        assert!(layer(0.5).forward_train(Tensor::<f32>::ones(vec![2])).is_err());
        assert!(layer(0.5).forward_train(Tensor::<f32>::ones(vec![])).is_err());
        let (y, cache) = layer(0.5).forward_train(Tensor::<f32>::ones(vec![2, 3, 0])).unwrap();
        assert!(layer(0.5).backward(cache, y).is_ok());
    }
}
