//! A function of one number and its derivative make a layer.
//!
//! A blanket `impl<F, E: Elementwise> Layer<F> for E` turns the function into a layer. Saving, cloning and printing
//! come from the traits that [`Elementwise`] asks for, and the chain rule for a function of one number is one
//! product:
//!
//! ```text
//! y_i = f(x_i)         ∂L/∂x_i = ∂L/∂y_i · f'(x_i)
//! ```
//!
//! The price of the blanket implementation is that a type cannot have both: an [`Elementwise`] with a `Layer` of its
//! own besides is refused by the compiler. The crate's own activations implement [`Layer`] by kernels instead, since
//! this code is generic and compiled in the user's crate, at that crate's level of optimization.

use super::layer::{Layer, check_gradient};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::state::Kind;
use crate::tensor::{Tensor, slice, slice_mut, standard};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A function of one number with its derivative. Whatever implements it is a [`Layer`] that applies the function to
/// each number of its input, whatever the shape; in `f32` and in `f64`, so that it can be checked.
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
/// Fields are saved with the layer, and are the same for all numbers; a slope for each channel would be a
/// [`Param`](crate::nn::Param), and needs [`Layer`] itself. In Keras and PyTorch the derivative
/// comes from the tape; here it is written down, and [`check_layer`](crate::testing::check_layer) checks it.
pub trait Elementwise: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The stable name in saved files: "mycrate.swish".
    ///
    /// Put your crate's name in front. It must not change while files are to be read.
    const KIND: Kind;

    /// The function's value at `x`.
    ///
    /// Return NaN for NaN: where it is swallowed, a training that has diverged looks healthy.
    fn value<F: Scalar>(&self, x: F) -> F;

    /// The function's derivative at `x`, where its value is `y`.
    ///
    /// `y` is there because many derivatives are simplest in it: `y` for the exponential function, `1 - y²` for tanh,
    /// `y · (1 - y)` for the logistic function. At a kink either side's derivative will do.
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
    /// Inputs and outputs.
    type Cache = (Tensor<F>, Tensor<F>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    /// In place, in whatever order the input has in memory; allocates nothing.
    fn forward(&self, mut input: Tensor<F>) -> Result<Tensor<F>> {
        input.mapv_inplace(|x| self.value(x));
        Ok(input)
    }

    /// Keeps both input and output, as `derivative` may ask for either: two new arrays of the input's size.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let input = standard(input);
        let output = input.mapv(|x| self.value(x));
        Ok((output.clone(), (input, output)))
    }

    /// In place in `grad`.
    fn backward(&mut self, (input, output): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        for ((g, &x), &y) in slice_mut(&mut grad).iter_mut().zip(slice(&input)).zip(slice(&output)) {
            *g *= self.derivative(x, y);
        }
        Ok(grad)
    }
}
