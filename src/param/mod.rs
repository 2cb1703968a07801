//! A layer's parameters: trainable, frozen, or buffers.
//!
//! A [`Param`] holds the values, how training treats them, and the gradient accumulated by backward passes. Layers
//! expose their parameters by name ([`visit_params`](crate::nn::Layer::visit_params)); optimizers, freezing, saving and
//! the summary see nothing else.
//!
//! `gradient.rs` implements the operations on a gradient, `stored.rs` its representations.

mod gradient;
mod stored;

pub use stored::{Gradient, GradientMut};
pub(crate) use stored::{PendingGradient, SMALL_PRODUCT};

use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, lined, slice, slice_mut};
use serde::{Deserialize, Serialize};
use stored::Stored;

/// How training treats a parameter.
///
/// | kind | optimizer | gradient | saved | Keras | PyTorch |
/// |---|---|---|---|---|---|
/// | `Trainable` | changes it | yes | yes | `trainable=True` | `requires_grad=True` |
/// | `Frozen` | skips it | no | yes | `trainable=False` | `requires_grad=False` |
/// | `Buffer` | skips it | no | yes | a non-trainable weight | `register_buffer` |
///
/// A frozen parameter and a buffer differ in who changes the values: `unfreeze` makes the former trainable again and
/// leaves the latter alone. A file stores the kind, so frozen layers are still frozen after loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamKind {
    /// The optimizer changes it.
    Trainable,
    /// The optimizer skips it until it is made trainable again; its gradient is not computed.
    Frozen,
    /// The layer itself updates it (e.g. a running mean); it is saved and restored like a parameter, and has no
    /// gradient.
    Buffer,
}

/// An array that a layer owns, with its gradient.
///
/// The value and the kind are saved with the layer; the gradient is not. The value is always in row-major order.
///
/// ```
/// use plywood::ndarray::{arr1, arr2};
/// use plywood::nn::{Gradient, Param};
///
/// let mut scale = Param::new(arr1(&[1.0, 2.0]));
/// scale.add_gradient(&arr1(&[0.5, 0.5]).into_dyn())?;
/// assert!(matches!(scale.gradient(), Some(Gradient::Dense(g)) if g[[1]] == 0.5));
///
/// let mut table = Param::new(arr2(&[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]));
/// table.add_gradient_rows(&[2], arr2(&[[1.0, 1.0]]).view())?; // costs what it touches
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Memory: the size of the value, and as much again for the gradient from the first backward pass on. The optimizer
/// stores its own state (momentum, Adam's moments). A clone copies the value and the gradient.
///
/// A parameter never changes its shape: [`set_value`](Param::set_value) refuses another one, and the layer has to be
/// rebuilt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Param<F: Scalar = f32> {
    #[serde(with = "codec::tensor")]
    value: Tensor<F>,
    kind: ParamKind,
    /// True if state dicts hold it transposed: see [`transposed_in_state_dicts`](Param::transposed_in_state_dicts).
    transposed: bool,
    #[serde(skip)]
    gradient: Stored<F>,
    /// The number of samples that the gradient is a mean over; 0 if it was not set.
    #[serde(skip)]
    samples: u64,
}

impl<F: Scalar> Param<F> {
    /// Creates a trainable parameter with this initial value.
    ///
    /// Takes an array with any number of axes, in any memory layout. One that is not row-major is copied into that
    /// order. One of up to 4 MiB that does not start at a cache line is copied to an address that does.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::Param;
    ///
    /// let kernel = Param::new(arr2(&[[1.0f32, 2.0], [3.0, 4.0]]).reversed_axes());
    /// assert_eq!(kernel.as_slice(), [1.0, 3.0, 2.0, 4.0]);
    /// assert!(kernel.is_trainable());
    /// ```
    pub fn new<D: ndarray::Dimension>(value: ndarray::Array<F, D>) -> Self {
        let (kind, gradient) = (ParamKind::Trainable, Stored::None);
        Self { value: lined(value.into_dyn()), kind, transposed: false, gradient, samples: 0 }
    }

    /// Sets whether PyTorch stores this matrix transposed (default: false): state dicts
    /// ([`save_weights`](crate::io::Weights::save_weights)) then hold it with its two axes exchanged.
    ///
    /// [`Dense`](crate::nn::Dense) has its weight as `[inputs, units]`, PyTorch's `nn.Linear` as `[units, inputs]`.
    /// Nothing changes in memory or in Plywood's own files.
    ///
    /// ```
    /// use plywood::nn::Param;
    ///
    /// let weight = Param::<f32>::new(plywood::ndarray::Array2::zeros((3, 2))).transposed_in_state_dicts(true);
    /// assert_eq!(weight.shape(), [3, 2]);
    /// ```
    #[must_use]
    pub fn transposed_in_state_dicts(mut self, transposed: bool) -> Self {
        self.transposed = transposed;
        self
    }

    /// Returns whether state dicts hold it transposed.
    pub(crate) fn is_transposed(&self) -> bool {
        self.transposed && self.value.ndim() == 2
    }

    /// Creates a buffer with this initial value.
    ///
    /// Use it for what a layer measures rather than learns: a running mean, a count, a codebook updated by averaging.
    ///
    /// ```
    /// use plywood::ndarray::arr1;
    /// use plywood::nn::{Param, ParamKind};
    ///
    /// let mut mean = Param::buffer(arr1(&[0.0f32; 3]));
    /// mean.as_slice_mut()[0] = 0.5; // the layer itself writes it, in `forward_train`
    /// mean.add_gradient(&arr1(&[1.0; 3]).into_dyn())?; // and nothing else does
    /// assert_eq!((mean.kind(), mean.gradient().is_none()), (ParamKind::Buffer, true));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn buffer<D: ndarray::Dimension>(value: ndarray::Array<F, D>) -> Self {
        Self { kind: ParamKind::Buffer, ..Self::new(value) }
    }

    /// Returns the values.
    ///
    /// The shape is without a batch axis.
    pub fn value(&self) -> &Tensor<F> {
        &self.value
    }

    /// Returns the values as a slice, in row-major order.
    ///
    /// No copy; the last axis varies fastest.
    pub fn as_slice(&self) -> &[F] {
        slice(&self.value)
    }

    /// Returns the values as a mutable slice, in row-major order.
    ///
    /// An optimizer or a layer uses it to change single values in place. The gradient is not touched.
    pub fn as_slice_mut(&mut self) -> &mut [F] {
        slice_mut(&mut self.value)
    }

    /// Replaces the values.
    ///
    /// Use it for weights from elsewhere. The kind and the gradient stay as they are. PyTorch stores the weight of a
    /// linear layer transposed, so transpose it first:
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::Param;
    ///
    /// let mut weight = Param::<f32>::new(plywood::ndarray::Array2::zeros((3, 2)));
    /// let torch = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]); // [units, inputs]
    /// let text = weight.set_value(torch.clone().into_dyn()).unwrap_err().to_string();
    /// assert!(text.starts_with("the value must have shape [3, 2], got [2, 3]."));
    /// weight.set_value(torch.reversed_axes().into_dyn())?;
    /// assert_eq!(weight.as_slice(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the shape differs.
    pub fn set_value(&mut self, value: Tensor<F>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let expected = format!("{:?}", self.value.shape());
            return Err(Error::shape("the value", expected, value.shape())
                .help("A parameter keeps its shape; build the layer again to change it."));
        }
        self.value = lined(value);
        Ok(())
    }

    /// Swaps the values with others of the same shape in standard layout. The arrays are swapped; nothing is copied.
    pub(crate) fn exchange(&mut self, other: &mut Tensor<F>) {
        debug_assert!(other.shape() == self.value.shape() && other.is_standard_layout());
        std::mem::swap(&mut self.value, other);
    }

    /// Returns the shape.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// Returns the number of values.
    ///
    /// It is the product of the shape; 1 for a parameter without axes.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Returns the kind.
    pub fn kind(&self) -> ParamKind {
        self.kind
    }

    /// Returns whether the optimizer changes it, so that a backward pass has to compute its gradient.
    ///
    /// A layer calls it to avoid computing a gradient that is not needed. [`accumulate`](Param::accumulate) and
    /// [`add_gradient`](Param::add_gradient) check it themselves.
    pub fn is_trainable(&self) -> bool {
        self.kind == ParamKind::Trainable
    }

    /// Freezes a trainable parameter; a buffer stays a buffer.
    ///
    /// Discards the gradient and frees its memory.
    pub fn freeze(&mut self) {
        if self.kind == ParamKind::Trainable {
            self.kind = ParamKind::Frozen;
            (self.gradient, self.samples) = (Stored::None, 0);
        }
    }

    /// Makes a frozen parameter trainable again; a buffer stays a buffer.
    ///
    /// It has no gradient at first. An optimizer that stores moments by name continues with those from before the
    /// freeze.
    pub fn unfreeze(&mut self) {
        if self.kind == ParamKind::Frozen {
            self.kind = ParamKind::Trainable;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr1;

    #[test]
    fn frozen_parameters_and_buffers_have_no_gradient() {
        let mut p = Param::new(arr1(&[1f32]));
        p.freeze();
        p.add_gradient(&arr1(&[1.]).into_dyn()).unwrap();
        assert!(p.gradient().is_none() && p.accumulate().is_none());
        p.unfreeze();
        assert!(p.is_trainable());
        let mut b = Param::buffer(arr1(&[1f32]));
        b.freeze();
        b.unfreeze();
        assert_eq!(b.kind(), ParamKind::Buffer);
    }
}
