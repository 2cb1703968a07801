//! [`GraphSpec`]: a layer from its forward pass alone.

use super::Graph;
use super::builder::{GraphBuilder, Value};
use super::dag::check_name;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::nn::LayerSpec;
use crate::random::Random;
use std::fmt;
use std::marker::PhantomData;

/// A layer that is given by its forward pass, from [`Graph::layer`].
pub struct GraphSpec<C, F: Scalar = f32> {
    label: String,
    forward: C,
    element: PhantomData<fn() -> F>,
}

impl Graph<f32> {
    /// Returns the spec of a layer that is given by its forward pass: `forward` gets a builder, for parameters, and the
    /// input, and returns the output. The gradients follow from the operations.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let dense_tanh = |units: usize| {
    ///     Graph::layer("dense_tanh", move |g, x| {
    ///         let w = g.param("weight", [x.size(-1), units], Initializer::GlorotUniform);
    ///         let b = g.param("bias", [units], Initializer::Zeros);
    ///         (x.matmul(w) + b).tanh()
    ///     })
    /// };
    /// check_layer::<f64>(dense_tanh(3), &[4])?;
    /// let model = Sequential::builder([4]).layer(dense_tanh(8)).layer(dense_tanh(2)).build()?;
    /// assert_eq!(model.parameter_count(), 4 * 8 + 8 + 8 * 2 + 2);
    /// let loaded: Sequential = Sequential::from_bytes(&model.to_bytes()?, &Registry::builtin())?; // no registry of its own
    /// assert!(loaded.to_string().contains("dense_tanh"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// `label` is its name in the summary and in errors. The layer is a [`Graph`] with one input and one output; it is
    /// saved as one, and loaded without this code. Its parameters are named as in `forward`, behind the name of the
    /// layer: "0.weight". In PyTorch it is a module with a `forward`, in Keras a layer with `build` and `call`.
    ///
    /// The formula is recorded in `f32`. In models of `f64`, and by `check_layer::<f64>`, it is converted.
    ///
    /// A function that returns a value works as well: `Graph::layer("gated", |g, x| gated(g, x, 16))`. A function that returns
    /// the layer names its type, so that it goes with checks and models of both element types:
    ///
    /// ```
    /// use plywood::nn::GraphSpec;
    /// use plywood::prelude::*;
    ///
    /// fn scaled(by: f64) -> GraphSpec<impl for<'g> FnOnce(&'g GraphBuilder, Value<'g>) -> Value<'g> + Send> {
    ///     Graph::layer("scaled", move |_, x| by * x)
    /// }
    /// check_layer::<f64>(scaled(2.0), &[3])?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn layer<C>(label: &str, forward: C) -> GraphSpec<C, f32>
    where
        C: for<'g> FnOnce(&'g GraphBuilder<f32>, Value<'g, f32>) -> Value<'g, f32>,
    {
        Self::layer_of(label, forward)
    }
}

impl<F: Scalar> Graph<F> {
    /// [`layer`](Graph::layer) for any element type: `Graph::<f64>::layer_of("scaled", |_, x| 2 * x)`.
    pub fn layer_of<C>(label: &str, forward: C) -> GraphSpec<C, F>
    where
        C: for<'g> FnOnce(&'g GraphBuilder<F>, Value<'g, F>) -> Value<'g, F>,
    {
        GraphSpec { label: label.to_owned(), forward, element: PhantomData }
    }
}

impl<F: Scalar, C> GraphSpec<C, F>
where
    C: for<'g> FnOnce(&'g GraphBuilder<F>, Value<'g, F>) -> Value<'g, F>,
{
    /// Builds the layer alone, as [`LayerSpec::build`] does for a model: runs the forward pass once, to record it.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let doubled = Graph::layer("doubled", |_, x| 2 * x).build(&[3], &Random::seed(0))?;
    /// assert_eq!(doubled.forward(Tensor::ones(vec![1, 3]))?, Tensor::from_elem(vec![1, 3], 2.0));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of the operations; and if the output depends on no input, or a parameter has no part in it.
    pub fn build(self, input: &[usize], random: &Random) -> Result<Graph<F>> {
        let Self { label, forward, .. } = self;
        check_name("a layer", &label)?;
        let g = GraphBuilder::of_layer(random.clone(), label.clone());
        let x = g.input("input", input);
        g.end("output", forward(&g, x));
        g.build().map_err(|error| error.at(label))
    }
}

impl<F: Scalar, C> LayerSpec<F> for GraphSpec<C, F>
where
    C: for<'g> FnOnce(&'g GraphBuilder<F>, Value<'g, F>) -> Value<'g, F>,
{
    type Layer = Graph<F>;

    fn build(self, input: &[usize], random: &Random) -> Result<Graph<F>> {
        Self::build(self, input, random)
    }
}

impl<C, F: Scalar> fmt::Debug for GraphSpec<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphSpec").field("label", &self.label).finish_non_exhaustive()
    }
}
