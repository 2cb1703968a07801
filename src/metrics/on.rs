//! [`On`]: a metric of one of several outputs.

use super::Metric;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::nn::Outputs;
use crate::state::{Kind, State};
use crate::target::{FromNamed, NamedTargets};
use crate::tensor::Tensor;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// A metric of one output of a model that is trained with [`Losses`](crate::losses::Losses).
///
/// Its name is that of the output and that of the metric: "class_accuracy", over validation data "val_class_accuracy".
///
/// ```
/// use plywood::losses::Losses;
/// use plywood::metrics::On;
/// use plywood::prelude::*;
///
/// let losses = Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5);
/// let trainer: Trainer<_> = Trainer::new(losses, Adam::default())
///     .metric(On::classes("class", Accuracy::default()))
///     .metric(On::numbers("size", MAE::default()))
///     .callback(EarlyStopping::patience(3).monitor("val_class_accuracy"));
/// ```
///
/// Samples whose target is missing for the output have the weight 0 in it.
pub struct On<M, T: ?Sized> {
    output: String,
    /// Made when it is first asked for.
    name: OnceLock<String>,
    metric: M,
    target: PhantomData<fn(&T)>,
}

impl<M> On<M, [usize]> {
    /// Makes a metric of an output whose targets are class indices.
    pub fn classes(output: impl Into<String>, metric: M) -> Self {
        Self::new(output.into(), metric)
    }
}

impl<M, F: Scalar> On<M, Tensor<F>> {
    /// Makes a metric of an output whose targets are numbers.
    pub fn numbers(output: impl Into<String>, metric: M) -> Self {
        Self::new(output.into(), metric)
    }
}

impl<M, T: ?Sized> On<M, T> {
    fn new(output: String, metric: M) -> Self {
        Self { output, name: OnceLock::new(), metric, target: PhantomData }
    }

    /// Returns the metric inside.
    pub fn metric(&self) -> &M {
        &self.metric
    }
}

impl<M: fmt::Debug, T: ?Sized> fmt::Debug for On<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On").field("output", &self.output).field("metric", &self.metric).finish()
    }
}

#[deny(clippy::missing_trait_methods)]
impl<M: Metric<T, F>, T: FromNamed<F> + ?Sized, F: Scalar> Metric<NamedTargets<F>, F> for On<M, T> {
    fn name(&self) -> &str {
        self.name.get_or_init(|| format!("{}_{}", self.output, self.metric.name()))
    }

    fn output(&self) -> Option<&str> {
        Some(&self.output)
    }

    fn direction(&self) -> Option<Direction> {
        self.metric.direction()
    }

    fn begin(&mut self, outputs: Outputs, shape: &[usize]) -> Result<()> {
        self.metric.begin(outputs, shape)
    }

    fn reset(&mut self) {
        self.metric.reset();
    }

    fn update(&mut self, output: &Tensor<F>, targets: &NamedTargets<F>, weights: Option<&[F]>) -> Result<()> {
        let weights = targets.weights_with(&self.output, weights)?;
        self.metric.update(output, T::pick(targets, &self.output)?, weights.as_deref())
    }

    fn value(&self) -> f64 {
        self.metric.value()
    }

    fn kind(&self) -> Option<Kind> {
        self.metric.kind()
    }

    fn state(&self) -> Option<State<F>> {
        self.metric.state()
    }

    fn load_state(&mut self, state: &mut State<F>) -> Result<()> {
        self.metric.load_state(state)
    }
}
