//! [`Metric`](super::Metric) for what is counted over `f64`: one implementation for each form of targets.

use super::decision::Told;
use crate::error::Result;
use crate::kernels::Scalar;
use crate::monitor::Direction;
use crate::state::{Kind, State};

/// Sums over batches; [`metric_of_classes`], [`metric_of_labels`] and [`metric_of_numbers`] make a
/// [`Metric`](super::Metric) of it.
pub(super) trait Counted {
    /// What is added: [`Given`](super::batch::Given) or [`NumberBatch`](super::batch::NumberBatch).
    type Batch<'a>;
    /// What its state is saved under.
    const KIND: Kind;
    /// Which way the value is better.
    const DIRECTION: Direction;
    fn title(&self) -> &str;
    /// Refuses predictions that would be misread.
    fn begin(&mut self, _: &Told) -> Result<()> {
        Ok(())
    }
    fn clear(&mut self);
    fn add(&mut self, batch: Self::Batch<'_>) -> Result<()>;
    fn result(&self) -> f64;
    /// What was added up, for a checkpoint.
    fn save<F: Scalar>(&self) -> State<F>;
    /// The same back.
    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()>;
}

/// `Metric` for one form of targets, and the conversion that goes with it.
macro_rules! metric_by {
    ($metric:ident: $target:ty, $indices:literal, $batch:expr) => {
        impl<F: crate::kernels::Scalar> crate::metrics::Metric<$target, F> for $metric {
            fn name(&self) -> &str {
                Counted::title(self)
            }

            fn direction(&self) -> Option<crate::monitor::Direction> {
                Some(<Self as Counted>::DIRECTION)
            }

            fn begin(&mut self, outputs: crate::nn::Outputs, shape: &[usize]) -> crate::error::Result<()> {
                let units = shape.iter().product();
                let told = crate::metrics::decision::Told { outputs, units, indices: $indices };
                Counted::begin(self, &told).map_err(|error| error.at(Counted::title(self)))
            }

            fn reset(&mut self) {
                Counted::clear(self);
            }

            fn update(
                &mut self,
                output: &crate::tensor::Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
            ) -> crate::error::Result<()> {
                $batch(output, target, weights)
                    .and_then(|batch| self.add(batch))
                    .map_err(|error| error.at(Counted::title(self)))
            }

            fn value(&self) -> f64 {
                Counted::result(self)
            }

            fn kind(&self) -> Option<crate::state::Kind> {
                Some(<Self as Counted>::KIND)
            }

            fn state(&self) -> Option<crate::state::State<F>> {
                Some(Counted::save(self))
            }

            fn load_state(&mut self, state: &mut crate::state::State<F>) -> crate::error::Result<()> {
                Counted::restore(self, state)
            }
        }
    };
}
pub(super) use metric_by;

/// The value without naming types.
macro_rules! value_of {
    ($metric:ident, $left_out:literal) => {
        impl $metric {
            /// The value over everything since the last reset, as [`Metric::value`](crate::metrics::Metric::value),
            /// without
            #[doc = $left_out]
            pub fn value(&self) -> f64 {
                Counted::result(self)
            }
        }
    };
}
pub(super) use value_of;

/// A metric of classes, for class indices and for tensors.
macro_rules! metric_of_classes {
    ($metric:ident) => {
        crate::metrics::counted::metric_by!($metric: [usize], true, crate::metrics::batch::Given::with_indices);
        crate::metrics::counted::metric_by!(
            $metric: crate::tensor::Tensor<F>, false, crate::metrics::batch::Given::with_tensor
        );
        crate::metrics::counted::value_of!($metric, "the form of the targets.");
    };
}
pub(super) use metric_of_classes;

/// A metric of several labels, for tensors.
macro_rules! metric_of_labels {
    ($metric:ident) => {
        crate::metrics::counted::metric_by!(
            $metric: crate::tensor::Tensor<F>, false, crate::metrics::batch::Given::with_tensor
        );
        crate::metrics::counted::value_of!($metric, "the element type.");
    };
}
pub(super) use metric_of_labels;

/// A metric of numbers, for tensors.
macro_rules! metric_of_numbers {
    ($metric:ident) => {
        crate::metrics::counted::metric_by!(
            $metric: crate::tensor::Tensor<F>, false, crate::metrics::batch::NumberBatch::new
        );
        crate::metrics::counted::value_of!($metric, "the element type.");
    };
}
pub(super) use metric_of_numbers;

/// How a metric that counts decisions is told to decide; the documentation given is the example of `multi_label`.
macro_rules! decided {
    ($metric:ident: $(#[$example:meta])*) => {
        impl $metric {
            /// Above which number a single output stands for class 1: 0.5 for probabilities, 0 for logits.
            ///
            /// A trainer tells the metric by the loss ([`Metric::begin`](crate::metrics::Metric::begin)); by hand 0.5
            /// is taken for numbers from 0 to 1, and others are an error.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.tally.decision.set_threshold(threshold);
                self
            }

            /// Of several labels at once: predictions and targets are `[batch, labels]`, targets 0 or 1 in each number,
            /// and a label is predicted where its number is above the threshold.
            ///
            /// One threshold for all labels, or one for each ([`Thresholds`](crate::metrics::Thresholds)). The average
            /// is over labels, or over samples ([`Average::Samples`](crate::metrics::Average::Samples)). Classes that
            /// exclude each other are refused.
            ///
            $(#[$example])*
            #[must_use]
            pub fn multi_label(mut self, thresholds: impl Into<crate::predictions::Thresholds>) -> Self {
                self.tally.decision = crate::metrics::decision::Decision::Labels(thresholds.into());
                self
            }
        }
    };
}
pub(super) use decided;
