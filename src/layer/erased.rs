//! Layers without their types, as containers hold them. Users never see this.

use super::{Layer, Link};
use crate::codec;
use crate::error::Result;
use crate::param::Param;
use crate::scalar::Scalar;
use crate::tensor::Tensor;
use std::any::Any;
use std::fmt::Debug;

/// A place for one layer's cache. The box stays when the cache is taken out of it, so it is allocated once.
pub(crate) type CacheSlot = Option<Box<dyn Any + Send + Sync>>;

/// The object-safe mirror of [`Layer`]; its names are prefixed so that both may be in scope.
pub(crate) trait ErasedLayer<F: Scalar>: Debug + Send + Sync {
    fn erased_kind(&self) -> &'static str;
    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;
    fn erased_forward(&self, input: Tensor<F>) -> Result<Tensor<F>>;
    fn erased_forward_train(&mut self, input: Tensor<F>, slot: &mut CacheSlot) -> Result<Tensor<F>>;
    fn erased_backward(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<Tensor<F>>;
    fn erased_backward_params(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<()>;
    fn erased_link(&self) -> Link;
    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>));
    fn erased_visit_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>));
    fn erased_clone(&self) -> Box<dyn ErasedLayer<F>>;
    fn erased_encode(&self) -> Result<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<F: Scalar, L: Layer<F>> ErasedLayer<F> for L {
    fn erased_kind(&self) -> &'static str {
        L::KIND
    }

    fn erased_output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.output_shape(input)
    }

    fn erased_forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        self.forward(input)
    }

    fn erased_forward_train(&mut self, input: Tensor<F>, slot: &mut CacheSlot) -> Result<Tensor<F>> {
        let (output, cache) = self.forward_train(input)?;
        match slot.as_mut().and_then(|slot| slot.downcast_mut::<Option<L::Cache>>()) {
            Some(place) => *place = Some(cache),
            None => *slot = Some(Box::new(Some(cache))),
        }
        Ok(output)
    }

    fn erased_backward(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<Tensor<F>> {
        let cache = take::<F, L>(slot)?;
        self.backward(cache, grad)
    }

    fn erased_backward_params(&mut self, slot: &mut CacheSlot, grad: Tensor<F>) -> Result<()> {
        let cache = take::<F, L>(slot)?;
        self.backward_params(cache, grad)
    }

    fn erased_link(&self) -> Link {
        self.link()
    }

    fn erased_visit(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.visit_params(visit);
    }

    fn erased_visit_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        self.visit_params_mut(visit);
    }

    fn erased_clone(&self) -> Box<dyn ErasedLayer<F>> {
        Box::new(self.clone())
    }

    fn erased_encode(&self) -> Result<Vec<u8>> {
        codec::encode(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn take<F: Scalar, L: Layer<F>>(slot: &mut CacheSlot) -> Result<L::Cache> {
    let cache = slot.as_mut().and_then(|slot| slot.downcast_mut::<Option<L::Cache>>()).and_then(Option::take);
    cache.ok_or_else(|| {
        crate::error::Error::custom("expected the cache of this model's forward_train, found another model's")
            .help("Give `backward` the cache that `forward_train` of the same model returned.")
    })
}
