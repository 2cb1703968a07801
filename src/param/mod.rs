//! A layer's numbers: trained, frozen, or kept beside (buffers).
//!
//! A [`Param`] joins what belongs together: the numbers, what training may do with them, and the gradient that
//! backward passes have added up. Layers show their parameters by name
//! ([`visit_params`](crate::nn::Layer::visit_params)); optimizers, freezing, saving and the summary see nothing else.
//!
//! What becomes of a gradient is in `gradient.rs`, and which forms it has in `stored.rs`.

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

/// What becomes of a parameter in training.
///
/// | kind | optimizer | gradient | saved | Keras | PyTorch |
/// |---|---|---|---|---|---|
/// | `Trainable` | changes it | yes | yes | `trainable=True` | `requires_grad=True` |
/// | `Frozen` | leaves it | no | yes | `trainable=False` | `requires_grad=False` |
/// | `Buffer` | leaves it | no | yes | a non-trainable weight | `register_buffer` |
///
/// A frozen parameter and a buffer differ in who owns the numbers: `unfreeze` turns the first back into a trainable
/// one and leaves the second alone. A file stores the kind, so a model saved with frozen layers loads with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamKind {
    /// The optimizer changes it.
    Trainable,
    /// The optimizer leaves it alone, until it is made trainable again; its gradient is not computed.
    Frozen,
    /// The layer itself keeps it (a running mean); it is saved and restored with the rest, and has no gradient.
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
/// Memory: as many bytes as the value has, and as many again for the gradient from the first backward pass on; an
/// optimizer's own state (momentum, Adam's moments) is kept by the optimizer. A clone copies both.
///
/// A parameter never changes its shape. [`set_value`](Param::set_value) refuses another one; the layer would have to
/// be built anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Param<F: Scalar = f32> {
    #[serde(with = "codec::tensor")]
    value: Tensor<F>,
    kind: ParamKind,
    /// In state dicts, see [`transposed_in_state_dicts`](Param::transposed_in_state_dicts).
    transposed: bool,
    #[serde(skip)]
    gradient: Stored<F>,
    /// Over how many samples the gradient is a mean; 0 where nobody said it.
    #[serde(skip)]
    samples: u64,
}

impl<F: Scalar> Param<F> {
    /// A trainable parameter with this initial value.
    ///
    /// An array of any number of axes, in any order in memory; one that is not row-major is copied into that order, and
    /// one of up to 4 MiB that does not begin at a line of the caches to a place that does.
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

    /// Whether PyTorch keeps this matrix the other way round: state dicts
    /// ([`save_weights`](crate::nn::Sequential::save_weights)) then hold it with its two axes exchanged.
    ///
    /// [`Dense`](crate::nn::Dense) has its weight as `[inputs, units]`, PyTorch's `nn.Linear` as `[units, inputs]`. In
    /// memory and in Plywood's own files nothing changes.
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

    /// Whether state dicts have it the other way round.
    pub(crate) fn is_transposed(&self) -> bool {
        self.transposed && self.value.ndim() == 2
    }

    /// A buffer with this initial value.
    ///
    /// For what a layer measures rather than learns: a running mean, a count, a codebook that is updated by
    /// averaging.
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

    /// The numbers.
    ///
    /// The shape is the layer's own, without a batch axis.
    pub fn value(&self) -> &Tensor<F> {
        &self.value
    }

    /// The numbers as a slice, in row-major order.
    ///
    /// No copy; the last axis runs fastest.
    pub fn as_slice(&self) -> &[F] {
        slice(&self.value)
    }

    /// The numbers as a mutable slice, in row-major order.
    ///
    /// The one way for an optimizer or a layer to change single numbers in place. The gradient is not touched.
    pub fn as_slice_mut(&mut self) -> &mut [F] {
        slice_mut(&mut self.value)
    }

    /// Puts other numbers in their place.
    ///
    /// For weights that come from elsewhere. The kind and the gradient stay as they are. PyTorch keeps a linear
    /// layer's weight the other way round, so it has to be transposed first:
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
    /// When the shape is another one.
    pub fn set_value(&mut self, value: Tensor<F>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let expected = format!("{:?}", self.value.shape());
            return Err(Error::shape("the value", expected, value.shape())
                .help("A parameter keeps its shape; build the layer again to change it."));
        }
        self.value = lined(value);
        Ok(())
    }

    /// Swaps the numbers with others of the same shape in standard layout. The arrays change places; nothing is
    /// copied.
    pub(crate) fn exchange(&mut self, other: &mut Tensor<F>) {
        debug_assert!(other.shape() == self.value.shape() && other.is_standard_layout());
        std::mem::swap(&mut self.value, other);
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// How many numbers there are.
    ///
    /// The product of the shape; 1 for a parameter without axes.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The kind.
    pub fn kind(&self) -> ParamKind {
        self.kind
    }

    /// Whether the optimizer changes it, and a backward pass has to compute its gradient.
    ///
    /// A layer asks before it computes a gradient that nobody wants. [`accumulate`](Param::accumulate) and
    /// [`add_gradient`](Param::add_gradient) ask by themselves.
    pub fn is_trainable(&self) -> bool {
        self.kind == ParamKind::Trainable
    }

    /// Freezes a trainable parameter; a buffer stays one.
    ///
    /// What had been added to its gradient is forgotten and the buffer is freed.
    pub fn freeze(&mut self) {
        if self.kind == ParamKind::Trainable {
            self.kind = ParamKind::Frozen;
            (self.gradient, self.samples) = (Stored::None, 0);
        }
    }

    /// Makes a frozen parameter trainable again; a buffer stays one.
    ///
    /// The gradient begins at none. An optimizer that keeps moments by name goes on with those from before the
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
