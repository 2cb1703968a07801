//! The nodes of a graph, as they were written: what computes a value, and from which others.

use super::function::Function;
use super::op::InferOp;
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::param::Param;
use std::sync::Arc;

/// The maximum number of nodes.
pub(super) const MAX_NODES: usize = 1 << 16;

/// The maximum number of inputs or outputs of a layer.
pub(super) const MAX_PORTS: usize = 16;

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
}

impl<O: ?Sized> Clone for NodeKind<O> {
    fn clone(&self) -> Self {
        match self {
            Self::Input(name) => Self::Input(name.clone()),
            Self::Param(k) => Self::Param(*k),
            Self::Layer(k) => Self::Layer(*k),
            Self::Elementwise(function) => Self::Elementwise(*function),
            Self::Op(op) => Self::Op(op.clone()),
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

/// The nodes of a graph with the shapes of their values, as they are added one after the other.
#[derive(Debug)]
pub(super) struct Nodes<O: ?Sized> {
    pub nodes: Vec<Node<O>>,
    pub shapes: Vec<Shape>,
}

impl<O: ?Sized> Clone for Nodes<O> {
    fn clone(&self) -> Self {
        Self { nodes: self.nodes.clone(), shapes: self.shapes.clone() }
    }
}

impl<O: ?Sized> Nodes<O> {
    pub fn new() -> Self {
        Self { nodes: Vec::new(), shapes: Vec::new() }
    }

    /// Adds a node, and returns the number of its first value.
    pub fn push(
        &mut self,
        kind: NodeKind<O>,
        inputs: Vec<Option<usize>>,
        shapes: Vec<Shape>,
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
        Ok(first)
    }

    /// Adds an input with this shape of one sample.
    pub fn push_input(&mut self, name: String, sizes: Vec<usize>) -> Result<usize> {
        let shape = Shape::new(true, sizes).check()?;
        self.push(NodeKind::Input(name), Vec::new(), vec![shape])
    }

    /// Adds a parameter or a constant of this shape.
    pub fn push_param(&mut self, k: usize, sizes: &[usize]) -> Result<usize> {
        let shape = Shape::new(false, sizes).check()?;
        self.push(NodeKind::Param(k), Vec::new(), vec![shape])
    }

    /// Adds an elementwise function.
    pub fn push_function(&mut self, function: Function, inputs: &[usize]) -> Result<usize> {
        let shape = function.shape(&self.shapes_of(inputs))?;
        self.push(NodeKind::Elementwise(function), inputs.iter().copied().map(Some).collect(), vec![shape])
    }

    /// Adds an operation.
    pub fn push_op<F: Scalar>(&mut self, op: Arc<O>, inputs: &[usize]) -> Result<usize>
    where
        O: InferOp<F>,
    {
        let shape = op.shape(&self.shapes_of(inputs))?;
        self.push(NodeKind::Op(op), inputs.iter().copied().map(Some).collect(), vec![shape])
    }

    /// Adds a layer, and returns the number of its first value and of its outputs.
    pub fn push_layer<F: Scalar>(
        &mut self,
        k: usize,
        layer: &(impl ErasedInfer<F> + ?Sized),
        inputs: Vec<Option<usize>>,
    ) -> Result<(usize, usize)> {
        let ports = layer.erased_ports();
        ports.check(&inputs)?;
        let count = inputs.len().max(ports.outputs().len());
        if count > MAX_PORTS || ports.outputs().is_empty() {
            return Err(Error::argument("the number of ports", format!("from 1 to {MAX_PORTS}"), count)
                .help("`Layer::ports` names the inputs and outputs of the layer."));
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
        let made = made.into_iter().map(|sizes| Shape::new(true, sizes).check());
        let made = made.collect::<Result<Vec<_>>>()?;
        let outputs = made.len();
        Ok((self.push(NodeKind::Layer(k), inputs, made)?, outputs))
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

/// A parameter, or a constant, whose name is empty.
#[derive(Clone, Debug)]
pub(super) struct Named<F: Scalar> {
    pub name: String,
    pub param: Param<F>,
}
