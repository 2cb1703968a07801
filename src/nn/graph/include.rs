//! A built graph with its parameters as a part of one that is being built.

use super::Graph;
use super::builder::{GraphBuilder, Value};
use super::dag::{check_name, taken};
use super::nodes::Named;
use super::transfer::Recording;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::port::Port;

impl<F: Scalar> GraphBuilder<F> {
    /// Adds all nodes of a built graph, with its parameters, and returns the values of its outputs. Its inputs are these
    /// values, in their order.
    ///
    /// A new head on a trained body: cut the graph, include it, and go on.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder().seed(1);
    /// let x = g.input("image", [4]).layer(Dense::units(8)).layer_named("features", ReLU);
    /// g.output("class", x.layer(Dense::units(10)).layer(Softmax));
    /// let trained = g.build()?; // or `Graph::load(path)?`
    ///
    /// let body = trained.with_outputs(&[("features", "features")])?;
    /// let g = Graph::builder().seed(2);
    /// let [features] = g.include("body", &body, [g.input("image", [4])]);
    /// g.output("class", features.layer(Dense::units(3)).layer(Softmax));
    /// let mut model = g.build()?;
    /// model.freeze("body")?;
    ///
    /// let mut names = Vec::new();
    /// model.each_param(&mut |name, param| names.push((name.to_owned(), param.is_trainable())));
    /// let expected = [("body.0.weight", false), ("body.0.bias", false), ("0.weight", true), ("0.bias", true)];
    /// assert_eq!(names, expected.map(|(name, trained)| (name.to_owned(), trained)));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The names of layers and parameters get `prefix` and a full stop in front; with an empty prefix they stay as they
    /// are, and layers that follow are numbered from the next number. The graph is copied, so including it twice gives two
    /// sets of parameters. To apply one several times, use it as a layer, with [`shared`](GraphBuilder::shared); this is
    /// also how a graph stays one node.
    ///
    /// The values that are returned are as many as the graph's outputs: [`Graph::with_outputs`] selects them.
    #[track_caller]
    pub fn include<'g, const N: usize, const M: usize>(
        &'g self,
        prefix: &str,
        graph: &Graph<F>,
        inputs: [Value<'g, F>; M],
    ) -> [Value<'g, F>; N] {
        let made = match self.add_graph(prefix, graph, &inputs, N) {
            Ok(made) => made,
            Err(error) => {
                self.value("include", Err(error));
                None
            }
        };
        let value = |i: usize| made.as_ref().and_then(|made| made.get(i).copied());
        std::array::from_fn(|i| Value { builder: self, value: value(i) })
    }

    fn add_graph(
        &self,
        prefix: &str,
        graph: &Graph<F>,
        inputs: &[Value<'_, F>],
        outputs: usize,
    ) -> Result<Option<Vec<usize>>> {
        let dag = &graph.dag;
        let names = |ports: &[Port]| ports.iter().map(|port| port.name().to_owned()).collect::<Vec<_>>();
        if inputs.len() != dag.in_ports.len() {
            let expected = format!("be {}, {:?}", dag.in_ports.len(), names(&dag.in_ports));
            return Err(Error::data("the number of inputs", expected, inputs.len())
                .help("Give a value for each of the graph's `inputs`, in their order."));
        }
        if outputs != dag.out_ports.len() {
            let expected = format!("be {}, {:?}", dag.out_ports.len(), names(&dag.out_ports));
            return Err(Error::data("the number of outputs", expected, outputs).help(
                "Write a name for each, `let [a, b] = g.include(…)`; `graph.with_outputs(…)` selects some of them.",
            ));
        }
        if !prefix.is_empty() {
            check_name("an included graph", prefix)?;
        }
        let Some(given) = self.all_of(inputs)? else { return Ok(None) };
        let inner = &mut *self.inner.borrow_mut();
        for (value, port) in given.iter().zip(&dag.in_ports) {
            let shape = &inner.source.shapes[*value];
            let name = || format!("the input {:?} of the graph", port.name());
            if !shape.batched {
                return Err(Error::data(name(), "have a batch axis", format!("a parameter {shape}"))
                    .help("Give a value that depends on an input."));
            }
            if shape.sizes != port.shape() {
                return Err(Error::shape(name(), format!("{:?}", port.shape()), &shape.sizes)
                    .help("A graph takes the shape it was built for: see `Graph::with_input_shapes`."));
            }
        }
        let (params, layers) = (inner.params.len(), inner.layers.len());
        let mut recording = Recording::new(&mut inner.source, &mut inner.params, &mut inner.layers, false);
        let pieces = recording.take_all(dag, prefix);
        let given: Vec<_> = given.into_iter().map(Some).collect();
        let made = recording.place(&pieces, &given)?;
        let names = |params: &[Named<F>]| -> Vec<String> {
            params.iter().map(|named| named.name.clone()).filter(|name| !name.is_empty()).collect()
        };
        twice("a parameter", &names(&inner.params[..params]), &names(&inner.params[params..]))?;
        let names: Vec<String> = inner.layers.iter().map(|(name, _)| name.clone()).collect();
        twice("a layer", &names[..layers], &names[layers..])?;
        if prefix.is_empty() {
            let numbers = names[layers..].iter().filter_map(|name| name.parse::<usize>().ok());
            inner.next = numbers.map(|number| number.saturating_add(1)).fold(inner.next, usize::max);
        }
        Ok(Some(made))
    }
}

/// Refuses a new name that was there before.
fn twice(what: &str, before: &[String], new: &[String]) -> Result<()> {
    match new.iter().find(|name| before.contains(name)) {
        None => Ok(()),
        Some(name) => Err(taken(what, name)
            .help("Give `include` a prefix that is not in use: it is in front of all names.")),
    }
}
