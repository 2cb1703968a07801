//! Variants of ReLU: piecewise activations, and ones with a kink at 0.
//!
//! | layer | `f(x)` | `f'(x)` | bounded | used in |
//! |---|---|---|---|---|
//! | [`ReLU6`] | `min(max(x, 0), 6)` | 1 for `0 < x < 6`, else 0 | yes | MobileNet |
//! | [`ELU`] | `x` or `α · (e^x - 1)` | 1 or `α · e^x` | below | deep networks without normalization |
//! | [`SELU`] | `λ · ELU(x)` with `α = 1.6733` | `λ`, or `λ α · e^x` | below | self-normalizing networks |
//! | [`HardSigmoid`] | `min(max(x / 6 + 1/2, 0), 1)` | 1/6 for `-3 < x < 3`, else 0 | yes | gates, MobileNetV3 |
//! | [`HardSwish`] | `x · HardSigmoid(x)` | `x / 3 + 1/2` for `-3 < x < 3`, else 0 or 1 | below | MobileNetV3 |
//!
//! Definitions, defaults and the derivatives at kinks are PyTorch's. NaN stays NaN in all of them: comparisons select
//! the piece, and a NaN falls into the last one.

use super::basic::activation;
use crate::error::{Error, Result};
use crate::kernels::{Activation, Scalar};
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::tensor::{Tensor, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// ReLU with a ceiling: `min(max(x, 0), 6)`, elementwise; any shape.
///
/// Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017. The
/// ceiling keeps activations in a range that a few bits can represent. PyTorch's `nn.ReLU6`, Keras' `relu6`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = ReLU6.forward(arr2(&[[-1.0f32, 2.0, 60.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, 2.0, 6.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The derivative is taken as 0 at 0 and at 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReLU6;

/// The exponential linear unit: `x` above 0, else `α · (e^x - 1)`; any shape.
///
/// Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units (ELUs)",
/// 2016. Its outputs reach down to `-α`, so their mean is closer to 0 than ReLU's; with `α = 1` the derivative has no
/// jump at 0. PyTorch's `nn.ELU` and Keras' `ELU`, both with `α = 1` by default.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = ELU::default().forward(arr2(&[[2.0f64, 0.0, -1.0, -1000.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[2.0, 0.0, (-1.0f64).exp_m1(), -1.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ELU {
    /// Rounded to the element type where it is used.
    #[serde(with = "crate::codec::words")]
    alpha: f64,
}

impl ELU {
    /// Creates the layer with this `α`, a finite number; 1 is usual.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// assert_eq!(ELU::default(), ELU::alpha(1.0));
    /// let error = Sequential::builder([2]).layer(ELU::alpha(f64::INFINITY)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (elu): `alpha` must be a finite number, got inf. The outputs below 0 reach down to `-alpha`; \
    ///      1 is usual."
    /// );
    /// ```
    pub fn alpha(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Default for ELU {
    /// `α = 1`, as in Keras and PyTorch.
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

/// The scaled exponential linear unit: `λ · x` above 0, else `λ · α · (e^x - 1)`, with `λ = 1.0507…` and
/// `α = 1.6732…`; any shape.
///
/// Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017. With these two constants,
/// activations converge to mean 0 and variance 1 from layer to layer, if the weights start with a variance of
/// `1 / inputs`: use [`Initializer::Normal`](crate::init::Initializer::Normal) with the standard deviation `inputs^-½`
/// (LeCun's). PyTorch's `nn.SELU`, Keras' `selu`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = SELU.forward(arr2(&[[1.0f64, -1000.0]]).into_dyn())?;
/// assert!((y[[0, 0]] - 1.0507009873554805).abs() < 1e-15);
/// assert!((y[[0, 1]] + 1.7580993408473766).abs() < 1e-15); // -λα
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SELU;

/// A piecewise linear sigmoid: `min(max(x / 6 + 1/2, 0), 1)`; any shape.
///
/// Howard et al., "Searching for MobileNetV3", 2019, and PyTorch's `nn.Hardsigmoid`. (Keras' `hard_sigmoid` was
/// `x / 5 + 1/2` before Keras 3.) No loss fuses it ([`OutputActivation`]): it reaches 0 and 1, whose logarithms no loss
/// can use.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = HardSigmoid.forward(arr2(&[[-3.0f32, 0.0, 1.5, 40.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, 0.5, 0.75, 1.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[doc(alias = "Hardsigmoid")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HardSigmoid;

/// [`SiLU`](crate::nn::SiLU) with the piecewise linear sigmoid: `x · min(max(x / 6 + 1/2, 0), 1)`; any shape.
///
/// Howard et al., "Searching for MobileNetV3", 2019: nearly the same curve without an exponential. PyTorch's
/// `nn.Hardswish`, Keras' `hard_silu`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = HardSwish.forward(arr2(&[[-4.0f32, -1.5, 3.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, -0.375, 3.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[doc(alias = "Hardswish")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HardSwish;

activation!(ReLU6, "relu6", NonNegative, |_layer| Activation::ReLU6);
activation!(SELU, "selu", Linear, |_layer| Activation::SELU);
activation!(HardSigmoid, "hard_sigmoid", UnitInterval, |_layer| Activation::HardSigmoid);
activation!(HardSwish, "hard_swish", Linear, |_layer| Activation::HardSwish);
activation!(ELU, "elu", Linear, |layer| Activation::ELU(layer.alpha), |layer| {
    if F::of(layer.alpha).is_finite() {
        Ok(())
    } else {
        Err(Error::argument("alpha", "a finite number", layer.alpha)
            .help("The outputs below 0 reach down to `-alpha`; 1 is usual."))
    }
});
