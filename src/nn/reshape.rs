//! Layers that only change the shape.
//!
//! Both keep the values of each sample in row-major order (the last axis fastest) and only change the axes:
//!
//! ```text
//! Flatten   [batch, a, b, c] -> [batch, a · b · c]      number (i, j, k) becomes number (i · b + j) · c + k
//! Reshape   [batch, a, b, c] -> [batch, d, e]           with d · e = a · b · c
//! ```
//!
//! The derivative of a rearrangement is the inverse rearrangement, so the cache is the old shape, a few integers. If
//! the input is row-major, as outputs of the built-in layers are, neither pass touches the values; any other input is
//! copied into that order once. Sizes are multiplied with an overflow check, since a file may hold any.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, OutputActivation, check_gradient};
use crate::shown::count;
use crate::state::Kind;
use crate::tensor::{CowTensor, Tensor, owned, reshape, standard};
use ndarray::{Dimension, IxDyn};
use serde::{Deserialize, Serialize};

/// Joins all axes except the batch into one: `[batch, 28, 28]` becomes `[batch, 784]`, in row-major order. No copy.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([28, 28]).layer(Flatten).build()?;
/// assert_eq!(model.output_shape(), [784]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A sample that is a single number becomes `[batch, 1]`. PyTorch's `nn.Flatten()` and Keras' `Flatten` do the same.
///
/// ```
/// use plywood::ndarray::Array3;
/// use plywood::prelude::*;
///
/// let images = Array3::from_shape_fn((2, 2, 3), |(n, row, column)| (100 * n + 10 * row + column) as f32);
/// let rows = Flatten.forward(images.into_dyn())?;
/// assert_eq!(rows.shape(), [2, 6]);
/// assert_eq!(rows[[1, 4]], 111.0); // sample 1, row 1, column 1
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flatten;

/// Gives each sample another shape of the same size, in row-major order. No copy.
///
/// ```
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([784]).layer(Reshape::to([28, 28])).build()?;
/// assert_eq!(model.output_shape(), [28, 28]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// All sizes are written out; there is no -1 for "the rest" as in Keras' `Reshape` and PyTorch's `view`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reshape {
    shape: Vec<usize>,
}

impl Reshape {
    /// Creates a layer that reshapes to `shape`, which is without the batch axis.
    ///
    /// The sizes are checked when the model is built:
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let error = Sequential::builder([10]).layer(Reshape::to([3, 3])).build().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "layer 0 (reshape): the input must have shape [3, 3] or another shape with as many numbers, got [10]. \
    ///      A change of shape keeps the number of elements: give `Reshape::to` a shape with as many."
    /// );
    /// ```
    pub fn to(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into() }
    }
}

/// Returns the output, and the input's shape.
///
/// An input without any axis has no batch, and is an error here rather than a panic later.
fn change<'a, F: Scalar>(input: CowTensor<'a, F>, sample: &[usize]) -> Result<(CowTensor<'a, F>, IxDyn)> {
    let old = input.raw_dim();
    let fits = old.ndim() > 0 && size(&old.slice()[1..]) == size(sample);
    if !fits {
        let numbers =
            size(sample).map_or_else(|| "too many numbers".to_owned(), |n| count(n, "number", "numbers"));
        let expected = format!("[batch, …] with {numbers} for each sample");
        return Err(Error::shape("the input", expected, input.shape())
            .help("A change of shape keeps the number of elements; axis 0 is the batch."));
    }
    let input = if input.is_standard_layout() { input } else { standard(owned(input)).into() };
    Ok((input.into_shape_with_order(batch_of(old[0], sample)).expect("as many elements as before"), old))
}

/// Returns the shape of a batch of `samples` samples.
fn batch_of(samples: usize, sample: &[usize]) -> IxDyn {
    let mut shape = IxDyn::zeros(1 + sample.len());
    shape[0] = samples;
    shape.slice_mut()[1..].copy_from_slice(sample);
    shape
}

/// Returns the gradient in the input's shape. The batch axis comes from the input, so an empty batch passes.
fn back<F: Scalar>(old: IxDyn, new: &[usize], grad: Tensor<F>) -> Result<Tensor<F>> {
    check_gradient(&grad, batch_of(old[0], new).slice())?;
    Ok(reshape(grad, old))
}

/// Returns the number of elements, or `None` on overflow.
fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |size, &n| size.checked_mul(n))
}

impl<F: Scalar> Layer<F> for Flatten {
    const KIND: Kind = Kind::builtin("flatten");
    /// The input's shape.
    type Cache = IxDyn;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match size(input) {
            Some(size) => Ok(vec![size]),
            None => Err(Error::shape("the input", "[…] with fewer than 2^64 numbers", input)
                .help("Use a smaller input.")),
        }
    }

    fn keeps_steps(&self, input: &[usize]) -> bool {
        input.len() == 1
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        let size = input.shape().iter().skip(1).product();
        Ok(change(input, &[size])?.0)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, IxDyn)> {
        let size = input.shape().iter().skip(1).product();
        change(input.into(), &[size]).map(|(output, old)| (owned(output), old))
    }

    fn backward(&mut self, old: IxDyn, grad: Tensor<F>) -> Result<Tensor<F>> {
        let size = old.slice().iter().skip(1).product();
        back(old, &[size], grad)
    }

    /// Passes on what is known of the input. `Sequential` handles the change of rows.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input
    }
}

impl<F: Scalar> Layer<F> for Reshape {
    const KIND: Kind = Kind::builtin("reshape");
    /// The input's shape.
    type Cache = IxDyn;

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if size(input).is_some() && size(input) == size(&self.shape) {
            return Ok(self.shape.clone());
        }
        let expected = format!("{:?} or another shape with as many numbers", self.shape);
        Err(Error::shape("the input", expected, input)
            .help("A change of shape keeps the number of elements: give `Reshape::to` a shape with as many."))
    }

    /// Numbers are in row-major order, so an equal first size keeps what belongs to each step.
    fn keeps_steps(&self, input: &[usize]) -> bool {
        !input.is_empty() && input.first() == self.shape.first()
    }

    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_cow(input.into()).map(owned)
    }

    fn forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        Ok(change(input, &self.shape)?.0)
    }

    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, IxDyn)> {
        change(input.into(), &self.shape).map(|(output, old)| (owned(output), old))
    }

    fn backward(&mut self, old: IxDyn, grad: Tensor<F>) -> Result<Tensor<F>> {
        back(old, &self.shape, grad)
    }

    /// Passes on what is known of the input. `Sequential` handles the change of rows.
    fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    #[test]
    fn row_major_there_and_back() {
        let x = Array::from_iter(0..12).mapv(f64::from).into_shape_with_order(IxDyn(&[2, 2, 3])).unwrap();
        let (y, cache) = Layer::<f64>::forward_train(&mut Flatten, x.clone()).unwrap();
        assert_eq!(y.shape(), [2, 6]);
        assert_eq!(y[[1, 2]], 8.);
        assert_eq!(Layer::<f64>::backward(&mut Flatten, cache, y).unwrap(), x);
    }

    #[test]
    fn sizes_must_agree() {
        let layer = Reshape::to([2, 3]);
        assert!(Layer::<f32>::output_shape(&layer, &[5]).is_err());
        assert!(Layer::<f32>::output_shape(&Reshape::to([usize::MAX, 2]), &[5]).is_err());
        assert!(layer.forward(Tensor::<f32>::zeros(vec![4, 5])).is_err());
        assert!(layer.forward(Tensor::<f32>::zeros(vec![])).is_err());
        assert_eq!(layer.forward(Tensor::<f32>::zeros(vec![0, 6])).unwrap().shape(), [0, 2, 3]);
    }
}
