//! Graphs in files: what was written, and nothing that follows from it.
//!
//! | part | content |
//! |---|---|
//! | label | the name of a graph that is a layer; empty for a model |
//! | layers | name, kind and bytes |
//! | parameters | name and parameter; constants have an empty name |
//! | nodes | an input (name, shape of a sample), a parameter or a layer (by number), an operation (kind and bytes), a value with or without lengths; with the values that it reads |
//! | outputs | name and value |
//!
//! A value is a node's number and which of its outputs it is. A node reads values of nodes before it, so a file cannot
//! contain a cycle. Shapes are not stored: they are computed again, by the code that checks a graph that is built.

use super::dag::Dag;
use super::function::Function;
use super::nodes::{MAX_NODES, Named, NodeKind, Nodes};
use super::op::OpTable;
use super::op_table::Ops;
use super::shape::MAX_INPUTS;
use crate::codec::{self, Bytes, Shape};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::decode_scope::{count_container, encoding_error, keep_first};
use crate::nn::decoders::Decoders;
use crate::nn::erased::ErasedInfer;
use crate::nn::ports::MAX_PORTS;
use crate::param::Param;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A value: the number of its node, and of the node's output.
type Place = (u32, u32);

/// A node as it is stored; the order of the variants is part of the format.
#[derive(Serialize, Deserialize)]
enum Stored<'a> {
    Input(#[serde(borrow)] Cow<'a, str>, Shape),
    Param(u32),
    Layer(u32, #[serde(deserialize_with = "codec::list::<_, _, MAX_PORTS>")] Vec<Option<Place>>),
    Op(
        #[serde(borrow)] Cow<'a, str>,
        #[serde(borrow)] Bytes<'a>,
        #[serde(deserialize_with = "codec::list::<_, _, MAX_INPUTS>")] Vec<Place>,
    ),
    /// The value, and its lengths; `None` if it is without any from here on.
    Lengths(Place, Option<Place>),
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Serialize for Dag<F, L, O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        count_container().map_err(encoding_error)?;
        let params: Vec<(&str, &Param<F>)> =
            self.params.iter().map(|named| (named.name.as_str(), &named.param)).collect();
        let mut layers = Vec::with_capacity(self.layers.len());
        for (name, layer) in &self.layers {
            let place = || super::dag::layer_place(name, layer.erased_label());
            let bytes = layer.erased_encode().map_err(|e| encoding_error(e.at(place())))?;
            layers.push((name.as_str(), layer.erased_kind(), Bytes(bytes.into())));
        }
        let place = |value: usize| {
            let (node, output) = self.source.place_of(value);
            (node as u32, output as u32)
        };
        let mut nodes = Vec::with_capacity(self.source.nodes.len());
        for node in &self.source.nodes {
            let of = || node.inputs.iter().flatten().map(|value| place(*value)).collect();
            nodes.push(match &node.kind {
                NodeKind::Input(name) => {
                    Stored::Input(name.into(), Shape(self.source.shapes[node.first].sizes.clone()))
                }
                NodeKind::Param(k) => Stored::Param(*k as u32),
                NodeKind::Layer(k) => {
                    Stored::Layer(*k as u32, node.inputs.iter().map(|value| value.map(place)).collect())
                }
                NodeKind::Elementwise(function) => {
                    let bytes = function.encode().map_err(encoding_error)?;
                    Stored::Op(function.kind().into(), Bytes(bytes.into()), of())
                }
                NodeKind::Op(op) => {
                    Stored::Op(op.kind().into(), Bytes(op.encode().map_err(encoding_error)?.into()), of())
                }
                NodeKind::Lengths => {
                    let mut of = node.inputs.iter().flatten().map(|value| place(*value));
                    Stored::Lengths(of.next().unwrap_or_default(), of.next())
                }
            });
        }
        let outputs: Vec<_> = self.ends.iter().map(|(name, value)| (name.as_str(), place(*value))).collect();
        // In the order in which they are encoded, which is that of their numbers.
        (&self.label, layers, params, nodes, outputs).serialize(serializer)
    }
}

/// A layer, decoded as soon as its bytes are read.
struct ReadLayer<L: ?Sized>(String, Box<L>);

impl<'de, L: ?Sized + 'static> Deserialize<'de> for ReadLayer<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored<'a>(String, #[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Bytes<'a>);
        let Stored(name, kind, Bytes(bytes)) = Stored::deserialize(deserializer)?;
        Ok(Self(name, Decoders::<L>::decode_layer(&kind, &bytes).map_err(D::Error::custom)?))
    }
}

/// What a file holds of a graph.
#[derive(Deserialize)]
#[serde(bound = "")]
struct ReadGraph<'a, F: Scalar, L: ?Sized + 'static> {
    label: String,
    #[serde(deserialize_with = "codec::list::<_, _, MAX_NODES>")]
    layers: Vec<ReadLayer<L>>,
    #[serde(deserialize_with = "codec::list::<_, _, MAX_NODES>")]
    params: Vec<(String, Param<F>)>,
    #[serde(borrow, deserialize_with = "codec::list::<_, _, MAX_NODES>")]
    nodes: Vec<Stored<'a>>,
    #[serde(deserialize_with = "codec::list::<_, _, MAX_INPUTS>")]
    outputs: Vec<(String, Place)>,
}

impl<'de, F: Scalar, L: ErasedInfer<F> + ?Sized + 'static, O: OpTable<F> + ?Sized + 'static> Deserialize<'de>
    for Dag<F, L, O>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count_container().map_err(D::Error::custom)?;
        let read = ReadGraph::<F, L>::deserialize(deserializer)?;
        of_stored(read).map_err(|error| D::Error::custom(keep_first(error)))
    }
}

/// Builds the graph again, with the checks of a graph that is built.
fn of_stored<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized + 'static>(
    read: ReadGraph<'_, F, L>,
) -> Result<Dag<F, L, O>> {
    let params: Vec<_> = read.params.into_iter().map(|(name, param)| Named { name, param }).collect();
    let layers: Vec<_> = read.layers.into_iter().map(|ReadLayer(name, layer)| (name, layer)).collect();
    let mut source = Nodes::<O>::new();
    for (i, stored) in read.nodes.into_iter().enumerate() {
        add(&mut source, stored, &params, &layers).map_err(|error| error.at(format!("node {i}")))?;
    }
    let ends = read.outputs.into_iter().map(|(name, place)| Ok((name, value(&source, place)?)));
    let ends = ends.collect::<Result<_>>()?;
    Dag::new(read.label, source, params, layers, ends)
}

/// Adds a node that was read.
fn add<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized + 'static>(
    source: &mut Nodes<O>,
    stored: Stored<'_>,
    params: &[Named<F>],
    layers: &[(String, Box<L>)],
) -> Result<()> {
    match stored {
        Stored::Input(name, Shape(sizes)) => source.push_input(name.into_owned(), sizes)?,
        Stored::Param(k) => {
            let named = params.get(k as usize).ok_or_else(|| out_of_range("parameter", k, params.len()))?;
            source.push_param(k as usize, named.param.shape())?
        }
        Stored::Layer(k, inputs) => {
            let layer = layers.get(k as usize).ok_or_else(|| out_of_range("layer", k, layers.len()))?;
            let inputs = inputs.into_iter().map(|place| place.map(|place| value(source, place)).transpose());
            let inputs = inputs.collect::<Result<_>>()?;
            source.push_layer::<F>(k as usize, &*layer.1, inputs)?.0
        }
        Stored::Lengths(of, lengths) => {
            let lengths = lengths.map(|place| value(source, place)).transpose()?;
            source.push_lengths(value(source, of)?, lengths)?
        }
        Stored::Op(kind, Bytes(bytes), inputs) => {
            let inputs = inputs.into_iter().map(|place| value(source, place)).collect::<Result<Vec<_>>>()?;
            match Function::decode(&kind, &bytes)? {
                Some(function) => source.push_function::<F>(function, &inputs)?,
                None => source.push_op::<F>(Ops::<O>::decode_op(&kind, &bytes)?, &inputs)?,
            }
        }
    };
    Ok(())
}

/// Returns the number of a value that was read, which lies before the node that reads it.
fn value<O: ?Sized>(source: &Nodes<O>, (node, output): Place) -> Result<usize> {
    let (node, output) = (node as usize, output as usize);
    match source.nodes.get(node) {
        Some(of) if output < source.outputs_of(node) => Ok(of.first + output),
        Some(_) => Err(out_of_range("output", output as u32, source.outputs_of(node))),
        None => Err(out_of_range("node", node as u32, source.nodes.len())),
    }
}

fn out_of_range(what: &str, found: u32, count: usize) -> Error {
    let expected = format!("be below {count}, the number there are before it");
    Error::format(format!("the number of the {what}"), expected, found)
        .help("The file is damaged; get it again, or save it again.")
}
