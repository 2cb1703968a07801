//! The nodes of a graph as a list that says what they are: [`Infer::nodes`](crate::nn::Infer::nodes).

use super::dag::Dag;
use super::nodes::NodeKind;
use super::op::OpTable;
use crate::kernels::Scalar;
use crate::nn::erased::ErasedInfer;
use crate::nn::node::{Count, Node, Role};
use crate::param::Param;

impl<F: Scalar, L: ErasedInfer<F> + ?Sized, O: OpTable<F> + ?Sized> Dag<F, L, O> {
    /// The nodes, and behind them the outputs.
    pub(super) fn list(&self) -> Vec<Node> {
        let source = &self.source;
        let mut seen = vec![false; self.layers.len()];
        let mut list = Vec::with_capacity(source.nodes.len() + self.ends.len());
        for (i, (node, label)) in source.nodes.iter().zip(&*self.labels).enumerate() {
            let reads = node.inputs.iter().map(|value| value.map(|value| source.place_of(value))).collect();
            let values = &source.shapes[node.first..node.first + source.outputs_of(i)];
            let shapes = values.iter().map(|shape| shape.sizes.clone()).collect();
            let mut count = Count::default();
            let mut add = |param: &Param<F>| count.add(param.kind(), param.len());
            let (role, kind) = match &node.kind {
                NodeKind::Input(_) => (Role::Input, "input"),
                NodeKind::Param(k) if self.params[*k].name.is_empty() => (Role::Constant, "constant"),
                NodeKind::Param(k) => {
                    add(&self.params[*k].param);
                    (Role::Parameter, "parameter")
                }
                NodeKind::Layer(k) => {
                    let layer = &self.layers[*k].1;
                    layer.erased_visit(&mut |_, param| add(param));
                    (Role::Layer, layer.erased_label())
                }
                NodeKind::Elementwise(function) => (Role::Operation, function.kind()),
                NodeKind::Op(op) => (Role::Operation, op.kind()),
                NodeKind::Lengths => (Role::Operation, node.lengths_kind()),
            };
            let own = Node::new(label.as_str(), role, kind, reads, shapes).with_count(count);
            list.push(match (&node.kind, node.inputs.first()) {
                (NodeKind::Layer(k), Some(Some(first))) => {
                    let parts = self.layers[*k].1.erased_nodes(&source.shapes[*first].sizes);
                    let layer = &self.layers[*k].1;
                    let own = own.with_parts(parts).with_label(layer.erased_label() != layer.erased_kind());
                    if std::mem::replace(&mut seen[*k], true) { own.repeated() } else { own }
                }
                _ => own,
            });
        }
        let end = |(name, value): &(String, usize)| {
            Node::output(name, source.place_of(*value), &source.shapes[*value].sizes)
        };
        list.extend(self.ends.iter().map(end));
        list
    }
}
