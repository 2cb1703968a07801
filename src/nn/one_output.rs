//! [`OneOutput`]: one output of a model, as a model.

use super::model::{Infer, sealed};
use super::node::Node;
use super::output_activation::OutputActivation;
use super::port::Port;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::inputs::slots;
use crate::shown::cut;
use crate::tensor::{CowTensor, Tensor};
use smallvec::SmallVec;
use std::fmt;

/// One output of a model with several, as a model that makes predictions: the result of
/// [`Predict::output`](super::Predict::output).
///
/// Reports and pictures are of one output: they take it with the data of
/// [`OneTarget`](crate::data::OneTarget), of the same name. All outputs are computed; a model that computes less is made by
/// [`Graph::with_outputs`](super::Graph::with_outputs).
///
/// ```
/// use plywood::data::OneTarget;
/// use plywood::ndarray::array;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [2]);
/// g.output("class", x.layer(Softmax));
/// g.output("sum", x.sum(-1));
/// let model = g.build()?;
/// let targets = TargetArrays::new().classes("class", vec![0, 1, 1]).numbers("sum", array![3.0f32, 2.0, 1.0]);
/// let data = Arrays::builder().input("x", array![[3.0f32, 0.0], [0.0, 2.0], [1.0, 0.0]]).targets(targets)?;
///
/// let report = evaluate::classification_report(&model.output("class")?, &OneTarget::classes("class", &data)?)?;
/// assert_eq!(report.accuracy, 2.0 / 3.0);
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct OneOutput<'a, F: Scalar = f32> {
    model: &'a dyn Infer<F>,
    output: usize,
}

impl<'a, F: Scalar> OneOutput<'a, F> {
    /// The output with this name.
    pub(super) fn new(model: &'a dyn Infer<F>, name: &str) -> Result<Self> {
        let names = || model.outputs().iter().map(|port| cut(port.name())).collect::<Vec<_>>().join(", ");
        match model.outputs().iter().position(|port| port.name() == name) {
            Some(output) => Ok(Self { model, output }),
            None => Err(Error::data(format!("the output {:?}", cut(name)), "be one of the model's", names())
                .help("Name one of these.")),
        }
    }
}

impl<F: Scalar> fmt::Debug for OneOutput<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneOutput")
            .field("output", &self.model.outputs()[self.output].name())
            .field("model", &self.model)
            .finish()
    }
}

/// The summary of the model.
impl<F: Scalar> fmt::Display for OneOutput<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.model, f)
    }
}

impl<F: Scalar> sealed::Sealed for OneOutput<'_, F> {}

impl<F: Scalar> Infer<F> for OneOutput<'_, F> {
    fn inputs(&self) -> &[Port] {
        self.model.inputs()
    }

    fn outputs(&self) -> &[Port] {
        std::slice::from_ref(&self.model.outputs()[self.output])
    }

    fn final_activation(&self, _: usize) -> OutputActivation {
        self.model.final_activation(self.output)
    }

    fn known_values(&self, _: usize) -> OutputActivation {
        self.model.known_values(self.output)
    }

    fn infer<'a>(
        &self,
        inputs: &mut [Option<CowTensor<'a, F>>],
        logits: &[bool],
        outputs: &mut [Option<CowTensor<'a, F>>],
    ) -> Result<()> {
        let count = self.model.outputs().len();
        let mut of_all: SmallVec<[bool; 8]> = SmallVec::from_elem(false, count);
        of_all[self.output] = logits.first().copied().unwrap_or(false);
        let mut all = slots(count);
        self.model.infer(inputs, &of_all, &mut all)?;
        if let Some(output) = outputs.first_mut() {
            *output = all[self.output].take();
        }
        Ok(())
    }

    fn find_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>> {
        self.model.find_non_finite(inputs)
    }

    fn output_place(&self, _: usize) -> String {
        self.model.output_place(self.output)
    }

    fn outline(&self) -> Vec<String> {
        self.model.outline()
    }

    fn nodes(&self) -> Vec<Node> {
        self.model.nodes()
    }

    fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
        Err(Error::data("the model to save", "be a whole model", "one of its outputs")
            .help("Save the model itself, or a part of it that `Graph::with_outputs` makes."))
    }

    fn chosen_output(&self) -> Option<&str> {
        Some(self.model.outputs()[self.output].name())
    }

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}
