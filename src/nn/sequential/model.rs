//! A [`Sequential`] as a model: [`Infer`] and [`Model`], with one input and one output.

use super::Sequential;
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::model::{sealed, vacant};
use crate::nn::{Infer, Layer, Model, ModelCache, OutputActivation, Port};
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;

impl<F: Scalar> sealed::Sealed for Sequential<F> {}

impl<F: Scalar> Infer<F> for Sequential<F> {
    fn inputs(&self) -> &[Port] {
        std::slice::from_ref(&self.input)
    }

    fn outputs(&self) -> &[Port] {
        std::slice::from_ref(&self.output)
    }

    fn final_activation(&self, _: usize) -> OutputActivation {
        self.activation()
    }

    fn known_values(&self, _: usize) -> OutputActivation {
        self.output_activation(OutputActivation::Unknown)
    }

    fn infer<'a>(
        &self,
        inputs: &mut [CowTensor<'a, F>],
        logits: &[bool],
        outputs: &mut [CowTensor<'a, F>],
    ) -> Result<()> {
        let ([input], [logits], [output]) = (inputs, logits, outputs) else { return Err(not_one()) };
        let input = std::mem::replace(input, vacant().into());
        *output = self.run(input, *logits)?;
        Ok(())
    }

    fn find_non_finite(&self, inputs: &mut [Tensor<F>]) -> Result<Option<String>> {
        let [input] = inputs else { return Err(not_one()) };
        self.first_non_finite(std::mem::replace(input, vacant()))
    }

    fn output_place(&self, _: usize) -> String {
        self.last_place()
    }

    fn outline(&self) -> Vec<String> {
        self.outline_of_layers()
    }

    fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
        Ok((Self::KIND.name(), codec::encode(self)?))
    }

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}

impl<F: Scalar> Model<F> for Sequential<F> {
    fn train(
        &mut self,
        inputs: &mut [Tensor<F>],
        logits: &[bool],
        outputs: &mut [Tensor<F>],
    ) -> Result<ModelCache> {
        let ([input], [logits], [output]) = (inputs, logits, outputs) else { return Err(not_one()) };
        let (y, cache) = self.run_train(std::mem::replace(input, vacant()), *logits)?;
        *output = y;
        Ok(cache)
    }

    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()> {
        let [gradient] = gradients else { return Err(not_one()) };
        match gradient.take() {
            Some(gradient) => self.backward_params(cache, gradient),
            None => Ok(()),
        }
    }

    fn known_values_in_training(&self, _: usize) -> OutputActivation {
        self.training_activation(OutputActivation::Unknown)
    }

    fn check_samples(&self, samples: usize) -> Result<()> {
        self.check_batch_size(self.input_shape(), samples)
    }

    fn non_finite_parameter(&self) -> Option<String> {
        self.first_non_finite_param()
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
    /// Converts a model that is a `Sequential`, such as one that [`load`](crate::load) has read, into this type.
    ///
    /// # Errors
    /// If the model is of another type.
    pub fn of_model(model: Box<dyn Model<F>>) -> Result<Self> {
        let other = || {
            Error::data("the model", "be a `Sequential`", "one of another type")
                .help("Use it as a `dyn Model`, which is trained, saved and predicts as well.")
        };
        model.into_any().downcast().map(|model| *model).map_err(|_| other())
    }
}

/// The error of a call with another number of tensors than one for the input and one for the output.
fn not_one() -> Error {
    Error::custom("a `Sequential` must get one input and one output, got other numbers of them")
        .help("Give as many tensors as the model has `inputs` and `outputs`.")
}
