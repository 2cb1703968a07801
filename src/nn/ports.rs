//! Layers with several inputs and outputs: their ports.
//!
//! Most layers have one of each and never meet this module. A layer with several is a [`Layer`](super::Layer), too: it declares its
//! [`Ports`], and implements `output_shapes`, `forward_ports`, `forward_train_ports` and `backward_ports` beside the
//! methods for one input and one output, which the functions of `port_calls.rs` make out of the former.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::Tensor;

/// The maximum number of inputs or outputs of a layer.
pub(in crate::nn) const MAX_PORTS: usize = 16;

/// Pairs of names.
type Pairs = &'static [(&'static str, &'static str)];

/// The names of a layer's inputs and outputs, and what becomes of the lengths of sequences.
///
/// ```
/// use plywood::nn::Ports;
///
/// const RECURRENT: Ports = Ports::new(&["input"], &["steps", "last"])
///     .optional(&["state", "lengths"])
///     .reads_lengths(&[("input", "lengths")])
///     .keeps_steps(&[("steps", "input")]);
/// assert_eq!(RECURRENT.inputs().collect::<Vec<_>>(), [("input", true), ("state", false), ("lengths", false)]);
/// assert_eq!(RECURRENT.outputs(), ["steps", "last"]);
/// ```
///
/// # Lengths
///
/// Sequences of a batch are padded at the end to one number of steps, along axis 1. The lengths of a value are a tensor
/// `[batch]` with the number of real steps of each sample. They come with a value by themselves, in a graph and in a row
/// of layers, so a user of the layer writes nothing. A layer whose input may have lengths says what it does about them:
/// it reads them ([`reads_lengths`](Ports::reads_lengths)), or it works step by step
/// ([`keeps_steps`](Ports::keeps_steps), [`Layer::keeps_steps`](super::Layer::keeps_steps)). For one that says nothing, a
/// value with lengths is an error when the model is built: padding would change its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    outputs: &'static [&'static str],
    /// An input, and the input that is its lengths.
    reads: Pairs,
    /// An output, and the input whose steps it has.
    keeps: Pairs,
    /// An output, and the output that is its lengths.
    makes: Pairs,
    /// The inputs whose padding counts.
    ignores: &'static [&'static str],
}

impl Ports {
    /// One input, "input", and one output, "output".
    pub const ONE: Self = Self::new(&["input"], &["output"]);

    /// Returns ports with these required inputs and these outputs, at least one of each.
    pub const fn new(inputs: &'static [&'static str], outputs: &'static [&'static str]) -> Self {
        Self { required: inputs, optional: &[], outputs, reads: &[], keeps: &[], makes: &[], ignores: &[] }
    }

    /// Adds inputs that may be left out. They come after the required ones.
    #[must_use]
    pub const fn optional(self, inputs: &'static [&'static str]) -> Self {
        Self { optional: inputs, ..self }
    }

    /// Declares which optional inputs are lengths: of the pair `("input", "lengths")`, the second is given the lengths of
    /// the first, `[batch]`, if that has some. The layer then computes the same as for sequences without the padding.
    #[must_use]
    pub const fn reads_lengths(self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        Self { reads: pairs, ..self }
    }

    /// Declares which outputs keep the steps of an input: of the pair `("steps", "input")`, each step of the first belongs
    /// to the same step of the second, and the first gets its lengths.
    ///
    /// A layer that does not read the lengths must then compute each of these steps from the same step of that input
    /// alone.
    #[must_use]
    pub const fn keeps_steps(self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        Self { keeps: pairs, ..self }
    }

    /// Declares which outputs are lengths that the layer makes: of the pair `("output", "lengths")`, the second is the
    /// lengths of the first, `[batch]`. They are asked for only if somebody reads them, and if the first input has steps:
    /// a sample of it has an axis.
    ///
    /// ```
    /// use plywood::nn::Ports;
    ///
    /// const TABLE: Ports = Ports::new(&["ids"], &["rows", "lengths"]).makes_lengths(&[("rows", "lengths")]);
    /// assert_eq!(TABLE.outputs(), ["rows", "lengths"]);
    /// ```
    #[must_use]
    pub const fn makes_lengths(self, pairs: &'static [(&'static str, &'static str)]) -> Self {
        Self { makes: pairs, ..self }
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

    /// Declares inputs whose lengths end here: their padding counts as real steps do. A container of one's own that sees
    /// to the padding says `Ports::ONE.ignores_lengths(&["input"])`.
    #[must_use]
    pub const fn ignores_lengths(self, inputs: &'static [&'static str]) -> Self {
        Self { ignores: inputs, ..self }
    }

    fn input_at(self, name: &str) -> Option<usize> {
        self.inputs().position(|(known, _)| known == name)
    }

    fn output_at(self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|known| *known == name)
    }

    /// The input that gets the lengths of this input.
    pub(crate) fn port_of_lengths(self, input: usize) -> Option<usize> {
        let pair = self.reads.iter().find(|(of, _)| self.input_at(of) == Some(input))?;
        self.input_at(pair.1)
    }

    /// Whether an output declares that it keeps the steps of an input.
    pub(crate) fn keeps(self, output: usize, input: usize) -> bool {
        let is = |(of, from): &(&str, &str)| {
            self.output_at(of) == Some(output) && self.input_at(from) == Some(input)
        };
        self.keeps.iter().any(is)
    }

    /// Whether the padding of an input counts.
    pub(in crate::nn) fn ignores(self, input: usize) -> bool {
        self.ignores.iter().any(|name| self.input_at(name) == Some(input))
    }

    /// The output that is the lengths which the layer makes for an output.
    pub(crate) fn lengths_made_for(self, output: usize) -> Option<usize> {
        let pair = self.makes.iter().find(|(of, _)| self.output_at(of) == Some(output))?;
        self.output_at(pair.1)
    }

    /// Whether it makes lengths.
    pub(in crate::nn) fn makes_any(self) -> bool {
        !self.makes.is_empty()
    }

    /// Whether it declares anything about lengths.
    pub(in crate::nn) fn says_anything(self) -> bool {
        !(self.reads.is_empty() && self.keeps.is_empty() && self.makes.is_empty() && self.ignores.is_empty())
    }

    /// Whether an input is lengths.
    pub(crate) fn is_lengths(self, input: &str) -> bool {
        self.reads.iter().any(|(_, port)| *port == input)
    }

    /// Returns whether it is a layer of one input and one output but for their lengths.
    pub(crate) fn is_one_to_one(self) -> bool {
        let is_made = |name: &str| self.makes.iter().any(|(_, port)| *port == name);
        self.required.len() == 1
            && self.optional.iter().all(|name| self.is_lengths(name))
            && self.outputs.iter().skip(1).all(|name| is_made(name))
    }

    /// The shapes of all outputs of a layer of one input and one output, which `one` returns; lengths are one number a
    /// sample.
    pub(in crate::nn) fn shapes_of_one(
        self,
        inputs: &[Option<&[usize]>],
        one: impl FnOnce(&[usize]) -> Result<Vec<usize>>,
    ) -> Result<Vec<Vec<usize>>> {
        self.check(inputs)?;
        let mut shapes = vec![one(inputs[0].unwrap_or_default())?];
        shapes.resize(self.outputs.len(), Vec::new());
        Ok(shapes)
    }

    /// Refuses declarations about lengths that name a port which is not there, or a lengths port that is required.
    pub(crate) fn check_lengths(self) -> Result<()> {
        let wrong = |call: &str, name: &str, known: &[&'static str]| {
            Error::argument(format!("a name in `Ports::{call}`"), format!("one of {known:?}"), name)
                .help("Correct `Layer::ports`.")
        };
        let inputs: Vec<_> = self.inputs().map(|(name, _)| name).collect();
        for (input, port) in self.reads {
            if !inputs.contains(input) {
                return Err(wrong("reads_lengths", input, &inputs));
            }
            if !self.optional.contains(port) {
                return Err(wrong("reads_lengths", port, self.optional));
            }
        }
        for (output, input) in self.keeps {
            if !self.outputs.contains(output) {
                return Err(wrong("keeps_steps", output, self.outputs));
            }
            if !inputs.contains(input) {
                return Err(wrong("keeps_steps", input, &inputs));
            }
        }
        if let Some(name) = self.ignores.iter().find(|name| !inputs.contains(name)) {
            return Err(wrong("ignores_lengths", name, &inputs));
        }
        let mut made = self.makes.iter().flat_map(|(output, lengths)| [output, lengths]);
        match made.find(|name| !self.outputs.contains(name)) {
            Some(name) => Err(wrong("makes_lengths", name, self.outputs)),
            None => Ok(()),
        }
    }

    /// Checks that there is an output, and not too many ports.
    pub(in crate::nn) fn check_count(self) -> Result<()> {
        let count = self.input_count().max(self.outputs.len());
        if count <= MAX_PORTS && !self.outputs.is_empty() {
            return Ok(());
        }
        Err(Error::argument("the number of ports", format!("from 1 to {MAX_PORTS}"), count)
            .help("`Layer::ports` names the inputs and outputs of the layer."))
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

    /// The error of a layer that did not put the gradient at its first input.
    pub(in crate::nn) fn missing_gradient(self) -> Error {
        Error::custom(format!(
            "a layer must put the gradient at its input {:?}, got none",
            self.input_name(0)
        ))
        .help("Put zeros in the input's shape where there is no gradient.")
    }

    /// The name of an input in an error.
    pub(in crate::nn) fn input_name(self, i: usize) -> String {
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
