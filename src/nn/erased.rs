//! Type-erased layers, as containers hold them. This module is private.
//!
//! [`Layer`] has an associated type, its cache, and a constant, so there is no `dyn Layer`. A container needs one list
//! of layers of different types. [`ErasedInfer`] and [`ErasedLayer`] provide it: the same methods without the associated
//! type, implemented once for every layer.
//!
//! ```text
//! Dense<f32> ─┐                                   forward_train: Dense::Cache ──┐
//! Softmax     ├─ impl ErasedLayer ─> Box<dyn ErasedLayer<f32>>                  v
//! yours       ─┘                                  slot: Option<Box<dyn Any>> = Some(Box(Kept(Some(cache))))
//! ```
//!
//! Only the cache needs erasing, to a `Box<dyn Any>`. The box holds an `Option` (`Kept`), so that `backward` can take the cache
//! out by value and leave the box for the next step: after the first training step, nothing is allocated for it. A
//! cache of another type in the slot came from another model, and is an error, not a panic.
//!
//! A call costs one virtual call and, in training, one comparison of type ids: a few nanoseconds, against the
//! microseconds of a matrix product.

use super::decode_scope::encode_layer;
use super::io::{Io, PortGradients};
use super::layer::Layer;
use super::node::Node;
use super::output_activation::{OutputActivation, WithoutActivation};
use super::parts::{AnyLayer, BoxedLayer, Part};
use super::ports::Ports;
use super::wiring::Wiring;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::param::Param;
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;
use std::marker::PhantomData;

/// A slot for one layer's cache. The box stays when the cache is taken out of it, so it is allocated once.
///
/// It is `None` before the first forward pass. Between a backward pass and the next forward pass, the box holds an
/// empty `Option`.
pub(crate) type CacheSlot = Option<Box<dyn Any + Send + Sync>>;

/// Which function a forward pass with a cache computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// That of training: [`Layer::forward_train`].
    Train,
    /// That of inference: [`Layer::forward_eval`].
    Eval,
}

impl Mode {
    /// Runs a layer's pass with a cache in this mode.
    pub fn forward<F: Scalar, L: Layer<F>>(
        self,
        layer: &mut L,
        input: Tensor<F>,
    ) -> Result<(Tensor<F>, L::Cache)> {
        match self {
            Self::Train => layer.forward_train(input),
            Self::Eval => layer.forward_eval(input),
        }
    }

    /// [`forward`](Self::forward) without the layer's final activation.
    pub fn forward_logits<F: Scalar, L: Layer<F>>(
        self,
        layer: &mut L,
        input: Tensor<F>,
    ) -> Result<(Tensor<F>, L::Cache)> {
        match self {
            Self::Train => layer.forward_train_logits(input),
            Self::Eval => layer.forward_eval_logits(input),
        }
    }
}

/// The part of [`Layer`] that inference needs, as an object-safe trait; its method names have a prefix so that both traits
/// may be in scope.
///
/// It is a table of its own, below that of training, so that a program that only infers contains no backward pass.
pub(crate) trait ErasedInfer<F: Scalar>: AnyLayer<F> {
    /// [`Layer::forward_cow`].
    fn erased_forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>>;
    /// [`Layer::activation`].
    fn erased_activation(&self) -> OutputActivation;
    /// [`Layer::without_activation`]; always `Unsaid` if the activation is not one that a loss can fuse.
    fn erased_without_activation(&self) -> WithoutActivation;
    /// [`Layer::forward_logits`].
    fn erased_forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>>;
    /// [`Layer::output_activation`].
    fn erased_output_activation(&self, input: OutputActivation) -> OutputActivation;
    /// [`Layer::keeps_steps`].
    fn erased_keeps_steps(&self, input: &[usize]) -> bool;
    /// [`Layer::ports`].
    fn erased_ports(&self) -> Ports;
    /// [`Layer::output_shapes`].
    fn erased_output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>>;
    /// [`Layer::forward_ports`].
    fn erased_forward_ports(&self, io: &mut Io<'_, F>) -> Result<()>;
    /// Returns the layer's bytes, without its kind. The registry decodes them.
    fn erased_encode(&self) -> Result<Vec<u8>>;
    /// Returns the layer as a part of a summary.
    fn erased_any(&self) -> &dyn AnyLayer<F>;
}

/// The object-safe version of [`Layer`].
///
/// A custom container is generic over its parts instead (docs/extending.md, "A container") and does not need this
/// trait, which can therefore stay private and change freely.
pub(crate) trait ErasedLayer<F: Scalar>: ErasedInfer<F> {
    /// [`Layer::forward`].
    fn erased_forward(&self, input: Tensor<F>) -> Result<Tensor<F>>;
    /// [`Layer::forward_train`] or [`Layer::forward_eval`]; the cache goes into the slot. On failure the slot keeps its
    /// old content.
    fn erased_forward_in(&mut self, mode: Mode, input: Tensor<F>, slot: &mut CacheSlot) -> Result<Tensor<F>>;
    /// [`Layer::backward`] with the cache from the slot. The slot is empty afterwards: a second call is an error.
    fn erased_backward(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<Tensor<F>>;
    /// [`Layer::backward_params`], likewise.
    fn erased_backward_params(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<()>;
    /// [`Layer::forward_train_ports`]; the cache goes into the slot.
    fn erased_forward_train_ports(&mut self, io: &mut Io<'_, F>, slot: &mut CacheSlot) -> Result<()>;
    /// [`Layer::backward_ports`] with the cache from the slot.
    fn erased_backward_ports(
        &mut self,
        slot: &mut CacheSlot,
        gradients: &mut PortGradients<'_, F>,
    ) -> Result<()>;
    /// [`Layer::check_batch_size`].
    fn erased_check_batch_size(&self, input: &[usize], samples: usize) -> Result<()>;
    /// [`Layer::forward_train_logits`] or [`Layer::forward_eval_logits`]; the cache goes into the slot.
    fn erased_forward_logits_in(
        &mut self,
        mode: Mode,
        input: Tensor<F>,
        slot: &mut CacheSlot,
    ) -> Result<Tensor<F>>;
    /// [`Layer::training_activation`].
    fn erased_training_activation(&self, input: OutputActivation) -> OutputActivation;
    /// [`Layer::wiring`].
    fn erased_wiring(&self) -> Wiring;
    /// [`Layer::boxed_parts`], with the table of training.
    fn erased_boxed_parts(&self) -> Vec<Box<dyn ErasedLayer<F>>>;
    /// Returns the layer as its own type.
    fn as_own_type(&self) -> &dyn Any;
    /// [`Layer::visit_params_mut`], with the layer's own names.
    fn erased_visit_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>));
    /// `Clone` returns `Self` and is therefore not object-safe.
    fn erased_clone(&self) -> Box<dyn ErasedLayer<F>>;
}

impl<F: Scalar, L: Layer<F>> AnyLayer<F> for L {
    fn erased_kind(&self) -> &'static str {
        L::KIND.name()
    }

    fn erased_label(&self) -> &str {
        self.label()
    }

    fn erased_makes_lengths(&self) -> bool {
        self.ports().makes_any()
    }

    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.output_shape(input)
    }

    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.visit_params(visit);
    }

    fn erased_parts(&self, input: &[usize]) -> Vec<Part<'_, F>> {
        self.parts(input)
    }

    fn erased_nodes(&self, input: &[usize]) -> Vec<Node> {
        self.inner_nodes(input)
    }
}

impl<F: Scalar, L: Layer<F>> ErasedInfer<F> for L {
    fn erased_forward_cow<'a>(&self, input: CowTensor<'a, F>) -> Result<CowTensor<'a, F>> {
        self.forward_cow(input)
    }

    fn erased_activation(&self) -> OutputActivation {
        self.activation()
    }

    fn erased_without_activation(&self) -> WithoutActivation {
        self.without_activation()
    }

    fn erased_forward_logits(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward_logits(input)
    }

    fn erased_output_activation(&self, input: OutputActivation) -> OutputActivation {
        self.output_activation(input)
    }

    fn erased_keeps_steps(&self, input: &[usize]) -> bool {
        self.keeps_steps(input)
    }

    fn erased_ports(&self) -> Ports {
        self.ports()
    }

    fn erased_output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        self.output_shapes(inputs)
    }

    fn erased_forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        self.forward_ports(io)
    }

    fn erased_encode(&self) -> Result<Vec<u8>> {
        encode_layer(self)
    }

    fn erased_any(&self) -> &dyn AnyLayer<F> {
        self
    }
}

impl<F: Scalar, L: Layer<F>> ErasedLayer<F> for L {
    fn erased_forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward(input)
    }

    fn erased_forward_in(&mut self, mode: Mode, input: Tensor<F>, slot: &mut CacheSlot) -> Result<Tensor<F>> {
        mode.forward(self, input).map(|(output, cache)| put::<F, L, _>(slot, cache, output))
    }

    fn erased_backward(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<Tensor<F>> {
        let cache = take::<F, L>(slot)?;
        self.backward(cache, grad)
    }

    fn erased_backward_params(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<()> {
        let cache = take::<F, L>(slot)?;
        self.backward_params(cache, grad)
    }

    fn erased_forward_train_ports(&mut self, io: &mut Io<'_, F>, slot: &mut CacheSlot) -> Result<()> {
        let cache = self.forward_train_ports(io)?;
        put::<F, L, ()>(slot, cache, ());
        Ok(())
    }

    fn erased_backward_ports(
        &mut self,
        slot: &mut CacheSlot,
        gradients: &mut PortGradients<'_, F>,
    ) -> Result<()> {
        let cache = take::<F, L>(slot)?;
        self.backward_ports(cache, gradients)
    }

    fn erased_check_batch_size(&self, input: &[usize], samples: usize) -> Result<()> {
        self.check_batch_size(input, samples)
    }

    fn erased_forward_logits_in(
        &mut self,
        mode: Mode,
        input: Tensor<F>,
        slot: &mut CacheSlot,
    ) -> Result<Tensor<F>> {
        mode.forward_logits(self, input).map(|(output, cache)| put::<F, L, _>(slot, cache, output))
    }

    fn erased_training_activation(&self, input: OutputActivation) -> OutputActivation {
        self.training_activation(input)
    }

    fn erased_wiring(&self) -> Wiring {
        self.wiring()
    }

    fn erased_boxed_parts(&self) -> Vec<Box<dyn ErasedLayer<F>>> {
        let boxes =
            self.boxed_parts().into_iter().map(|part| part.layer.downcast::<Box<dyn ErasedLayer<F>>>());
        boxes.filter_map(|part| part.ok().map(|part| *part)).collect()
    }

    fn as_own_type(&self) -> &dyn Any {
        self
    }

    fn erased_visit_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        self.visit_params_mut(visit);
    }

    fn erased_clone(&self) -> Box<dyn ErasedLayer<F>> {
        Box::new(self.clone())
    }
}

impl<F: Scalar> Clone for Box<dyn ErasedLayer<F>> {
    fn clone(&self) -> Self {
        (**self).erased_clone()
    }
}

impl<F: Scalar> BoxedLayer<F> {
    /// Puts a layer into a box.
    pub fn new<L: Layer<F>>(layer: L) -> Self {
        Self::of(Box::new(layer))
    }

    pub(in crate::nn) fn of(layer: Box<dyn ErasedLayer<F>>) -> Self {
        Self { layer: Box::new(layer), element: PhantomData }
    }
}

/// The content of a slot: a layer's cache, until it is taken. Its type names the layer, because layers of several types
/// may have caches of one type.
struct Kept<F: Scalar, L: Layer<F>>(Option<L::Cache>, PhantomData<fn() -> (F, L)>);

/// Puts the cache into the existing box, or into a new one, and returns the output.
fn put<F: Scalar, L: Layer<F>, T>(slot: &mut CacheSlot, cache: L::Cache, output: T) -> T {
    match slot.as_mut().and_then(|slot| slot.downcast_mut::<Kept<F, L>>()) {
        Some(place) => place.0 = Some(cache),
        None => *slot = Some(Box::new(Kept::<F, L>(Some(cache), PhantomData))),
    }
    output
}

/// Takes the cache out and leaves the box. Fails if no cache was ever put there, if it was already taken, or if it is that
/// of a layer of another type.
fn take<F: Scalar, L: Layer<F>>(slot: &mut CacheSlot) -> Result<L::Cache> {
    let kept = slot.as_mut().and_then(|slot| slot.downcast_mut::<Kept<F, L>>());
    kept.and_then(|kept| kept.0.take()).ok_or_else(other_cache)
}

/// The error for the cache of another model, or one that was used before.
pub(crate) fn other_cache() -> Error {
    Error::custom(
        "the cache must be that of this model's last forward pass, got another model's or a used one",
    )
    .help("Give the backward pass the cache that the forward pass of the same model returned, once.")
}
