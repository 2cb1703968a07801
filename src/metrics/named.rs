//! [`Named`]: a metric under another name.

use super::Metric;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::nn::Outputs;
use crate::state::{Kind, State};
use crate::tensor::Tensor;

/// A metric under another name, so that a trainer can have two metrics of the same kind.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::metrics::Named;
///
/// let labels = |threshold| Recall::default().multi_label(threshold);
/// let trainer = Trainer::new(SoftBinaryCrossEntropy::default(), Adam::default())
///     .metric(labels(0.5))
///     .metric(Named::new("recall_at_0.3", labels(0.3)))
///     .callback(EarlyStopping::patience(3).monitor("val_recall_at_0.3"));
/// # let trainer: Trainer<_> = trainer;
/// ```
///
/// Everything but the name is that of the metric inside. It is the counterpart of Keras' argument `name`.
#[derive(Clone, Debug)]
pub struct Named<M> {
    name: String,
    metric: M,
}

impl<M> Named<M> {
    /// Gives `metric` this name.
    pub fn new(name: impl Into<String>, metric: M) -> Self {
        Self { name: name.into(), metric }
    }

    /// Returns the metric inside.
    pub fn metric(&self) -> &M {
        &self.metric
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: ?Sized, F: Scalar, M: Metric<T, F>> Metric<T, F> for Named<M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn output(&self) -> Option<&str> {
        self.metric.output()
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

    fn update(&mut self, output: &Tensor<F>, target: &T, weights: Option<&[F]>) -> Result<()> {
        self.metric.update(output, target, weights)
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
