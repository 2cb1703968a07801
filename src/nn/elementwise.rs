//! Layers made from a function of one number and its derivative.
//!
//! A blanket `impl<F, E: Elementwise> Layer<F> for E` turns the function into a layer. Saving, cloning and printing
//! come from the supertraits of [`Elementwise`], and the chain rule for a function of one number is one product:
//!
//! ```text
//! y_i = f(x_i)         ∂L/∂x_i = ∂L/∂y_i · f'(x_i)
//! ```
//!
//! Because of the blanket implementation, a type cannot implement both: the compiler refuses a `Layer` implementation
//! for an [`Elementwise`]. The built-in activations implement [`Layer`] with kernels instead, since this code is
//! generic and compiled in the user's crate, at that crate's optimization level.

use super::layer::Layer;
use super::shape_checks::check_gradient;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::Kind;
use crate::tensor::{Tensor, slice, slice_mut, standard};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A function of one number with its derivative. Every type that implements it is a [`Layer`] that applies the function
/// to each value of its input, of any shape. It works in `f32` and `f64`, so that the derivative can be checked in
/// `f64`.
///
/// ```
/// use plywood::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// /// Ramachandran, Zoph and Le, "Searching for activation functions", 2017: `x / (1 + e^-x)`.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Swish;
///
/// impl Elementwise for Swish {
///     const KIND: Kind = Kind::own("mycrate.swish");
///     fn value<F: Scalar>(&self, x: F) -> F { x / (F::one() + (-x).exp()) }
///     fn derivative<F: Scalar>(&self, x: F, y: F) -> F { y + (F::one() - y) / (F::one() + (-x).exp()) }
/// }
///
/// let model = Sequential::builder([4]).layer(Dense::units(8)).layer(Swish).build()?;
/// check_layer::<f64>(Swish, &[3])?; // against finite differences
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Fields are saved with the layer and are the same for all values; a slope per channel would be a
/// [`Param`](crate::nn::Param), and needs [`Layer`] itself. In Keras and PyTorch the derivative comes from automatic
/// differentiation; here you write it, and [`check_layer`](crate::testing::check_layer) checks it.
pub trait Elementwise: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The stable name in saved files: "mycrate.swish".
    ///
    /// Start it with your crate's name. It must not change as long as saved files are to be read.
    const KIND: Kind;

    /// Returns the function's value at `x`.
    ///
    /// Return NaN for NaN: otherwise a diverged training run looks healthy.
    fn value<F: Scalar>(&self, x: F) -> F;

    /// Returns the function's derivative at `x`, where its value is `y`.
    ///
    /// `y` is passed because many derivatives are simplest in terms of it: `y` for the exponential function, `1 - y²`
    /// for tanh, `y · (1 - y)` for the logistic function. At a kink, return the derivative of either side.
    ///
    /// ```
    /// use plywood::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// `ln(1 + e^x)`, in a form that does not overflow (Dugas et al., 2001).
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Softplus;
    ///
    /// impl Elementwise for Softplus {
    ///     const KIND: Kind = Kind::own("mycrate.softplus");
    ///     fn value<F: Scalar>(&self, x: F) -> F { x.max(F::zero()) + (-x.abs()).exp().ln_1p() }
    ///     fn derivative<F: Scalar>(&self, _: F, y: F) -> F { F::one() - (-y).exp() }
    /// }
    ///
    /// check_layer::<f64>(Softplus, &[4])?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    fn derivative<F: Scalar>(&self, x: F, y: F) -> F;
}

impl<F: Scalar, E: Elementwise> Layer<F> for E {
    const KIND: Kind = <E as Elementwise>::KIND;
    /// The inputs and the outputs.
    type Cache = (Tensor<F>, Tensor<F>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty()
    }

    /// Works in place, in the input's memory order; allocates nothing.
    fn forward(&self, mut input: Tensor<F>) -> Result<Tensor<F>> {
        input.mapv_inplace(|x| self.value(x));
        Ok(input)
    }

    /// Keeps both the input and the output, as `derivative` may need either: two new arrays of the input's size.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let input = standard(input);
        let output = input.mapv(|x| self.value(x));
        Ok((output.clone(), (input, output)))
    }

    /// Works in place in `grad`.
    fn backward(&mut self, (input, output): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        for ((g, &x), &y) in slice_mut(&mut grad).iter_mut().zip(slice(&input)).zip(slice(&output)) {
            *g *= self.derivative(x, y);
        }
        Ok(grad)
    }
}
