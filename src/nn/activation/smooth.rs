//! Smooth activations.
//!
//! | layer | `f(x)` | smallest value | used in |
//! |---|---|---|---|
//! | [`GELU`] | `x · Φ(x)` | -0.1700 at -0.7518 | transformers |
//! | [`SiLU`] | `x / (1 + e^-x)` | -0.2785 at -1.2785 | EfficientNet, gated transformers |
//! | [`Mish`] | `x · tanh(ln(1 + e^x))` | -0.3088 at -1.1925 | YOLOv4 |
//! | [`Softplus`] | `ln(1 + e^(β x)) / β` | above 0 | positive outputs |
//! | [`Softsign`] | `x / (1 + \|x\|)` | above -1 | in place of tanh |
//!
//! The first three are similar: near 0 for negative numbers, with a dip, and near `x` for positive ones. They compute
//! their derivative in the forward pass in training, from the exponential that the value needs, and keep it for
//! `backward`; the other two keep their input. The formulas, in forms that do not overflow, are in
//! `kernels/activation/curves.rs`.

use super::basic::activation;
use crate::error::{Error, Result};
use crate::kernels::{Activation, Gate, Scalar};
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::tensor::{Tensor, recycle, slice, slice_mut, standard};
use serde::{Deserialize, Serialize};

/// The Gaussian error linear unit: `x · Φ(x)`, where Φ is the normal distribution function; any shape.
///
/// Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016.
///
/// ```text
/// default   x · erfc(-x / √2) / 2
/// tanh      x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))          differs by at most 5e-4
/// ```
///
/// Use the form that the network was trained with: BERT uses the first, GPT-2 the second. PyTorch's `nn.GELU()` and
/// `nn.GELU(approximate="tanh")`; Keras' `gelu` with its argument `approximate`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let x = || arr2(&[[-10.0f64, -1.0, 1.0]]).into_dyn();
/// let y = GELU::default().forward(x())?;
/// assert!((y[[0, 2]] - 0.8413447460685429).abs() < 1e-15);
/// assert!((y[[0, 0]] + 7.61985302416053e-23).abs() < 1e-36); // far out, too
/// let differs = (GELU::default().tanh(true).forward(x())? - y).iter().all(|d| d.abs() < 5e-4);
/// assert!(differs);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GELU {
    /// True if the tanh approximation is used.
    tanh: bool,
}

impl GELU {
    /// Sets whether the tanh approximation is used (default: false).
    ///
    /// Use it for models whose weights come from a network that had it. It is not faster here: each form takes one
    /// exponential per value.
    #[must_use]
    pub fn tanh(mut self, tanh: bool) -> Self {
        self.tanh = tanh;
        self
    }
}

/// The sigmoid linear unit, or Swish: `x · sigmoid(x) = x / (1 + e^-x)`; any shape.
///
/// Hendrycks and Gimpel, 2016, named it; Ramachandran, Zoph and Le, "Searching for activation functions", 2017, found
/// it by a search and called it Swish. PyTorch's `nn.SiLU`, Keras' `silu` and `swish`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = SiLU.forward(arr2(&[[-1000.0f32, 0.0, 1000.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, 0.0, 1000.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[doc(alias = "Swish")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiLU;

/// The Mish function: `x · tanh(softplus(x)) = x · tanh(ln(1 + e^x))`; any shape.
///
/// Misra, "Mish: a self regularized non-monotonic activation function", 2020. PyTorch's `nn.Mish`, Keras' `mish`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Mish.forward(arr2(&[[-1.0f64, 0.0, 1.0]]).into_dyn())?;
/// assert!((y[[0, 2]] - 1f64.exp().ln_1p().tanh()).abs() < 1e-15);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mish;

/// A smooth ReLU, above 0 everywhere: `ln(1 + e^(β x)) / β`; any shape.
///
/// Dugas, Bengio, Bélisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for better option
/// pricing", 2001. Use it for outputs that must be positive, such as a standard deviation or a rate. The larger β, the
/// closer it is to ReLU.
///
/// PyTorch's `nn.Softplus` returns `x` where `β x` is above a threshold, 20. Here there is no threshold: the function
/// is computed in a form that cannot overflow. The two differ by at most 2.1e-9 / β. Keras' `softplus` has `β = 1`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Softplus::default().forward(arr2(&[[-1000.0f64, 0.0, 1000.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[0.0, 2f64.ln(), 1000.0]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Softplus {
    /// Rounded to the element type where it is used.
    #[serde(with = "crate::codec::words")]
    beta: f64,
}

impl Softplus {
    /// Creates the layer with this β, which must be above 0.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// assert_eq!(Softplus::default(), Softplus::beta(1.0));
    /// let error = Sequential::builder([2]).layer(Softplus::beta(0.0)).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (softplus): `beta` must be positive and finite, with a finite reciprocal, got 0. The larger \
    ///      `beta`, the nearer the function is to ReLU; 1 is usual."
    /// );
    /// ```
    pub fn beta(beta: f64) -> Self {
        Self { beta }
    }
}

impl Default for Softplus {
    /// `β = 1`, as in Keras and PyTorch.
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

/// The softsign function: `x / (1 + |x|)`, between -1 and 1; any shape.
///
/// Turian, Bergstra and Bengio, "Quadratic features and deep architectures for chunking", 2009. It approaches its
/// limits as `1 / x`, tanh as `e^-2x`, so its gradients vanish later. PyTorch's `nn.Softsign`, Keras' `softsign`.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::prelude::*;
///
/// let y = Softsign.forward(arr2(&[[-1.0f32, 0.0, 3.0]]).into_dyn())?;
/// assert_eq!(y, arr2(&[[-0.5, 0.0, 0.75]]).into_dyn());
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Softsign;

activation!(GELU, "gelu", Linear, |layer| Activation::Gated(if layer.tanh {
    Gate::GELUTanh
} else {
    Gate::GELU
}));
activation!(SiLU, "silu", Linear, |_layer| Activation::Gated(Gate::SiLU));
activation!(Mish, "mish", Linear, |_layer| Activation::Gated(Gate::Mish));
activation!(Softsign, "softsign", Bounded, |_layer| Activation::Softsign);
activation!(Softplus, "softplus", NonNegative, |layer| Activation::Softplus(layer.beta), |layer| {
    let beta = F::of(layer.beta);
    if beta > F::zero() && beta.is_finite() && beta.recip().is_finite() {
        Ok(())
    } else {
        Err(Error::argument("beta", "positive and finite, with a finite reciprocal", layer.beta)
            .help("The larger `beta`, the nearer the function is to ReLU; 1 is usual."))
    }
});
