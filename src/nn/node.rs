//! [`Node`]: a model as one list of what it computes.

use crate::param::ParamKind;
use std::collections::HashMap;

/// What a [`Node`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// An input of the model.
    Input,
    /// A parameter that operations read: frozen, trained or a buffer. Those of layers are inside of the layer's node.
    Parameter,
    /// An array without a name, which is neither trained nor in state dicts.
    Constant,
    /// A layer, or a container of layers.
    Layer,
    /// An operation of a graph.
    Operation,
    /// An output of the model: the value that it reads, under the output's name.
    Output,
}

/// Numbers of parameters by kind, in values and not in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::nn) struct Count {
    pub trainable: usize,
    pub frozen: usize,
    pub buffers: usize,
}

impl Count {
    /// Counts a parameter under its current kind, which freezing changes.
    pub fn add(&mut self, kind: ParamKind, len: usize) {
        match kind {
            ParamKind::Trainable => self.trainable += len,
            ParamKind::Frozen => self.frozen += len,
            ParamKind::Buffer => self.buffers += len,
        }
    }

    /// Returns the number of all.
    pub fn total(self) -> usize {
        self.trainable + self.frozen + self.buffers
    }

    /// Returns the numbers of the parameters of several nodes.
    pub fn of_nodes(nodes: &[Node]) -> Self {
        let add = |a: Self, b: &Node| Self {
            trainable: a.trainable + b.count.trainable,
            frozen: a.frozen + b.count.frozen,
            buffers: a.buffers + b.count.buffers,
        };
        nodes.iter().fold(Self::default(), add)
    }
}

/// An input, a layer, an operation or an output of a model, in the list that [`Infer::nodes`](super::Infer::nodes)
/// returns.
///
/// The list describes any model, a row of layers or a graph. A node reads values of nodes before it, so going through the
/// list once is enough to draw a model, to count in it, or to write it in another form.
///
/// ```
/// use plywood::nn::{Node, Role};
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("x", [4]);
/// g.output("y", x + x.layer_named("body", Dense::units(4)).tanh());
/// let model = g.build()?;
/// let lines = model.nodes().iter().map(|node| format!("{} ({}) {:?}", node.name(), node.kind(), node.shape())).collect::<Vec<_>>();
/// assert_eq!(lines, ["x (input) [4]", "body (dense) [4]", "tanh (tanh) [4]", "add (add) [4]", "y (output) [4]"]);
///
/// // What reads what: pairs of a node and of one of its outputs.
/// let nodes: Vec<Node> = model.nodes();
/// assert_eq!(nodes[3].reads().collect::<Vec<_>>(), [(0, 0), (2, 0)]);
/// assert_eq!(nodes.iter().map(Node::parameter_count).sum::<usize>(), 20);
/// assert_eq!(nodes[1].role(), Role::Layer);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A container is one node, with its own list in [`parts`](Node::parts); [`Node::expand`] puts that list in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    name: String,
    role: Role,
    kind: String,
    inputs: Vec<Option<(usize, usize)>>,
    shapes: Vec<Vec<usize>>,
    count: Count,
    is_repeated: bool,
    has_label: bool,
    parts: Vec<Node>,
}

impl Node {
    /// Creates a node that reads these values and has outputs of these shapes.
    pub(in crate::nn) fn new(
        name: impl Into<String>,
        role: Role,
        kind: &str,
        inputs: Vec<Option<(usize, usize)>>,
        shapes: Vec<Vec<usize>>,
    ) -> Self {
        Self {
            name: name.into(),
            role,
            kind: kind.to_owned(),
            inputs,
            shapes,
            count: Count::default(),
            is_repeated: false,
            has_label: false,
            parts: Vec::new(),
        }
    }

    pub(in crate::nn) fn input(name: &str, shape: &[usize]) -> Self {
        Self::new(name, Role::Input, "input", Vec::new(), vec![shape.to_vec()])
    }

    pub(in crate::nn) fn output(name: &str, reads: (usize, usize), shape: &[usize]) -> Self {
        Self::new(name, Role::Output, "output", vec![Some(reads)], vec![shape.to_vec()])
    }

    pub(in crate::nn) fn with_count(self, count: Count) -> Self {
        Self { count, ..self }
    }

    pub(in crate::nn) fn with_label(self, has_label: bool) -> Self {
        Self { has_label, ..self }
    }

    pub(in crate::nn) fn with_parts(self, parts: Vec<Self>) -> Self {
        Self { parts, ..self }
    }

    /// Marks a layer that an earlier node has shown, with its parameters; of an operation there is nothing to mark.
    pub(in crate::nn) fn repeated(self) -> Self {
        if !matches!(self.role, Role::Layer | Role::Parameter) {
            return self;
        }
        let parts = self.parts.into_iter().map(Self::repeated).collect();
        Self { count: Count::default(), is_repeated: true, parts, ..self }
    }

    /// Returns the name: of a layer the one in front of its parameters, "0" or "encoder"; of an operation its kind, with a
    /// number from the second on, "matmul_1".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the kind of a layer or an operation, "dense" or "matmul", the label of a layer that has one
    /// ([`Layer::label`](super::Layer::label)), and "input", "parameter", "constant" or "output" of the others.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the values that it reads, as pairs of a node's number in the list and the number of that node's output.
    pub fn reads(&self) -> impl Iterator<Item = (usize, usize)> {
        self.inputs.iter().flatten().copied()
    }

    /// Returns the values that it reads with a place for each input that its layer or operation has; `None` is an optional
    /// input that is left out.
    pub fn inputs(&self) -> &[Option<(usize, usize)>] {
        &self.inputs
    }

    /// Returns the shape of its first output, without the batch axis.
    pub fn shape(&self) -> &[usize] {
        self.shapes.first().map_or(&[], Vec::as_slice)
    }

    /// Returns the shapes of its outputs, without the batch axis.
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    /// Returns the number of values in its parameters and buffers. Constants are not counted, and a layer that is at several
    /// nodes is counted at the first, so the sum over a list is that of the model.
    pub fn parameter_count(&self) -> usize {
        self.count.total()
    }

    /// Returns how many of the values are trained.
    pub fn trainable_count(&self) -> usize {
        self.count.trainable
    }

    /// Returns how many of the values are frozen; what is neither trained nor frozen is in buffers.
    pub fn frozen_count(&self) -> usize {
        self.count.frozen
    }

    /// Returns whether it is a layer that an earlier node of the list has shown: one that is applied several times.
    pub fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// Returns whether its kind is a label that was given to it, as by [`Graph::layer`](super::Graph::layer).
    pub fn has_label(&self) -> bool {
        self.has_label
    }

    /// Returns the list of what is inside of a container, of a graph or of a row of layers: its inputs first, its outputs
    /// last.
    ///
    /// A container of another crate that does not say how its parts are connected
    /// ([`Layer::wiring`](super::Layer::wiring)) has a list of its layers alone, which read nothing.
    pub fn parts(&self) -> &[Self] {
        &self.parts
    }

    /// Returns whether its parts say what they read, so that they can stand in its place.
    fn is_wired(&self) -> bool {
        let ends = self.parts.iter().filter(|part| part.role == Role::Output).count();
        ends > 0 && ends >= self.shapes.len()
    }

    /// Returns the list with the parts of containers in place of the containers, all the way down. The names of layers and
    /// parameters are those in a state dict, "2.block.0"; operations are numbered anew.
    ///
    /// ```
    /// use plywood::nn::Node;
    /// use plywood::prelude::*;
    ///
    /// let block = Sequential::block().layer(Dense::units(4)).layer(ReLU);
    /// let model = Sequential::builder([4]).layer(Residual::around(block)).layer(Softmax).build()?;
    /// let names = |nodes: &[Node]| nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>();
    /// assert_eq!(names(&model.nodes()), ["input", "0", "1", "output"]);
    /// let expanded = Node::expand(&model.nodes());
    /// assert_eq!(names(&expanded), ["input", "0.block.0", "0.block.1", "add", "1", "output"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// [`Graph::expanded`](super::Graph::expanded) does it with a model, not with its description.
    pub fn expand(nodes: &[Self]) -> Vec<Self> {
        Self::expand_where(nodes, |_| true)
    }

    /// [`expand`](Self::expand) of the containers that `choose` returns `true` for; the others stay one node.
    pub(crate) fn expand_where(nodes: &[Self], choose: fn(&Self) -> bool) -> Vec<Self> {
        let mut list = Expanded { nodes: Vec::new(), counts: HashMap::new(), choose };
        list.add(nodes, None);
        list.nodes
    }
}

/// Where a list of parts goes: the names in front, the values that the inputs are, and whether it was shown before.
#[derive(Clone, Copy)]
struct Place<'a> {
    prefix: &'a str,
    given: &'a [Option<(usize, usize)>],
    is_repeated: bool,
}

/// A list without containers, but for those that are not chosen.
struct Expanded {
    nodes: Vec<Node>,
    counts: HashMap<String, usize>,
    choose: fn(&Node) -> bool,
}

impl Expanded {
    /// Adds nodes; those inside of a container have a place. Returns the values of the container's outputs.
    fn add(&mut self, nodes: &[Node], place: Option<Place<'_>>) -> Vec<Option<(usize, usize)>> {
        let mut values: Vec<Vec<Option<(usize, usize)>>> = Vec::with_capacity(nodes.len());
        let (mut given, mut ends) = (place.map_or(&[][..], |place| place.given).iter().copied(), Vec::new());
        for node in nodes {
            let find = |read: Option<(usize, usize)>| {
                let (node, output) = read?;
                values.get(node)?.get(output).copied().flatten()
            };
            let inputs: Vec<_> = node.inputs.iter().map(|read| find(*read)).collect();
            let made = match (node.role, place) {
                (Role::Input, Some(_)) => vec![given.next().flatten()],
                (Role::Output, Some(_)) => {
                    ends.extend(inputs);
                    Vec::new()
                }
                _ => self.node(node, inputs, place),
            };
            values.push(made);
        }
        ends
    }

    /// Adds one node, or what is inside of it. Returns its values.
    fn node(
        &mut self,
        node: &Node,
        inputs: Vec<Option<(usize, usize)>>,
        place: Option<Place<'_>>,
    ) -> Vec<Option<(usize, usize)>> {
        let is_repeated = node.is_repeated || place.is_some_and(|place| place.is_repeated);
        let prefix = place.map_or("", |place| place.prefix);
        let name = match node.role {
            Role::Layer | Role::Parameter if !prefix.is_empty() => format!("{prefix}.{}", node.name),
            Role::Operation | Role::Constant => numbered(&mut self.counts, &node.kind),
            _ => node.name.clone(),
        };
        if node.is_wired() && (self.choose)(node) {
            return self.add(&node.parts, Some(Place { prefix: &name, given: &inputs, is_repeated }));
        }
        let own = Node { name, inputs, ..node.clone() };
        self.nodes.push(if is_repeated { own.repeated() } else { own });
        let at = self.nodes.len() - 1;
        (0..node.shapes.len()).map(|output| Some((at, output))).collect()
    }
}

/// Returns the name of an operation: its kind, with a number from the second on.
pub(in crate::nn) fn numbered(counts: &mut HashMap<String, usize>, kind: &str) -> String {
    let count = counts.entry(kind.to_owned()).or_insert(0);
    *count += 1;
    if *count == 1 { kind.to_owned() } else { format!("{kind}_{}", *count - 1) }
}
