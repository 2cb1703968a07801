//! [`Feed`]: which input of a data set each input of a model takes.

use super::{Batch, InputShapes};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Port;
use crate::nn::inputs::{self, Slots};
use crate::shown::{count, cut};
use crate::target::{CLEAN, first_non_finite_row};
use crate::tensor::Tensor;
use smallvec::SmallVec;

/// The inputs of a data set, in the order of a model's.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    /// For each input of the model, its position in a batch.
    order: SmallVec<[usize; 4]>,
    /// The model's inputs, if it has several.
    ports: Vec<Port>,
}

impl Feed {
    /// Compares names and shapes of a data set's inputs with those of a model.
    pub fn new(model: &[Port], data: InputShapes<'_>) -> Result<Self> {
        let names: SmallVec<[Option<&str>; 4]> = match data {
            InputShapes::One(_) => SmallVec::from_elem(None, 1),
            InputShapes::Named(ports) => ports.iter().map(|port| Some(port.name())).collect(),
        };
        let order = inputs::order(model, &names, "the inputs of the data").map_err(|error| match data {
            InputShapes::One(_) => {
                error.help("Name them: by `Arrays`, or `InputShapes::Named` of a source of one's own.")
            }
            InputShapes::Named(_) => error,
        })?;
        for (port, &at) in model.iter().zip(&order) {
            let found = match data {
                InputShapes::One(shape) => shape,
                InputShapes::Named(ports) => ports[at].shape(),
            };
            if found != port.shape() {
                let what = match model.len() {
                    1 => "the samples".to_owned(),
                    _ => format!("the samples of the input {:?}", cut(port.name())),
                };
                let help = match data {
                    InputShapes::One(_) => {
                        "The model was built for the shape given to `Sequential::builder`."
                    }
                    InputShapes::Named(_) => &format!(
                        "Build the model with `g.input({:?}, {found:?})`, or give the data that shape.",
                        cut(port.name())
                    ),
                };
                return Err(Error::shape(what, format!("{:?}", port.shape()), found).help(help));
            }
        }
        let ports = if model.len() == 1 { Vec::new() } else { model.to_vec() };
        Ok(Self { order, ports })
    }

    /// Moves the inputs out of a batch of `asked` samples, in the order of the model's.
    pub fn take<F: Scalar, T>(&self, batch: &mut Batch<F, T>, asked: usize) -> Result<Slots<Tensor<F>>> {
        if batch.inputs.len() != self.order.len() {
            let expected =
                format!("have {}, as `input_shapes` says", count(self.order.len(), "input", "inputs"));
            return Err(Error::data("the batch", expected, batch.inputs.len())
                .help("`Dataset::read` fills a batch with all inputs: see `Batch::input_at`."));
        }
        for input in &batch.inputs {
            check_count(input, asked)?;
        }
        for (port, &at) in self.ports.iter().zip(&self.order) {
            let found = &batch.inputs[at].shape()[1..];
            if found != port.shape() {
                let what = format!("the input {:?} of the batch, the number {at}", cut(port.name()));
                return Err(Error::shape(what, format!("{:?}", port.shape()), found)
                    .help("`Dataset::read` fills the inputs in the order of `input_shapes`."));
            }
        }
        Ok(self.order.iter().map(|&at| Some(batch.take_input_at(at))).collect())
    }

    /// Refuses inputs that are not finite and names the row.
    pub fn check_finite<F: Scalar>(&self, inputs: &[Option<Tensor<F>>]) -> Result<()> {
        check_finite(&self.ports, inputs)
    }
}

/// Refuses inputs that are not finite and names the row, and the input if there are several. `ports` are those of the model,
/// or none.
pub(crate) fn check_finite<F: Scalar>(ports: &[Port], inputs: &[Option<Tensor<F>>]) -> Result<()> {
    for (at, input) in inputs.iter().flatten().enumerate() {
        if let Some(row) = first_non_finite_row(input) {
            let what = match ports.get(at).filter(|_| inputs.len() > 1) {
                None => "the input".to_owned(),
                Some(port) => format!("the input {:?}", cut(port.name())),
            };
            return Err(Error::sample_not_finite(&what, row).help(CLEAN));
        }
    }
    Ok(())
}

/// Checks that a data set has read as many samples as requested.
fn check_count<F: Scalar>(input: &Tensor<F>, asked: usize) -> Result<()> {
    match input.shape().first() {
        Some(&found) if found == asked => Ok(()),
        found => Err(Error::data(
            "the batch",
            format!("have {}, as requested", count(asked, "sample", "samples")),
            found.unwrap_or(&0),
        )
        .help("`Dataset::read` fills a batch with an input and a target for each position.")),
    }
}
