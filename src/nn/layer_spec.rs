//! [`LayerSpec`]: a layer before the shape of its input is known.

use super::layer::Layer;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::random::Random;

/// Builds a layer once the shape of its input is known: `Dense::units(128)` learns its fan-in this way.
///
/// Every [`Layer`] is its own spec. Write a custom spec for a layer whose parameters depend on the input.
///
/// ```
/// use plywood::prelude::*;
///
/// /// Two Dense layers with a ReLU between, the first as wide as the input.
/// struct Block;
///
/// impl LayerSpec for Block {
///     type Layer = Sequential;
///     fn build(self, input: &[usize], random: &Random) -> Result<Sequential> {
///         let width = input.iter().product();
///         Sequential::block().layer(Dense::units(width)).layer(ReLU).layer(Dense::units(4)).build_for(input, random)
///     }
/// }
///
/// let model = Sequential::builder([8]).layer(Block).build()?;
/// assert_eq!(model.output_shape(), [4]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// `build` consumes the spec. In Keras a layer is its own spec and creates its weights at the first call; PyTorch needs
/// the size of the input (`nn.Linear(784, 128)`) or a `LazyLinear`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a layer nor a layer's spec, for models of `{F}`",
    note = "implement `plywood::nn::Layer<{F}>` or `plywood::nn::LayerSpec<{F}>` for it"
)]
pub trait LayerSpec<F: Scalar = f32> {
    /// The layer that it builds.
    type Layer: Layer<F>;

    /// Builds the layer for inputs of this shape (without the batch axis), with initial values drawn from `random`.
    ///
    /// Draw each parameter from `random.child("its name")`, so that adding one leaves the initial values of the others
    /// unchanged.
    ///
    /// # Errors
    /// When the layer cannot take such an input, or a hyperparameter is out of range.
    fn build(self, input: &[usize], random: &Random) -> Result<Self::Layer>;

    /// Builds a layer with several inputs ([`Layer::ports`]) for a first input of this shape, and the other inputs that
    /// are given, by name. The default calls [`build`](LayerSpec::build) with the first.
    ///
    /// # Errors
    /// As [`build`](LayerSpec::build).
    fn build_ports(self, input: &[usize], others: &[(&str, &[usize])], random: &Random) -> Result<Self::Layer>
    where
        Self: Sized,
    {
        let _ = others;
        self.build(input, random)
    }
}

impl<F: Scalar, L: Layer<F>> LayerSpec<F> for L {
    type Layer = L;

    fn build(self, _: &[usize], _: &Random) -> Result<L> {
        Ok(self)
    }
}
