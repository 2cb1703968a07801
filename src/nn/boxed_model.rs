//! A boxed model is a model, so that what [`load`](crate::load) returns is used like any other.

use super::model::sealed;
use super::{Infer, Model, ModelCache, OutputActivation, Parameters, Port};
use crate::error::Result;
use crate::kernels::Scalar;
use crate::param::Param;
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;

impl<F: Scalar> sealed::Sealed for Box<dyn Model<F>> {}

impl<F: Scalar> Parameters<F> for Box<dyn Model<F>> {
    fn each_param(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        (**self).each_param(visit);
    }

    fn each_param_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        (**self).each_param_mut(visit);
    }
}

impl<F: Scalar> Infer<F> for Box<dyn Model<F>> {
    fn inputs(&self) -> &[Port] {
        (**self).inputs()
    }

    fn outputs(&self) -> &[Port] {
        (**self).outputs()
    }

    fn final_activation(&self, output: usize) -> OutputActivation {
        (**self).final_activation(output)
    }

    fn known_values(&self, output: usize) -> OutputActivation {
        (**self).known_values(output)
    }

    fn infer<'a>(
        &self,
        inputs: &mut [CowTensor<'a, F>],
        logits: &[bool],
        outputs: &mut [CowTensor<'a, F>],
    ) -> Result<()> {
        (**self).infer(inputs, logits, outputs)
    }

    fn find_non_finite(&self, inputs: &mut [Tensor<F>]) -> Result<Option<String>> {
        (**self).find_non_finite(inputs)
    }

    fn output_place(&self, output: usize) -> String {
        (**self).output_place(output)
    }

    fn outline(&self) -> Vec<String> {
        (**self).outline()
    }

    fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
        (**self).encode()
    }

    fn as_infer(&self) -> &dyn Infer<F> {
        (**self).as_infer()
    }
}

impl<F: Scalar> Model<F> for Box<dyn Model<F>> {
    fn train(
        &mut self,
        inputs: &mut [Tensor<F>],
        logits: &[bool],
        outputs: &mut [Tensor<F>],
    ) -> Result<ModelCache> {
        (**self).train(inputs, logits, outputs)
    }

    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()> {
        (**self).learn(cache, gradients)
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
