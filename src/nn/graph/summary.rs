//! The printed summary of a graph.
//!
//! ```text
//!           Node      Reads     Output shape  Parameters
//! ──────────────────────────────────────────────────────
//! x         input               [4]
//! 0         dense     x         [3]                   15
//! multiply  multiply  0, 0      [3]
//! y         output    multiply  [3]
//! ──────────────────────────────────────────────────────
//! 15 parameters, 15 trainable; 60 bytes in f32
//! ```

use super::dag::Dag;
use super::infer::KIND;
use super::op::OpTable;
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::node::{Count, Node, Role};
use crate::nn::summary::{shape, write_table};
use crate::shown::grouped;
use std::fmt;

/// A row for each node: its label, its kind, the values that it reads, its shape and its parameters. Parameters are
/// counted where they are first read.
fn rows(nodes: &[Node]) -> Vec<[String; 5]> {
    let value = |(node, output): (usize, usize)| {
        let name = nodes[node].name();
        if output == 0 { name.to_owned() } else { format!("{name}[{output}]") }
    };
    let row = |node: &Node| {
        let reads: Vec<_> = node.reads().map(value).collect();
        let is_counted = matches!(node.role(), Role::Layer | Role::Parameter) && !node.is_repeated();
        let count = if is_counted { grouped(node.parameter_count()) } else { String::new() };
        [node.name().to_owned(), node.kind().to_owned(), reads.join(", "), shape(node), count]
    };
    nodes.iter().map(row).collect()
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Dag<F, L, O> {
    /// A line for each node, for comparisons.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |[label, kind, reads, shape, count]: [String; 5]| {
            let of = if reads.is_empty() { String::new() } else { format!(" of {reads}") };
            let count = if count.is_empty() { String::new() } else { format!(" and {count} parameters") };
            match &kind[..] {
                "input" => format!("the input {label} {shape}"),
                _ => format!("{KIND} node {label} ({kind}){of} with output {shape}{count}"),
            }
        };
        rows(&self.list()).into_iter().map(line).collect()
    }
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> fmt::Display for Dag<F, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.list();
        let head = ["".into(), "Node".into(), "Reads".into(), "Output shape".into(), "Parameters".into()];
        let rows: Vec<_> = std::iter::once(head).chain(rows(&nodes)).collect();
        write_table::<F, 5>(f, &rows, Count::of_nodes(&nodes))
    }
}
