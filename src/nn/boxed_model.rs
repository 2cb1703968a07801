//! Boxed and shared models are models, so that what [`load`](crate::load) returns is used like any other.

use super::model::{infer_as, sealed};
use super::{Infer, Model, ModelCache, Node, OutputActivation, Parameters, Port};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::param::Param;
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;
use std::sync::Arc;

impl<M: sealed::Sealed + ?Sized> sealed::Sealed for Box<M> {}
impl<M: sealed::Sealed + ?Sized> sealed::Sealed for Arc<M> {}

impl<F: Scalar, M: Infer<F> + ?Sized> Infer<F> for Box<M> {
    infer_as!(model => &**model);

    fn as_infer(&self) -> &dyn Infer<F> {
        (**self).as_infer()
    }
}

/// Threads that predict share a model by an `Arc`.
impl<F: Scalar, M: Infer<F> + ?Sized> Infer<F> for Arc<M> {
    infer_as!(model => &**model);

    fn as_infer(&self) -> &dyn Infer<F> {
        (**self).as_infer()
    }
}

impl<F: Scalar> Clone for Box<dyn Model<F>> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

impl<F: Scalar> Parameters<F> for Box<dyn Model<F>> {
    fn each_param(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        (**self).each_param(visit);
    }

    fn each_param_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        (**self).each_param_mut(visit);
    }
}

impl<F: Scalar> Model<F> for Box<dyn Model<F>> {
    fn train(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        (**self).train(inputs, logits, outputs)
    }

    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()> {
        (**self).learn(cache, gradients)
    }

    fn eval(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        (**self).eval(inputs, logits, outputs)
    }

    fn input_gradients(
        &mut self,
        cache: ModelCache,
        gradients: &mut [Option<Tensor<F>>],
        inputs: &mut [Option<Tensor<F>>],
    ) -> Result<()> {
        (**self).input_gradients(cache, gradients, inputs)
    }

    fn known_values_in_training(&self, output: usize) -> OutputActivation {
        (**self).known_values_in_training(output)
    }

    fn check_samples(&self, samples: usize) -> Result<()> {
        (**self).check_samples(samples)
    }

    fn non_finite_parameter(&self) -> Option<String> {
        (**self).non_finite_parameter()
    }

    fn as_model(&mut self) -> &mut dyn Model<F> {
        (**self).as_model()
    }

    fn boxed(&self) -> Box<dyn Model<F>> {
        (**self).boxed()
    }

    fn replace_by(&mut self, other: Box<dyn Model<F>>) -> Result<()> {
        (**self).replace_by(other)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        (*self).into_any()
    }
}
