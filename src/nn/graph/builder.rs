//! [`GraphBuilder`] and [`Value`]: a graph while it is being built.

use super::Graph;
use super::dag::{Dag, check_name};
use super::function::Function;
use super::nodes::{Named, NodeKind, Nodes};
use super::op::{Op, OpTable, TrainOp};
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Scalar;
use crate::level::check_level;
use crate::nn::erased::ErasedLayer;
use crate::param::Param;
use crate::random::Random;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;

/// The builder of a [`Graph`]: see [`Graph::builder`].
///
/// Nothing returns an error before [`build`](GraphBuilder::build): the builder keeps the first one, with the file and
/// line of the call that caused it, and `build` returns it. What is computed from a value that could not be made is not
/// checked further.
///
/// ```
/// use plywood::nn::Graph;
/// use plywood::prelude::*;
///
/// let g = Graph::builder();
/// let x = g.input("row", [4]);
/// let w = g.param("weight", [5, 3], Initializer::GlorotUniform); // not [4, 3]
/// g.output("scores", x.matmul(w));
/// let error = g.build().unwrap_err().to_string();
/// assert!(error.starts_with("matmul, "), "{error}"); // and the file and line
/// assert!(error.contains("the factors must have the same size along the axes that are multiplied, 4 and 5"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Values borrow the builder, so helper functions take and return `Value<'_>`. Write them as a `fn`, or as a closure in the call of
/// [`Graph::layer`]: of a closure in a variable the compiler does not know that its result lives as long as its argument.
pub struct GraphBuilder<F: Scalar = f32> {
    pub(super) inner: RefCell<Inner<F>>,
    pub(super) random: Random,
    /// The name of the graph as a layer; empty for a model.
    label: String,
}

/// What has been added so far.
pub(super) struct Inner<F: Scalar> {
    pub source: Nodes<dyn TrainOp<F>>,
    pub params: Vec<Named<F>>,
    pub layers: Vec<(String, Box<dyn ErasedLayer<F>>)>,
    ends: Vec<(String, usize)>,
    /// The number of the next layer: its name if it has no other, and its stream.
    pub next: usize,
    error: Option<Error>,
}

/// A value in a graph that is being built: not numbers, but a place for those of each batch.
///
/// It is `Copy`, and operators work on it: `x * x.sigmoid()`, `1.0 - x`. See [`GraphBuilder`] for errors.
///
/// # Shapes and axes
///
/// A value either has a batch axis in front (an input, and what is computed from one) or is shared by all samples (a
/// parameter, and what is computed from parameters alone). Axes count in the whole array, as in NumPy, Keras, PyTorch and
/// ONNX: 0 is the batch axis of a value that has one, and -1 is the last axis. No operation works along the batch axis,
/// so each sample is computed on its own.
///
/// Operations of several values broadcast by the axes of a sample, from the last one on: `[batch, 5, 3]` and a parameter
/// `[3]`, or `[batch, 3]`, or `[batch, 5, 1]`, give `[batch, 5, 3]`.
pub struct Value<'g, F: Scalar = f32> {
    pub(super) builder: &'g GraphBuilder<F>,
    /// `None` if it could not be made.
    pub(super) value: Option<usize>,
}

impl<F: Scalar> Clone for Value<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Scalar> Copy for Value<'_, F> {}

impl Graph<f32> {
    /// Returns the builder of a graph, in `f32`.
    pub fn builder() -> GraphBuilder<f32> {
        GraphBuilder::new()
    }
}

impl<F: Scalar> Graph<F> {
    /// [`builder`](Graph::builder) for any element type: `Graph::<f64>::builder_of()`.
    pub fn builder_of() -> GraphBuilder<F> {
        GraphBuilder::new()
    }
}

impl<F: Scalar> GraphBuilder<F> {
    fn new() -> Self {
        let inner = Inner {
            source: Nodes::new(),
            params: Vec::new(),
            layers: Vec::new(),
            ends: Vec::new(),
            next: 0,
            error: None,
        };
        Self { inner: RefCell::new(inner), random: Random::seed(0), label: String::new() }
    }

    /// Returns the builder of a layer that draws from here.
    pub(super) fn of_layer(random: Random, label: String) -> Self {
        Self { random, label, ..Self::new() }
    }

    /// Sets the seed of everything random in the graph; the default is 0. Call it first: what was drawn before keeps its
    /// values.
    ///
    /// Layer `k` draws from the same stream as layer `k` of a [`Sequential`](crate::nn::Sequential) with this seed, and
    /// each parameter from a stream of its name.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { random: Random::seed(seed), ..self }
    }

    /// Adds an input with this shape of one sample, without the batch axis.
    #[track_caller]
    pub fn input(&self, name: &str, shape: impl Into<Vec<usize>>) -> Value<'_, F> {
        let pushed = check_name("an input", name)
            .and_then(|()| self.inner.borrow_mut().source.push_input(name.to_owned(), shape.into()));
        self.value("input", pushed)
    }

    /// Adds a trainable parameter of this shape, with initial values drawn from `initializer`.
    ///
    /// The fans are those of a matrix `[inputs, outputs]`: the last two sizes; of a vector, both are its length.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [4]);
    /// let w = g.param("weight", [x.size(-1), 7], Initializer::GlorotUniform);
    /// let b = g.param("bias", [7], Initializer::Zeros);
    /// g.output("y", (x.matmul(w) + b).tanh());
    /// assert_eq!(g.build()?.parameter_count(), 4 * 7 + 7);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn param(&self, name: &str, shape: impl Into<Vec<usize>>, initializer: Initializer) -> Value<'_, F> {
        let shape = shape.into();
        let (fan_in, fan_out) = match shape[..] {
            [] => (1, 1),
            [n] => (n, n),
            [.., inputs, outputs] => (inputs, outputs),
        };
        let drawn = Shape::new(false, &shape[..])
            .check()
            .and_then(|_| initializer.tensor(&shape, fan_in, fan_out, &self.random.child(name)));
        match drawn {
            Ok(value) => self.param_of(name, Param::new(value)),
            Err(error) => self.value("param", Err(error)),
        }
    }

    /// Adds a parameter with these values: trainable, frozen, or a buffer, which is saved but never trained.
    ///
    /// ```
    /// use plywood::ndarray::arr1;
    /// use plywood::nn::{Graph, Param};
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [2]);
    /// let mean = g.param_of("mean", Param::buffer(arr1(&[0.5, 2.0])));
    /// g.output("y", (x - mean).layer(Dense::units(1)));
    /// let model = g.build()?;
    /// let mut names = Vec::new();
    /// model.each_param(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
    /// assert_eq!(names, ["mean [2]", "0.weight [2, 1]", "0.bias [1]"]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn param_of(&self, name: &str, param: Param<F>) -> Value<'_, F> {
        let pushed = check_name("a parameter", name).and_then(|()| self.push_param(name, param));
        self.value("param", pushed)
    }

    /// Adds a constant: an array that all samples share. It has no name, is not trained and is not in state dicts.
    ///
    /// ```
    /// use plywood::ndarray::arr1;
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let x = g.input("x", [2]);
    /// g.output("y", x * g.constant(arr1(&[10.0, 100.0])));
    /// let y = g.build()?.predict(&plywood::ndarray::arr2(&[[1.0, 2.0]]))?;
    /// assert_eq!(y, plywood::ndarray::arr2(&[[10.0, 200.0]]).into_dyn());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn constant<D: ndarray::Dimension>(&self, array: ndarray::Array<F, D>) -> Value<'_, F> {
        let pushed = match array.iter().any(|x| x.is_nan()) {
            true => Err(Error::data("the array", "have no NaN", "one")
                .help("Look where it comes from: results would be NaN.")),
            false => self.push_param("", Param::buffer(array)),
        };
        self.value("constant", pushed)
    }

    fn push_param(&self, name: &str, param: Param<F>) -> Result<usize> {
        let inner = &mut *self.inner.borrow_mut();
        let value = inner.source.push_param(inner.params.len(), param.shape())?;
        inner.params.push(Named { name: name.to_owned(), param });
        Ok(value)
    }

    /// Adds an output with a name: that of its loss, and of its result.
    #[track_caller]
    pub fn output(&self, name: &str, value: Value<'_, F>) {
        match check_name("an output", name).and_then(|()| self.of(value)) {
            Ok(Some(value)) => self.inner.borrow_mut().ends.push((name.to_owned(), value)),
            Ok(None) => {}
            Err(error) => {
                self.value("output", Err(error));
            }
        }
    }

    /// Refuses to go on: [`build`](GraphBuilder::build) returns this error, with the file and line of the call. It is for
    /// formulas that take some shapes only, and returns a value, so that a function can end with it.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// fn last_step<'g>(g: &'g GraphBuilder, x: Value<'g>) -> Value<'g> {
    ///     match x.shape()[..] {
    ///         [_, _] => x.index_axis(1, -1),
    ///         ref other => g.error(Error::shape("the input", "[steps, features]", other).help("Give a sequence.")),
    ///     }
    /// }
    /// let model = Sequential::builder([8]).layer(Graph::layer("last_step", last_step)).build();
    /// assert!(model.unwrap_err().to_string().contains("the input must have shape [steps, features], got [8]."));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn error(&self, error: Error) -> Value<'_, F> {
        self.value("formula", Err(error))
    }

    /// Adds the output of a formula, whose line is not known: an error has no place.
    pub(crate) fn end(&self, name: &str, value: Value<'_, F>) {
        let value = self.of(value);
        let inner = &mut *self.inner.borrow_mut();
        match value {
            Ok(value) => inner.ends.extend(value.map(|value| (name.to_owned(), value))),
            Err(error) => {
                inner.error.get_or_insert(error);
            }
        }
    }

    /// Builds the graph, and plans how it runs.
    ///
    /// # Errors
    /// The first error of all calls before. If there is no input or output, a name occurs twice, or an input, a
    /// parameter or a layer is not on the way to an output.
    pub fn build(self) -> Result<Graph<F>> {
        check_level()?;
        let Inner { source, params, layers, ends, error, .. } = self.inner.into_inner();
        match error {
            Some(error) => Err(error),
            None => Ok(Graph::of_dag(Dag::new(self.label, source, params, layers, ends)?)),
        }
    }

    /// Returns the number of a value of this graph, or `None` for one that could not be made.
    pub(super) fn of(&self, value: Value<'_, F>) -> Result<Option<usize>> {
        if std::ptr::eq(self, value.builder) {
            return Ok(value.value);
        }
        Err(Error::custom("a value must be one of this graph, got one of another graph").help(
            "A builder makes one graph; to use a built graph in another one, call `g.include` or `x.layer(graph)`.",
        ))
    }

    /// Returns the value that was added; or keeps the error, if it is the first, with the user's line.
    #[track_caller]
    pub(super) fn value(&self, place: &str, pushed: Result<usize>) -> Value<'_, F> {
        let value = match pushed {
            Ok(value) => Some(value),
            Err(error) => {
                let caller = Location::caller();
                let inner = &mut *self.inner.borrow_mut();
                let place = format!("{place}, {}:{}", caller.file(), caller.line());
                inner.error.get_or_insert_with(|| error.at(place));
                None
            }
        };
        Value { builder: self, value }
    }

    /// The numbers of these values; `Ok(None)` if one of them could not be made.
    pub(super) fn all_of(&self, values: &[Value<'_, F>]) -> Result<Option<Vec<usize>>> {
        values.iter().map(|value| self.of(*value)).collect::<Result<Option<Vec<_>>>>()
    }

    /// Adds an operation of several values: one of your own, see [`Op`].
    #[track_caller]
    pub fn op<'g, O: Op<F>>(&'g self, op: O, values: &[Value<'g, F>]) -> Value<'g, F> {
        self.op_at(O::KIND.name(), op, values)
    }

    /// Adds an operation that is called by another name.
    #[track_caller]
    pub(super) fn op_at<'g, O: Op<F>>(&'g self, place: &str, op: O, values: &[Value<'g, F>]) -> Value<'g, F> {
        let pushed = match self.all_of(values) {
            Ok(Some(values)) => self.inner.borrow_mut().source.push_op(<dyn TrainOp<F>>::of(op), &values),
            Ok(None) => return Value { builder: self, value: None },
            Err(error) => Err(error),
        };
        self.value(place, pushed)
    }

    /// Adds an elementwise function.
    #[track_caller]
    pub(super) fn function<'g>(&'g self, function: Function, values: &[Value<'g, F>]) -> Value<'g, F> {
        let pushed = match self.all_of(values) {
            Ok(Some(values)) => self.inner.borrow_mut().source.push_function::<F>(function, &values),
            Ok(None) => return Value { builder: self, value: None },
            Err(error) => Err(error),
        };
        self.value(function.kind(), pushed)
    }
}

impl<'g, F: Scalar> Value<'g, F> {
    /// The inputs of the operation that it is, if it is one of this kind.
    pub(super) fn inputs_if(self, kind: &str) -> Option<Vec<Self>> {
        let inner = self.builder.inner.borrow();
        let node = &inner.source.nodes[inner.source.place_of(self.value?).0];
        let NodeKind::Op(op) = &node.kind else { return None };
        let of = |value: &Option<usize>| Self { builder: self.builder, value: *value };
        (op.kind() == kind).then(|| node.inputs.iter().map(of).collect())
    }

    /// Returns the shape, without the batch axis. Of a value that could not be made it is `[]`.
    pub fn shape(self) -> Vec<usize> {
        self.whole_shape().sizes
    }

    /// Returns whether it has a batch axis: whether it depends on an input.
    pub fn is_batched(self) -> bool {
        self.whole_shape().batched
    }

    fn whole_shape(self) -> Shape {
        let inner = self.builder.inner.borrow();
        self.value.map_or_else(|| Shape::new(true, []), |value| inner.source.shapes[value].clone())
    }

    /// Returns the size of an axis of the whole array: `x.size(-1)` is that of the last one.
    ///
    /// The batch axis has no size yet: asking for it is an error, which [`build`](GraphBuilder::build) returns.
    #[track_caller]
    pub fn size(self, axis: isize) -> usize {
        let shape = self.whole_shape();
        match shape.axis(axis) {
            Ok(axis) => shape.sizes[axis],
            Err(error) => {
                if self.value.is_some() {
                    self.builder.value("size", Err(error));
                }
                1
            }
        }
    }
}

impl<F: Scalar> fmt::Debug for GraphBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.borrow();
        let outputs: Vec<_> = inner.ends.iter().map(|(name, _)| name).collect();
        f.debug_struct("GraphBuilder")
            .field("nodes", &inner.source.nodes.len())
            .field("outputs", &outputs)
            .field("error", &inner.error)
            .finish()
    }
}

impl<F: Scalar> fmt::Debug for Value<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_none() {
            return f.write_str("Value(not made)");
        }
        write!(f, "Value({})", self.whole_shape())
    }
}
