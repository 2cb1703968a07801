//! A [`Sequential`] as a model: [`Infer`] and [`Model`], with one input and one output.

use super::Sequential;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::chain::not_one;
use crate::nn::erased::Mode;
use crate::nn::model::{infer_as, of_type, sealed};
use crate::nn::{Infer, Layer, Model, ModelCache, Node, OutputActivation, Port};
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;

impl<F: Scalar> sealed::Sealed for Sequential<F> {}

impl<F: Scalar> Infer<F> for Sequential<F> {
    infer_as!(model => &model.chain);

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}

impl<F: Scalar> Model<F> for Sequential<F> {
    fn train(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        self.run_model(Mode::Train, inputs, logits, outputs)
    }

    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()> {
        let [gradient] = gradients else { return Err(not_one()) };
        match gradient.take() {
            Some(gradient) => self.backward_params(cache, gradient),
            None => Ok(()),
        }
    }

    fn eval(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        self.run_model(Mode::Eval, inputs, logits, outputs)
    }

    fn input_gradients(
        &mut self,
        cache: ModelCache,
        gradients: &mut [Option<Tensor<F>>],
        inputs: &mut [Option<Tensor<F>>],
    ) -> Result<()> {
        let ([gradient], [input]) = (gradients, inputs) else { return Err(not_one()) };
        *input = gradient.take().map(|gradient| self.backward(cache, gradient)).transpose()?;
        Ok(())
    }

    fn known_values_in_training(&self, _: usize) -> OutputActivation {
        self.training_activation(OutputActivation::Unknown)
    }

    fn check_samples(&self, samples: usize) -> Result<()> {
        self.check_batch_size(self.input_shape(), samples)
    }

    fn non_finite_parameter(&self) -> Option<String> {
        self.chain.non_finite_parameter()
    }

    fn as_model(&mut self) -> &mut dyn Model<F> {
        self
    }

    fn boxed(&self) -> Box<dyn Model<F>> {
        Box::new(self.clone())
    }

    fn replace_by(&mut self, other: Box<dyn Model<F>>) -> Result<()> {
        *self = Self::of_model(other)?;
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl<F: Scalar> Sequential<F> {
    /// Runs a pass with a cache on the tensors of a model of one input and one output.
    fn run_model(
        &mut self,
        mode: Mode,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        let ([input], [logits], [output]) = (inputs, logits, outputs) else { return Err(not_one()) };
        let (y, cache) = self.run_in(mode, input.take().ok_or_else(not_one)?, *logits)?;
        *output = Some(y);
        Ok(cache)
    }

    /// Converts a model that is a `Sequential`, such as one that [`load`](crate::load) has read, into this type.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model: Box<dyn Model> = Sequential::builder([2]).layer(Dense::units(1)).build()?.boxed();
    /// assert_eq!(Sequential::of_model(model)?.len(), 1);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model is of another type.
    pub fn of_model(model: Box<dyn Model<F>>) -> Result<Self> {
        of_type(model, "Sequential")
    }
}
