//! Elementwise activation layers on the crate's kernels.

use crate::error::{Error, Result};
use crate::layer::{Layer, Link, check_gradient};
use crate::scalar::{Activation, Scalar};
use crate::tensor::{Tensor, copy, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The rectified linear unit: `max(x, 0)`, for each number of its input; NaN stays NaN.
///
/// Input and output have any shape, the same. The derivative at 0 is taken as 0, as in Keras and PyTorch. Nair and
/// Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReLU;

/// The logistic function: `1 / (1 + e^-x)`, for each number of its input; any shape.
///
/// As a model's last layer it is a [`Link`]: a loss that absorbs it starts from the logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sigmoid;

/// The hyperbolic tangent of each number of its input; any shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tanh;

/// The leaky rectified linear unit: `x` where positive, else `slope · x`; any shape. Maas, Hannun and Ng, "Rectifier
/// nonlinearities improve neural network acoustic models", 2013.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([8]).layer(Dense::units(4)).layer(LeakyReLU::slope(0.1)).build()?;
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyReLU {
    slope: f64,
}

impl LeakyReLU {
    /// With this slope for negative numbers; it must be finite.
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

macro_rules! activation {
    ($layer:ident, $kind:literal, $link:ident, |$self_:ident| $function:expr, |$checked:ident| $check:expr) => {
        impl<F: Scalar> Layer<F> for $layer {
            const KIND: &'static str = $kind;
            /// The input or the output, whichever the derivative is computed from.
            type Cache = Tensor<F>;

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                let $checked = self;
                $check?;
                Ok(input.to_vec())
            }

            fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
                let $self_ = self;
                let mut output = standard(input);
                F::activate($function, slice_mut(&mut output));
                Ok(output)
            }

            fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
                let $self_ = self;
                let mut output = standard(input);
                if $function.derives_from_output() {
                    F::activate($function, slice_mut(&mut output));
                    let kept = copy(&output);
                    Ok((output, kept))
                } else {
                    let kept = copy(&output);
                    F::activate($function, slice_mut(&mut output));
                    Ok((output, kept))
                }
            }

            fn backward(&mut self, kept: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
                let $self_ = self;
                check_gradient(&grad, kept.shape())?;
                let mut grad = standard(grad);
                F::activate_back($function, slice(&kept), slice_mut(&mut grad));
                recycle(kept);
                Ok(grad)
            }

            fn link(&self) -> Link {
                Link::$link
            }
        }
    };
}

activation!(ReLU, "relu", Identity, |_layer| Activation::ReLU, |_layer| Ok::<(), Error>(()));
activation!(Sigmoid, "sigmoid", Sigmoid, |_layer| Activation::Sigmoid, |_layer| Ok::<(), Error>(()));
activation!(Tanh, "tanh", Identity, |_layer| Activation::Tanh, |_layer| Ok::<(), Error>(()));
activation!(LeakyReLU, "leaky_relu", Identity, |layer| Activation::LeakyReLU(layer.slope), |layer| {
    if layer.slope.is_finite() {
        Ok(())
    } else {
        Err(Error::argument("slope", "a finite number", layer.slope)
            .help("Usual slopes lie between 0.01 and 0.3."))
    }
});
