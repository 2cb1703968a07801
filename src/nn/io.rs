//! The tensors of a pass of a layer with several inputs and outputs, and lengths as integers.

use super::ports::{Ports, missing};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;
use ndarray::ArrayViewD;

/// The tensors of a forward pass of a layer with several ports: it takes the inputs, and puts the outputs.
pub struct Io<'a, F: Scalar = f32> {
    ports: Ports,
    inputs: &'a mut [Option<Tensor<F>>],
    outputs: &'a mut [Option<Tensor<F>>],
    wanted: &'a [bool],
    training: bool,
    /// The number of samples of the first input.
    rows: Option<usize>,
}

impl<'a, F: Scalar> Io<'a, F> {
    /// Returns the tensors of a pass in which all outputs in `wanted` are read, and the inputs belong to the layer.
    pub(crate) fn new(
        ports: Ports,
        inputs: &'a mut [Option<Tensor<F>>],
        outputs: &'a mut [Option<Tensor<F>>],
        wanted: &'a [bool],
        training: bool,
    ) -> Self {
        let rows = inputs.first().and_then(Option::as_ref).and_then(|x| x.shape().first().copied());
        Self { ports, inputs, outputs, wanted, training, rows }
    }

    /// Returns a required input, `[batch, …]`, which the layer may change and return.
    ///
    /// # Errors
    /// If it is missing, or was taken before.
    pub fn take(&mut self, input: usize) -> Result<Tensor<F>> {
        self.take_if(input).ok_or_else(|| missing(&self.ports.input_name(input)))
    }

    /// Returns an optional input, or `None` if it was left out.
    pub fn take_if(&mut self, input: usize) -> Option<Tensor<F>> {
        self.inputs.get_mut(input)?.take()
    }

    /// Returns an input to look at, or `None` if it was left out or taken. It costs no copy.
    pub fn view(&self, input: usize) -> Option<ArrayViewD<'_, F>> {
        self.inputs.get(input)?.as_ref().map(|tensor| tensor.view())
    }

    /// Returns the lengths of the samples, from the input that is given them, or `None` if it was left out.
    ///
    /// `steps` is the number of steps of the input that they belong to.
    ///
    /// ```
    /// # use plywood::nn::{Io, Ports};
    /// # use plywood::prelude::*;
    /// /// The number of real steps of each sample, for ports that begin with "input" and "lengths".
    /// fn real_steps(io: &Io<'_>) -> Result<Option<Vec<usize>>> {
    ///     let steps = io.view(0).map_or(0, |x| x.shape()[1]);
    ///     io.lengths(1, steps)
    /// }
    /// ```
    ///
    /// # Errors
    /// If a length is no integer from 0 to `steps`, or there is not one for each sample.
    pub fn lengths(&self, input: usize, steps: usize) -> Result<Option<Vec<usize>>> {
        let Some(lengths) = self.view(input) else { return Ok(None) };
        let rows = self.rows.unwrap_or(lengths.len());
        if lengths.shape() != [rows] {
            let name = format!("the input {:?}", self.ports.input_name(input));
            let expected = format!("[{rows}], a length for each sample");
            return Err(
                Error::shape(name, expected, lengths.shape()).help("Give one number for each sample.")
            );
        }
        let each = lengths.iter().enumerate().map(|(i, &length)| length_of(length, i, steps));
        each.collect::<Result<_>>().map(Some)
    }

    /// Returns whether anybody reads this output. One that nobody reads need not be put.
    pub fn wants(&self, output: usize) -> bool {
        self.wanted.get(output).copied().unwrap_or(false)
    }

    /// Sets an output if there is one to set, and it is wanted.
    pub(in crate::nn) fn put_if_wanted(&mut self, output: usize, tensor: Option<Tensor<F>>) -> Result<()> {
        match tensor {
            Some(tensor) if self.wants(output) => self.put(output, tensor),
            _ => Ok(()),
        }
    }

    /// Returns whether this is a pass in training: dropout is active only then.
    ///
    /// In [`Layer::forward_ports`](super::Layer::forward_ports) it is false. In [`Layer::forward_train_ports`](super::Layer::forward_train_ports) it is false for gradients at the
    /// inputs in inference mode, as in [`Layer::forward_eval`](super::Layer::forward_eval).
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Sets an output, `[batch, …]`.
    ///
    /// # Errors
    /// If the layer has no such output.
    pub fn put(&mut self, output: usize, tensor: Tensor<F>) -> Result<()> {
        put(self.outputs, output, tensor, "output")
    }
}

/// The gradients of a backward pass of a layer with several ports: it takes those at the outputs, and puts those at the
/// inputs.
pub struct PortGradients<'a, F: Scalar = f32> {
    outputs: &'a mut [Option<Tensor<F>>],
    inputs: &'a mut [Option<Tensor<F>>],
    wanted: &'a [bool],
}

impl<'a, F: Scalar> PortGradients<'a, F> {
    /// Returns the gradients of a pass that needs those at the inputs in `wanted`.
    pub(crate) fn new(
        outputs: &'a mut [Option<Tensor<F>>],
        inputs: &'a mut [Option<Tensor<F>>],
        wanted: &'a [bool],
    ) -> Self {
        Self { outputs, inputs, wanted }
    }

    /// Returns the gradient at an output, or `None` if the loss does not depend on it.
    pub fn take(&mut self, output: usize) -> Option<Tensor<F>> {
        self.outputs.get_mut(output)?.take()
    }

    /// Returns whether the gradient at this input is needed.
    pub fn wants(&self, input: usize) -> bool {
        self.wanted.get(input).copied().unwrap_or(false)
    }

    /// Sets the gradient at an input, in the input's shape.
    ///
    /// # Errors
    /// If the layer has no such input.
    pub fn put(&mut self, input: usize, gradient: Tensor<F>) -> Result<()> {
        put(self.inputs, input, gradient, "input")
    }
}

fn put<F: Scalar>(places: &mut [Option<Tensor<F>>], at: usize, tensor: Tensor<F>, what: &str) -> Result<()> {
    let count = places.len();
    let place = places.get_mut(at).ok_or_else(|| {
        Error::argument(format!("the number of the {what}"), format!("below {count}"), at)
            .help("`Layer::ports` names all of them, in order.")
    })?;
    *place = Some(tensor);
    Ok(())
}

/// Returns a number that is an integer from 0 on.
pub(in crate::nn) fn integer_of<F: Scalar>(x: F) -> Option<usize> {
    let x = x.as_f64();
    // `as` saturates, so that NaN and all that is no such integer differ from what comes back.
    let integer = x as usize;
    (integer as f64 == x).then_some(integer)
}

/// Returns the length of a sample as an integer.
///
/// # Errors
/// If it is no integer from 0 to `steps`.
pub(in crate::nn) fn length_of<F: Scalar>(found: F, sample: usize, steps: usize) -> Result<usize> {
    integer_of(found).filter(|&length| length <= steps).ok_or_else(|| {
        let expected = format!("be an integer from 0 to {steps}, the number of steps");
        Error::sample("the length", sample, expected, found)
            .help("It is the number of steps that are no padding.")
    })
}
