//! A [`Graph`] as a model.

use super::Graph;
use super::nodes::NodeKind;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::erased::Mode;
use crate::nn::model::{Infer, Model, ModelCache, infer_as, of_type, sealed};
use crate::nn::node::Node;
use crate::nn::output_activation::OutputActivation;
use crate::nn::port::Port;
use crate::tensor::{CowTensor, Tensor};
use std::any::Any;

impl<F: Scalar> sealed::Sealed for Graph<F> {}

impl<F: Scalar> Infer<F> for Graph<F> {
    infer_as!(model => &model.dag);

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}

impl<F: Scalar> Model<F> for Graph<F> {
    fn train(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        self.run_in(Mode::Train, false, inputs, logits, outputs)
    }

    fn learn(&mut self, cache: ModelCache, gradients: &mut [Option<Tensor<F>>]) -> Result<()> {
        self.run_back(cache, gradients, None)
    }

    fn eval(
        &mut self,
        inputs: &mut [Option<Tensor<F>>],
        logits: &[bool],
        outputs: &mut [Option<Tensor<F>>],
    ) -> Result<ModelCache> {
        self.run_in(Mode::Eval, true, inputs, logits, outputs)
    }

    fn input_gradients(
        &mut self,
        cache: ModelCache,
        gradients: &mut [Option<Tensor<F>>],
        inputs: &mut [Option<Tensor<F>>],
    ) -> Result<()> {
        self.run_back(cache, gradients, Some(inputs))
    }

    fn known_values_in_training(&self, output: usize) -> OutputActivation {
        self.known_in_training.get(output).copied().unwrap_or_default()
    }

    fn check_samples(&self, samples: usize) -> Result<()> {
        for (i, node) in self.dag.source.nodes.iter().enumerate() {
            if let (NodeKind::Layer(k), Some(Some(first))) = (&node.kind, node.inputs.first()) {
                let input = &self.dag.source.shapes[*first].sizes;
                let checked = self.dag.layers[*k].1.erased_check_batch_size(input, samples);
                checked.map_err(|error| error.at(self.dag.place(i)))?;
            }
        }
        Ok(())
    }

    fn non_finite_parameter(&self) -> Option<String> {
        self.dag.non_finite_parameter()
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

impl<F: Scalar> Graph<F> {
    /// Converts a model that is a `Graph`, such as one that [`load`](crate::load) has read, into this type.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let model: Box<dyn Model> = Sequential::builder([2]).layer(Dense::units(1)).build()?.boxed();
    /// let error = Graph::of_model(model).unwrap_err();
    /// assert!(error.to_string().starts_with("the model must be a `Graph`, got one of another type."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model is of another type.
    pub fn of_model(model: Box<dyn Model<F>>) -> Result<Self> {
        of_type(model, "Graph")
    }
}
