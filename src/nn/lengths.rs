//! Lengths: how many steps of each sample are real, and what becomes of them in layers.
//!
//! A sequence is padded at the end, so that all samples of a batch have as many steps. The steps are the first axis of a
//! sample, axis 1 of a batch. Its lengths, `[batch]`, say how many are real: an [`Embedding`](super::Embedding) with
//! padding makes them, or a graph gets them as an input. They belong to a value, and each layer says what becomes of
//! them:
//!
//! | the layer | declares | lengths of the output |
//! |---|---|---|
//! | computes each step from this step alone | [`Layer::keeps_steps`](super::Layer::keeps_steps) | those of the input |
//! | leaves padding out, by the lengths | [`Ports::reads_lengths`], [`Ports::keeps_steps`] | those of the input, or none |
//! | makes lengths out of its input | [`Ports::makes_lengths`] | those that it makes |
//! | counts padding, and says so | [`Ports::ignores_lengths`] | none |
//! | anything else | nothing | an error when the model is built |
//!
//! This module works out where the lengths of a layer's outputs come from, for a row of layers and for graphs.

use super::erased::ErasedInfer;
use super::io::{Io, PortGradients};
use super::ports::{MAX_PORTS, Ports};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::tensor::{Tensor, copy};

/// Where the lengths of an output come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It has none.
    #[default]
    None,
    /// They are those of an input.
    Input(usize),
    /// They are another output of the layer.
    Output(usize),
}

impl Origin {
    /// Returns the number of the lengths, given that of an input's and that of an output as a value.
    pub fn lengths(
        self,
        of_input: impl Fn(usize) -> Option<usize>,
        output: impl Fn(usize) -> usize,
    ) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Input(i) => of_input(i),
            Self::Output(k) => Some(output(k)),
        }
    }
}

/// Returns for each output of a layer where its lengths come from, given the shapes of the inputs, those of the outputs
/// as far as they are known, and the number of the lengths of those inputs that have some.
///
/// # Errors
/// If the layer does not say what becomes of the steps of an input with lengths, an output keeps the steps of inputs with
/// different lengths, or it has another number of steps than the input whose steps it keeps.
pub(in crate::nn) fn origins<F: Scalar>(
    layer: &(impl ErasedInfer<F> + ?Sized),
    inputs: &[Option<&[usize]>],
    made: &[&[usize]],
    lengths: impl Fn(usize) -> Option<usize>,
) -> Result<Vec<Origin>> {
    let ports = layer.erased_ports();
    ports.check_lengths()?;
    check_parts(layer, ports, inputs)?;
    let first_kept =
        || inputs.first().copied().flatten().is_some_and(|shape| layer.erased_keeps_steps(shape));
    let first_kept = lengths(0).is_some() && first_kept();
    let keeps =
        |output: usize, input: usize| ports.keeps(output, input) || output == 0 && input == 0 && first_kept;
    let outputs = 0..ports.outputs().len();
    for input in (0..inputs.len()).filter(|&input| lengths(input).is_some()) {
        let is_said = ports.port_of_lengths(input).is_some() || ports.ignores(input);
        if !is_said && !outputs.clone().any(|output| keeps(output, input)) {
            return Err(unknown_of(layer.erased_kind(), &format!("the input {:?}", ports.input_name(input))));
        }
    }
    // A sample without axes has no steps.
    let has_steps = inputs.first().copied().flatten().is_some_and(|shape| !shape.is_empty());
    let steps = |shape: Option<&[usize]>| shape.and_then(|shape| shape.first().copied());
    let origin = |output: usize| {
        let kept = || (0..inputs.len()).filter(|&i| keeps(output, i) && inputs[i].is_some());
        let first = kept().find_map(|i| Some((i, lengths(i)?)));
        match first {
            // One without lengths may have more real steps, unless it has a single one.
            Some((_, first)) if kept().any(|i| lengths(i) != Some(first) && steps(inputs[i]) != Some(1)) => {
                Err(different())
            }
            Some((input, _)) => {
                let steps = steps(inputs[input]).unwrap_or(0);
                made.get(output)
                    .map_or(Ok(()), |found| check_steps(ports.outputs()[output], found, steps))?;
                Ok(Origin::Input(input))
            }
            None => {
                let made = ports.lengths_made_for(output).filter(|_| has_steps);
                Ok(made.map_or(Origin::None, Origin::Output))
            }
        }
    };
    outputs.map(origin).collect()
}

/// Checks that an output has the steps of the input whose steps it keeps.
fn check_steps(output: &str, found: &[usize], steps: usize) -> Result<()> {
    if found.first() == Some(&steps) {
        return Ok(());
    }
    let expected = format!("[{steps}, …], as it keeps the steps of its input");
    Err(Error::shape(format!("the output {output:?}"), expected, found)
        .help("Correct `Layer::keeps_steps` or `Ports::keeps_steps` of the layer."))
}

/// Refuses a container of a user's own that says nothing about lengths, with a part that makes some.
fn check_parts<F: Scalar>(
    layer: &(impl ErasedInfer<F> + ?Sized),
    ports: Ports,
    inputs: &[Option<&[usize]>],
) -> Result<()> {
    // Those of this crate hand lengths on, or refuse such parts themselves.
    let is_own = layer.erased_kind().contains('.') && !ports.says_anything();
    let Some(input) = inputs.first().copied().flatten().filter(|_| is_own) else { return Ok(()) };
    match layer.erased_parts(input).iter().find(|part| part.layer.erased_makes_lengths()) {
        None => Ok(()),
        Some(part) => Err(lost(&format!("the output of the part {:?}", part.name())).help(
            "End the part with `WithoutLengths` or `PoolSteps`. If the container itself sees to the padding, it says so \
             in `Layer::ports`: `Ports::ONE.ignores_lengths(&[\"input\"])`.",
        )),
    }
}

/// The error of lengths that a container would drop.
pub(in crate::nn) fn lost(what: &str) -> Error {
    Error::data(what, "have no padding", "a value with lengths, which would be lost")
}

/// [`unknown`] for a layer of this kind.
fn unknown_of(kind: &str, what: &str) -> Error {
    let error = unknown(what);
    match kind {
        "residual" | "concat" | "add" | "average" | "maximum" | "product" => error.help(
            "Blocks inside of it can work step by step, and get no lengths: build a `Graph` for others, or drop the \
             lengths with `WithoutLengths` in front; then padding counts.",
        ),
        "graph" => error.help(
            "A graph as a layer can work step by step, and gets no lengths: reduce the steps outside of it, or drop the \
             lengths with `WithoutLengths` in front; then padding counts.",
        ),
        _ => error,
    }
}

/// The error of a value with lengths for something that does not say what becomes of its steps.
pub(in crate::nn) fn unknown(what: &str) -> Error {
    Error::data(what, "have no padding, as its steps would be mixed with real ones", "a value with lengths").help(
        "Reduce the steps first: the mean, sum or maximum over them leaves padding out. Or drop the lengths, with \
         `WithoutLengths` in a row of layers or `x.without_lengths()` in a graph; then padding counts.",
    )
}

/// The error of values that are joined step by step, and that have different lengths.
pub(in crate::nn) fn different() -> Error {
    Error::custom("values that are joined step by step must have the same lengths, got different ones")
        .help("Say which count: `y.with_lengths_of(x)`, or `without_lengths()` for both.")
}

/// How one layer of a row is called, as far as lengths go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The port that gets the lengths of the input.
    fill: Option<usize>,
    /// Where the lengths of the output come from.
    pub origin: Origin,
    /// Whether a later layer of the row reads the lengths of the output.
    pub is_read: bool,
}

impl Way {
    /// Returns the way of a layer in a row whose input has lengths, or not.
    pub fn of<F: Scalar>(
        layer: &(impl ErasedInfer<F> + ?Sized),
        input: &[usize],
        output: &[usize],
        has_lengths: bool,
    ) -> Result<Self> {
        let ports = layer.erased_ports();
        let shapes: Vec<_> = (0..ports.input_count()).map(|i| (i == 0).then_some(input)).collect();
        let origins = origins(layer, &shapes, &[output], |i| (i == 0 && has_lengths).then_some(0))?;
        let fill = ports.port_of_lengths(0).filter(|_| has_lengths);
        let way = Self { fill, origin: origins.first().copied().unwrap_or_default(), is_read: false };
        if !way.is_plain(true) {
            ports.check_count()?;
        }
        Ok(way)
    }

    /// Returns whether the layer reads lengths.
    pub fn reads(self) -> bool {
        self.fill.is_some()
    }

    /// Returns whether the layer is called as one of one input and one output. `wanted` says whether the lengths of the
    /// row's output are wanted.
    pub fn is_plain(self, wanted: bool) -> bool {
        self.fill.is_none() && self.made(wanted).is_none()
    }

    /// The output of lengths that is wanted.
    fn made(self, wanted: bool) -> Option<usize> {
        match self.origin {
            Origin::Output(k) if self.is_read || wanted => Some(k),
            _ => None,
        }
    }

    /// Sets what follows a layer that was called as one of one input and one output.
    pub fn pass<F: Scalar>(self, lengths: &mut Option<Tensor<F>>) {
        if !matches!(self.origin, Origin::Input(_)) {
            *lengths = None;
        }
    }

    /// Calls a layer by its ports. `lengths` are those of its input, then those of its output.
    pub fn call<F: Scalar, T>(
        self,
        ports: Ports,
        input: Tensor<F>,
        lengths: &mut Option<Tensor<F>>,
        (wanted, training): (bool, bool),
        call: impl FnOnce(&mut Io<'_, F>) -> Result<T>,
    ) -> Result<(Tensor<F>, T)> {
        let mut inputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
        let mut outputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
        let mut wants = [false; MAX_PORTS];
        let given = lengths.take();
        let rows = input.len_of(ndarray::Axis(0));
        inputs[0] = Some(input);
        if let Some(port) = self.fill {
            inputs[port] = given.as_ref().map(copy);
        }
        let made = self.made(wanted);
        wants[0] = true;
        made.into_iter().for_each(|k| wants[k] = true);
        let (reads, makes) = (ports.input_count(), ports.outputs().len());
        let mut io = Io::new(ports, &mut inputs[..reads], &mut outputs[..makes], &wants[..makes], training);
        let done = call(&mut io)?;
        *lengths = match (self.origin, made) {
            (Origin::Input(_), _) => given,
            (_, Some(k)) => {
                let made = outputs[k].take().ok_or_else(|| ports.missing_output(k))?;
                if made.shape() != [rows] {
                    let name = format!("the output {:?}", ports.outputs()[k]);
                    return Err(Error::shape(
                        name,
                        format!("[{rows}], a length for each sample"),
                        made.shape(),
                    )
                    .help("Correct the layer: lengths are one number for each sample."));
                }
                Some(made)
            }
            _ => None,
        };
        Ok((outputs[0].take().ok_or_else(|| ports.missing_output(0))?, done))
    }
}

/// Calls the backward pass of a layer that was called by its ports ([`Way::call`]). Returns the gradient at its input, if
/// `want`.
pub(in crate::nn) fn call_back<F: Scalar>(
    ports: Ports,
    gradient: Tensor<F>,
    want: bool,
    call: impl FnOnce(&mut PortGradients<'_, F>) -> Result<()>,
) -> Result<Option<Tensor<F>>> {
    let mut inputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
    let mut outputs: [Option<Tensor<F>>; MAX_PORTS] = Default::default();
    let mut wants = [false; MAX_PORTS];
    (outputs[0], wants[0]) = (Some(gradient), want);
    let (reads, makes) = (ports.input_count(), ports.outputs().len());
    call(&mut PortGradients::new(&mut outputs[..makes], &mut inputs[..reads], &wants[..reads]))?;
    let [back, ..] = inputs;
    if want && back.is_none() { Err(ports.missing_gradient()) } else { Ok(back.filter(|_| want)) }
}
