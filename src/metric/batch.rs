//! A batch as the metrics see it: checked, row-major, in `f64`.
//!
//! A [`Metric`](super::Metric) is generic over the element type and the form of the targets, and what it counts is
//! not. So each batch is converted once, by a kernel, and the counting is plain code over `f64`, compiled in this
//! crate. Everything is checked here, before a metric adds anything: a batch that does not fit leaves its sums as
//! they were.

use crate::error::{Error, Result};
use crate::ops::{check_weights, class_of};
use crate::scalar::Scalar;
use crate::state::State;
use crate::tensor::Tensor;
use std::borrow::Cow;

/// The numbers of a tensor in row-major order.
fn numbers<F: Scalar>(tensor: &Tensor<F>) -> Vec<f64> {
    let values = tensor.as_standard_layout();
    let mut out = vec![0.0; values.len()];
    F::to_f64s(values.as_slice().unwrap_or_default(), &mut out);
    out
}

/// A weight for each sample, 1 where there are none.
fn weights_of<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<Vec<f64>> {
    check_weights(weights, samples)?;
    Ok(weights.map_or_else(|| vec![1.0; samples], |weights| weights.iter().map(|w| w.as_f64()).collect()))
}

/// Scores of classes, with the true class and the weight of each sample.
pub(super) struct ClassBatch<'a> {
    /// Row by row, as the model gave them.
    scores: Vec<f64>,
    /// At least 1; 1 is a sigmoid's output.
    columns: usize,
    labels: Cow<'a, [usize]>,
    weights: Vec<f64>,
}

impl<'a> ClassBatch<'a> {
    /// With class indices as targets.
    pub(super) fn of_labels<F: Scalar>(
        output: &Tensor<F>,
        labels: &'a [usize],
        weights: Option<&[F]>,
    ) -> Result<Self> {
        Self::new(output, Cow::Borrowed(labels), weights)
    }

    /// With a tensor of the predictions' shape as targets: the largest number of a row marks its class, or with one
    /// column a number above 0.5 the class 1.
    pub(super) fn of_tensor<F: Scalar>(
        output: &Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<Self> {
        if output.shape() != target.shape() {
            return Err(Error::shape("targets", format!("{:?}", output.shape()), target.shape())
                .help("Give one row of class weights for each sample."));
        }
        let columns = target.shape().last().copied().unwrap_or(1).max(1);
        let values = numbers(target);
        if let Some(bad) = values.iter().find(|t| !t.is_finite()) {
            return Err(
                Error::data("targets", "finite", bad).help("Targets are the classes' shares, 0 to 1.")
            );
        }
        Self::new(output, values.chunks_exact(columns).map(class_of).collect(), weights)
    }

    fn new<F: Scalar>(output: &Tensor<F>, labels: Cow<'a, [usize]>, weights: Option<&[F]>) -> Result<Self> {
        let (samples, columns) = match *output.shape() {
            [samples, columns] if columns > 0 => (samples, columns),
            _ => {
                return Err(Error::shape("predictions", "[batch, classes]", output.shape())
                    .help("Give the metric a row of class probabilities for each sample."));
            }
        };
        if labels.len() != samples {
            return Err(Error::data("targets", format!("for {samples} predictions"), labels.len())
                .help("Give one target for each sample."));
        }
        let classes = columns.max(2);
        if let Some(i) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::data(
                format!("the label of sample {i} in the batch"),
                format!("below {classes}, the number of classes"),
                labels[i],
            )
            .help("Labels count from 0; give the last layer as many units as there are classes."));
        }
        Ok(Self { scores: numbers(output), columns, labels, weights: weights_of(weights, samples)? })
    }

    /// How many numbers the model puts out for a sample.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// How many classes there are: 2 for a single output.
    pub(super) fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// The scores of each sample, its true class and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], usize, f64)> {
        let rows = self.scores.chunks_exact(self.columns);
        rows.zip(self.labels.iter()).zip(&self.weights).map(|((row, &label), &w)| (row, label, w))
    }
}

/// The class that a row predicts; none with a NaN in it, which predicts nothing.
pub(super) fn predicted(row: &[f64]) -> Option<usize> {
    let class = class_of(row);
    (!row[class.min(row.len() - 1)].is_nan()).then_some(class)
}

/// The probability that a row gives to a class; a single output has that of class 1.
pub(super) fn probability(row: &[f64], class: usize) -> f64 {
    match *row {
        [p] if class == 0 => 1.0 - p,
        [p] => p,
        _ => row[class],
    }
}

/// Predicted and true numbers, with the weight of each sample.
pub(super) struct NumberBatch {
    outputs: Vec<f64>,
    targets: Vec<f64>,
    columns: usize,
    weights: Vec<f64>,
}

impl NumberBatch {
    /// Predictions and targets are `[batch, …]`, of the same shape.
    pub(super) fn new<F: Scalar>(
        output: &Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<Self> {
        if output.shape() != target.shape() || output.ndim() == 0 {
            return Err(Error::shape("targets", format!("{:?}", output.shape()), target.shape())
                .help("Give a target for each number that the model puts out, `[batch, …]`."));
        }
        let columns = output.shape()[1..].iter().product();
        let weights = weights_of(weights, output.shape()[0])?;
        Ok(Self { outputs: numbers(output), targets: numbers(target), columns, weights })
    }

    /// How many numbers a sample has.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers of each sample, predicted and true, and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], &[f64], f64)> {
        let columns = self.columns.max(1);
        let rows = self.outputs.chunks_exact(columns).zip(self.targets.chunks_exact(columns));
        rows.zip(&self.weights).map(|((output, target), &w)| (output, target, w))
    }
}

/// Checks that a metric's batches are all of one width, that of the first.
pub(super) fn check_width(seen: usize, columns: usize) -> Result<()> {
    if seen == 0 || seen == columns {
        return Ok(());
    }
    Err(Error::data("predictions", format!("of {seen} numbers a sample, as before"), columns)
        .help("Reset the metric before it is given another model's predictions."))
}

/// Sums over batches of classes; [`metric_of_classes`] makes a [`Metric`](super::Metric) of it.
pub(super) trait OverClasses {
    fn title(&self) -> &str;
    fn clear(&mut self);
    fn add(&mut self, batch: &ClassBatch<'_>) -> Result<()>;
    fn result(&self) -> f64;
    /// What was added up, for a checkpoint.
    fn save<F: Scalar>(&self) -> State<F>;
    /// The same back.
    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()>;
}

/// Sums over batches of numbers; [`metric_of_numbers`] makes a [`Metric`](super::Metric) of it.
pub(super) trait OverNumbers {
    fn title(&self) -> &str;
    fn clear(&mut self);
    fn add(&mut self, batch: &NumberBatch) -> Result<()>;
    fn result(&self) -> f64;
    /// What was added up, for a checkpoint.
    fn save<F: Scalar>(&self) -> State<F>;
    /// The same back.
    fn restore<F: Scalar>(&mut self, state: &mut State<F>) -> Result<()>;
}

/// `Metric` for one form of targets, and the conversion that goes with it.
macro_rules! metric_by {
    ($metric:ident: $over:ident, $target:ty, $batch:expr) => {
        impl<F: crate::scalar::Scalar> crate::metric::Metric<$target, F> for $metric {
            fn name(&self) -> &str {
                $over::title(self)
            }

            fn reset(&mut self) {
                $over::clear(self);
            }

            fn update(
                &mut self,
                output: &crate::tensor::Tensor<F>,
                target: &$target,
                weights: Option<&[F]>,
            ) -> crate::error::Result<()> {
                $batch(output, target, weights)
                    .and_then(|batch| self.add(&batch))
                    .map_err(|error| error.at($over::title(self)))
            }

            fn value(&self) -> f64 {
                $over::result(self)
            }

            fn state(&self) -> Option<crate::state::State<F>> {
                Some($over::save(self))
            }

            fn load_state(&mut self, state: &mut crate::state::State<F>) -> crate::error::Result<()> {
                $over::restore(self, state)
            }
        }
    };
}
pub(super) use metric_by;

/// A metric of classes, for class indices and for tensors, and its value without naming which.
macro_rules! metric_of_classes {
    ($metric:ident) => {
        crate::metric::batch::metric_by!(
            $metric: OverClasses, [usize], crate::metric::batch::ClassBatch::of_labels
        );
        crate::metric::batch::metric_by!(
            $metric: OverClasses, crate::tensor::Tensor<F>, crate::metric::batch::ClassBatch::of_tensor
        );

        impl $metric {
            /// The value over everything since the last reset, as [`Metric::value`](crate::Metric::value), without
            /// the form of the targets.
            pub fn value(&self) -> f64 {
                OverClasses::result(self)
            }
        }
    };
}
pub(super) use metric_of_classes;

/// A metric of numbers, for tensors.
macro_rules! metric_of_numbers {
    ($metric:ident) => {
        crate::metric::batch::metric_by!(
            $metric: OverNumbers, crate::tensor::Tensor<F>, crate::metric::batch::NumberBatch::new
        );

        impl $metric {
            /// The value over everything since the last reset, as [`Metric::value`](crate::Metric::value), without
            /// the element type.
            pub fn value(&self) -> f64 {
                OverNumbers::result(self)
            }
        }
    };
}
pub(super) use metric_of_numbers;
