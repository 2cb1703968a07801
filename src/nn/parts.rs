//! The layers inside a layer, for code that walks through a model.

use super::node::Node;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::param::Param;
use std::any::Any;
use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::marker::PhantomData;

/// The type-erased interface of a part; every [`Layer`](super::Layer) implements it.
///
/// It depends on neither the layers nor the containers, so that both can use it.
pub trait AnyLayer<F: Scalar>: Debug + Send + Sync {
    /// [`Layer::KIND`](super::Layer::KIND), which is also the layer's name in a saved file.
    fn erased_kind(&self) -> &'static str;
    /// [`Layer::label`](super::Layer::label).
    fn erased_label(&self) -> &str {
        self.erased_kind()
    }
    /// Whether its output may have lengths of sequences that it makes.
    fn erased_makes_lengths(&self) -> bool {
        false
    }
    /// [`Layer::output_shape`](super::Layer::output_shape).
    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;
    /// [`Layer::visit_params`](super::Layer::visit_params), with the layer's own names.
    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>));
    /// [`Layer::parts`](super::Layer::parts).
    fn erased_parts(&self, input: &[usize]) -> Vec<Part<'_, F>>;
    /// The nodes inside of it.
    fn erased_nodes(&self, input: &[usize]) -> Vec<Node>;
}

/// A layer inside a container, as returned by [`Layer::parts`](super::Layer::parts): its name, the shape of its input,
/// and the layer itself.
///
/// ```
/// use plywood::nn::Part;
/// use plywood::prelude::*;
///
/// let model = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
/// let parts: Vec<Part<'_, f32>> = model.parts(&[4]);
/// assert_eq!((parts[1].name(), parts[1].input(), parts[1].kind()), ("1", &[3][..], "softmax"));
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Part<'a, F: Scalar = f32> {
    name: Cow<'a, str>,
    input: Cow<'a, [usize]>,
    pub(in crate::nn) layer: &'a dyn AnyLayer<F>,
}

impl<'a, F: Scalar> Part<'a, F> {
    /// Creates a part with this name, for inputs of this shape (without the batch axis).
    ///
    /// In the names of the part's parameters, the container puts this name before the full stop: "body" in
    /// "body.weight". The layer is passed by reference, `&self.body`.
    pub fn new(
        name: impl Into<Cow<'a, str>>,
        input: impl Into<Cow<'a, [usize]>>,
        layer: &'a dyn AnyLayer<F>,
    ) -> Self {
        Self { name: name.into(), input: input.into(), layer }
    }

    /// Returns the part's name in its container.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the shape of one input, without the batch axis.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// Returns the layer's name in the summary: see [`Layer::label`](super::Layer::label).
    pub fn label(&self) -> &str {
        self.layer.erased_label()
    }

    /// Returns the layer's [`KIND`](super::Layer::KIND).
    pub fn kind(&self) -> &'static str {
        self.layer.erased_kind()
    }
}

/// A copy of a layer inside a container, of any type, as returned by [`Layer::boxed_parts`](super::Layer::boxed_parts).
///
/// ```
/// use plywood::nn::BoxedLayer;
/// use plywood::prelude::*;
///
/// let dense: Dense = Dense::units(3).build(&[4], &Random::seed(0))?;
/// let parts = vec![BoxedLayer::new(dense.clone()), BoxedLayer::<f32>::new(ReLU)];
/// assert_eq!(parts.len(), 2);
/// # Ok::<(), plywood::Error>(())
/// ```
pub struct BoxedLayer<F: Scalar = f32> {
    /// A box with the table of training, which this file does not know.
    pub(in crate::nn) layer: Box<dyn Any + Send + Sync>,
    pub(in crate::nn) element: PhantomData<F>,
}

impl<F: Scalar> Debug for BoxedLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedLayer").finish_non_exhaustive()
    }
}
