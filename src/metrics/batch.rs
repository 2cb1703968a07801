//! A batch as the metrics see it: checked, row-major, in `f64`.
//!
//! A [`Metric`](super::Metric) is generic over the element type and the form of the targets, but what it counts does
//! not depend on them. So each batch is converted once, by a kernel, and the counting is plain code over `f64`,
//! compiled in this crate. A batch is checked before a metric adds anything: one that does not fit leaves the metric's
//! sums unchanged.
//!
//! [`Given`] holds the arguments of `update`. Its [`Rows`] are read as [`ClassBatch`], where a sample has one class, or
//! as [`LabelBatch`], where it may have several labels. The metric chooses between the two. The values cannot decide
//! it, because rows with one label each fit both. Metrics of numbers read a [`NumberBatch`].

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::{
    Thresholds, above, check_nan, check_weights, class_of, is_distribution, numbers, rounded,
};
use crate::shown::{count, short};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// The advice for a sample that turns out to have several labels.
pub(super) const SEVERAL: &str = "Where a sample may have several labels, or none, call `.multi_label(..)` on \
                                  Precision, Recall, FBeta, RocAuc or AveragePrecision, or use \
                                  `ExactMatch::multi_label(..)`.";

/// Returns the error for class indices given to a metric that expects several labels per sample.
pub(super) fn not_indices() -> Error {
    Error::data("the targets", "be 0 or 1 for each label, in a tensor [batch, labels]", "class indices")
        .help("Leave `.multi_label(..)` out, or train with SoftBinaryCrossEntropy.")
}

/// Returns a weight for each sample: 1 if no weights are given.
fn weights_of<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<Vec<f64>> {
    check_weights(weights, samples)?;
    Ok(weights.map_or_else(|| vec![1.0; samples], |weights| weights.iter().map(|w| w.as_f64()).collect()))
}

/// A batch as passed to a metric.
#[derive(Clone, Copy)]
pub(super) struct Given<'a, F: Scalar> {
    pub(super) output: &'a Tensor<F>,
    pub(super) targets: Targets<'a, F>,
    pub(super) weights: Option<&'a [F]>,
}

/// The targets of a batch, in either form.
#[derive(Clone, Copy)]
pub(super) enum Targets<'a, F: Scalar> {
    Indices(&'a [usize]),
    Numbers(&'a Tensor<F>),
}

/// A form of targets: class indices or a tensor.
pub(super) trait Target<F: Scalar> {
    /// True for class indices, false for a tensor.
    const INDICES: bool;
    fn targets(&self) -> Targets<'_, F>;
}

impl<F: Scalar> Target<F> for [usize] {
    const INDICES: bool = true;

    fn targets(&self) -> Targets<'_, F> {
        Targets::Indices(self)
    }
}

impl<F: Scalar> Target<F> for Tensor<F> {
    const INDICES: bool = false;

    fn targets(&self) -> Targets<'_, F> {
        Targets::Numbers(self)
    }
}

impl<'a, F: Scalar> Given<'a, F> {
    /// Checks and converts a batch whose predictions are `[batch, columns]`.
    pub(super) fn rows(self) -> Result<Rows<'a>> {
        let (samples, columns) = sides(self.output)?;
        let (labels, targets) = match self.targets {
            Targets::Indices(labels) if labels.len() != samples => {
                let expected = format!("be {samples}, one for each prediction");
                return Err(Error::data("the number of targets", expected, labels.len())
                    .help("Give one target for each sample."));
            }
            Targets::Indices(labels) => (Some(labels), Vec::new()),
            Targets::Numbers(target) => (None, target_numbers(self.output, target)?),
        };
        check_nan("the prediction", self.output)?;
        let weights = weights_of(self.weights, samples)?;
        Ok(Rows { scores: numbers(self.output), columns, labels, targets, weights, round: rounded::<F> })
    }

    /// Checks and converts a batch whose predictions and targets are `[batch, …]`, of the same shape.
    pub(super) fn numbers(self) -> Result<NumberBatch> {
        let Some((&samples, sample)) = self.output.shape().split_first() else {
            return Err(Error::shape("the predictions", "[batch, …]", self.output.shape())
                .help("The first axis is the batch."));
        };
        // Metrics of numbers are implemented for tensors only.
        let Targets::Numbers(target) = self.targets else { return Err(not_indices()) };
        let columns = sample.iter().product();
        let targets = target_numbers(self.output, target)?;
        check_nan("the prediction", self.output)?;
        let weights = weights_of(self.weights, samples)?;
        Ok(NumberBatch { outputs: numbers(self.output), targets, columns, weights })
    }
}

/// Predictions `[batch, columns]` without NaN, and the target and weight of each sample.
pub(super) struct Rows<'a> {
    /// The predictions, row by row.
    scores: Vec<f64>,
    /// At least 1.
    columns: usize,
    /// The targets, if they are class indices.
    labels: Option<&'a [usize]>,
    /// The targets, if they are a tensor of the predictions' shape; empty otherwise.
    targets: Vec<f64>,
    weights: Vec<f64>,
    /// Rounds a number to the predictions' type.
    round: fn(f64) -> f64,
}

impl<'a> Rows<'a> {
    /// Reads the rows as one class per sample.
    pub(super) fn classes(self) -> Result<ClassBatch<'a>> {
        let Self { scores, columns, labels, targets, weights, round } = self;
        let (labels, shares) = match labels {
            Some(labels) => {
                check_labels(labels, columns.max(2))?;
                (Cow::Borrowed(labels), None)
            }
            None => (Cow::Owned(classes_of(&targets, columns)?), Some(targets)),
        };
        Ok(ClassBatch { scores, columns, labels, shares, weights, round })
    }

    /// Reads the rows as one class per sample, and checks that the predictions are the classes' probabilities.
    pub(super) fn probabilities(self) -> Result<ClassBatch<'a>> {
        let batch = self.classes()?;
        let mut rows = batch.scores.chunks_exact(batch.columns);
        match rows.position(|row| !is_distribution(row)) {
            None => Ok(batch),
            Some(i) => {
                let row = &batch.scores[i * batch.columns..(i + 1) * batch.columns];
                Err(not_a_distribution("the prediction", i, row)
                    .help("End the model in Softmax, or in a single Sigmoid."))
            }
        }
    }

    /// Reads the rows as independent labels, each of which a sample has or does not have.
    pub(super) fn labels(self) -> Result<LabelBatch> {
        let Self { scores, columns, labels, targets, weights, round } = self;
        if labels.is_some() {
            return Err(not_indices());
        }
        Ok(LabelBatch { scores, columns, truth: yes_or_no(&targets, columns)?, weights, round })
    }
}

/// Returns the number of samples, and the number of values of each.
fn sides<F: Scalar>(output: &Tensor<F>) -> Result<(usize, usize)> {
    match *output.shape() {
        [samples, columns] if columns > 0 => Ok((samples, columns)),
        _ => Err(Error::shape("the predictions", "[batch, classes]", output.shape())
            .help("Give the metric a row of class probabilities for each sample.")),
    }
}

/// Returns the values of the targets, which must be finite and have the predictions' shape.
pub(super) fn target_numbers<F: Scalar>(output: &Tensor<F>, target: &Tensor<F>) -> Result<Vec<f64>> {
    if output.shape() != target.shape() {
        return Err(Error::shape("the targets", format!("{:?}", output.shape()), target.shape())
            .help("Give a target for each output of the model, `[batch, …]`."));
    }
    check_nan("the target", target)?;
    let (values, each) = (numbers(target), target.shape().iter().skip(1).product::<usize>().max(1));
    match values.iter().position(|t| t.is_infinite()) {
        None => Ok(values),
        Some(i) => Err(Error::sample("the target", i / each, "be a finite number", values[i])
            .help("Check where the targets are read.")),
    }
}

/// Checks that each label is below the number of classes.
pub(super) fn check_labels(labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(i) => {
            let expected = format!("be below {classes}, the number of classes");
            Err(Error::sample("the label", i, expected, labels[i])
                .help("Labels count from 0; give the last layer as many units as there are classes."))
        }
    }
}

/// Returns the class of each row of targets: that of the largest value of a distribution, where ties go to the lowest
/// index; for a single value from 0 to 1, class 1 if it is above 0.5, else class 0.
pub(super) fn classes_of(targets: &[f64], columns: usize) -> Result<Vec<usize>> {
    let class = |(i, row): (usize, &[f64])| match is_distribution(row) {
        true => Ok(class_of(row, 0.5)),
        false => Err(not_a_distribution("the target", i, row).help(SEVERAL)),
    };
    targets.chunks_exact(columns).enumerate().map(class).collect()
}

/// Returns, row by row, whether a sample has each label. Targets must be 0 or 1.
pub(crate) fn yes_or_no(targets: &[f64], columns: usize) -> Result<Vec<bool>> {
    match targets.iter().position(|t| *t != 0.0 && *t != 1.0) {
        None => Ok(targets.iter().map(|t| *t == 1.0).collect()),
        Some(i) => Err(Error::sample(
            "the target",
            i / columns.max(1),
            "be 0 or 1 for each label",
            short(targets[i]),
        )
        .help("A sample either has a label or does not; shares of labels cannot be counted.")),
    }
}

/// Returns the error for a row that is not a distribution, with the value or the sum that is wrong.
fn not_a_distribution(what: &str, sample: usize, row: &[f64]) -> Error {
    let outside = row.iter().find(|p| !(0.0..=1.0).contains(*p));
    match (row, outside) {
        ([number], _) => Error::sample(what, sample, "be from 0 to 1", short(*number)),
        (_, Some(number)) => Error::sample(
            what,
            sample,
            "be a distribution over classes, with numbers from 0 to 1",
            short(*number),
        ),
        _ => {
            let sum = row.iter().sum::<f64>();
            Error::sample(
                what,
                sample,
                "be a distribution over classes, with a sum of 1",
                format!("a sum of {sum:.4}"),
            )
        }
    }
}

/// Scores of classes, with the true class and the weight of each sample.
pub(super) struct ClassBatch<'a> {
    scores: Vec<f64>,
    /// 1 for a single output, such as a sigmoid's.
    columns: usize,
    labels: Cow<'a, [usize]>,
    /// The targets, row by row, if they are distributions.
    shares: Option<Vec<f64>>,
    weights: Vec<f64>,
    round: fn(f64) -> f64,
}

impl ClassBatch<'_> {
    /// Returns the number of values that the model outputs for a sample.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the number of classes: 2 for a single output.
    pub(super) fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// Rounds a number to the predictions' type.
    pub(super) fn rounded(&self, number: f64) -> f64 {
        (self.round)(number)
    }

    /// Returns the scores of each sample, its true class and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], usize, f64)> {
        let rows = self.scores.chunks_exact(self.columns);
        rows.zip(self.labels.iter()).zip(&self.weights).map(|((row, &label), &w)| (row, label, w))
    }

    /// Returns the probabilities of each sample, its target and its weight.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&[f64], Share<'_>, f64)> {
        self.samples().enumerate().map(|(i, (row, label, weight))| match &self.shares {
            None => (row, Share::Class(label), weight),
            Some(shares) => (row, Share::Of(&shares[i * self.columns..(i + 1) * self.columns]), weight),
        })
    }
}

/// A sample's target: a class, or a distribution over classes.
#[derive(Clone, Copy)]
pub(super) enum Share<'a> {
    /// The sample is of this class.
    Class(usize),
    /// The share of each class in the sample.
    Of(&'a [f64]),
}

impl Share<'_> {
    /// Returns the share of a class.
    pub(super) fn of(self, class: usize) -> f64 {
        match self {
            Self::Class(label) => f64::from(label == class),
            Self::Of(row) => probability(row, class),
        }
    }
}

/// Returns the probability of a class in a row; a single output is the probability of class 1.
pub(super) fn probability(row: &[f64], class: usize) -> f64 {
    match *row {
        [p] if class == 0 => 1.0 - p,
        [p] => p,
        _ => row[class],
    }
}

/// Scores of independent labels, with the true labels and the weight of each sample.
pub(super) struct LabelBatch {
    scores: Vec<f64>,
    columns: usize,
    /// True if the sample has the label, row by row.
    truth: Vec<bool>,
    weights: Vec<f64>,
    round: fn(f64) -> f64,
}

impl LabelBatch {
    /// Returns the number of labels.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns which labels are predicted, row by row.
    pub(super) fn predicted(&self, thresholds: &Thresholds) -> Result<Vec<bool>> {
        thresholds.check(self.columns)?;
        Ok(above(&self.scores, self.columns, thresholds, self.round))
    }

    /// Returns the scores of each sample, its true labels and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], &[bool], f64)> {
        let rows = self.scores.chunks_exact(self.columns).zip(self.truth.chunks_exact(self.columns));
        rows.zip(&self.weights).map(|((row, truth), &weight)| (row, truth, weight))
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
    /// Returns the number of values of a sample.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns, for each sample with a weight above 0, its predicted values, its true values and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], &[f64], f64)> {
        let columns = self.columns.max(1);
        let rows = self.outputs.chunks_exact(columns).zip(self.targets.chunks_exact(columns));
        let samples = rows.zip(&self.weights).map(|((output, target), &w)| (output, target, w));
        samples.filter(|(.., weight)| *weight > 0.0)
    }
}

/// Checks that a batch has the width of the first one. `seen` is that width, or 0 before the first batch.
pub(super) fn check_width(seen: usize, columns: usize) -> Result<()> {
    if seen == 0 || seen == columns {
        return Ok(());
    }
    Err(Error::data(
        "the predictions",
        format!("have {} for each sample, as before", count(seen, "number", "numbers")),
        columns,
    )
    .help("Reset the metric before it is given another model's predictions."))
}
