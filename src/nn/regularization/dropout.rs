//! Dropout.
//!
//! # Inverted dropout
//!
//! Let the values of the mask `m` be independent, 0 with probability `p` and `1 / (1 - p)` otherwise. Then `y = m · x`
//! has
//!
//! ```text
//! E[y_i]   = (1 - p) · x_i / (1 - p) = x_i
//! Var[y_i] = x_i² · p / (1 - p)
//! ∂L/∂x_i  = m_i · ∂L/∂y_i
//! ```
//!
//! The paper scales the weights by `1 - p` at inference instead. With scaling in training, inference needs no work, and
//! the layer can be removed from a trained model without any effect.
//!
//! # The mask
//!
//! The value for unit `i` of sample `s` in step `t` is the `i`-th of the 32-bit numbers drawn at (stream, `t`, `s`),
//! and the unit is kept if that number is below `(1 - p) · 2^32`. So the rate is exact to one part in four thousand
//! million, the only state to save is the step count, and a resumed run drops the same values as an uninterrupted one.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, recycle, scratch, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// In training, sets each value to 0 with probability `rate` and multiplies the others by `1 / (1 - rate)`, which
/// preserves the expected sum; at inference, does nothing. Any shape.
///
/// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
/// from overfitting", 2014; the scaling in training ("inverted") is Keras' and PyTorch's.
///
/// The dropped values are a function of the model's seed, the layer's position in the model, the number of the forward
/// pass in training (saved with the layer) and the sample's position in the batch.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8]).layer(Dense::units(64)).layer(Dropout::rate(0.5)).build()?;
/// assert_eq!(model.predict(&plywood::ndarray::Array2::ones((1, 8)))?.shape(), [1, 64]); // drops nothing
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | |
/// |---|---|
/// | input and output | the same shape, any |
/// | memory in training | the mask, as large as the batch |
/// | inference | the input itself: nothing is copied or computed |
///
/// Keras and PyTorch draw from a generator that advances, so there a mask depends on everything drawn before it.
///
/// ```
/// use plywood::prelude::*;
///
/// let ones = || Tensor::<f32>::ones(vec![2, 1000]);
/// let mut layer = LayerSpec::<f32>::build(Dropout::rate(0.2), &[1000], &Random::seed(1))?;
/// let mut twin = layer.clone();
/// let (y, _) = layer.forward_train(ones())?;
/// assert!(y.iter().all(|&y| y == 0.0 || y == 1.25));
/// assert_eq!(twin.forward_train(ones())?.0, y); // the same seed, place and step
/// assert_ne!(twin.forward_train(ones())?.0, y); // the next step
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dropout {
    /// Checked again in each training pass, because a file may hold any number.
    #[serde(with = "crate::codec::words")]
    rate: f64,
    /// The layer's random stream: "mask" below that of its position.
    random: Random,
    /// The number of forward passes in training so far.
    ///
    /// Each `forward_train` increments it, so several passes of one optimizer step have different masks.
    step: u64,
}

impl Dropout {
    /// Returns the spec of a layer that drops a value with probability `rate`, at least 0 and below 1.
    ///
    /// Usual rates are 0.5 between wide layers and 0.2 on inputs. A rate of 0 drops nothing, but the mask is still
    /// computed.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([8]).layer(Dropout::rate(1.0)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (dropout): the dropout rate must be at least 0 and below 1, got 1. The rate is the share of \
    ///      numbers that are dropped; 0.5 drops half of them."
    /// );
    /// ```
    pub fn rate(rate: f64) -> DropoutSpec {
        DropoutSpec { rate }
    }
}

/// Checks the rate. NaN is outside every range, so it is refused too.
pub(super) fn check_rate(rate: f64) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(Error::argument("the dropout rate", "at least 0 and below 1", rate)
        .help("The rate is the share of numbers that are dropped; 0.5 drops half of them."))
}

/// Returns a mask of this shape with 0 or `1 / (1 - rate)` for each value; for [`Dropout2d`](crate::nn::Dropout2d) the
/// shape has one value per channel.
///
/// A sample is everything after axis 0. Its bits are drawn in chunks, and a kernel converts them to values.
pub(super) fn draw_mask<F: Scalar>(rate: f64, random: &Random, step: u64, shape: &[usize]) -> Tensor<F> {
    let mut mask = scratch(shape);
    let columns = shape.iter().skip(1).product::<usize>().max(1);
    let keep = 1.0 - rate;
    let (threshold, scale) = ((keep * (1u64 << 32) as f64).round() as u64, F::of(1.0 / keep));
    let mut bits = [0; 256];
    for (sample, row) in slice_mut(&mut mask).chunks_mut(columns).enumerate() {
        let mut draws = random.at(step, sample as u64);
        for some in row.chunks_mut(bits.len()) {
            draws.fill(&mut bits[..some.len()]);
            F::mask(&bits, threshold, scale, some);
        }
    }
    mask
}

impl<F: Scalar> Layer<F> for Dropout {
    const KIND: Kind = Kind::builtin("dropout");
    /// The mask; `None` at inference.
    type Cache = Option<Tensor<F>>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        check_rate(self.rate)?;
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

    /// Draws 32 bits per value, and multiplies in place.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Option<Tensor<F>>)> {
        check_rate(self.rate)?;
        let mut output = standard(input);
        let mask = draw_mask(self.rate, &self.random, self.step, output.shape());
        self.step = self.step.wrapping_add(1); // a file may say anything
        F::multiply(slice_mut(&mut output), slice(&mask));
        Ok((output, Some(mask)))
    }

    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Option<Tensor<F>>)> {
        Ok((input, None))
    }

    /// Applies the same mask: dropped values get no gradient.
    fn backward(&mut self, mask: Option<Tensor<F>>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let Some(mask) = mask else { return Ok(grad) };
        check_gradient(&grad, mask.shape())?;
        let mut grad = standard(grad);
        F::multiply(slice_mut(&mut grad), slice(&mask));
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

/// The spec of a [`Dropout`] layer, from [`Dropout::rate`].
#[derive(Clone, Copy, Debug)]
pub struct DropoutSpec {
    rate: f64,
}

impl<F: Scalar> LayerSpec<F> for DropoutSpec {
    type Layer = Dropout;

    /// Builds the layer; the shape does not matter, as a mask is drawn for each batch.
    fn build(self, _: &[usize], random: &Random) -> Result<Dropout> {
        check_rate(self.rate)?;
        Ok(Dropout { rate: self.rate, random: random.child("mask"), step: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(rate: f64, seed: u64) -> Dropout {
        LayerSpec::<f32>::build(Dropout::rate(rate), &[1000], &Random::seed(seed)).unwrap()
    }

    #[test]
    fn drops_its_share_keeps_the_sum_and_passes_the_same_gradient() {
        let mut d = layer(0.3, 1);
        let (y, mask) = d.forward_train(Tensor::<f32>::ones(vec![100, 1000])).unwrap();
        let dropped = y.iter().filter(|&&v| v == 0.).count() as f64 / 1e5;
        assert!((dropped - 0.3).abs() < 5. * (0.3 * 0.7 / 1e5f64).sqrt());
        assert!(y.iter().all(|&v| v == 0. || v == 1. / 0.7f32));
        assert_eq!(d.backward(mask, Tensor::ones(vec![100, 1000])).unwrap(), y);
    }

    #[test]
    fn another_step_seed_or_sample_is_another_mask() {
        let ones = || Tensor::<f32>::ones(vec![2, 1000]);
        let (mut a, mut b, mut c) = (layer(0.5, 1), layer(0.5, 1), layer(0.5, 2));
        let first = a.forward_train(ones()).unwrap().0;
        assert_eq!(first, b.forward_train(ones()).unwrap().0);
        assert_ne!(first, a.forward_train(ones()).unwrap().0);
        assert_ne!(first, c.forward_train(ones()).unwrap().0);
        assert_ne!(first.row_of(0), first.row_of(1));
    }

    trait RowOf {
        fn row_of(&self, i: usize) -> Vec<f32>;
    }
    impl RowOf for Tensor<f32> {
        fn row_of(&self, i: usize) -> Vec<f32> {
            self.index_axis(ndarray::Axis(0), i).iter().copied().collect()
        }
    }

    #[test]
    fn inference_does_nothing_and_bad_rates_are_refused() {
        let x = Tensor::<f32>::ones(vec![2, 3]);
        assert_eq!(layer(0.9, 1).forward(x.clone()).unwrap(), x);
        for rate in [-0.1, 1.0, 1.5, f64::NAN] {
            assert!(LayerSpec::<f32>::build(Dropout::rate(rate), &[3], &Random::seed(0)).is_err());
        }
    }
}
