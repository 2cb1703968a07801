//! The nodes of a graph, as they were written: what computes a value, and from which others.

use super::function::Function;
use super::op::{InferOp, Steps};
use super::ops::no_steps;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::lengths::{Origin, different, origins, unknown};
use crate::param::Param;
use std::sync::Arc;

/// The maximum number of nodes.
pub(super) const MAX_NODES: usize = 1 << 16;

/// What computes a node's values.
#[derive(Debug)]
pub(super) enum NodeKind<O: ?Sized> {
    /// An input of the graph, with its name.
    Input(String),
    /// A parameter or a constant, by its number.
    Param(usize),
    /// A layer, by its number: one layer may be at several nodes.
    Layer(usize),
    Elementwise(Function),
    Op(Arc<O>),
    /// The value itself, with the lengths that are the second input, or without any.
    Lengths,
}

impl<O: ?Sized> Clone for NodeKind<O> {
    fn clone(&self) -> Self {
        match self {
            Self::Input(name) => Self::Input(name.clone()),
            Self::Param(k) => Self::Param(*k),
            Self::Layer(k) => Self::Layer(*k),
            Self::Elementwise(function) => Self::Elementwise(*function),
            Self::Op(op) => Self::Op(op.clone()),
            Self::Lengths => Self::Lengths,
        }
    }
}

/// A node: what computes its values, and from which others.
#[derive(Debug)]
pub(super) struct Node<O: ?Sized> {
    pub kind: NodeKind<O>,
    /// The values that it reads. A layer has a place for each of its ports.
    pub inputs: Vec<Option<usize>>,
    /// The number of its first value; those of a layer with several outputs follow.
    pub first: usize,
}

impl<O: ?Sized> Clone for Node<O> {
    fn clone(&self) -> Self {
        Self { kind: self.kind.clone(), inputs: self.inputs.clone(), first: self.first }
    }
}

impl<O: ?Sized> Node<O> {
    /// The kind of a node that is a value with or without lengths.
    pub fn lengths_kind(&self) -> &'static str {
        if self.inputs.len() > 1 { "with_lengths" } else { "without_lengths" }
    }
}

/// The nodes of a graph with the shapes of their values, as they are added one after the other.
#[derive(Debug)]
pub(super) struct Nodes<O: ?Sized> {
    pub nodes: Vec<Node<O>>,
    pub shapes: Vec<Shape>,
    /// For each value, the value that is its lengths.
    pub lengths: Vec<Option<usize>>,
}

impl<O: ?Sized> Clone for Nodes<O> {
    fn clone(&self) -> Self {
        Self { nodes: self.nodes.clone(), shapes: self.shapes.clone(), lengths: self.lengths.clone() }
    }
}

impl<O: ?Sized> Nodes<O> {
    pub fn new() -> Self {
        Self { nodes: Vec::new(), shapes: Vec::new(), lengths: Vec::new() }
    }

    /// Adds a node, and returns the number of its first value, which has these lengths.
    fn push(
        &mut self,
        kind: NodeKind<O>,
        inputs: Vec<Option<usize>>,
        shapes: Vec<Shape>,
        lengths: Option<usize>,
    ) -> Result<usize> {
        if self.nodes.len() >= MAX_NODES || self.shapes.len() + shapes.len() > MAX_NODES {
            return Err(Error::argument(
                "the number of nodes",
                format!("at most {MAX_NODES}"),
                MAX_NODES + 1,
            )
            .help("Use layers for parts of the graph: a layer is one node."));
        }
        let first = self.shapes.len();
        self.nodes.push(Node { kind, inputs, first });
        self.shapes.extend(shapes);
        self.lengths.resize(self.shapes.len(), None);
        if let Some(place) = self.lengths.get_mut(first) {
            *place = lengths;
        }
        Ok(first)
    }

    /// Adds an input with this shape of one sample.
    pub fn push_input(&mut self, name: String, sizes: Vec<usize>) -> Result<usize> {
        let shape = Shape::new(true, sizes).check()?;
        self.push(NodeKind::Input(name), Vec::new(), vec![shape], None)
    }

    /// Adds a parameter or a constant of this shape.
    pub fn push_param(&mut self, k: usize, sizes: &[usize]) -> Result<usize> {
        let shape = Shape::new(false, sizes).check()?;
        self.push(NodeKind::Param(k), Vec::new(), vec![shape], None)
    }

    /// Adds an elementwise function.
    pub fn push_function<F: Scalar>(&mut self, function: Function, inputs: &[usize]) -> Result<usize> {
        function.check_numbers::<F>()?;
        let shapes = self.shapes_of(inputs);
        let shape = function.shape(&shapes)?;
        let lengths = self.lengths_by(inputs, &self.lengths, |i| steps_of_function(shapes[i], &shape))?;
        let inputs = inputs.iter().copied().map(Some).collect();
        self.push(NodeKind::Elementwise(function), inputs, vec![shape], lengths)
    }

    /// Adds an operation.
    pub fn push_op<F: Scalar>(&mut self, op: Arc<O>, inputs: &[usize]) -> Result<usize>
    where
        O: InferOp<F>,
    {
        let shapes = self.shapes_of(inputs);
        let shape = op.shape(&shapes)?;
        let lengths = self.lengths_by(inputs, &self.lengths, |i| op.steps(&shapes, &shape, i))?;
        self.push(NodeKind::Op(op), inputs.iter().copied().map(Some).collect(), vec![shape], lengths)
    }

    /// Adds a value with these lengths, or without any.
    pub fn push_lengths(&mut self, value: usize, lengths: Option<usize>) -> Result<usize> {
        let shape = self.shapes[value].clone();
        if let Some(lengths) = lengths {
            let lengths = &self.shapes[lengths];
            if !shape.batched || shape.sizes.is_empty() || !lengths.batched || !lengths.sizes.is_empty() {
                return Err(no_steps(&shape, lengths));
            }
        }
        let inputs = [Some(value), lengths].into_iter().take(1 + usize::from(lengths.is_some()));
        self.push(NodeKind::Lengths, inputs.collect(), vec![shape], lengths)
    }

    /// Returns the lengths of what is computed from these values, by what becomes of the steps of each.
    fn lengths_by(
        &self,
        inputs: &[usize],
        lengths_of: &[Option<usize>],
        steps: impl Fn(usize) -> Steps,
    ) -> Result<Option<usize>> {
        let mut found = None;
        for (i, &value) in inputs.iter().enumerate() {
            let Some(lengths) = lengths_of[value] else { continue };
            match steps(i) {
                Steps::Mixed => return Err(unknown("the value")),
                Steps::Read => {}
                Steps::Kept if found.is_some_and(|found| found != lengths) => return Err(different()),
                Steps::Kept => found = Some(lengths),
            }
        }
        // A value without lengths may have more real steps than those that it is joined with.
        let has_none = |(i, &value): (usize, &usize)| {
            let shape = &self.shapes[value];
            let is_joined = shape.batched && shape.sizes.first().is_some_and(|&steps| steps > 1);
            lengths_of[value].is_none() && is_joined && steps(i) == Steps::Kept
        };
        if found.is_some() && inputs.iter().enumerate().any(has_none) { Err(different()) } else { Ok(found) }
    }

    /// Returns the lengths of all values if the inputs had some, whose number is 0; other numbers stand for others.
    /// `None` if steps would be mixed, or something would not be given the lengths that it reads.
    pub fn lengths_if_inputs_had<'l, F: Scalar, L: ErasedInfer<F> + ?Sized + 'l>(
        &self,
        layer: impl Fn(usize) -> &'l L,
    ) -> Option<Vec<Option<usize>>>
    where
        O: InferOp<F>,
    {
        let mut all: Vec<Option<usize>> = vec![None; self.shapes.len()];
        for node in &self.nodes {
            let inputs: Vec<usize> = node.inputs.iter().flatten().copied().collect();
            let (shapes, shape) = (self.shapes_of(&inputs), &self.shapes[node.first]);
            let lengths = match &node.kind {
                NodeKind::Input(_) => (!shape.sizes.is_empty()).then_some(0),
                NodeKind::Param(_) => None,
                NodeKind::Elementwise(_) => {
                    self.lengths_by(&inputs, &all, |i| steps_of_function(shapes[i], shape)).ok()?
                }
                NodeKind::Op(op) => self.lengths_by(&inputs, &all, |i| op.steps(&shapes, shape, i)).ok()?,
                NodeKind::Lengths => inputs.get(1).map(|value| value + 1),
                NodeKind::Layer(k) => {
                    let (layer, of) = (layer(*k), |i: usize| node.inputs[i].and_then(|value| all[value]));
                    let ports = layer.erased_ports();
                    let unread = |i| {
                        of(i).is_some() && ports.port_of_lengths(i).is_some_and(|p| node.inputs[p].is_none())
                    };
                    if (0..node.inputs.len()).any(unread) {
                        return None;
                    }
                    let shapes: Vec<_> =
                        node.inputs.iter().map(|v| v.map(|v| &self.shapes[v].sizes[..])).collect();
                    let made: Vec<_> = self.shapes[node.first..]
                        .iter()
                        .map(|shape| &shape.sizes[..])
                        .take(ports.outputs().len())
                        .collect();
                    let origins = origins(layer, &shapes, &made, of).ok()?;
                    let lengths: Vec<_> =
                        origins.iter().map(|origin| origin.lengths(of, |k| node.first + k + 1)).collect();
                    all[node.first..][..lengths.len()].copy_from_slice(&lengths);
                    continue;
                }
            };
            all[node.first] = lengths;
        }
        Some(all)
    }

    /// Adds a layer, and returns the number of its first value and of its outputs.
    pub fn push_layer<F: Scalar>(
        &mut self,
        k: usize,
        layer: &(impl ErasedInfer<F> + ?Sized),
        mut inputs: Vec<Option<usize>>,
    ) -> Result<(usize, usize)> {
        let ports = layer.erased_ports();
        ports.check(&inputs)?;
        ports.check_count()?;
        let mut lengths_of: Vec<_> =
            inputs.iter().map(|value| value.and_then(|value| self.lengths[value])).collect();
        for i in 0..inputs.len() {
            // What was given to the port of lengths stands above those of the value.
            if let Some(port) = ports.port_of_lengths(i).filter(|_| inputs[i].is_some()) {
                inputs[port] = inputs[port].or(lengths_of[i]);
                lengths_of[i] = inputs[port];
            }
        }
        let mut shapes = Vec::with_capacity(inputs.len());
        for (input, (name, _)) in inputs.iter().zip(ports.inputs()) {
            let shape = input.map(|value| &self.shapes[value]);
            if let Some(shape) = shape.filter(|shape| !shape.batched) {
                let name = format!("the input {name:?}");
                return Err(Error::shape(name, "[batch, …]", &shape.sizes).help(
                    "A layer works on samples; a parameter is shared by all of them. Use operations.",
                ));
            }
            shapes.push(shape.map(|shape| &shape.sizes[..]));
        }
        let made = layer.erased_output_shapes(&shapes)?;
        if made.len() != ports.outputs().len() {
            let expected = format!("be {}, one for each output", ports.outputs().len());
            return Err(Error::data("the number of output shapes", expected, made.len())
                .help("`Layer::output_shapes` returns the shape of each output that `ports` names."));
        }
        let of_outputs: Vec<&[usize]> = made.iter().map(Vec::as_slice).collect();
        let origins = origins(layer, &shapes, &of_outputs, |i| lengths_of[i])?;
        let made_lengths = origins.iter().filter_map(|origin| match origin {
            Origin::Output(k) => Some((ports.outputs()[*k], &made[*k])),
            _ => None,
        });
        if let Some((name, shape)) = made_lengths.into_iter().find(|(_, shape)| !shape.is_empty()) {
            return Err(Error::shape(format!("the output {name:?}"), "[], as it is lengths", shape).help(
                "Lengths are one number for each sample: `Layer::output_shapes` returns `[]` for them.",
            ));
        }
        let made = made.into_iter().map(|sizes| Shape::new(true, sizes).check());
        let made = made.collect::<Result<Vec<_>>>()?;
        let first = self.push(NodeKind::Layer(k), inputs, made, None)?;
        for (output, origin) in origins.iter().enumerate() {
            self.lengths[first + output] = origin.lengths(|i| lengths_of[i], |k| first + k);
        }
        Ok((first, origins.len()))
    }

    fn shapes_of(&self, values: &[usize]) -> Vec<&Shape> {
        values.iter().map(|&value| &self.shapes[value]).collect()
    }

    /// Returns the number of a node's values.
    pub fn outputs_of(&self, node: usize) -> usize {
        let end = self.nodes.get(node + 1).map_or(self.shapes.len(), |next| next.first);
        end - self.nodes[node].first
    }

    /// Returns the node of a value, and which of its outputs it is.
    pub fn place_of(&self, value: usize) -> (usize, usize) {
        let node = self.nodes.partition_point(|node| node.first <= value).saturating_sub(1);
        (node, value - self.nodes[node].first)
    }
}

/// An elementwise function keeps the steps of what has the axis of steps of its result.
fn steps_of_function(input: &Shape, output: &Shape) -> Steps {
    let same = input.sizes.len() == output.sizes.len() && input.sizes.first() == output.sizes.first();
    Steps::kept_if(same && !output.sizes.is_empty())
}

/// A parameter, or a constant, whose name is empty.
#[derive(Clone, Debug)]
pub(super) struct Named<F: Scalar> {
    pub name: String,
    pub param: Param<F>,
}
