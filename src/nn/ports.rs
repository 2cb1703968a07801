//! Layers with several inputs and outputs.
//!
//! Most layers have one of each and never meet this module. A layer with several is a [`Layer`](super::Layer), too: it declares its
//! [`Ports`], and implements `output_shapes`, `forward_ports`, `forward_train_ports` and `backward_ports` beside the
//! methods for one input and one output, which the functions of `port_calls.rs` make out of the former.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;
use ndarray::ArrayViewD;

/// The names of a layer's inputs and outputs.
///
/// ```
/// use plywood::nn::Ports;
///
/// const RECURRENT: Ports = Ports::new(&["input"], &["steps", "last"]).optional(&["state"]);
/// assert_eq!(RECURRENT.inputs().collect::<Vec<_>>(), [("input", true), ("state", false)]);
/// assert_eq!(RECURRENT.outputs(), ["steps", "last"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    outputs: &'static [&'static str],
}

impl Ports {
    /// One input, "input", and one output, "output".
    pub const ONE: Self = Self::new(&["input"], &["output"]);

    /// Returns ports with these required inputs and these outputs, at least one of each.
    pub const fn new(inputs: &'static [&'static str], outputs: &'static [&'static str]) -> Self {
        Self { required: inputs, optional: &[], outputs }
    }

    /// Adds inputs that may be left out. They come after the required ones.
    #[must_use]
    pub const fn optional(self, inputs: &'static [&'static str]) -> Self {
        Self { optional: inputs, ..self }
    }

    /// Returns the inputs in order: the name, and whether it is required.
    pub fn inputs(self) -> impl Iterator<Item = (&'static str, bool)> {
        let required = self.required.iter().map(|&name| (name, true));
        required.chain(self.optional.iter().map(|&name| (name, false)))
    }

    /// Returns the names of the outputs, in order.
    pub fn outputs(self) -> &'static [&'static str] {
        self.outputs
    }

    /// Returns the number of inputs, required and optional.
    pub fn input_count(self) -> usize {
        self.required.len() + self.optional.len()
    }

    /// Returns the outputs that a layer has put, all of which must be there.
    pub(crate) fn all<F: Scalar>(self, outputs: Vec<Option<Tensor<F>>>) -> Result<Vec<Tensor<F>>> {
        let outputs = outputs.into_iter().enumerate();
        outputs.map(|(i, output)| output.ok_or_else(|| self.missing_output(i))).collect()
    }

    /// The error of an output that is read, and that the layer did not put.
    pub(in crate::nn) fn missing_output(self, output: usize) -> Error {
        let name = self.outputs.get(output).copied().unwrap_or_default();
        Error::data(format!("the output {name:?}"), "be put by the layer", "none")
            .help("Call `put` for each output that `wants` asks for.")
    }

    /// The name of an input in an error.
    fn input_name(self, i: usize) -> String {
        self.inputs().nth(i).map_or_else(|| i.to_string(), |(name, _)| name.to_owned())
    }

    /// Checks that the inputs are as many as there are ports, and that none is missing that is required.
    ///
    /// # Errors
    /// If they are not; the error names the input.
    pub fn check<T>(self, inputs: &[Option<T>]) -> Result<()> {
        if inputs.len() != self.input_count() {
            let expected = format!("be {}, one for each port", self.input_count());
            return Err(Error::data("the number of inputs", expected, inputs.len())
                .help("Give `None` for an optional input that is left out."));
        }
        match self.required.iter().zip(inputs).find(|(_, input)| input.is_none()) {
            Some((name, _)) => Err(missing(name)),
            None => Ok(()),
        }
    }
}

/// The error of a required input that is not there.
pub(super) fn missing(name: &str) -> Error {
    Error::data(format!("the input {name:?}"), "be given", "none").help(
        "Give it. A row of layers hands on one input, so a layer that needs several does not fit into it.",
    )
}

/// The tensors of a forward pass of a layer with several ports: it takes the inputs, and puts the outputs.
pub struct Io<'a, F: Scalar = f32> {
    ports: Ports,
    inputs: &'a mut [Option<Tensor<F>>],
    outputs: &'a mut [Option<Tensor<F>>],
    wanted: &'a [bool],
    training: bool,
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
        Self { ports, inputs, outputs, wanted, training }
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

    /// Returns whether anybody reads this output. One that nobody reads need not be put.
    pub fn wants(&self, output: usize) -> bool {
        self.wanted.get(output).copied().unwrap_or(false)
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
