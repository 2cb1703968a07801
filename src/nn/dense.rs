//! The fully connected layer.
//!
//! With the batch as the rows of `X`, one matrix product covers all samples, and each gradient is one product too:
//!
//! ```text
//! forward    Y  = X · W + 1 bᵀ      [batch, inputs] · [inputs, units]        2 · batch · inputs · units FLOPs
//! backward   dW = Xᵀ · dY           [inputs, batch] · [batch, units]         the same again
//!            db = dYᵀ · 1           the columns' sums of dY                  batch · units
//!            dX = dY · Wᵀ           [batch, units] · [units, inputs]         the same again
//! ```
//!
//! `dW` follows from `∂y_j / ∂w_ij = x_i`, summed over the batch, and `dX` from `∂y_j / ∂x_i = w_ij`. The transposes
//! are views: the product reads either order. The first layer of a model needs no `dX`, so its backward pass costs half
//! as much, and its training step two thirds.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::nn::erased::other_cache;
use crate::nn::{Layer, LayerSpec, OutputActivation, check_gradient};
use crate::param::Param;
use crate::random::Random;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned, recycle, scratch, slice, slice_mut, standard};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewD, ArrayViewMut2, Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// A fully connected layer: `y = x · W + b`.
///
/// | | shape |
/// |---|---|
/// | input `x` | `[batch, …, inputs]` |
/// | output `y` | `[batch, …, units]` |
/// | `weight` | `[inputs, units]` |
/// | `bias` | `[units]`, optional |
///
/// The layer works along the last axis and treats all axes before it as batch axes. By default the weight starts as
/// [`Initializer::GlorotUniform`] and the bias at 0, as in Keras. (PyTorch's `Linear` stores the weight as
/// `[units, inputs]`.)
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([784])
///     .layer(Dense::units(128).initializer(Initializer::HeNormal)).layer(ReLU)
///     .layer(Dense::units(10).bias(false))
///     .build()?;
/// assert_eq!(model.parameter_count(), 784 * 128 + 128 + 128 * 10);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Memory in training: the input is moved into the cache, not copied. The weight's gradient may be kept as the product
/// of the input and the output's gradient until the optimizer's step, see [`Param::add_gradient_product`].
///
/// Unlike Keras' `Dense`, it has no argument for an activation: add the activation as a layer after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Dense<F: Scalar = f32> {
    /// `[inputs, units]`.
    ///
    /// As in Keras: one row per input. The rows of the batch are multiplied by it without a transpose.
    weight: Param<F>,
    /// `[units]`.
    ///
    /// `None` if a normalization comes next, which has its own bias.
    bias: Option<Param<F>>,
}

impl Dense<f32> {
    /// Returns the spec of a layer with `units` outputs; the number of inputs is known when the model is built.
    ///
    /// The spec serves models of either element type. The weight and the bias are drawn from the layer's random
    /// stream, under the names "weight" and "bias".
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::<f64>::builder_of([20, 8]).layer(Dense::units(3)).build()?;
    /// assert_eq!(model.output_shape(), [20, 3]); // the same 8 · 3 weights at each of the 20 positions
    /// assert_eq!(model.parameter_count(), 8 * 3 + 3);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn units(units: usize) -> DenseSpec {
        DenseSpec {
            units,
            initializer: Initializer::GlorotUniform,
            bias: true,
            bias_initializer: Initializer::Zeros,
        }
    }
}

impl<F: Scalar> Dense<F> {
    /// Creates a layer from a weight of `[inputs, units]` and a bias of `[units]`.
    ///
    /// Use it for weights from another library. Keras' arrays fit as they are; PyTorch's weight has to be transposed.
    /// Weight and bias are trainable.
    ///
    /// ```
    /// use plywood::ndarray::{arr1, arr2};
    /// use plywood::prelude::*;
    ///
    /// let layer = Dense::from_weights(arr2(&[[1.0f32, 0.0], [0.0, 2.0], [1.0, 1.0]]), Some(arr1(&[0.5, 0.0])))?;
    /// let y = layer.forward(arr2(&[[1.0, 10.0, 100.0]]).into_dyn())?;
    /// assert_eq!(y, arr2(&[[101.5, 120.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When an axis is 0, or the length of the bias is not the number of units of the weight.
    pub fn from_weights(weight: Array2<F>, bias: Option<Array1<F>>) -> Result<Self> {
        let weight = Param::new(weight).transposed_in_state_dicts(true);
        let layer = Self { weight, bias: bias.map(Param::new) };
        layer.sizes()?;
        Ok(layer)
    }

    /// Returns the weight, `[inputs, units]`.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let dense: Dense = Dense::units(4).build(&[3], &Random::seed(0))?;
    /// assert_eq!(dense.weight().shape(), [3, 4]);
    /// let norm = dense.weight().value().mapv(|w| w * w).sum().sqrt(); // Frobenius
    /// assert!(norm > 0.0 && norm <= (12.0f32 * 6.0 / 7.0).sqrt()); // Glorot's bound is √(6 / 7)
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn weight(&self) -> &Param<F> {
        &self.weight
    }

    /// Returns the bias, `[units]`, or `None` if the layer was built without.
    pub fn bias(&self) -> Option<&Param<F>> {
        self.bias.as_ref()
    }

    /// Returns the numbers of inputs and of units.
    ///
    /// Checked in every pass and not only in `from_weights`: a file may hold a weight and a bias that do not fit.
    fn sizes(&self) -> Result<(usize, usize)> {
        let (weight, bias) = (self.weight.shape(), self.bias.as_ref().map(Param::shape));
        match *weight {
            [inputs, units] if inputs > 0 && units > 0 && bias.is_none_or(|bias| bias == [units]) => {
                Ok((inputs, units))
            }
            _ => Err(Error::shape("the weight", "[inputs, units] with a bias of [units] or none", weight)
                .help("Both sizes are at least 1, and the bias is as long as the weight has columns.")),
        }
    }

    /// Computes the output for an input in row-major order, seen as a matrix with `inputs` columns.
    ///
    /// `scratch` holds old values; a `beta` of 0 makes the product ignore them.
    fn output(&self, input: &ArrayViewD<'_, F>) -> Result<Tensor<F>> {
        let (inputs, units) = self.sizes()?;
        if input.ndim() < 2 || input.shape().last() != Some(&inputs) {
            return Err(Error::shape("the input", format!("[batch, {inputs}]"), input.shape())
                .help("Axis 0 is the batch and the last axis the features; put Flatten before for images."));
        }
        let rows = input.len() / inputs;
        let mut output = scratch(with_last(input, units).slice());
        let (x, y) = (input.as_slice().expect("row-major order"), slice_mut(&mut output));
        F::matmul(matrix(x, rows, inputs), self.matrix(), F::zero(), matrix_mut(y, rows, units));
        if let Some(bias) = &self.bias {
            F::add_row(y, bias.as_slice());
        }
        Ok(output)
    }

    /// Returns the weight as a matrix, without a copy.
    fn matrix(&self) -> ArrayView2<'_, F> {
        matrix(self.weight.as_slice(), self.weight.shape()[0], self.weight.shape()[1])
    }

    /// Adds `dW` and `db`. Each is skipped if its parameter is frozen; `dW` is a third of the step.
    fn add_gradients(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<()> {
        if let Some((_, sum, beta)) = self.bias.as_mut().and_then(Param::accumulate) {
            F::sum_columns(slice(&grad), beta, sum);
        }
        self.weight.add_gradient_product(input, grad)
    }

    /// Returns the gradient in row-major order, checked against the output shape of this input.
    fn check_grad(&self, input: &Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let (inputs, units) = self.sizes()?;
        if input.shape().last() != Some(&inputs) {
            return Err(other_cache());
        }
        check_gradient(&grad, with_last(&input.view(), units).slice())?;
        Ok(standard(grad))
    }
}

/// Returns the shape of the output: the input's, with another last axis.
fn with_last<F: Scalar>(input: &ArrayViewD<'_, F>, units: usize) -> IxDyn {
    let mut shape = input.raw_dim();
    if let Some(last) = shape.slice_mut().last_mut() {
        *last = units;
    }
    shape
}

/// Views a slice as a matrix. The callers have divided the length by one of the two sizes.
fn matrix<F>(values: &[F], rows: usize, columns: usize) -> ArrayView2<'_, F> {
    ArrayView2::from_shape((rows, columns), values).expect("as many numbers as the matrix has")
}

fn matrix_mut<F>(values: &mut [F], rows: usize, columns: usize) -> ArrayViewMut2<'_, F> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("as many numbers as the matrix has")
}

impl<F: Scalar> Layer<F> for Dense<F> {
    const KIND: Kind = Kind::builtin("dense");
    /// The input.
    ///
    /// Moved in, not copied.
    type Cache = Tensor<F>;

    /// Only the last axis changes: `[…, inputs]` to `[…, units]`.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let (inputs, units) = self.sizes()?;
        match input {
            [axes @ .., last] if *last == inputs => Ok(axes.iter().copied().chain([units]).collect()),
            _ => Err(Error::shape("the input", format!("[{inputs}]"), input)
                .help("The last axis must be the number of features the layer was built for.")),
        }
    }

    /// It works along the last axis.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() > 1
    }

    /// Computes one product and one pass for the bias. The input's buffer is recycled.
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        let input = standard(input);
        let output = self.output(&input.view())?;
        recycle(input);
        Ok(output)
    }

    /// Reads a row-major view in place.
    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        if input.is_view() && input.is_standard_layout() {
            return self.output(&input.view()).map(CowTensor::from);
        }
        self.forward(owned(input)).map(CowTensor::from)
    }

    /// Like `forward`, but keeps the input as the cache.
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Tensor<F>)> {
        let input = standard(input);
        Ok((self.output(&input.view())?, input))
    }

    /// Computes two products. `dX` gets a spare buffer, since the weight's gradient may keep the input.
    fn backward(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        let grad = self.check_grad(&input, grad)?;
        let (inputs, units) = (self.weight.shape()[0], self.weight.shape()[1]);
        let rows = grad.len() / units;
        let mut back = scratch(input.shape());
        let out = matrix_mut(slice_mut(&mut back), rows, inputs);
        F::matmul(matrix(slice(&grad), rows, units), self.matrix().reversed_axes(), F::zero(), out);
        self.add_gradients(input, grad)?;
        Ok(back)
    }

    /// Computes `dW` and `db` only: half the work of `backward`.
    fn backward_params(&mut self, input: Tensor<F>, grad: Tensor<F>) -> Result<()> {
        let grad = self.check_grad(&input, grad)?;
        self.add_gradients(input, grad)
    }

    /// The outputs are any real numbers.
    fn output_activation(&self, _: OutputActivation) -> OutputActivation {
        OutputActivation::Linear
    }

    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        if let Some(bias) = &self.bias {
            visit("bias", bias);
        }
    }

    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visit("bias", bias);
        }
    }
}

/// The spec of a [`Dense`] layer, from [`Dense::units`].
///
/// ```
/// use plywood::prelude::*;
///
/// let spec = Dense::units(5).initializer(Initializer::Constant(0.5)).bias_initializer(Initializer::Constant(-1.0));
/// let layer: Dense<f64> = spec.build(&[4], &Random::seed(0))?;
/// let y = layer.forward(plywood::ndarray::Array2::ones((1, 4)).into_dyn())?;
/// assert!(y.iter().all(|&y| y == 4.0 * 0.5 - 1.0));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DenseSpec {
    units: usize,
    initializer: Initializer,
    bias: bool,
    bias_initializer: Initializer,
}

impl DenseSpec {
    /// Sets the distribution of the initial weight (default: [`Initializer::GlorotUniform`]).
    ///
    /// For a ReLU after the layer, use [`Initializer::HeNormal`] or [`Initializer::HeUniform`]. The initializer is
    /// checked when the model is built.
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }

    /// Sets the distribution of the initial bias (default: zeros).
    ///
    /// A bias drawn at random uses the fans of the weight.
    #[must_use]
    pub fn bias_initializer(mut self, initializer: Initializer) -> Self {
        self.bias_initializer = initializer;
        self
    }

    /// Sets whether the layer has a bias (default: true); without it the layer is `y = x · W`.
    ///
    /// Before a [`BatchNorm`](crate::nn::BatchNorm) a bias is useless: subtracting the mean cancels it.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

impl<F: Scalar> LayerSpec<F> for DenseSpec {
    type Layer = Dense<F>;

    /// The last axis of `input` is the number of inputs.
    fn build(self, input: &[usize], random: &Random) -> Result<Dense<F>> {
        let units = self.units;
        if units == 0 {
            return Err(Error::argument("units", "at least 1", units)
                .help("Give the layer the number of its output features."));
        }
        let Some(&inputs) = input.last() else {
            return Err(Error::shape("the input", "[…, features]", input)
                .help("A dense layer works along the last axis, so there has to be one."));
        };
        let make = |initializer: Initializer, shape: &[usize], name: &str| {
            initializer.tensor(shape, inputs, units, &random.child(name)).map(Param::new)
        };
        let bias = self.bias.then(|| make(self.bias_initializer, &[units], "bias")).transpose()?;
        let weight = make(self.initializer, &[inputs, units], "weight")?.transposed_in_state_dicts(true);
        Ok(Dense { weight, bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Gradient;
    use ndarray::{arr1, arr2};

    #[test]
    fn by_hand() {
        let mut layer =
            Dense::from_weights(arr2(&[[1., 2., 3.], [4., 5., 6.]]), Some(arr1(&[0.5, 0., -1.]))).unwrap();
        let x = arr2(&[[1f64, -1.], [2., 0.]]).into_dyn();
        let (y, cache) = layer.forward_train(x).unwrap();
        assert_eq!(y, arr2(&[[-2.5, -3., -4.], [2.5, 4., 5.]]).into_dyn());
        let dx = layer.backward(cache, arr2(&[[1., 0., 0.], [0., 1., 2.]]).into_dyn()).unwrap();
        assert_eq!(dx, arr2(&[[1., 4.], [8., 17.]]).into_dyn());
        let mut seen = Vec::new();
        layer.visit_params(&mut |name, p| match p.gradient() {
            Some(Gradient::Dense(g)) => seen.push((name.to_owned(), g.clone())),
            other => panic!("{other:?}"),
        });
        assert_eq!(seen[0], ("weight".into(), arr2(&[[1., 2., 4.], [-1., 0., 0.]]).into_dyn()));
        assert_eq!(seen[1], ("bias".into(), arr1(&[1., 1., 2.]).into_dyn()));
    }

    #[test]
    fn an_empty_batch_passes_through() {
        let mut layer = Dense::<f32>::from_weights(Array2::ones((3, 2)), None).unwrap();
        let (y, cache) = layer.forward_train(Tensor::zeros(vec![0, 3])).unwrap();
        assert_eq!(y.shape(), [0, 2]);
        assert_eq!(layer.backward(cache, y).unwrap().shape(), [0, 3]);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let layer = Dense::<f32>::from_weights(Array2::ones((3, 2)), None).unwrap();
        assert!(layer.output_shape(&[4]).is_err() && layer.output_shape(&[]).is_err());
        assert_eq!(layer.output_shape(&[7, 3]).unwrap(), [7, 2]);
        assert!(layer.forward(Tensor::zeros(vec![3])).is_err());
        assert!(layer.clone().backward(Tensor::zeros(vec![4, 3]), Tensor::zeros(vec![4, 3])).is_err());
        assert!(Dense::<f32>::from_weights(Array2::ones((3, 2)), Some(Array1::ones(3))).is_err());
        assert!(Dense::<f32>::from_weights(Array2::ones((0, 2)), None).is_err());
    }
}
