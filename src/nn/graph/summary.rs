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
use super::nodes::NodeKind;
use super::op::OpTable;
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::summary::{Count, write_table};
use crate::shown::grouped;
use std::fmt;

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Dag<F, L, O> {
    /// A row for each node: its label, its kind, the values that it reads, its shape and its parameters. Parameters are
    /// counted where they are first read.
    fn rows(&self) -> Vec<[String; 5]> {
        let source = &self.source;
        let value = |value: usize| {
            let (node, output) = source.place_of(value);
            let label = &self.labels[node];
            if output == 0 { label.clone() } else { format!("{label}[{output}]") }
        };
        let mut seen = vec![false; self.layers.len()];
        let mut rows = Vec::with_capacity(source.nodes.len());
        for (node, label) in source.nodes.iter().zip(&*self.labels) {
            let reads: Vec<_> = node.inputs.iter().flatten().map(|of| value(*of)).collect();
            let shape = &source.shapes[node.first];
            let mut count = None;
            let kind = match &node.kind {
                NodeKind::Input(_) => "input",
                NodeKind::Param(k) => {
                    let named = &self.params[*k];
                    count = (!named.name.is_empty()).then(|| named.param.len());
                    if named.name.is_empty() { "constant" } else { "parameter" }
                }
                NodeKind::Layer(k) => {
                    let layer = &self.layers[*k].1;
                    if !std::mem::replace(&mut seen[*k], true) {
                        let mut len = 0;
                        layer.erased_visit(&mut |_, param| len += param.len());
                        count = Some(len);
                    }
                    layer.erased_label()
                }
                NodeKind::Elementwise(function) => function.kind(),
                NodeKind::Op(op) => op.kind(),
                NodeKind::Lengths => node.lengths_kind(),
            };
            let count = count.map(grouped).unwrap_or_default();
            rows.push([
                label.clone(),
                kind.to_owned(),
                reads.join(", "),
                format!("{:?}", shape.sizes),
                count,
            ]);
        }
        for (name, of) in &self.ends {
            let shape = format!("{:?}", source.shapes[*of].sizes);
            rows.push([name.clone(), "output".into(), value(*of), shape, String::new()]);
        }
        rows
    }

    /// A line for each node, for comparisons and pictures.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |[label, kind, reads, shape, count]: [String; 5]| {
            let of = if reads.is_empty() { String::new() } else { format!(" of {reads}") };
            let count = if count.is_empty() { String::new() } else { format!(" and {count} parameters") };
            match &kind[..] {
                "input" => format!("the input {label} {shape}"),
                _ => format!("{KIND} node {label} ({kind}){of} with output {shape}{count}"),
            }
        };
        self.rows().into_iter().map(line).collect()
    }
}

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> fmt::Display for Dag<F, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["".into(), "Node".into(), "Reads".into(), "Output shape".into(), "Parameters".into()];
        let rows: Vec<_> = std::iter::once(head).chain(self.rows()).collect();
        let mut count = Count::default();
        self.each_param(&mut |_, param| count.add(param.kind(), param.len()));
        write_table::<F, 5>(f, &rows, &count)
    }
}
