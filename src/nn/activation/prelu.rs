//! ReLU with a learned slope.
//!
//! # The derivative
//!
//! With `y = x` above 0 and `y = w_c · x` elsewhere, for a value of channel `c`:
//!
//! ```text
//! ∂L/∂x   = ∂L/∂y         above 0            ∂L/∂w_c = Σ ∂L/∂y · x      over the values of the channel
//!         = w_c · ∂L/∂y   elsewhere                                     that are not above 0
//! ```
//!
//! The input is kept: with a negative slope, the output does not determine the input's sign. The sum uses sixteen lanes
//! along the rows of a channel and visits the samples in order, so its bits are fixed.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{Tensor, copy, recycle, scratch, size, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// ReLU with a learned slope: `x` above 0, else `weight · x`; one weight for all values, or one per channel.
///
/// He, Zhang, Ren and Sun, "Delving deep into rectifiers: surpassing human-level performance on ImageNet
/// classification", 2015.
///
/// | | shape |
/// |---|---|
/// | input and output | `[batch, …]`; per channel, `[batch, channels, …]` |
/// | `weight` | `[1]`, or `[channels]` |
///
/// PyTorch's `nn.PReLU(num_parameters=1, init=0.25)`. Keras' `PReLU` has one weight per value of a sample and starts at
/// 0. Weight decay pulls the slope to 0, that is, to ReLU; the paper uses none.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8])
///     .layer(Dense::units(4)).layer(PReLU::new())
///     .layer(Dense::units(4)).layer(PReLU::new().per_channel(true))
///     .build()?;
/// let mut names = Vec::new();
/// model.visit_params(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
/// assert_eq!((&names[2][..], &names[5][..]), ("1.weight [1]", "3.weight [4]"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PReLU<F: Scalar = f32> {
    weight: Param<F>,
}

impl PReLU<f32> {
    /// Returns the spec of a layer with one slope, whose initial value is 0.25.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let layer: PReLU = PReLU::new().build(&[2], &Random::seed(0))?;
    /// let y = layer.forward(arr2(&[[-4.0, 3.0]]).into_dyn())?;
    /// assert_eq!(y, arr2(&[[-1.0, 3.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "the number of channels is known when the model is built")]
    pub fn new() -> PReLUSpec {
        PReLUSpec { initial: 0.25, per_channel: false }
    }
}

impl<F: Scalar> PReLU<F> {
    /// Returns how many adjacent values of a sample share one weight.
    fn inner(&self, input: &[usize]) -> Result<usize> {
        let n = self.weight.len();
        match input {
            _ if n == 1 => Ok(size(input)),
            [channels, rest @ ..] if *channels == n && n > 0 => Ok(size(rest)),
            _ => Err(Error::shape("the input", format!("[{n}, …]"), input).help(
                "The layer was built with a slope for each of that many channels; the axis of the channels follows \
                 the batch.",
            )),
        }
    }

    /// Returns the input in row-major order, and the result of [`inner`](PReLU::inner).
    fn checked(&self, input: Tensor<F>) -> Result<(Tensor<F>, usize)> {
        let [_, sample @ ..] = input.shape() else {
            return Err(Error::shape("the input", "[batch, …]", input.shape()).help("Axis 0 is the batch."));
        };
        let inner = self.inner(sample)?;
        Ok((standard(input), inner))
    }
}

impl<F: Scalar> Layer<F> for PReLU<F> {
    const KIND: Kind = Kind::builtin("prelu");
    /// The input.
    type Cache = Tensor<F>;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.inner(input)?;
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty()
    }

    /// Works in place.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let (mut output, inner) = self.checked(input)?;
        F::prelu(slice_mut(&mut output), inner, self.weight.as_slice());
        Ok(output)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let (mut output, inner) = self.checked(input)?;
        let kept = copy(&output);
        F::prelu(slice_mut(&mut output), inner, self.weight.as_slice());
        Ok((output, kept))
    }

    /// Computes both gradients in one pass.
    fn backward(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, input.shape())?;
        let inner = self.inner(input.shape().get(1..).unwrap_or_default())?;
        let mut grad = standard(grad);
        let mut sums = scratch(self.weight.shape());
        F::prelu_back(
            slice(&input),
            inner,
            self.weight.as_slice(),
            slice_mut(&mut grad),
            slice_mut(&mut sums),
        );
        self.weight.add_gradient(&sums)?;
        recycle(sums);
        recycle(input);
        Ok(grad)
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

/// The spec of a [`PReLU`] layer, from [`PReLU::new`].
#[derive(Clone, Copy, Debug)]
pub struct PReLUSpec {
    initial: f64,
    per_channel: bool,
}

impl PReLUSpec {
    /// Sets whether each channel has its own slope (default: one slope for all). The channels are the axis after the
    /// batch; for an input of `[batch, features]` they are the features.
    #[must_use]
    pub fn per_channel(mut self, per_channel: bool) -> Self {
        self.per_channel = per_channel;
        self
    }

    /// Sets the initial slope (default: 0.25), a finite number.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([2]).layer(PReLU::new().initial(f64::NAN)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (prelu): the initial slope must be a finite number, got NaN. The paper and PyTorch begin at \
    ///      0.25, Keras at 0."
    /// );
    /// ```
    #[must_use]
    pub fn initial(mut self, slope: f64) -> Self {
        self.initial = slope;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for PReLUSpec {
    type Layer = PReLU<F>;

    /// Builds the layer; nothing is drawn at random.
    fn build(self, input: &[usize], random: &Random) -> Result<PReLU<F>> {
        if !F::of(self.initial).is_finite() {
            return Err(Error::argument("the initial slope", "a finite number", self.initial)
                .help("The paper and PyTorch begin at 0.25, Keras at 0."));
        }
        let weights = match input {
            _ if !self.per_channel => 1,
            [channels, ..] if *channels > 0 => *channels,
            _ => {
                return Err(Error::shape("the input", "[channels, …]", input)
                    .help("A slope for each channel needs the axis of the channels after the batch."));
            }
        };
        let weight = Initializer::Constant(self.initial).tensor(&[weights], 1, 1, random)?;
        Ok(PReLU { weight: Param::new(weight) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Gradient;
    use ndarray::{arr2, arr3};

    #[test]
    fn by_hand_with_one_slope_and_with_two() {
        let mut one: PReLU<f64> = PReLU::new().initial(0.5).build(&[2], &Random::seed(0)).unwrap();
        let (y, cache) = one.forward_train(arr2(&[[-2., 3.], [4., -6.]]).into_dyn()).unwrap();
        assert_eq!(y, arr2(&[[-1., 3.], [4., -3.]]).into_dyn());
        let dx = one.backward(cache, arr2(&[[1., 10.], [100., 1000.]]).into_dyn()).unwrap();
        assert_eq!(dx, arr2(&[[0.5, 10.], [100., 500.]]).into_dyn());
        assert!(matches!(one.weight.gradient(), Some(Gradient::Dense(g)) if g[[0]] == -2. - 6000.));

        let mut two: PReLU<f64> = PReLU::new().per_channel(true).build(&[2, 2], &Random::seed(0)).unwrap();
        two.weight.as_slice_mut().copy_from_slice(&[0.5, 2.]);
        let x = arr3(&[[[-2., 1.], [-1., -3.]]]).into_dyn();
        let (y, cache) = two.forward_train(x).unwrap();
        assert_eq!(y, arr3(&[[[-1., 1.], [-2., -6.]]]).into_dyn());
        two.backward(cache, arr3(&[[[1., 1.], [1., 10.]]]).into_dyn()).unwrap();
        assert!(matches!(two.weight.gradient(), Some(Gradient::Dense(g)) if g[[0]] == -2. && g[[1]] == -31.));
    }

    #[test]
    fn nan_stays_and_wrong_shapes_are_errors() {
        let layer: PReLU<f32> = PReLU::new().per_channel(true).build(&[3], &Random::seed(0)).unwrap();
        assert!(layer.forward(arr2(&[[1., f32::NAN, -1.]]).into_dyn()).unwrap()[[0, 1]].is_nan());
        assert!(layer.forward(Tensor::zeros(vec![1, 4])).is_err());
        assert!(layer.forward(Tensor::zeros(vec![])).is_err());
        assert_eq!(layer.forward(Tensor::zeros(vec![0, 3])).unwrap().shape(), [0, 3]);
        assert!(layer.output_shape(&[]).is_err());
        assert!(LayerSpec::<f32>::build(PReLU::new().per_channel(true), &[], &Random::seed(0)).is_err());
    }
}
