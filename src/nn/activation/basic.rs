//! Elementwise activation layers on the crate's kernels.
//!
//! The cache is the input or the output, whichever gives the simpler derivative (in `smooth.rs` the derivative itself):
//!
//! | layer | `f(x)` | `f'` | from | largest `f'` |
//! |---|---|---|---|---|
//! | [`ReLU`] | `max(x, 0)` | 1 where `x > 0`, else 0 | one bit per input value | 1 |
//! | [`LeakyReLU`] | `x` or `slope · x` | 1 where `x > 0`, else `slope` | the input | 1 |
//! | [`Sigmoid`] | `1 / (1 + e^-x)` | `y · (1 - y)` | the output | 1/4 |
//! | [`Tanh`] | `tanh x` | `1 - y²` | the output | 1 |
//!
//! LeakyReLU cannot use its output: with a negative slope the sign of the input is lost. The last column shows why deep
//! networks of sigmoids train slowly: through ten of them a gradient is multiplied by at most 4^-10.
//!
//! ReLU keeps one bit per value, 1/32 of the size of a copy of the output: after a convolution, the memory traffic
//! costs more than the arithmetic. Large arrays are split among several threads.
//!
//! The forward pass of the others works in place and fills one spare buffer for the cache; the backward pass works in
//! place in the gradient. One macro writes the implementations, here and in `piecewise.rs` and `smooth.rs`,
//! because they differ only in a kernel, a name and a check.

use crate::error::{Error, Result};
use crate::kernels::{Activation, Marks, Scalar, threads};
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::state::Kind;
use crate::tensor::{Tensor, copy, recycle, scratch, slice, slice_mut, standard};
use ndarray::{Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// The rectified linear unit: `max(x, 0)`, elementwise; NaN stays NaN.
///
/// Input and output have the same shape, which may be any. The derivative at 0 is taken as 0, as in Keras and PyTorch.
/// Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
///
/// NaN is kept because `max` would turn it into 0 and a diverged training run would look healthy. Keras' `ReLU` has
/// arguments for a slope, a threshold and a ceiling; this one is the plain function.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let mut relu = ReLU;
/// let (y, cache) = relu.forward_train(arr2(&[[-2.0f32, 0.0, 3.0, f32::NAN]]).into_dyn())?;
/// assert_eq!(y.as_slice().map(|y| &y[..3]), Some(&[0.0, 0.0, 3.0][..]));
/// assert!(y[[0, 3]].is_nan());
/// let dx = relu.backward(cache, arr2(&[[1.0, 1.0, 1.0, 1.0]]).into_dyn())?;
/// assert_eq!(dx.as_slice().map(|dx| &dx[..3]), Some(&[0.0, 0.0, 1.0][..]));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReLU;

/// The logistic function: `1 / (1 + e^-x)`, elementwise; any shape.
///
/// As a model's last layer it is an [`OutputActivation`]: a loss that fuses it starts from the logits.
///
/// Far from 0 the output saturates at 0 or 1 and the gradient vanishes; nothing overflows to NaN.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Sigmoid.forward(arr2(&[[-1000.0f32, 0.0, 1000.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, 0.5, 1.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid;

/// The hyperbolic tangent, elementwise; any shape.
///
/// Unlike the sigmoid's, its outputs have mean 0 for inputs symmetric about 0 (LeCun, Bottou, Orr and Müller,
/// "Efficient BackProp", 1998, recommend it for that). It is `2 · sigmoid(2x) - 1`:
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let x = arr2(&[[-0.7f64, 0.1, 2.5]]).into_dyn();
/// let from_sigmoid = Sigmoid.forward(&x * 2.0)? * 2.0 - 1.0;
/// assert!((Tanh.forward(x)? - from_sigmoid).iter().all(|d| d.abs() < 1e-15));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tanh;

/// The leaky rectified linear unit: `x` where positive, else `slope · x`; any shape. Maas, Hannun and Ng, "Rectifier
/// nonlinearities improve neural network acoustic models", 2013.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8]).layer(Dense::units(4)).layer(LeakyReLU::default()).build()?;
/// assert_eq!(LeakyReLU::default(), LeakyReLU::slope(0.01));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The derivative at 0 is taken as the slope, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyReLU {
    /// Rounded to the element type where it is used.
    #[serde(with = "crate::codec::words")]
    slope: f64,
}

impl LeakyReLU {
    /// Creates the layer with this slope for negative numbers; it must be finite.
    ///
    /// A model with an infinite or NaN slope is refused when it is built; a slope of 0 gives ReLU, one of 1 the
    /// identity.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::prelude::*;
    ///
    /// let y = LeakyReLU::slope(0.25).forward(arr2(&[[-8.0f32, 8.0]]).into_dyn())?;
    /// assert_eq!(y, arr2(&[[-2.0, 8.0]]).into_dyn());
    /// let error = Sequential::builder([2]).layer(LeakyReLU::slope(f64::NAN)).build().unwrap_err();
    /// assert!(error.to_string().starts_with("layer 0 (leaky_relu): `slope` must be a finite number, got NaN."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn slope(slope: f64) -> Self {
        Self { slope }
    }
}

impl Default for LeakyReLU {
    /// A slope of 0.01, PyTorch's default. (Keras' is 0.3.)
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

/// Implements `Layer` for an activation, given its type, its kind in files, its `OutputActivation`, its kernel, and a
/// check of its settings, in which `F` is the element type.
macro_rules! activation {
    ($layer:ident, $kind:literal, $activation:ident, |$self_:ident| $function:expr) => {
        activation!($layer, $kind, $activation, |$self_| $function, |_layer| Ok::<(), Error>(()));
    };
    ($layer:ident, $kind:literal, $activation:ident, |$self_:ident| $function:expr, |$checked:ident| $check:expr) => {
        impl<F: Scalar> Layer<F> for $layer {
            const KIND: crate::state::Kind = crate::state::Kind::builtin($kind);
            /// The input or the output, whichever the derivative is computed from, or the derivative.
            type Cache = Tensor<F>;

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                let $checked = self;
                $check?;
                Ok(input.to_vec())
            }

            fn keeps_steps(&self, input: &[usize]) -> bool {
                !input.is_empty()
            }

            fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
                let $self_ = self;
                let mut output = standard(input);
                F::activate($function, slice_mut(&mut output));
                Ok(output)
            }

            fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
                let $self_ = self;
                Ok(super::basic::value_and_kept($function, input))
            }

            fn backward(&mut self, kept: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
                let $self_ = self;
                check_gradient(&grad, kept.shape())?;
                let mut grad = standard(grad);
                F::activate_back($function, slice(&kept), slice_mut(&mut grad));
                recycle(kept);
                Ok(grad)
            }

            fn activation(&self) -> OutputActivation {
                if OutputActivation::$activation.can_be_fused() {
                    OutputActivation::$activation
                } else {
                    OutputActivation::Unknown
                }
            }

            fn without_activation(&self) -> crate::nn::WithoutActivation {
                match OutputActivation::$activation.can_be_fused() {
                    true => crate::nn::WithoutActivation::Nothing,
                    false => crate::nn::WithoutActivation::Unsaid,
                }
            }

            fn output_activation(&self, _: OutputActivation) -> OutputActivation {
                OutputActivation::$activation
            }
        }
    };
}

pub(super) use activation;

/// Computes the output of an activation, and what its backward pass needs.
pub(super) fn value_and_kept<F: Scalar>(f: Activation, input: Tensor<F>) -> (Tensor<F>, Tensor<F>) {
    let mut output = standard(input);
    if let Activation::Gated(gate) = f {
        let mut slope = scratch(output.shape());
        F::activate_gated(gate, slice_mut(&mut output), slice_mut(&mut slope));
        return (output, slope);
    }
    let input = (!f.derives_from_output()).then(|| copy(&output));
    F::activate(f, slice_mut(&mut output));
    let kept = input.unwrap_or_else(|| copy(&output));
    (output, kept)
}

/// What the backward pass of [`ReLU`] needs: one bit per value.
///
/// Its content is private; the type is public because [`Layer::Cache`] names it.
#[derive(Debug)]
pub struct ReLUCache {
    /// Up to four axes are stored without an allocation.
    shape: IxDyn,
    marks: Marks,
}

/// The minimum number of values per thread: a few microseconds of work.
const LEAST_WORK: usize = 1 << 16;

/// The length of a thread's part: a multiple of the number of values in a mark.
fn share(len: usize) -> usize {
    len.div_ceil(threads::parts(len, LEAST_WORK)).next_multiple_of(32).max(32)
}

/// Not written by the macro: one bit per value takes 1/32 of a copy of the output, and images are large.
impl<F: Scalar> Layer<F> for ReLU {
    const KIND: Kind = Kind::builtin("relu");
    /// One bit per value: set where the derivative is 1.
    type Cache = ReLUCache;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty()
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let mut output = standard(input);
        let y = slice_mut(&mut output);
        threads::each(y.chunks_mut(share(y.len())), |y| F::activate(Activation::ReLU, y));
        Ok(output)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, ReLUCache)> {
        let mut output = standard(input);
        let mut marks = Marks::new(output.len().div_ceil(32));
        let shape = output.raw_dim();
        let y = slice_mut(&mut output);
        let share = share(y.len());
        let parts = y.chunks_mut(share).zip(marks.as_mut_slice().chunks_mut(share / 32));
        threads::each(parts, |(y, marks)| F::relu_marked(y, marks));
        Ok((output, ReLUCache { shape, marks }))
    }

    fn backward(&mut self, cache: ReLUCache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, cache.shape.slice())?;
        let mut grad = standard(grad);
        let g = slice_mut(&mut grad);
        let share = share(g.len());
        let parts = g.chunks_mut(share).zip(cache.marks.as_slice().chunks(share / 32));
        threads::each(parts, |(g, marks)| F::relu_marked_back(marks, g));
        Ok(grad)
    }

    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::NonNegative
    }
}

activation!(Sigmoid, "sigmoid", Sigmoid, |_layer| Activation::Sigmoid);
activation!(Tanh, "tanh", Bounded, |_layer| Activation::Tanh);
activation!(LeakyReLU, "leaky_relu", Linear, |layer| Activation::LeakyReLU(layer.slope), |layer| {
    if layer.slope.is_finite() {
        Ok(())
    } else {
        Err(Error::argument("slope", "a finite number", layer.slope)
            .help("Usual slopes lie between 0.01 and 0.3."))
    }
});
