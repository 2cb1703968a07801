//! Other graphs with the same parameters: for other shapes, up to other outputs, without containers, and of a row.

use super::Graph;
use super::dag::{Dag, alone, layer_place};
use super::keep::TrainDag;
use super::nodes::{NodeKind, Nodes};
use super::plan;
use super::transfer::Recording;
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::port::Port;
use crate::nn::sequential::Sequential;

impl<F: Scalar> Graph<F> {
    /// Returns the same graph with the same parameters for inputs of other shapes, such as another number of steps.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [6, 4]); // 6 steps
    /// g.output("mean", x.layer(Dense::units(3)).tanh().mean(1));
    /// let model = g.build()?;
    /// let longer = model.with_input_shapes(&[("x", &[50, 4])])?;
    /// assert_eq!(longer.inputs()[0].shape(), [50, 4]);
    /// assert_eq!(longer.parameter_count(), model.parameter_count());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// What was written as a number stays as it is: `x.size(1)`, which was read when the graph was built, the range of a
    /// `slice`, and the steps of an unrolled loop. What follows from the shape adapts: `mean` and the other reductions,
    /// `..-1`, `split`, a -1 in `reshape`. A layer takes another shape if it takes any, as Dense takes any number of steps; a
    /// `Sequential` inside takes the one it was built for.
    ///
    /// # Errors
    /// If there is no input of such a name, it has another number of axes, or a layer or an operation cannot take the
    /// new shapes.
    pub fn with_input_shapes(&self, shapes: &[(&str, &[usize])]) -> Result<Self> {
        let dag = &self.dag;
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let port = dag.in_ports.iter().find(|port| port.name() == *name);
            let Some(port) = port.filter(|_| !shapes[..i].iter().any(|(other, _)| other == name)) else {
                let known: Vec<_> = dag.in_ports.iter().map(Port::name).collect();
                return Err(Error::argument("the name of an input", format!("one of {known:?}, once"), name)
                    .help("Name the inputs as the graph does: `model.inputs()`."));
            };
            if port.shape().len() != shape.len() {
                let expected = format!("with {} axes, as in {:?}", port.shape().len(), port.shape());
                return Err(Error::shape(format!("the input {name}"), expected, shape)
                    .help("Sizes may differ, and not the number of axes."));
            }
        }
        let shape = |name: &str, own: &[usize]| {
            let other = shapes.iter().find(|(other, _)| *other == name);
            other.map_or(own, |(_, shape)| shape).to_vec()
        };
        let live = vec![true; dag.source.nodes.len()];
        self.copied(&dag.ends, live, false, shape)
    }

    /// Returns the graph up to these outputs, given by their names and those of the values in the graph: the features of a
    /// trained network, or an attention map.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder().seed(1);
    /// let x = g.input("image", [8, 8]).layer(Flatten).layer_named("dense", Dense::units(16)).layer_named("act", ReLU);
    /// g.output("class", x.layer(Dense::units(10)).layer(Softmax));
    /// let model = g.build()?;
    ///
    /// let features = model.with_outputs(&[("features", "act")])?;
    /// assert_eq!(features.outputs()[0].shape(), [16]);
    /// assert_eq!(features.parameter_count(), 64 * 16 + 16); // the head is not part of it
    /// let both = model.with_outputs(&[("class", "class"), ("features", "act")])?;
    /// assert_eq!(both.outputs().len(), 2);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Values are named as in the summary: by the name of a layer, "dense" or "3", of an operation, "matmul_1", of an
    /// input, or of an output that the graph has, which stands above inputs and operations of its name; `lstm[1]` is the second
    /// output of a layer. The new graph has only what the
    /// outputs depend on: inputs, layers and parameters that are no longer read are gone. The others keep their names, their
    /// values and whether they are trained; operations are numbered anew.
    ///
    /// In Keras it is `Model(model.input, model.get_layer("act").output)`, in PyTorch `create_feature_extractor`.
    ///
    /// # Errors
    /// If a name is none of the graph's or that of several nodes, or an output has no name of its own or is a parameter.
    pub fn with_outputs(&self, outputs: &[(&str, &str)]) -> Result<Self> {
        let dag = &self.dag;
        let value = |(name, of): &(&str, &str)| dag.value_named(of).map(|value| ((*name).to_owned(), value));
        let ends = outputs.iter().map(value).collect::<Result<Vec<_>>>()?;
        if ends.is_empty() {
            return Err(Error::argument("the number of outputs", "at least 1", 0)
                .help("Name one: `graph.with_outputs(&[(\"features\", \"dense\")])`."));
        }
        if let Some((name, _)) = ends.iter().find(|(_, value)| !dag.source.shapes[*value].batched) {
            return Err(alone(name));
        }
        let live = plan::live(&dag.source, &ends);
        self.copied(&ends, live, false, |_, own| own.to_vec())
    }

    /// Returns the same graph with the parts of containers in their place: those of `Sequential`, `Residual`, `Add`,
    /// `Product`, `Maximum`, `Average` and `Concat`, and the nodes of a graph that is a layer.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let block = Sequential::block().layer(Dense::units(4)).layer(ReLU);
    /// let model = Sequential::builder([4]).layer(Residual::around(block)).layer(Dense::units(2)).build()?;
    /// let mut flat = Graph::try_from(model.clone())?.expanded()?;
    /// let names: Vec<_> = flat.nodes().iter().map(|node| node.name().to_owned()).collect();
    /// assert_eq!(names, ["input", "0.block.0", "0.block.1", "add", "1", "output"]);
    /// flat.load_state_dict(&model.state_dict()?)?; // the names agree
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// Parameters keep their names, so state dicts agree. Inference has the same bits. Training has them too, except where a
    /// value is read by a container and also by others, or branches of three or more are joined: there, gradients may be added up
    /// or multiplied in another order. A container of another crate is expanded if it has
    /// [`Layer::wiring`](crate::nn::Layer::wiring) and [`Layer::boxed_parts`](crate::nn::Layer::boxed_parts) and leaves lengths
    /// of sequences to its parts ([`Layer::ports`](crate::nn::Layer::ports)); otherwise it stays one node.
    ///
    /// # Errors
    /// If a layer inside has the name of another one, or there are more nodes than a graph may have.
    pub fn expanded(&self) -> Result<Self> {
        let live = vec![true; self.dag.source.nodes.len()];
        self.copied(&self.dag.ends, live, true, |_, own| own.to_vec())
    }

    /// Copies the live nodes with these outputs; `shape` returns the shape of an input of this name and shape.
    fn copied(
        &self,
        ends: &[(String, usize)],
        live: Vec<bool>,
        expand: bool,
        shape: impl Fn(&str, &[usize]) -> Vec<usize>,
    ) -> Result<Self> {
        let dag: &TrainDag<F> = &self.dag;
        let (mut source, mut params, mut layers) = (Nodes::new(), Vec::new(), Vec::new());
        let mut given = Vec::with_capacity(dag.in_ports.len());
        for (i, node) in dag.source.nodes.iter().enumerate() {
            let NodeKind::Input(name) = &node.kind else { continue };
            let sizes = shape(name, &dag.source.shapes[node.first].sizes);
            let pushed = live[i].then(|| source.push_input(name.clone(), sizes)).transpose();
            given.push(pushed.map_err(|error| error.at(dag.place(i)))?);
        }
        let mut recording = Recording::new(&mut source, &mut params, &mut layers, expand);
        let values = ends.iter().map(|(_, value)| *value).collect();
        let inner = recording.take(dag, "", values, live);
        let values = recording.place(&inner, &given)?;
        let ends = ends.iter().zip(values).map(|((name, _), value)| (name.clone(), value)).collect();
        Ok(Self::of_dag(Dag::new(dag.label.clone(), source, params, layers, ends)?))
    }
}

impl<F: Scalar> TryFrom<Sequential<F>> for Graph<F> {
    type Error = Error;

    /// Converts a row of layers into a graph of the same layers, with the same names of parameters and the same bits in
    /// inference and training.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([4]).layer(Dense::units(3)).layer(Softmax).build()?;
    /// let x = plywood::ndarray::Array2::<f32>::ones((2, 4));
    /// let expected = model.predict(&x)?;
    /// let graph = Graph::try_from(model)?;
    /// assert_eq!(graph.predict(&x)?, expected);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// A container stays one node: see [`Graph::expanded`].
    ///
    /// # Errors
    /// If a value between the layers has more axes or numbers than a graph takes, or a custom layer's ports do not agree
    /// with its shapes.
    fn try_from(model: Sequential<F>) -> Result<Self> {
        let (input, output) = (model.chain.input.clone(), model.chain.output.name().to_owned());
        let layers = model.chain.layers.into_iter().enumerate();
        let layers: Vec<_> = layers.map(|(i, layer)| (i.to_string(), layer)).collect();
        let mut source = Nodes::new();
        let mut value = source.push_input(input.name().to_owned(), input.shape().to_vec())?;
        for (k, (name, layer)) in layers.iter().enumerate() {
            let inputs = (0..layer.erased_ports().input_count()).map(|i| (i == 0).then_some(value));
            let pushed = source.push_layer::<F>(k, &**layer, inputs.collect());
            (value, _) = pushed.map_err(|error| error.at(layer_place(name, layer.erased_label())))?;
        }
        let ends = vec![(output, value)];
        Ok(Self::of_dag(Dag::new(String::new(), source, Vec::new(), layers, ends)?))
    }
}
