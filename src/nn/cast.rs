//! A graph in another element type.
//!
//! A formula is written once, for `f32`. Its check and models of `f64` need it in `f64`: the graph goes through its form in
//! files, where numbers are apart from the structure, and its numbers are converted on the way.

use super::decode_scope::{encoding, in_force, typed_within};
use super::decoders::Decoders;
use super::erased::ErasedLayer;
use super::graph::{Graph, GraphBuilder, GraphSpec, Ops, TrainOp, Value};
use super::layer_spec::LayerSpec;
use super::registry::Registry;
use crate::codec::numbers::{self, Array, Numbers, Sink};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::random::Random;
use std::any::Any;
use std::collections::VecDeque;
use std::io;

/// Bytes in memory.
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Returns the graph in another element type. Custom layers and operations inside are decoded by the registry of the
/// current call, if there is one for that type.
pub(crate) fn cast<A: Scalar, B: Scalar>(graph: &Graph<A>) -> Result<Graph<B>> {
    if let Some(same) = (graph as &dyn Any).downcast_ref::<Graph<B>>() {
        return Ok(same.clone());
    }
    let (body, arrays) = encoding(|| numbers::measure(graph))?;
    let Bytes(bytes) = encoding(|| numbers::write(graph, Bytes(Vec::new())))?.map_err(Error::custom)?;
    let mut numbers = VecDeque::with_capacity(arrays.len());
    let mut rest = &bytes[..];
    for Array { count, width } in arrays {
        let (own, after) = rest.split_at(count as usize * usize::from(width));
        rest = after;
        let converted: Numbers = match usize::from(width) {
            1 => Box::new(own.to_vec()),
            n if n == size_of::<A>() => {
                let values = A::read_bytes(own).into_iter().map(|x| B::of(x.as_f64()));
                Box::new(values.collect::<Vec<B>>())
            }
            _ => Box::new(f64::read_bytes(own)),
        };
        numbers.push_back(converted);
    }
    let decode = || numbers::read(&body, numbers, "the graph in another element type");
    let layers = in_force(|own: Option<&Decoders<dyn ErasedLayer<B>>>| own.cloned());
    let ops = in_force(|own: Option<&Ops<dyn TrainOp<B>>>| own.cloned());
    let decoded = match (layers, ops) {
        (Some(layers), Some(ops)) => typed_within(vec![Box::new(layers), Box::new(ops)], decode),
        _ => Registry::<B>::builtin().decoding(decode),
    };
    let help = "A layer or an operation of your own needs a registry for the other element type: call it in \
                `Registry::<f64>::builtin().with_op::<YourOp>().within(|| …)`, or give it to the check.";
    decoded.map_err(|error| error.help(help).at(format!("the graph in {}", B::NAME)))
}

/// A layer of `f32` in a model of `f64`: its formula is recorded as it is, and its initial values are those of `f32`.
impl<C> LayerSpec<f64> for GraphSpec<C, f32>
where
    C: for<'g> FnOnce(&'g GraphBuilder<f32>, Value<'g, f32>) -> Value<'g, f32>,
{
    type Layer = Graph<f64>;

    fn build(self, input: &[usize], random: &Random) -> Result<Graph<f64>> {
        cast(&Self::build(self, input, random)?)
    }
}
