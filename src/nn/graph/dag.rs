//! [`Dag`]: the nodes of a graph, as they were written, and what is run for them.
//!
//! A graph is generic over the tables through which its layers and operations are called, as a
//! [`Chain`](crate::nn::chain::Chain) is: one that can be trained, and one that only infers.
//!
//! Invariants between method calls, which [`Dag::new`] checks for graphs that are built and for those that are loaded:
//!
//! - the inputs of a node are values of nodes before it, so there is no cycle;
//! - shapes are those that layers and operations returned for their inputs;
//! - there is an output, each name exists once, and each input and parameter is read on the way to an output.

use super::nodes::{Named, Node, NodeKind, Nodes};
use super::op::{InferOp, OpTable};
use super::plan::{self, Action, Plan};
use super::shape::MAX_INPUTS;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::nn::erased::ErasedInfer;
use crate::nn::names;
use crate::nn::output_activation::{OutputActivation, WithoutActivation};
use crate::nn::parts::Part;
use crate::nn::port::Port;
use crate::param::Param;
use crate::shown::listed;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The nodes of a graph, its parameters and layers, and the plan by which it runs.
#[derive(Debug)]
pub(crate) struct Dag<F: Scalar, L: ErasedInfer<F> + ?Sized, O: ?Sized> {
    /// The name as a layer; empty for a model.
    pub(super) label: String,
    pub(super) source: Arc<Nodes<O>>,
    pub(super) params: Vec<Named<F>>,
    pub(super) layers: Vec<(String, Box<L>)>,
    /// The outputs: their names and values.
    pub(super) ends: Vec<(String, usize)>,
    pub(super) in_ports: Vec<Port>,
    pub(super) out_ports: Vec<Port>,
    pub(super) plan: Arc<Plan<O>>,
    /// What is known of each output, in inference.
    pub(super) known: Vec<OutputActivation>,
    /// For each node, the text with which errors and the summary name it.
    pub(super) labels: Arc<Vec<String>>,
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Dag<F, L, O> {
    /// Creates a graph from nodes whose shapes were checked, and plans it.
    pub(super) fn new(
        label: String,
        source: Nodes<O>,
        params: Vec<Named<F>>,
        layers: Vec<(String, Box<L>)>,
        ends: Vec<(String, usize)>,
    ) -> Result<Self> {
        check_level()?;
        let is_activation = |action: &Action<O>| match action {
            Action::Layer(k) => {
                let layer = &layers[*k].1;
                let nothing = layer.erased_without_activation() == WithoutActivation::Nothing;
                layer.erased_activation().can_be_fused() && nothing
            }
            Action::Op(op) => op.activation().can_be_fused(),
            Action::Program(program) => program.activation().can_be_fused(),
            Action::Expand => false,
        };
        let plan = Arc::new(plan::plan(&source, &ends, true, &is_activation));
        let port = |name: &str, value: usize| {
            let has_lengths = source.lengths[value].is_some();
            Port::new(name, source.shapes[value].sizes.clone()).with_lengths(has_lengths)
        };
        let inputs = source.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Input(name) => Some(port(name, node.first)),
            _ => None,
        });
        let (in_ports, out_ports): (Vec<_>, _) =
            (inputs.collect(), ends.iter().map(|(name, value)| port(name, *value)).collect());
        let labels = Arc::new(labels::<F, L, O>(&source, &params, &layers));
        if !label.is_empty() {
            check_name("a layer", &label)?;
        }
        let (source, known) = (Arc::new(source), Vec::new());
        let mut dag = Self { label, source, params, layers, ends, in_ports, out_ports, plan, known, labels };
        dag.check()?;
        dag.known = dag.known_by(|layer, input| layer.erased_output_activation(input));
        Ok(dag)
    }

    /// Returns what is known of each output; `after` says what is known after a layer.
    pub(super) fn known_by(
        &self,
        after: impl Fn(&L, OutputActivation) -> OutputActivation,
    ) -> Vec<OutputActivation> {
        let source = &self.source;
        let mut known: Vec<OutputActivation> = Vec::with_capacity(source.shapes.len());
        for (i, node) in source.nodes.iter().enumerate() {
            let first = node.inputs.first().copied().flatten();
            let input = first.map_or(OutputActivation::Unknown, |value| known[value]);
            let own = match &node.kind {
                NodeKind::Layer(k) => {
                    let layer = &self.layers[*k].1;
                    let output = after(&**layer, input);
                    // A layer that passes values on breaks distributions up if the length of its rows changes.
                    let handed_on = output == input && layer.erased_activation() != output;
                    let last = |value: usize| source.shapes[value].sizes.last();
                    let same = first.is_some_and(|first| last(first) == last(node.first));
                    if handed_on && !same { output.of_numbers() } else { output }
                }
                NodeKind::Op(op) => op.activation(),
                NodeKind::Elementwise(function) => function.output_activation(input),
                NodeKind::Input(_) | NodeKind::Param(_) => OutputActivation::Unknown,
                NodeKind::Lengths => input,
            };
            // What a layer says holds for its first output.
            known.push(own);
            known.resize(node.first + source.outputs_of(i), OutputActivation::Unknown);
        }
        self.ends.iter().map(|(_, value)| known[*value]).collect()
    }

    /// Checks names, outputs, and that all inputs and parameters are read.
    fn check(&self) -> Result<()> {
        if self.ends.is_empty() || self.in_ports.is_empty() {
            let (what, call) = if self.ends.is_empty() {
                ("outputs", "g.output(\"class\", y)")
            } else {
                ("inputs", "g.input(\"image\", [28, 28])")
            };
            return Err(Error::argument(format!("the number of {what}"), "at least 1", 0)
                .help(format!("Add one: `{call}`.")));
        }
        if self.ends.len() > MAX_INPUTS || self.in_ports.len() > MAX_INPUTS {
            let found = self.ends.len().max(self.in_ports.len());
            return Err(Error::argument(
                "the number of inputs or outputs",
                format!("at most {MAX_INPUTS}"),
                found,
            )
            .help("Join some of them with `concat`."));
        }
        distinct("an input", self.in_ports.iter().map(Port::name))?;
        distinct("an output", self.out_ports.iter().map(Port::name))?;
        distinct("a layer", self.layers.iter().map(|(name, _)| name.as_str()))?;
        let mut names = Vec::new();
        self.each_param(&mut |name, _| names.push(name.to_owned()));
        distinct("a parameter", names.iter().map(String::as_str))?;
        for (name, value) in &self.ends {
            let shape = &self.source.shapes[*value];
            if !shape.batched {
                return Err(alone(name));
            }
        }
        self.check_reads()
    }

    fn check_reads(&self) -> Result<()> {
        let live = plan::live(&self.source, &self.ends);
        let mut used = vec![false; self.layers.len()];
        let mut params = vec![false; self.params.len()];
        for (node, live) in self.source.nodes.iter().zip(&live) {
            match &node.kind {
                NodeKind::Input(name) if !live => {
                    return Err(Error::data(
                        format!("the input {name:?}"),
                        "be read by an output",
                        "one that is not",
                    )
                    .help("Use it, or remove it."));
                }
                NodeKind::Param(k) => params[*k] |= live,
                NodeKind::Layer(k) => used[*k] |= live,
                _ => {}
            }
        }
        let name = |k: usize| &self.params[k].name;
        if let Some(k) = (0..params.len()).find(|&k| !params[k] && !name(k).is_empty()) {
            return Err(Error::data(
                format!("the parameter {:?}", name(k)),
                "be read by an output",
                "one that is not",
            )
            .help("Use it, or remove it: it would be saved, and never be trained."));
        }
        if let Some(k) = used.iter().position(|used| !used) {
            let (name, layer) = &self.layers[k];
            let place = layer_place(name, layer.erased_label());
            return Err(Error::data(place, "be read by an output", "one that is not")
                .help("Use its output, or remove it: it would be saved, and never be trained."));
        }
        Ok(())
    }

    /// Returns a copy with copies of the layers.
    pub fn copied(&self) -> Self
    where
        Box<L>: Clone,
    {
        Self {
            label: self.label.clone(),
            source: self.source.clone(),
            params: self.params.clone(),
            layers: self.layers.clone(),
            ends: self.ends.clone(),
            in_ports: self.in_ports.clone(),
            out_ports: self.out_ports.clone(),
            plan: self.plan.clone(),
            known: self.known.clone(),
            labels: self.labels.clone(),
        }
    }

    /// Returns the value of this name: that of a node, "lstm[1]" for another output than the first, or of an output.
    pub fn value_named(&self, name: &str) -> Result<usize> {
        let node = |wanted: &str, output: usize| -> Vec<usize> {
            let named = (0..self.labels.len()).filter(|i| self.labels[*i] == wanted);
            let has_output = named.filter(|i| output < self.source.outputs_of(*i));
            has_output.map(|i| self.source.nodes[i].first + output).collect()
        };
        let mut found = node(name, 0);
        let of_output = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
        if let (Some((wanted, Ok(output))), []) = (of_output.map(|(of, k)| (of, k.parse())), &found[..]) {
            found.extend(node(wanted, output));
        }
        let is_layer = |value: &usize| {
            matches!(self.source.nodes[self.source.place_of(*value).0].kind, NodeKind::Layer(_))
        };
        if let Some((_, value)) = self.ends.iter().find(|(end, _)| end == name) {
            // An output was named by the user, as a layer is; inputs and operations of its name are others.
            if found.iter().any(|other| is_layer(other) && other != value) {
                let found = format!("{name:?}, that of a layer and of another value that is an output");
                return Err(Error::argument("the name of a value", "that of one node", found)
                    .help("Name the layer otherwise, by `layer_named`."));
            }
            return Ok(*value);
        }
        if found.iter().filter(|value| is_layer(value)).count() == 1 {
            // A layer was named by the user, an operation by its kind.
            found.retain(is_layer);
        }
        match found[..] {
            [value] => Ok(value),
            [] => {
                let known: Vec<&str> = self.labels.iter().map(String::as_str).collect();
                let expected = format!("one of {}", listed(&known, 50));
                Err(Error::argument("the name of a value", expected, format!("{name:?}"))
                    .help("Print the model: its first column has the names."))
            }
            _ => {
                let found = format!("{name:?}, that of {}", found.len());
                Err(Error::argument("the name of a value", "that of one node", found)
                    .help("A layer that is applied several times has one name: name what reads its output."))
            }
        }
    }

    /// The text with which errors name a node.
    pub fn place(&self, node: usize) -> String {
        place::<F, L, O>(&self.source.nodes[node].kind, &self.labels[node], &self.layers)
    }

    /// Visits the parameters of the graph, then those of its layers, which have the layer's name in front.
    pub fn each_param(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        for Named { name, param } in self.params.iter().filter(|named| !named.name.is_empty()) {
            visit(name, param);
        }
        let mut full = names::take();
        for (name, layer) in &self.layers {
            layer.erased_visit(&mut |own, param| {
                names::write(&mut full, name, own);
                visit(&full, param);
            });
        }
        names::put(full);
    }

    /// The layers, for the input of the first node that each is at.
    pub fn parts(&self) -> Vec<Part<'_, F>> {
        let mut inputs = HashMap::new();
        for node in &self.source.nodes {
            if let (NodeKind::Layer(k), Some(Some(first))) = (&node.kind, node.inputs.first()) {
                inputs.entry(*k).or_insert_with(|| self.source.shapes[*first].sizes.clone());
            }
        }
        let layers = self.layers.iter().enumerate();
        layers
            .map(|(k, (name, layer))| {
                Part::new(name.as_str(), inputs.remove(&k).unwrap_or_default(), layer.erased_any())
            })
            .collect()
    }
}

/// The error of an output that is no value of the batch.
pub(super) fn alone(output: &str) -> Error {
    Error::data(format!("the output {output:?}"), "depend on an input", "a parameter alone")
        .help("Add it to a value of the batch, or read the parameter from the model.")
}

/// Refuses a name that is empty, or would break up a table.
pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    if !name.is_empty() && !name.contains(char::is_control) {
        return Ok(());
    }
    let expected = "one or more characters, none of them a control character";
    Err(Error::argument(format!("the name of {what}"), expected, format!("{name:?}"))
        .help("It is the name in errors, in the summary and in files."))
}

/// Refuses a name that occurs twice, or is none.
fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        check_name(what, name)?;
        if !seen.insert(name) {
            return Err(taken(what, name));
        }
    }
    Ok(())
}

/// The error of a name that occurs twice.
pub(super) fn taken(what: &str, name: &str) -> Error {
    let help = "Give each its own name. A layer without one is named by its number, from 0.";
    Error::argument(format!("the name of {what}"), "one that is not taken", format!("{name:?}")).help(help)
}

/// The text with which errors name a layer.
pub(super) fn layer_place(name: &str, kind: &str) -> String {
    format!("layer {name} ({kind})")
}

fn place<F: Scalar, L: ErasedInfer<F> + ?Sized, O: ?Sized>(
    kind: &NodeKind<O>,
    label: &str,
    layers: &[(String, Box<L>)],
) -> String {
    match kind {
        NodeKind::Input(_) => format!("the input {label}"),
        NodeKind::Param(_) => format!("the parameter {label}"),
        NodeKind::Layer(k) => layer_place(&layers[*k].0, layers[*k].1.erased_label()),
        NodeKind::Elementwise(_) | NodeKind::Op(_) | NodeKind::Lengths => format!("operation {label}"),
    }
}

/// The label of each node: the name of an input, a parameter or a layer; the kind of an operation, with a number from
/// the second on: "matmul", "matmul_1".
fn labels<F: Scalar, L: ErasedInfer<F> + ?Sized, O: InferOp<F> + ?Sized>(
    source: &Nodes<O>,
    params: &[Named<F>],
    layers: &[(String, Box<L>)],
) -> Vec<String> {
    let mut counts: HashMap<&'static str, usize> = HashMap::new();
    let mut numbered = |kind: &'static str| {
        let count = counts.entry(kind).or_insert(0);
        *count += 1;
        if *count == 1 { kind.to_owned() } else { format!("{kind}_{}", *count - 1) }
    };
    let label = |node: &Node<O>| match &node.kind {
        NodeKind::Input(name) => name.clone(),
        NodeKind::Param(k) if params[*k].name.is_empty() => numbered("constant"),
        NodeKind::Param(k) => params[*k].name.clone(),
        NodeKind::Layer(k) => layers[*k].0.clone(),
        NodeKind::Elementwise(function) => numbered(function.kind()),
        NodeKind::Op(op) => numbered(op.kind()),
        NodeKind::Lengths => numbered(node.lengths_kind()),
    };
    source.nodes.iter().map(label).collect()
}
