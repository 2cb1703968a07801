//! [`Chain`]: layers one after the other, as far as inference goes.
//!
//! A [`Sequential`](super::Sequential) is a chain of layers that can be trained. A model that only infers is a chain of
//! tables of inference alone, so that a program with such models contains no backward pass.
//!
//! Invariants between method calls: each layer takes the output shape of the one before ([`Chain::new`] checks it for
//! models that are built and for those that are loaded). Errors of a layer carry its position, "layer 2 (dense)",
//! counted from 0 as in the names of parameters.

mod file;
mod layer;
mod lengths;

pub(crate) use file::Stored;

use super::erased::ErasedInfer;
use super::io::Io;
use super::lengths::{Way, lost};
use super::model::{Infer, sealed};
use super::names;
use super::node::Node;
use super::output_activation::{OutputActivation, WithoutActivation};
use super::parts::Part;
use super::port::Port;
use super::shape_checks::{check_batch_shape, check_input, check_sizes};
use super::summary;
use super::wiring::Wiring;
use crate::codec;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::param::Param;
use crate::tensor::{CowTensor, Tensor, copy, owned, slice, standard};
use lengths::{Lengths, place};
use std::fmt;
use std::marker::PhantomData;

/// The kind of a model that is a chain, in files.
pub(crate) const KIND: &str = "sequential";

/// Layers one after the other; `L` is the table through which they are called.
pub(crate) struct Chain<F: Scalar, L: ErasedInfer<F> + ?Sized> {
    pub input: Port,
    /// Its shape is computed once, as the layers do not change.
    pub output: Port,
    pub layers: Vec<Box<L>>,
    /// The row length of each layer's output: the last size of its shape.
    columns: Vec<Option<usize>>,
    /// What becomes of the lengths of sequences.
    pub lengths: Lengths,
    element: PhantomData<F>,
}

/// A model that only infers.
pub(crate) type InferChain<F> = Chain<F, dyn ErasedInfer<F>>;

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> Chain<F, L> {
    /// Creates a chain, checking that each layer takes the output of the one before.
    ///
    /// It refuses a shape with more axes than a file can hold or more values than memory could, and an input without
    /// values.
    pub fn new(input: Vec<usize>, layers: Vec<Box<L>>) -> Result<Self> {
        check_level()?;
        check_input(&input)?;
        let output = Port::new("output", input.clone());
        let input = Port::new("input", input);
        let (columns, lengths) = (Vec::new(), Lengths::default());
        let mut chain = Self { input, output, layers, columns, lengths, element: PhantomData };
        let mut shapes = chain.shapes()?;
        let values = std::iter::once(chain.input.shape()).chain(shapes.iter().map(Vec::as_slice));
        chain.lengths = Lengths::of(&chain.layers, &values.collect::<Vec<_>>())?;
        chain.columns = shapes.iter().map(|shape| shape.last().copied()).collect();
        if let Some(last) = shapes.pop() {
            chain.output = Port::new("output", last).with_lengths(chain.lengths.are_made());
        }
        Ok(chain)
    }

    /// Splits the chain: it keeps its first `at` layers; the others are returned as a new chain.
    pub fn split_off(&mut self, at: usize) -> Result<Self> {
        let shapes = self.shapes()?;
        let middle = at.checked_sub(1).map_or(self.input.shape(), |last| &shapes[last]).to_vec();
        check_input(&middle)?;
        let rest = Self::new(middle, self.layers.split_off(at))?;
        let first = Self::new(self.input.shape().to_vec(), std::mem::take(&mut self.layers))?;
        if first.lengths.are_made() && rest.lengths.reads_input() {
            self.layers = first.layers;
            self.layers.extend(rest.layers);
            return Err(lost("the value at the cut").help(
                "The second part leaves padding out by the lengths of the first: cut behind the layer that reads them, or \
                 in front of the one that makes them.",
            ));
        }
        *self = first;
        Ok(rest)
    }

    /// Returns the same chain of other layers, which are copies of these.
    pub fn with_layers(&self, layers: Vec<Box<L>>) -> Self {
        let (input, output, columns) = (self.input.clone(), self.output.clone(), self.columns.clone());
        Self { input, output, layers, columns, lengths: self.lengths.clone(), element: PhantomData }
    }

    /// Returns the shape of one output of each layer.
    pub fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let input = shapes.last().map_or(self.input.shape(), Vec::as_slice);
            let shape = layer.erased_output_shape(input).and_then(|shape| {
                check_sizes("the output", &shape)?;
                Ok(shape)
            });
            shapes.push(shape.map_err(|error| error.at(self.place(i)))?);
        }
        Ok(shapes)
    }

    /// Returns the text with which errors name layer `i`.
    pub fn place(&self, i: usize) -> String {
        place(i, self.layers[i].erased_label())
    }

    /// Returns what remains of layer `i` in a pass to the logits: of all layers but the last, the whole layer. So it is
    /// of a layer that is called by its ports.
    pub fn without_activation_of(&self, i: usize, to_logits: bool) -> WithoutActivation {
        match self.layers.get(i) {
            Some(last)
                if to_logits
                    && i + 1 == self.layers.len()
                    && !self.lengths.ends_in_ports()
                    && last.erased_activation().can_be_fused() =>
            {
                last.erased_without_activation()
            }
            _ => WithoutActivation::Unsaid,
        }
    }

    /// Runs inference, with or without the final activation. Each layer gets the output of the one before; the first gets
    /// the input itself, which it copies only if it must.
    pub fn run<'a>(&self, input: CowTensor<'a, F>, to_logits: bool) -> Result<CowTensor<'a, F>> {
        self.run_with(input, None, false, to_logits).map(|(output, _)| output)
    }

    /// [`run`](Self::run) for an input that may have lengths. Returns those of the output, if they are wanted and it has
    /// some.
    pub fn run_with<'a>(
        &self,
        input: CowTensor<'a, F>,
        mut lengths: Option<Tensor<F>>,
        wanted: bool,
        to_logits: bool,
    ) -> Result<(CowTensor<'a, F>, Option<Tensor<F>>)> {
        check_batch_shape(input.shape(), self.input.shape())?;
        let (mut x, ways) = (input, self.lengths.ways(lengths.is_some())?);
        for (i, (layer, way)) in self.layers.iter().zip(ways).enumerate() {
            x = match self.without_activation_of(i, to_logits) {
                WithoutActivation::Nothing => return Ok((x, lengths)),
                WithoutActivation::Rest => layer.erased_forward_logits(owned(x)).map(CowTensor::from),
                WithoutActivation::Unsaid => run_layer(&**layer, *way, x, &mut lengths, wanted),
            }
            .map_err(|error| error.at(self.place(i)))?;
        }
        Ok((x, lengths))
    }

    /// Finds the first non-finite item in the order of computation: the input, a parameter, or a layer's output.
    ///
    /// Called when a loss is not finite, to report the origin. A NaN in a parameter is reported before the output that
    /// it affects.
    fn first_non_finite(&self, input: Tensor<F>) -> Result<Option<String>> {
        let mut x = standard(input);
        if !F::all_finite(slice(&x)) {
            return Ok(Some("the input".to_owned()));
        }
        let mut lengths = None;
        for (i, (layer, way)) in self.layers.iter().zip(self.lengths.ways(false)?).enumerate() {
            let bad = self.non_finite_parameter_of(i);
            if bad.is_some() {
                return Ok(bad);
            }
            let y = run_layer(&**layer, *way, copy(&x).into(), &mut lengths, false);
            let y = y.map_err(|error| error.at(self.place(i)))?;
            x = standard(owned(y));
            if !F::all_finite(slice(&x)) {
                return Ok(Some(format!("the output of {}", self.place(i))));
            }
        }
        Ok(None)
    }

    /// Returns the first parameter or buffer that is not finite: "the parameter weight of layer 0 (dense)".
    pub fn non_finite_parameter(&self) -> Option<String> {
        (0..self.layers.len()).find_map(|i| self.non_finite_parameter_of(i))
    }

    fn non_finite_parameter_of(&self, i: usize) -> Option<String> {
        let mut bad = None;
        self.layers[i].erased_visit(&mut |name, param| {
            if bad.is_none() && !F::all_finite(param.as_slice()) {
                bad = Some(format!("the parameter {name} of {}", self.place(i)));
            }
        });
        bad
    }

    /// The last layer's activation, if a pass to the logits can leave it out.
    pub fn activation(&self) -> OutputActivation {
        match self.layers.last() {
            Some(last) if last.erased_without_activation() != WithoutActivation::Unsaid => {
                Some(last.erased_activation())
                    .filter(|activation| activation.can_be_fused())
                    .unwrap_or_default()
            }
            _ => OutputActivation::Unknown,
        }
    }

    /// What remains of the chain without its last activation.
    ///
    /// It asks the last layer alone, and not for its activation: in nested models the cost would grow as a power of
    /// the depth. It is used only where [`activation`](Self::activation) can be left out.
    pub fn without_activation(&self) -> WithoutActivation {
        match self.layers.last().map(|last| last.erased_without_activation()) {
            None | Some(WithoutActivation::Unsaid) => WithoutActivation::Unsaid,
            _ => WithoutActivation::Rest,
        }
    }

    /// Returns what is known of the output of the last layer; `after` says what is known after one layer.
    pub fn activation_through(
        &self,
        input: OutputActivation,
        after: impl Fn(&L, OutputActivation) -> OutputActivation,
    ) -> OutputActivation {
        let (mut activation, mut columns) = (input, self.input.shape().last().copied());
        for (layer, &own) in self.layers.iter().zip(&self.columns) {
            let output = after(layer, activation);
            // A layer that passes values on, and does not compute the activation itself, breaks distributions up if the
            // length of its rows changes.
            let handed_on = output == activation && layer.erased_activation() != output;
            activation = if handed_on && own != columns { output.of_numbers() } else { output };
            columns = own;
        }
        activation
    }

    /// Returns what is known of the outputs after all layers.
    pub fn output_activation(&self, input: OutputActivation) -> OutputActivation {
        self.activation_through(input, |layer, activation| layer.erased_output_activation(activation))
    }

    /// The shape of the output, for the input that the chain was built for.
    pub fn output_shape_for(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.input.shape() {
            return Err(Error::shape("the input", format!("{:?}", self.input.shape()), input)
                .help("A model takes the shape it was built for; build it again for another."));
        }
        Ok(self.output.shape().to_vec())
    }

    /// A name consists of the layer's number, a full stop and the layer's own name, as in `nn.Sequential`: "0.weight",
    /// "2.1.bias".
    pub fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        let mut full = names::take();
        for (i, layer) in self.layers.iter().enumerate() {
            layer.erased_visit(&mut |name, param| {
                names::write(&mut full, i, name);
                visit(&full, param);
            });
        }
        names::put(full);
    }

    /// The layers, named by their numbers.
    pub fn parts(&self) -> Vec<Part<'_, F>> {
        let shapes = self.shapes().unwrap_or_default();
        let inputs = std::iter::once(self.input.shape().to_vec()).chain(shapes);
        let layers = self.layers.iter().zip(inputs).enumerate();
        layers.map(|(i, (layer, input))| Part::new(i.to_string(), input, layer.erased_any())).collect()
    }

    /// The input, the layers and the output.
    pub fn list(&self) -> Vec<Node> {
        Wiring::Row.nodes(self.input.shape(), &self.parts(), self.output.shape())
    }
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> sealed::Sealed for Chain<F, L> {}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized + 'static> Infer<F> for Chain<F, L> {
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
        inputs: &mut [Option<CowTensor<'a, F>>],
        logits: &[bool],
        outputs: &mut [Option<CowTensor<'a, F>>],
    ) -> Result<()> {
        let ([input], [logits], [output]) = (inputs, logits, outputs) else { return Err(not_one()) };
        *output = Some(self.run(input.take().ok_or_else(not_one)?, *logits)?);
        Ok(())
    }

    fn find_non_finite(&self, inputs: &mut [Option<Tensor<F>>]) -> Result<Option<String>> {
        let [input] = inputs else { return Err(not_one()) };
        self.first_non_finite(input.take().ok_or_else(not_one)?)
    }

    fn output_place(&self, _: usize) -> String {
        let last = self.layers.len().checked_sub(1);
        last.map_or_else(|| "a model without layers".to_owned(), |i| self.place(i))
    }

    fn outline(&self) -> Vec<String> {
        summary::outline(&self.list())
    }

    fn nodes(&self) -> Vec<Node> {
        self.list()
    }

    fn encode(&self) -> Result<(&'static str, Vec<u8>)> {
        Ok((KIND, codec::encode(self)?))
    }

    fn as_infer(&self) -> &dyn Infer<F> {
        self
    }
}

/// The error of a call with another number of tensors than one for the input and one for the output.
pub(in crate::nn) fn not_one() -> Error {
    Error::custom("a `Sequential` must get one input and one output, got others")
        .help("Give a tensor for each of the model's `inputs`, and a place for each of its `outputs`.")
}

/// Runs inference of a layer. `lengths` are those of its input, then those of its output.
fn run_layer<'a, F: Scalar>(
    layer: &(impl ErasedInfer<F> + ?Sized),
    way: Way,
    input: CowTensor<'a, F>,
    lengths: &mut Option<Tensor<F>>,
    wanted: bool,
) -> Result<CowTensor<'a, F>> {
    if way.is_plain(wanted) {
        way.pass(lengths);
        return layer.erased_forward_cow(input);
    }
    let call = |io: &mut Io<'_, F>| layer.erased_forward_ports(io);
    let made = way.call(layer.erased_ports(), owned(input), lengths, (wanted, false), call);
    made.map(|(output, ())| output.into())
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> fmt::Debug for Chain<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequential")
            .field("input", &self.input.shape())
            .field("layers", &self.layers)
            .finish()
    }
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized> fmt::Display for Chain<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        summary::write::<F>(f, &self.list())
    }
}
