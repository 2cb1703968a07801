//! Copies of a graph's nodes in another recording: as they are, cut, or with the parts of containers in their place.

use super::Graph;
use super::dag::layer_place;
use super::function::Function;
use super::keep::TrainDag;
use super::nodes::{Named, NodeKind, Nodes};
use super::op::{OpTable, TrainOp, lost};
use super::ops::Concat;
use crate::error::Result;
use crate::kernels::{Scalar, Unary};
use crate::nn::erased::ErasedLayer;
use crate::nn::wiring::Wiring;
use std::collections::HashMap;
use std::sync::Arc;

/// Layers with their names.
type Layers<F> = Vec<(String, Box<dyn ErasedLayer<F>>)>;

/// What nodes are added to.
pub(super) struct Recording<'a, F: Scalar> {
    pub source: &'a mut Nodes<dyn TrainOp<F>>,
    pub params: &'a mut Vec<Named<F>>,
    pub layers: &'a mut Layers<F>,
    /// The values of the parameters that have been placed: one that several nodes read is one node.
    values: HashMap<usize, usize>,
    /// Whether the parts of containers stand in their place.
    expand: bool,
}

/// A layer or a container whose layers are in the recording, by their numbers.
pub(super) enum Piece<F: Scalar> {
    Layer(usize),
    Row(Vec<Self>),
    /// Branches whose outputs become one, two at a time.
    Pairs(Vec<Self>, Wiring),
    /// Branches whose outputs are joined along an axis.
    Concat(Vec<Self>, usize),
    Graph(Inner<F>),
}

/// The nodes of a graph, with what its parameters and its layers are in the recording.
pub(super) struct Inner<F: Scalar> {
    source: Arc<Nodes<dyn TrainOp<F>>>,
    /// The names of the nodes in errors.
    places: Vec<String>,
    params: Vec<Option<usize>>,
    layers: Vec<Option<Piece<F>>>,
    ends: Vec<usize>,
    live: Vec<bool>,
}

/// Returns a name inside of something.
pub(super) fn inside(prefix: &str, name: &str) -> String {
    if prefix.is_empty() || name.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

impl<'a, F: Scalar> Recording<'a, F> {
    pub fn new(
        source: &'a mut Nodes<dyn TrainOp<F>>,
        params: &'a mut Vec<Named<F>>,
        layers: &'a mut Layers<F>,
        expand: bool,
    ) -> Self {
        Self { source, params, layers, values: HashMap::new(), expand }
    }

    /// Copies the parameters and the layers that live nodes read. Their names get this prefix.
    pub fn take(&mut self, dag: &TrainDag<F>, prefix: &str, ends: Vec<usize>, live: Vec<bool>) -> Inner<F> {
        let (mut params, mut layers) = (vec![false; dag.params.len()], vec![false; dag.layers.len()]);
        for (node, _) in dag.source.nodes.iter().zip(&live).filter(|(_, live)| **live) {
            match node.kind {
                NodeKind::Param(k) => params[k] = true,
                NodeKind::Layer(k) => layers[k] = true,
                _ => {}
            }
        }
        let mut param = |(named, is_read): (&Named<F>, &bool)| {
            is_read.then(|| {
                let name = inside(prefix, &named.name);
                self.params.push(Named { name, param: named.param.clone() });
                self.params.len() - 1
            })
        };
        let params = dag.params.iter().zip(&params).map(&mut param).collect();
        let parts = dag.parts();
        let layers = dag.layers.iter().zip(&parts).zip(&layers).map(|(((name, layer), part), is_read)| {
            is_read.then(|| self.piece(inside(prefix, name), &**layer, part.input()))
        });
        let layers = layers.collect();
        let places = (0..dag.source.nodes.len()).map(|i| dag.place(i)).collect();
        Inner { source: dag.source.clone(), places, params, layers, ends, live }
    }

    /// [`take`](Self::take) with all nodes.
    pub fn take_all(&mut self, dag: &TrainDag<F>, prefix: &str) -> Inner<F> {
        let ends = dag.ends.iter().map(|(_, value)| *value).collect();
        self.take(dag, prefix, ends, vec![true; dag.source.nodes.len()])
    }

    /// Copies a layer for inputs of this shape, or the layers inside of it.
    fn piece(&mut self, name: String, layer: &dyn ErasedLayer<F>, input: &[usize]) -> Piece<F> {
        if self.expand {
            if let Some(graph) = layer.as_own_type().downcast_ref::<Graph<F>>() {
                return Piece::Graph(self.take_all(&graph.dag, &name));
            }
            if let Some(piece) = self.parts(&name, layer, input) {
                return piece;
            }
        }
        self.layers.push((name, layer.erased_clone()));
        Piece::Layer(self.layers.len() - 1)
    }

    /// Copies the parts of a container that says how they are connected.
    fn parts(&mut self, name: &str, layer: &dyn ErasedLayer<F>, input: &[usize]) -> Option<Piece<F>> {
        let wiring = layer.erased_wiring();
        // What a custom container does about lengths is not known of its parts.
        let is_own = layer.erased_kind().contains('.') && layer.erased_ports().says_anything();
        if wiring == Wiring::Unsaid || is_own {
            return None;
        }
        let (names, boxes) = (layer.erased_parts(input), layer.erased_boxed_parts());
        if names.len() != boxes.len() || boxes.is_empty() && wiring != Wiring::Row {
            return None;
        }
        let parts = names.iter().zip(&boxes);
        let pieces = parts
            .map(|(part, layer)| self.piece(inside(name, part.name()), &**layer, part.input()))
            .collect();
        Some(match wiring {
            Wiring::Sum { .. } | Wiring::Product | Wiring::Maximum | Wiring::Mean => {
                Piece::Pairs(pieces, wiring)
            }
            Wiring::Concat { axis } => Piece::Concat(pieces, axis),
            Wiring::Row | Wiring::Unsaid => Piece::Row(pieces),
        })
    }

    /// Adds the nodes of a graph, whose inputs are these values. Returns the values of its ends.
    pub fn place(&mut self, inner: &Inner<F>, given: &[Option<usize>]) -> Result<Vec<usize>> {
        let mut values: Vec<Option<usize>> = vec![None; inner.source.shapes.len()];
        let mut given = given.iter();
        for (i, node) in inner.source.nodes.iter().enumerate() {
            if let NodeKind::Input(_) = node.kind {
                values[node.first] = given.next().copied().flatten();
                continue;
            }
            if !inner.live[i] {
                continue;
            }
            let inputs: Vec<_> =
                node.inputs.iter().map(|value| value.and_then(|value| values[value])).collect();
            let outputs = inner.source.outputs_of(i);
            let made = self.node(inner, &node.kind, inputs, outputs);
            let made = made.map_err(|error| error.at(&inner.places[i]))?;
            for (value, made) in values[node.first..][..outputs].iter_mut().zip(made) {
                *value = Some(made);
            }
        }
        inner.ends.iter().map(|value| values[*value].ok_or_else(lost)).collect()
    }

    /// Adds one node, and returns its values.
    fn node(
        &mut self,
        inner: &Inner<F>,
        kind: &NodeKind<dyn TrainOp<F>>,
        inputs: Vec<Option<usize>>,
        outputs: usize,
    ) -> Result<Vec<usize>> {
        let all = || inputs.iter().flatten().copied().collect::<Vec<_>>();
        let value = match kind {
            NodeKind::Layer(k) => {
                let piece = inner.layers[*k].as_ref().ok_or_else(lost)?;
                return self.layer(piece, inputs, outputs);
            }
            NodeKind::Input(_) => return Err(lost()),
            NodeKind::Param(k) => {
                let k = inner.params[*k].ok_or_else(lost)?;
                match self.values.get(&k) {
                    Some(value) => *value,
                    None => {
                        let value = self.source.push_param(k, self.params[k].param.shape())?;
                        self.values.insert(k, value);
                        value
                    }
                }
            }
            NodeKind::Elementwise(function) => self.source.push_function::<F>(*function, &all())?,
            NodeKind::Op(op) => self.source.push_op::<F>(op.clone(), &all())?,
            NodeKind::Lengths => {
                let of = all();
                self.source.push_lengths(*of.first().ok_or_else(lost)?, of.get(1).copied())?
            }
        };
        Ok(vec![value])
    }

    /// Adds a layer, or what is inside of it.
    ///
    /// Branches are added from the last to the first: so the backward pass runs the first one first, and the gradients at
    /// their input are added up in the order in which the container adds them.
    fn layer(&mut self, piece: &Piece<F>, inputs: Vec<Option<usize>>, outputs: usize) -> Result<Vec<usize>> {
        if let Piece::Layer(k) = piece {
            let (first, outputs) = self.source.push_layer::<F>(*k, &*self.layers[*k].1, inputs)?;
            return Ok((first..first + outputs).collect());
        }
        let mut x = inputs.first().copied().flatten().ok_or_else(lost)?;
        if let Some(lengths) = inputs.get(1).copied().flatten().filter(|n| self.source.lengths[x] != Some(*n))
        {
            x = self.source.push_lengths(x, Some(lengths))?;
        }
        let mut branches = |pieces: &[Piece<F>]| -> Result<Vec<usize>> {
            let made = pieces.iter().rev().map(|piece| self.one(piece, x)).collect::<Result<Vec<_>>>();
            made.map(|made| made.into_iter().rev().collect())
        };
        let y = match piece {
            Piece::Layer(_) => return Err(lost()),
            Piece::Row(pieces) => pieces.iter().try_fold(x, |x, piece| self.one(piece, x))?,
            Piece::Graph(inner) => return self.place(inner, &[Some(x)]),
            Piece::Pairs(pieces, wiring) => {
                let mut made = branches(pieces)?;
                made.extend((*wiring == Wiring::Sum { and_input: true }).then_some(x));
                let (count, pair) = (made.len(), Function::Binary(wiring.pair().1));
                let mut made = made.into_iter();
                let first = made.next().ok_or_else(lost)?;
                let joined =
                    made.try_fold(first, |one, other| self.source.push_function::<F>(pair, &[one, other]))?;
                if *wiring == Wiring::Mean {
                    let share = Function::Unary(Unary::Times(1.0 / count as f64));
                    self.source.push_function::<F>(share, &[joined])?
                } else {
                    joined
                }
            }
            Piece::Concat(pieces, axis) => {
                let made = branches(pieces)?;
                self.source.push_op::<F>(<dyn TrainOp<F>>::of(Concat { axis: *axis as i64 }), &made)?
            }
        };
        // A row that makes lengths has them as its second output.
        let lengths = (outputs > 1).then(|| self.source.lengths[y].ok_or_else(lost)).transpose()?;
        Ok([Some(y), lengths].into_iter().flatten().collect())
    }

    /// Adds a part of a container, and returns its first value.
    fn one(&mut self, piece: &Piece<F>, x: usize) -> Result<usize> {
        let Piece::Layer(k) = piece else {
            return self.layer(piece, vec![Some(x)], 1)?.first().copied().ok_or_else(lost);
        };
        let (name, layer) = &self.layers[*k];
        let inputs = (0..layer.erased_ports().input_count()).map(|i| (i == 0).then_some(x)).collect();
        let pushed = self.source.push_layer::<F>(*k, &**layer, inputs);
        pushed.map(|(first, _)| first).map_err(|error| error.at(layer_place(name, layer.erased_label())))
    }
}
