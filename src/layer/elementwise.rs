//! A function of one number and its derivative make a layer.

use super::{Layer, check_gradient};
use crate::error::Result;
use crate::scalar::Scalar;
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
///     const KIND: &'static str = "mycrate.swish";
///     fn value<F: Scalar>(&self, x: F) -> F { x / (F::one() + (-x).exp()) }
///     fn derivative<F: Scalar>(&self, x: F, y: F) -> F { y + (F::one() - y) / (F::one() + (-x).exp()) }
/// }
///
/// let model = Sequential::builder([4]).layer(Dense::units(8)).layer(Swish).build()?;
/// check_layer::<f64>(Swish, &[3])?; // against finite differences
/// # Ok::<(), plywood::Error>(())
/// ```
pub trait Elementwise: Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The stable name in saved files: "mycrate.swish".
    const KIND: &'static str;

    /// The function's value at `x`.
    fn value<F: Scalar>(&self, x: F) -> F;

    /// The function's derivative at `x`, where its value is `y`.
    fn derivative<F: Scalar>(&self, x: F, y: F) -> F;
}

impl<F: Scalar, E: Elementwise> Layer<F> for E {
    const KIND: &'static str = <E as Elementwise>::KIND;
    /// Inputs and outputs.
    type Cache = (Tensor<F>, Tensor<F>);

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }

    fn forward(&self, mut input: Tensor<F>) -> Result<Tensor<F>> {
        input.mapv_inplace(|x| self.value(x));
        Ok(input)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let input = standard(input);
        let output = input.mapv(|x| self.value(x));
        Ok((output.clone(), (input, output)))
    }

    fn backward(&mut self, (input, output): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        check_gradient(&grad, output.shape())?;
        let mut grad = standard(grad);
        for ((g, &x), &y) in slice_mut(&mut grad).iter_mut().zip(slice(&input)).zip(slice(&output)) {
            *g *= self.derivative(x, y);
        }
        Ok(grad)
    }
}
