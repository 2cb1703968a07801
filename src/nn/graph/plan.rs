//! What is run for the nodes of a graph: the steps, in order, and who reads a value last.
//!
//! The plan follows from the nodes and is in no file. Nodes that no output depends on fall away. Elementwise functions
//! join [`Program`]s; a value that a program cannot read by repeating it is expanded first.

use super::function::Function;
use super::nodes::{NodeKind, Nodes};
use super::program::{Code, Load, MAX_CODES, Program};
use super::shape::{Shape, Shapes};
use crate::error::{Error, Result};
use crate::kernels::Unary;
use std::sync::Arc;

/// What a step does.
#[derive(Debug)]
pub(super) enum Action<O: ?Sized> {
    /// Runs a layer, by its number.
    Layer(usize),
    Op(Arc<O>),
    Program(Program),
    /// Repeats a value along axes of size 1.
    Expand,
}

impl<O: ?Sized> Clone for Action<O> {
    fn clone(&self) -> Self {
        match self {
            Self::Layer(k) => Self::Layer(*k),
            Self::Op(op) => Self::Op(op.clone()),
            Self::Program(program) => Self::Program(program.clone()),
            Self::Expand => Self::Expand,
        }
    }
}

/// A step of the plan. Values of nodes that are not inside of a program have a slot.
#[derive(Debug)]
pub(super) struct Step<O: ?Sized> {
    pub action: Action<O>,
    /// The node for which it runs.
    pub node: usize,
    /// The slots that it reads.
    pub inputs: Vec<Option<usize>>,
    /// The shapes of its inputs; an empty one for an input that is left out.
    pub shapes: Vec<Shape>,
    /// For each input, whether this step is the last to read it.
    pub last: Vec<bool>,
    /// The slots that it fills, and whether anybody reads them. A program has one for its output, and more for results
    /// that it may keep for its backward pass.
    pub outputs: Vec<(usize, bool)>,
}

impl<O: ?Sized> Step<O> {
    /// Returns the slots that nobody reads after this step.
    pub fn last_read(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().zip(&self.last).filter_map(|(slot, last)| slot.filter(|_| *last))
    }

    /// Returns whether it is a layer with one input and one output.
    pub fn is_one_to_one(&self) -> bool {
        self.inputs.len() == 1 && self.outputs.len() == 1
    }
}

/// A place for a value.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub shape: Shape,
    /// The parameter or constant that it is.
    pub param: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Plan<O: ?Sized> {
    pub steps: Vec<Step<O>>,
    pub slots: Vec<Slot>,
    /// The slots of the graph's inputs.
    pub inputs: Vec<usize>,
    /// The slots of the graph's outputs.
    pub outputs: Vec<usize>,
    /// For each output, the step that computes it, if nobody else reads it and it is no other output.
    pub ends: Vec<Option<usize>>,
}

impl<O: ?Sized> Plan<O> {
    /// Checks the shapes of what a layer has put into its slots, if the step is one: a layer of another crate may return
    /// any. `found` is the shape of a slot's value, if it has one.
    pub fn check_made<'v>(
        &self,
        step: &Step<O>,
        batch: usize,
        found: impl Fn(usize) -> Option<&'v [usize]>,
    ) -> Result<()> {
        let Action::Layer(_) = step.action else { return Ok(()) };
        for &(slot, _) in &step.outputs {
            let Some(found) = found(slot) else { continue };
            let sizes = &self.slots[slot].shape.sizes;
            if found.split_first() != Some((&batch, sizes)) {
                let expected = format!("{:?}", [&[batch], &sizes[..]].concat());
                let help = "A layer's `output_shape` or `output_shapes` does not agree with its `forward`; correct the layer.";
                return Err(Error::shape("the output", expected, found).help(help));
            }
        }
        Ok(())
    }

    /// Returns the shapes of a step's inputs and of its first output.
    pub fn shapes<'a>(&'a self, step: &'a Step<O>, batch: usize) -> Shapes<'a> {
        Shapes { inputs: &step.shapes, output: &self.slots[step.outputs[0].0].shape, batch }
    }
}

/// Returns for each node whether an output depends on it.
pub(super) fn live<O: ?Sized>(source: &Nodes<O>, ends: &[(String, usize)]) -> Vec<bool> {
    let mut live = vec![false; source.nodes.len()];
    ends.iter().for_each(|(_, value)| live[source.place_of(*value).0] = true);
    for (i, node) in source.nodes.iter().enumerate().rev() {
        if live[i] {
            node.inputs.iter().flatten().for_each(|value| live[source.place_of(*value).0] = true);
        }
    }
    live
}

/// Plans a graph. Without `fuse`, each elementwise function is a program of its own, so that all values can be looked at.
/// `is_activation` says what is nothing but an activation that a loss may include.
pub(super) fn plan<O: ?Sized>(
    source: &Nodes<O>,
    ends: &[(String, usize)],
    fuse: bool,
    is_activation: &dyn Fn(&Action<O>) -> bool,
) -> Plan<O> {
    let live = live(source, ends);
    let roots = roots(source, ends, &live, fuse);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); source.nodes.len()];
    roots.iter().enumerate().for_each(|(i, root)| {
        if let Some(root) = root {
            members[*root].push(i);
        }
    });
    let mut planner = Planner {
        source,
        roots: &roots,
        slot_of: vec![usize::MAX; source.shapes.len()],
        steps: Vec::new(),
        slots: Vec::new(),
    };
    let mut inputs = Vec::new();
    for (i, node) in source.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Input(_) => inputs.push(planner.slot(node.first, None)),
            _ if !live[i] => {}
            NodeKind::Param(k) => {
                planner.slot(node.first, Some(*k));
            }
            NodeKind::Layer(k) => planner.step(Action::Layer(*k), i),
            NodeKind::Op(op) => planner.step(Action::Op(op.clone()), i),
            // The value itself.
            NodeKind::Lengths => {
                let of = node.inputs.first().copied().flatten();
                planner.slot_of[node.first] = of.map_or(usize::MAX, |value| planner.slot_of[value]);
            }
            NodeKind::Elementwise(_) if roots[i] == Some(i) => planner.program(i, &members[i]),
            NodeKind::Elementwise(_) => {}
        }
    }
    let outputs = ends.iter().map(|(_, value)| planner.slot_of[*value]).collect();
    let Planner { mut steps, mut slots, .. } = planner;
    let outputs = forked(&mut steps, &mut slots, outputs, is_activation);
    finish(steps, slots, inputs, outputs)
}

/// Gives an output that somebody else reads, too, a step of its own for the activation at its end, so that a loss can have
/// what is before it. Returns the slots of the outputs.
fn forked<O: ?Sized>(
    steps: &mut Vec<Step<O>>,
    slots: &mut Vec<Slot>,
    mut outputs: Vec<usize>,
    is_activation: &dyn Fn(&Action<O>) -> bool,
) -> Vec<usize> {
    for k in 0..outputs.len() {
        let of_steps = steps.iter().flat_map(|step| &step.inputs).filter(|slot| **slot == Some(outputs[k]));
        let reads = of_steps.count() + outputs.iter().filter(|slot| **slot == outputs[k]).count();
        let made =
            steps.iter().find(|step| step.outputs.first().is_some_and(|(slot, _)| *slot == outputs[k]));
        let Some(step) =
            made.filter(|step| reads > 1 && step.inputs.len() == 1 && is_activation(&step.action))
        else {
            continue;
        };
        let copy = |(slot, read): &(usize, bool)| {
            slots.push(slots[*slot].clone());
            (slots.len() - 1, *read)
        };
        let own = Step {
            action: step.action.clone(),
            node: step.node,
            inputs: step.inputs.clone(),
            shapes: step.shapes.clone(),
            last: step.last.clone(),
            outputs: step.outputs.iter().map(copy).collect(),
        };
        outputs[k] = own.outputs[0].0;
        steps.push(own);
    }
    outputs
}

/// Returns the value that this one is but for its lengths.
fn without_lengths<O: ?Sized>(source: &Nodes<O>, mut value: usize) -> usize {
    while let node = &source.nodes[source.place_of(value).0]
        && let (NodeKind::Lengths, Some(Some(of))) = (&node.kind, node.inputs.first())
    {
        value = *of;
    }
    value
}

/// Returns for each elementwise node the last node of its program: itself, or the one program that reads it.
fn roots<O: ?Sized>(
    source: &Nodes<O>,
    ends: &[(String, usize)],
    live: &[bool],
    fuse: bool,
) -> Vec<Option<usize>> {
    let count = source.nodes.len();
    let (mut roots, mut sizes): (Vec<Option<usize>>, _) = (vec![None; count], vec![0; count]);
    let ends: Vec<usize> = ends.iter().map(|(_, value)| without_lengths(source, *value)).collect();
    let is_end = |value: usize| ends.contains(&value);
    // A sigmoid at an output is left out if the loss includes it, so its input has to be a value.
    let may_be_left_out = |node: usize| {
        let is_sigmoid =
            matches!(source.nodes[node].kind, NodeKind::Elementwise(Function::Unary(Unary::Sigmoid)));
        is_sigmoid && is_end(source.nodes[node].first)
    };
    // For each node the root of all that read it so far, if it is one.
    let mut readers: Vec<Option<Option<usize>>> = vec![None; count];
    for (i, node) in source.nodes.iter().enumerate().rev() {
        if !live[i] {
            continue;
        }
        if let NodeKind::Elementwise(_) = node.kind {
            let join = readers[i].flatten().filter(|&root| {
                let same = source.shapes[node.first] == source.shapes[source.nodes[root].first];
                fuse && same && sizes[root] < MAX_CODES && !is_end(node.first) && !may_be_left_out(root)
            });
            let root = join.unwrap_or(i);
            roots[i] = Some(root);
            sizes[root] += 1;
        }
        for value in node.inputs.iter().flatten() {
            let reader = &mut readers[source.place_of(*value).0];
            *reader = match *reader {
                None => Some(roots[i]),
                Some(known) if known == roots[i] => Some(known),
                Some(_) => Some(None),
            };
        }
    }
    roots
}

struct Planner<'a, O: ?Sized> {
    source: &'a Nodes<O>,
    roots: &'a [Option<usize>],
    /// For each value its slot.
    slot_of: Vec<usize>,
    steps: Vec<Step<O>>,
    slots: Vec<Slot>,
}

impl<O: ?Sized> Planner<'_, O> {
    /// Makes the slot of a value.
    fn slot(&mut self, value: usize, param: Option<usize>) -> usize {
        self.slot_of[value] = self.slots.len();
        self.slots.push(Slot { shape: self.source.shapes[value].clone(), param });
        self.slot_of[value]
    }

    /// Makes a slot for what is the value of no node.
    fn room(&mut self, shape: &Shape) -> usize {
        self.slots.push(Slot { shape: shape.clone(), param: None });
        self.slots.len() - 1
    }

    /// Adds the step of a node.
    fn step(&mut self, action: Action<O>, node: usize) {
        let of = &self.source.nodes[node];
        let inputs: Vec<_> = of.inputs.iter().map(|value| value.map(|value| self.slot_of[value])).collect();
        let values = of.first..of.first + self.source.outputs_of(node);
        let outputs = values.map(|value| (self.slot(value, None), false)).collect();
        self.push(action, node, inputs, outputs);
    }

    fn push(
        &mut self,
        action: Action<O>,
        node: usize,
        inputs: Vec<Option<usize>>,
        outputs: Vec<(usize, bool)>,
    ) {
        let shape = |slot: &Option<usize>| {
            slot.map_or_else(|| Shape::new(true, []), |slot| self.slots[slot].shape.clone())
        };
        let (shapes, last) = (inputs.iter().map(shape).collect(), vec![false; inputs.len()]);
        self.steps.push(Step { action, node, inputs, shapes, last, outputs });
    }

    /// Adds the program of these nodes, of which `root` is the last.
    fn program(&mut self, root: usize, members: &[usize]) {
        let source = self.source;
        let target = &source.shapes[source.nodes[root].first];
        let (mut inputs, mut loads) = (Vec::new(), Vec::new());
        // The registers of values from outside; those of members follow when their number is known.
        let mut arguments: Vec<[Register; 3]> = Vec::with_capacity(members.len());
        for &member in members {
            let mut of = [Register::Input(0); 3];
            for (place, &value) in of.iter_mut().zip(source.nodes[member].inputs.iter().flatten()) {
                let node = source.place_of(value).0;
                *place = if self.roots[node] == Some(root) {
                    Register::Member(members.binary_search(&node).unwrap_or(0))
                } else {
                    let (slot, load) = self.readable(value, target, root);
                    let known = inputs.iter().position(|&known| known == Some(slot));
                    Register::Input(known.unwrap_or_else(|| {
                        inputs.push(Some(slot));
                        loads.push(load);
                        inputs.len() - 1
                    }))
                };
            }
            arguments.push(of);
        }
        let count = loads.len();
        let register = |register| match register {
            Register::Input(r) => r,
            Register::Member(m) => count + m,
        };
        let codes = members.iter().zip(&arguments).filter_map(|(&member, of)| {
            let NodeKind::Elementwise(function) = source.nodes[member].kind else { return None };
            Some(Code { function, of: of.map(register) })
        });
        let program = Program::new(loads, codes.collect());
        let mut outputs = vec![(self.slot(source.nodes[root].first, None), false)];
        outputs.extend(program.kept().map(|_| (self.room(target), false)));
        self.push(Action::Program(program), root, inputs, outputs);
    }

    /// Returns the slot of a value for a program with this output, expanded if need be, and how it is read.
    fn readable(&mut self, value: usize, target: &Shape, root: usize) -> (usize, Load) {
        let (slot, own) = (self.slot_of[value], &self.source.shapes[value]);
        if let Some(load) = Load::of(own, target) {
            return (slot, load);
        }
        let shape = Shape::new(own.batched, target.sizes.clone());
        let load = Load::of(&shape, target).expect("the sizes of the output");
        let expanded = self.room(&shape);
        self.push(Action::Expand, root, vec![Some(slot)], vec![(expanded, false)]);
        (expanded, load)
    }
}

/// An argument of an instruction, before the number of inputs is known.
#[derive(Clone, Copy)]
enum Register {
    Input(usize),
    Member(usize),
}

/// Works out who reads a slot last, which outputs of layers are read, and which outputs of the graph nobody else reads.
fn finish<O: ?Sized>(
    mut steps: Vec<Step<O>>,
    slots: Vec<Slot>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
) -> Plan<O> {
    let mut is_read = vec![false; slots.len()];
    outputs.iter().for_each(|&slot| is_read[slot] = true);
    for step in steps.iter_mut().rev() {
        step.outputs.iter_mut().for_each(|(slot, read)| *read = is_read[*slot]);
        for (i, slot) in step.inputs.iter().enumerate().rev() {
            if let Some(slot) = *slot {
                step.last[i] = !std::mem::replace(&mut is_read[slot], true) && slots[slot].param.is_none();
            }
        }
    }
    let mut computed_by = vec![None; slots.len()];
    let mut reads = vec![0; slots.len()];
    for (s, step) in steps.iter().enumerate() {
        step.outputs.iter().for_each(|(slot, _)| computed_by[*slot] = Some(s));
        step.inputs.iter().flatten().for_each(|&slot| reads[slot] += 1);
    }
    outputs.iter().for_each(|&slot| reads[slot] += 1);
    let alone = |&slot: &usize| computed_by[slot].filter(|_| reads[slot] == 1);
    let ends = outputs.iter().map(alone).collect();
    Plan { steps, slots, inputs, outputs, ends }
}
