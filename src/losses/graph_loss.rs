//! [`GraphLoss`]: a loss from its formula.

use super::class_probabilities::leave_out;
use super::graph_target::{GraphTarget, LABELS, OUTPUTS, TARGETS, check_losses, check_ports};
use super::{Loss, LossSum, sample_weights};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::cast::cast;
use crate::nn::{Graph, GraphBuilder, Infer, Model, OutputActivation, Outputs, Value};
use crate::tensor::{Tensor, slice, slice_mut, standard};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A loss that is given by its formula, from which its gradient follows.
///
/// The formula is written with the operations of [`Value`], as a layer of [`Graph::layer`] is. It returns one number for
/// each sample: weights, the sum over the batch and the divisor are added by the trainer.
///
/// ```
/// use plywood::ndarray::arr2;
/// use plywood::nn::Outputs;
/// use plywood::prelude::*;
///
/// /// `-(1 - p)² · ln p` of the label's probability (Lin et al., "Focal loss for dense object detection", 2017).
/// fn focal() -> GraphLoss<[usize]> {
///     GraphLoss::classes("focal", Outputs::Distributions, |_, p, label| {
///         let p = p.take_along(label, -1);
///         -(1 - p).square() * p.ln()
///     })
/// }
/// let p = arr2(&[[0.25f64, 0.75], [0.5, 0.5]]).into_dyn();
/// check_loss(&focal(), p.clone(), &[1, 0])?;
/// let (value, _) = focal().value_and_grad(p.clone(), &[1, 0], None, 2.0)?;
/// let (expected, _) = Focal::default().value_and_grad(p, &[1, 0], None, 2.0)?; // γ = 2
/// assert!((value.mean() - expected.mean()).abs() < 1e-12);
///
/// let trainer: Trainer<_> = Trainer::new(focal(), Adam::default());
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | targets | the formula gets |
/// |---|---|---|
/// | [`new`](GraphLoss::new) | a tensor `[batch, …]` | the builder, the outputs, and the targets of the same shape |
/// | [`classes`](GraphLoss::classes) | `[usize]` | the builder, the outputs, and the ids `[batch]` |
/// | [`output`](GraphLoss::output) | any, not read | the builder and the outputs |
///
/// The builder is for constants: `g.constant(weights)`. A layer or a graph may be applied (`y.layer(features)`) if its
/// parameters are frozen; it runs in inference mode. The formula is recorded once for each shape of the outputs, in
/// `f32`, and works for models of `f64`, too.
///
/// `outputs` says what the formula expects of a model's outputs, as for every loss ([`Loss::outputs`]): with
/// [`Outputs::Distributions`] a model that ends in `Dense` is an error before the first step. For cross-entropies
/// [`fused`](GraphLoss::fused) is more accurate.
///
/// In Keras it is a function of `y_true` and `y_pred`, in PyTorch one of tensors that also reduces the batch.
pub struct GraphLoss<T: ?Sized = Tensor> {
    name: Arc<str>,
    outputs: Outputs,
    is_fused: bool,
    /// The shape of one target; by default that of the outputs.
    target_shape: Option<Vec<usize>>,
    source: Source,
    recorded: Mutex<Vec<Recorded>>,
    target: PhantomData<fn(&T)>,
}

/// Adds the inputs of the targets, of this shape, and the formula to a graph; returns the losses.
type Formula = dyn for<'g> Fn(&'g GraphBuilder, Value<'g>, &[usize]) -> Value<'g> + Send + Sync;

/// What a graph is recorded from.
#[derive(Clone)]
enum Source {
    Formula(Arc<Formula>),
    /// A graph that was recorded before, for outputs of some shape.
    Graph(Arc<Graph>),
}

/// A formula that was recorded: the shape of the outputs, and a `Graph<f32>` or `Graph<f64>`.
type Recorded = (Vec<usize>, Box<dyn Any + Send>);

/// The maximum number of recorded graphs: a loss is used for one shape of the outputs, or for few.
const MAX_RECORDED: usize = 8;

impl GraphLoss<Tensor> {
    /// Returns a loss whose targets are numbers, by default in the shape of the outputs.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// // The mean of ln cosh(y - t) over the outputs of a sample, in a form that does not overflow.
    /// let log_cosh = GraphLoss::new("log_cosh", Outputs::Numbers, |_, y, t| {
    ///     let d = (y - t).abs();
    ///     (d + (1.0 + (-2.0 * d).exp()).ln() - 2f64.ln()).mean(-1)
    /// });
    /// let (y, t) = (Tensor::<f64>::zeros(vec![3, 2]), Tensor::ones(vec![3, 2]));
    /// let (value, _) = log_cosh.value_and_grad(y, &t, None, 3.0)?;
    /// assert!((value.mean() - 1f64.cosh().ln()).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn new<C>(name: &str, outputs: Outputs, formula: C) -> Self
    where
        C: for<'g> Fn(&'g GraphBuilder, Value<'g>, Value<'g>) -> Value<'g> + Send + Sync + 'static,
    {
        let formula: Arc<Formula> = Arc::new(move |g, y, shape| formula(g, y, g.input(TARGETS, shape)));
        Self::of(name, outputs, Source::Formula(formula))
    }

    /// Sets the shape of one target, if it is not that of the outputs. Without it other targets are refused: `y - t` would
    /// broadcast them.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// // Three quantiles of one number (Koenker and Bassett, "Regression quantiles", 1978).
    /// let pinball = GraphLoss::new("pinball", Outputs::Numbers, |g, y, t| {
    ///     let q = g.constant(plywood::ndarray::arr1(&[0.1, 0.5, 0.9]));
    ///     let d = t - y;
    ///     (q * d).maximum((q - 1.0) * d).mean(-1)
    /// });
    /// check_loss(&pinball.target_shape(&[1]), Tensor::<f64>::zeros(vec![4, 3]), &Tensor::ones(vec![4, 1]))?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn target_shape(mut self, shape: &[usize]) -> Self {
        self.target_shape = Some(shape.to_vec());
        self
    }
}

impl GraphLoss<[usize]> {
    /// Returns a loss whose targets are class ids, which the formula gets as a value `[batch]`:
    /// [`p.take_along(label, -1)`](Value::take_along) is the label's number of each row.
    ///
    /// If the outputs are rows `[batch, classes]`, a label must be below `classes`; if they are `[batch, 1]`, it is 0 or 1.
    ///
    /// ```
    /// use plywood::ndarray::arr2;
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// // The probability that the model gives to other classes than the label.
    /// let miss = GraphLoss::classes("miss", Outputs::Distributions, |_, p, label| 1 - p.take_along(label, -1));
    /// let p = arr2(&[[0.25f64, 0.75], [0.5, 0.5]]).into_dyn();
    /// assert_eq!(miss.value_and_grad(p, &[1, 0], None, 2.0)?.0.mean(), 0.375);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn classes<C>(name: &str, outputs: Outputs, formula: C) -> Self
    where
        C: for<'g> Fn(&'g GraphBuilder, Value<'g>, Value<'g>) -> Value<'g> + Send + Sync + 'static,
    {
        let formula: Arc<Formula> = Arc::new(move |g, y, _| formula(g, y, g.input(LABELS, [])));
        Self::of(name, outputs, Source::Formula(formula))
    }
}

impl GraphLoss<()> {
    /// Returns a loss of the outputs alone: the targets of the data set, whatever they are, are not read. So a model can
    /// return its own loss.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// // Triplets: the embeddings [3, d] of an anchor, of one that is like it, and of one that is not (Schroff et al.,
    /// // "FaceNet", 2015).
    /// let triplet = GraphLoss::output("triplet", Outputs::Numbers, |_, y| {
    ///     let [anchor, like, unlike] = y.split(1);
    ///     ((anchor - like).square().sum(-1) - (anchor - unlike).square().sum(-1) + 0.2).relu()
    /// });
    /// check_loss(&triplet, Tensor::<f64>::from_shape_fn(vec![4, 3, 2], |i| (i[0] + 2 * i[1] * i[2]) as f64 / 8.0), &())?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn output<C>(name: &str, outputs: Outputs, formula: C) -> Self
    where
        C: for<'g> Fn(&'g GraphBuilder, Value<'g>) -> Value<'g> + Send + Sync + 'static,
    {
        Self::of(name, outputs, Source::Formula(Arc::new(move |g, y, _| formula(g, y))))
    }
}

impl<T: ?Sized> GraphLoss<T> {
    fn of(name: &str, outputs: Outputs, source: Source) -> Self {
        Self {
            name: name.into(),
            outputs,
            is_fused: false,
            target_shape: None,
            source,
            recorded: Mutex::default(),
            target: PhantomData,
        }
    }

    /// Declares that the formula includes the model's last activation: it takes the logits, and the model still ends in softmax
    /// ([`Outputs::Distributions`]) or in a sigmoid ([`Outputs::Probabilities`]), which the trainer leaves out. (A model without
    /// that activation goes with a formula of [`Outputs::Logits`], without this call.)
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// let entropy = GraphLoss::classes("entropy", Outputs::Distributions, |_, z, label| {
    ///     -z.log_softmax(-1).take_along(label, -1)
    /// })
    /// .fused();
    /// let z = Tensor::<f64>::from_shape_fn(vec![3, 4], |i| (i[0] * i[1]) as f64);
    /// let (found, _) = entropy.value_and_grad_logits(z.clone(), &[0, 3, 1], None, 3.0)?;
    /// let (expected, _) = CrossEntropy::default().value_and_grad_logits(z, &[0, 3, 1], None, 3.0)?;
    /// assert!((found.mean() - expected.mean()).abs() < 1e-12);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn fused(mut self) -> Self {
        self.is_fused = true;
        self
    }

    /// The activation whose logits the formula takes.
    fn activation(&self) -> OutputActivation {
        match self.outputs {
            Outputs::Distributions if self.is_fused => OutputActivation::Softmax,
            Outputs::Probabilities if self.is_fused => OutputActivation::Sigmoid,
            _ => OutputActivation::Unknown,
        }
    }

    /// The shape of one target for outputs of this shape.
    fn shape_of_target<'a>(&'a self, output: &'a [usize]) -> &'a [usize] {
        self.target_shape.as_deref().unwrap_or(output)
    }

    /// Returns the formula as a graph, for outputs of this shape: it is saved, loaded and printed as any graph, and
    /// [`from_graph`](GraphLoss::from_graph) makes a loss of it again.
    ///
    /// Its inputs are "outputs" and "targets" (numbers) or "labels" (class ids), its output is "losses", one number for each
    /// sample.
    ///
    /// ```
    /// use plywood::nn::Outputs;
    /// use plywood::prelude::*;
    ///
    /// let error = GraphLoss::new("relative", Outputs::Numbers, |_, y, t| ((y - t) / t).abs().mean(-1));
    /// let bytes = error.graph(&[3])?.to_bytes()?;
    ///
    /// let graph = Graph::<f32>::from_bytes(&bytes, &Registry::builtin())?;
    /// let loaded: GraphLoss = GraphLoss::from_graph("relative", Outputs::Numbers, graph);
    /// let (y, t) = (Tensor::<f32>::ones(vec![2, 3]), Tensor::from_elem(vec![2, 3], 4.0));
    /// assert_eq!(loaded.value_and_grad(y, &t, None, 2.0)?.0.mean(), 0.75);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the formula cannot be recorded for such outputs.
    pub fn graph(&self, output: &[usize]) -> Result<Graph>
    where
        T: GraphTarget,
    {
        self.record(output).map_err(|error| error.at(&self.name))
    }

    /// Returns the loss of a graph that [`graph`](GraphLoss::graph) made, for outputs of any shape that its operations take.
    /// It is checked when it is first used. [`fused`](GraphLoss::fused) and [`target_shape`](GraphLoss::target_shape) are not part
    /// of the graph: repeat them.
    pub fn from_graph(name: &str, outputs: Outputs, graph: Graph) -> Self {
        Self::of(name, outputs, Source::Graph(Arc::new(graph)))
    }

    /// Returns the graph for outputs of this shape, whose inputs and outputs are those of a loss.
    fn recorded(&self, output: &[usize]) -> Result<Graph>
    where
        T: GraphTarget,
    {
        match &self.source {
            Source::Formula(formula) => {
                let g = Graph::builder();
                g.end("losses", formula(&g, g.input(OUTPUTS, output), self.shape_of_target(output)));
                let graph = g.build()?;
                check_ports::<T>(&graph)?;
                Ok(graph)
            }
            Source::Graph(graph) => {
                check_ports::<T>(graph)?;
                let shapes = [(OUTPUTS, output), (TARGETS, self.shape_of_target(output))];
                graph.with_input_shapes(&shapes[..1 + usize::from(T::INPUT == Some(TARGETS))])
            }
        }
    }

    /// Records the formula for outputs of this shape.
    fn record<F: Scalar>(&self, output: &[usize]) -> Result<Graph<F>>
    where
        T: GraphTarget,
    {
        if self.name.is_empty() {
            return Err(Error::argument("the name of a loss", "one or more characters", "\"\"")
                .help("It is the name in errors."));
        }
        if self.is_fused && self.activation() == OutputActivation::Unknown {
            let expected = "Outputs::Distributions or Outputs::Probabilities for a loss of logits";
            return Err(Error::argument("outputs", expected, format!("{:?}", self.outputs))
                .help("Say in what the model ends, softmax or a sigmoid, or leave `fused` out."));
        }
        let graph = self.recorded(output)?;
        check_losses(&graph)?;
        cast(&graph)
    }

    /// Returns the graphs that were recorded, the one for outputs of this shape last.
    fn graphs<F: Scalar>(&self, output: &[usize]) -> Result<MutexGuard<'_, Vec<Recorded>>>
    where
        T: GraphTarget,
    {
        let mut graphs = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        match graphs.iter().position(|(shape, graph)| shape == output && graph.is::<Graph<F>>()) {
            Some(i) => graphs[i..].rotate_left(1),
            None => {
                let graph = self.record::<F>(output)?;
                if graphs.len() == MAX_RECORDED {
                    graphs.remove(0);
                }
                graphs.push((output.to_vec(), Box::new(graph)));
            }
        }
        Ok(graphs)
    }

    /// Computes the losses and their gradient at the outputs.
    fn run<F: Scalar>(
        &self,
        output: Tensor<F>,
        targets: Option<Tensor<F>>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)>
    where
        T: GraphTarget,
    {
        let Some((&samples, sizes)) = output.shape().split_first() else {
            return Err(
                Error::shape("the outputs", "[batch, …]", output.shape()).help("Axis 0 is the batch.")
            );
        };
        let each = sample_weights(weights, samples)?;
        let mut graphs = self.graphs::<F>(sizes)?;
        let graph = graphs.last_mut().and_then(|(_, graph)| graph.downcast_mut::<Graph<F>>());
        let graph = graph.expect("the graph that was recorded");
        let columns = sizes.iter().product::<usize>();
        let (mut inputs, mut losses, mut at) = ([Some(standard(output)), targets], [None], [None, None]);
        let read = graph.inputs().len();
        let cache = graph.eval(&mut inputs[..read], &[false], &mut losses)?;
        let mut losses = losses[0].take().map(standard).expect("an output");
        let value = LossSum::of(slice(&losses), each.clone());
        for (loss, weight) in slice_mut(&mut losses).iter_mut().zip(each) {
            *loss = weight / F::of(divisor);
        }
        graph.input_gradients(cache, &mut [Some(losses)], &mut at[..read])?;
        let Some(mut grad) = at[0].take().map(standard) else {
            return Err(Error::data("the loss", "have a gradient at the outputs", "none, whatever they are").help(
                "`argmax`, comparisons, `round` and the like have none: a model learns nothing from them; use a metric.",
            ));
        };
        if let Some(weights) = weights {
            leave_out(slice_mut(&mut grad), columns, weights);
        }
        Ok((value, grad))
    }
}

impl<F: Scalar, T: GraphTarget + ?Sized> Loss<F> for GraphLoss<T> {
    type Target = T::Of<F>;

    fn value_and_grad(
        &self,
        output: Tensor<F>,
        target: &T::Of<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        if self.is_fused {
            let what = "the outputs for a loss of logits";
            return Err(Error::data(what, "be those of a model that ends in softmax or a sigmoid", "others")
                .help("End the model in `Softmax` or `Sigmoid`, alone and last: the loss leaves it out.")
                .at(&self.name));
        }
        self.value_and_grad_logits(output, target, weights, divisor)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn outputs(&self) -> Outputs {
        self.outputs
    }

    fn check_output(&self, output: &[usize]) -> Result<()> {
        self.graphs::<F>(output).map(drop).map_err(|error| error.at(&self.name))
    }

    fn check_target(&self, output: &[usize], target: &T::Of<F>) -> Result<()> {
        T::check::<F>(target, output, self.shape_of_target(output)).map_err(|error| error.at(&self.name))
    }

    fn fused_activation(&self) -> OutputActivation {
        self.activation()
    }

    fn value_and_grad_logits(
        &self,
        logits: Tensor<F>,
        target: &T::Of<F>,
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let sizes = logits.shape().get(1..).unwrap_or_default();
        let samples = logits.shape().first().copied().unwrap_or(0);
        Loss::<F>::check_target(self, sizes, target)?;
        T::input::<F>(target, samples)
            .and_then(|target| self.run(logits, target, weights, divisor))
            .map_err(|error| error.at(&self.name))
    }
}

impl<T: ?Sized> Clone for GraphLoss<T> {
    fn clone(&self) -> Self {
        Self {
            is_fused: self.is_fused,
            target_shape: self.target_shape.clone(),
            ..Self::of(&self.name, self.outputs, self.source.clone())
        }
    }
}

impl<T: ?Sized> fmt::Debug for GraphLoss<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphLoss")
            .field("name", &self.name)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
