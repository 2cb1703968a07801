//! [`Wiring`]: how the parts of a container are connected.

use super::node::{Count, Node, Role, numbered};
use super::parts::Part;
use crate::kernels::{Binary, Scalar};
use std::collections::HashMap;

/// How the parts of a container are connected: the result of [`Layer::wiring`](super::Layer::wiring).
///
/// It lets [`Node::expand`] and [`Graph::expanded`](super::Graph::expanded) put the parts in place of the container.
///
/// ```
/// use plywood::nn::Wiring;
/// use plywood::prelude::*;
///
/// let block = Sequential::block().layer(Dense::units(4));
/// let layer: Residual = Residual::around(block).build(&[4], &Random::seed(0))?;
/// assert_eq!(layer.wiring(), Wiring::Sum { and_input: true });
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wiring {
    /// The container does not say; it stays one node.
    #[default]
    Unsaid,
    /// One after the other: the first gets the input, the last has the output.
    Row,
    /// Each part gets the input, and their outputs are added, from the first to the last; with `and_input`, the input at
    /// the end.
    Sum {
        /// Whether the input itself is added.
        and_input: bool,
    },
    /// Each part gets the input, and their outputs are multiplied, from the first to the last.
    Product,
    /// Each part gets the input, and the output has the largest of their numbers, place by place.
    Maximum,
    /// Each part gets the input, and their outputs are added, from the first to the last, and divided by their number.
    Mean,
    /// Each part gets the input, and their outputs are joined along this axis, where 0 is the batch.
    Concat {
        /// The axis.
        axis: usize,
    },
}

impl Wiring {
    /// The function by which two outputs become one, with its kind.
    pub(in crate::nn) fn pair(self) -> (&'static str, Binary) {
        match self {
            Self::Product => ("multiply", Binary::Multiply),
            Self::Maximum => ("maximum", Binary::Maximum),
            _ => ("add", Binary::Add),
        }
    }

    /// Returns the nodes inside of a container for an input of this shape: its input, its parts, and its output.
    pub(in crate::nn) fn nodes<F: Scalar>(
        self,
        input: &[usize],
        parts: &[Part<'_, F>],
        output: &[usize],
    ) -> Vec<Node> {
        if self == Self::Unsaid {
            return parts.iter().map(|part| node_of(part, Vec::new())).collect();
        }
        let mut nodes = vec![Node::input("input", input)];
        let mut made = Vec::with_capacity(parts.len());
        for part in parts {
            let reads = if self == Self::Row { nodes.len() - 1 } else { 0 };
            made.push(nodes.len());
            nodes.push(node_of(part, vec![Some((reads, 0))]));
        }
        let mut counts = HashMap::new();
        let mut join = |nodes: &mut Vec<Node>, kind: &str, of: &[usize]| {
            let reads = of.iter().map(|of| Some((*of, 0))).collect();
            let name = numbered(&mut counts, kind);
            nodes.push(Node::new(name, Role::Operation, kind, reads, vec![output.to_vec()]));
            nodes.len() - 1
        };
        let end = match self {
            Self::Row | Self::Unsaid => nodes.len() - 1,
            Self::Sum { .. } | Self::Product | Self::Maximum | Self::Mean => {
                made.extend((self == Self::Sum { and_input: true }).then_some(0));
                let (kind, _) = self.pair();
                let joined = made.into_iter().reduce(|joined, part| join(&mut nodes, kind, &[joined, part]));
                let joined = joined.unwrap_or(0);
                if self == Self::Mean { join(&mut nodes, "multiply_number", &[joined]) } else { joined }
            }
            Self::Concat { .. } => join(&mut nodes, "concat", &made),
        };
        nodes.push(Node::output("output", (end, 0), output));
        nodes
    }
}

/// Returns the node of a part of a container.
fn node_of<F: Scalar>(part: &Part<'_, F>, reads: Vec<Option<(usize, usize)>>) -> Node {
    let layer = part.layer;
    let shape = layer.erased_output_shape(part.input()).unwrap_or_default();
    let mut count = Count::default();
    layer.erased_visit(&mut |_, param| count.add(param.kind(), param.len()));
    Node::new(part.name(), Role::Layer, part.label(), reads, vec![shape])
        .with_count(count)
        .with_label(part.label() != part.kind())
        .with_parts(layer.erased_nodes(part.input()))
}
