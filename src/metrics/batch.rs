//! A batch as the metrics see it: checked, row-major, in `f64`.
//!
//! A [`Metric`](super::Metric) is generic over the element type and the form of the targets, and what it counts is
//! not. So each batch is converted once, by a kernel, and the counting is plain code over `f64`, compiled in this
//! crate. Everything is checked here, before a metric adds anything: a batch that does not fit leaves its sums as
//! they were.
//!
//! [`Given`] has what was handed in. It is read as [`ClassBatch`], where a sample has one class, or as
//! [`LabelBatch`], where it may have several labels: which of the two, the metric says, and never the numbers, since
//! rows with one label each look like either. [`NumberBatch`] is what metrics of numbers see.

use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::predictions::{
    Thresholds, above, check_nan, check_weights, class_of, is_distribution, numbers, rounded,
};
use crate::shown::count;
use crate::tensor::Tensor;
use std::borrow::Cow;

/// What to do where a sample turns out to have several labels.
pub(super) const SEVERAL: &str = "Where a sample may have several labels, or none, call `.multi_label(..)` on \
                                  Precision, Recall, FBeta, RocAuc or AveragePrecision, or use \
                                  `ExactMatch::multi_label(..)`.";

/// The error of class indices where a metric was told that there are several labels.
pub(super) fn not_indices() -> Error {
    Error::data("the targets", "be 0 or 1 for each label, in a tensor [batch, labels]", "class indices")
        .help("Leave `.multi_label(..)` out, or train with SoftBinaryCrossEntropy.")
}

/// A weight for each sample, 1 where there are none.
fn weights_of<F: Scalar>(weights: Option<&[F]>, samples: usize) -> Result<Vec<f64>> {
    check_weights(weights, samples)?;
    Ok(weights.map_or_else(|| vec![1.0; samples], |weights| weights.iter().map(|w| w.as_f64()).collect()))
}

/// Predictions `[batch, columns]` without NaN, targets for as many samples, and weights.
pub(super) struct Given<'a> {
    /// Row by row, as the model gave them.
    scores: Vec<f64>,
    /// At least 1.
    columns: usize,
    targets: Targets<'a>,
    weights: Vec<f64>,
    /// Rounds a number to the predictions' type.
    round: fn(f64) -> f64,
}

enum Targets<'a> {
    Indices(&'a [usize]),
    /// As many as there are predictions.
    Numbers(Vec<f64>),
}

impl<'a> Given<'a> {
    /// With class indices as targets.
    pub(super) fn with_indices<F: Scalar>(
        output: &Tensor<F>,
        labels: &'a [usize],
        weights: Option<&[F]>,
    ) -> Result<Self> {
        let (samples, _) = sides(output)?;
        if labels.len() != samples {
            return Err(Error::data(
                "the number of targets",
                format!("be {samples}, one for each prediction"),
                labels.len(),
            )
            .help("Give one target for each sample."));
        }
        Self::new(output, Targets::Indices(labels), weights)
    }

    /// With a tensor of the predictions' shape as targets.
    pub(super) fn with_tensor<F: Scalar>(
        output: &Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<Self> {
        sides(output)?;
        Self::new(output, Targets::Numbers(target_numbers(output, target)?), weights)
    }

    fn new<F: Scalar>(output: &Tensor<F>, targets: Targets<'a>, weights: Option<&[F]>) -> Result<Self> {
        let (samples, columns) = sides(output)?;
        check_nan("the prediction", output)?;
        let weights = weights_of(weights, samples)?;
        Ok(Self { scores: numbers(output), columns, targets, weights, round: rounded::<F> })
    }

    /// Read as one class for each sample.
    pub(super) fn classes(self) -> Result<ClassBatch<'a>> {
        let Self { scores, columns, targets, weights, round } = self;
        let (labels, shares) = match targets {
            Targets::Indices(labels) => {
                check_labels(labels, columns.max(2))?;
                (Cow::Borrowed(labels), None)
            }
            Targets::Numbers(shares) => (Cow::Owned(classes_of(&shares, columns)?), Some(shares)),
        };
        Ok(ClassBatch { scores, columns, labels, shares, weights, round })
    }

    /// The same, of predictions that are the classes' probabilities.
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

    /// Read as labels that a sample has or has not, each by itself.
    pub(super) fn labels(self) -> Result<LabelBatch> {
        let Self { scores, columns, targets, weights, round } = self;
        let Targets::Numbers(targets) = targets else { return Err(not_indices()) };
        Ok(LabelBatch { scores, columns, truth: yes_or_no(&targets, columns)?, weights, round })
    }
}

/// The samples and the numbers of each.
fn sides<F: Scalar>(output: &Tensor<F>) -> Result<(usize, usize)> {
    match *output.shape() {
        [samples, columns] if columns > 0 => Ok((samples, columns)),
        _ => Err(Error::shape("the predictions", "[batch, classes]", output.shape())
            .help("Give the metric a row of class probabilities for each sample.")),
    }
}

/// The numbers of targets that have the predictions' shape, all finite.
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

/// Checks that labels are those of classes that there are.
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

/// The class of each row of targets: that of the largest number of a distribution, the first of equals, or of a
/// single number from 0 to 1 class 1 above 0.5.
pub(super) fn classes_of(targets: &[f64], columns: usize) -> Result<Vec<usize>> {
    let class = |(i, row): (usize, &[f64])| match is_distribution(row) {
        true => Ok(class_of(row, 0.5)),
        false => Err(not_a_distribution("the target", i, row).help(SEVERAL)),
    };
    targets.chunks_exact(columns).enumerate().map(class).collect()
}

/// Whether a sample has each label, by targets that are 0 or 1.
pub(crate) fn yes_or_no(targets: &[f64], columns: usize) -> Result<Vec<bool>> {
    match targets.iter().position(|t| *t != 0.0 && *t != 1.0) {
        None => Ok(targets.iter().map(|t| *t == 1.0).collect()),
        Some(i) => {
            Err(Error::sample("the target", i / columns.max(1), "be 0 or 1 for each label", targets[i])
                .help("A sample either has a label or does not; shares of labels cannot be counted."))
        }
    }
}

/// The error of a row that is no distribution, with what shows it.
fn not_a_distribution(what: &str, sample: usize, row: &[f64]) -> Error {
    let outside = row.iter().find(|p| !(0.0..=1.0).contains(*p));
    match (row, outside) {
        ([number], _) => Error::sample(what, sample, "be from 0 to 1", number),
        (_, Some(number)) => {
            Error::sample(what, sample, "be a distribution over classes, with numbers from 0 to 1", number)
        }
        _ => {
            let sum = row.iter().sum::<f64>();
            Error::sample(
                what,
                sample,
                "be a distribution over classes, with a sum of 1",
                format!("a sum of {sum}"),
            )
        }
    }
}

/// Scores of classes, with the true class and the weight of each sample.
pub(super) struct ClassBatch<'a> {
    scores: Vec<f64>,
    /// 1 is a single output, as a sigmoid's.
    columns: usize,
    labels: Cow<'a, [usize]>,
    /// The targets where they were distributions, row by row.
    shares: Option<Vec<f64>>,
    weights: Vec<f64>,
    round: fn(f64) -> f64,
}

impl ClassBatch<'_> {
    /// How many numbers the model puts out for a sample.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// How many classes there are: 2 for a single output.
    pub(super) fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// The number in the predictions' type.
    pub(super) fn rounded(&self, number: f64) -> f64 {
        (self.round)(number)
    }

    /// The scores of each sample, its true class and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], usize, f64)> {
        let rows = self.scores.chunks_exact(self.columns);
        rows.zip(self.labels.iter()).zip(&self.weights).map(|((row, &label), &w)| (row, label, w))
    }

    /// The probabilities of each sample, its target and its weight.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&[f64], Share<'_>, f64)> {
        self.samples().enumerate().map(|(i, (row, label, weight))| match &self.shares {
            None => (row, Share::Class(label), weight),
            Some(shares) => (row, Share::Of(&shares[i * self.columns..(i + 1) * self.columns]), weight),
        })
    }
}

/// What a sample's target says of its classes.
#[derive(Clone, Copy)]
pub(super) enum Share<'a> {
    /// It is of this class.
    Class(usize),
    /// It is of each class to this share.
    Of(&'a [f64]),
}

impl Share<'_> {
    /// The share of a class.
    pub(super) fn of(self, class: usize) -> f64 {
        match self {
            Self::Class(label) => f64::from(label == class),
            Self::Of(row) => probability(row, class),
        }
    }
}

/// The probability that a row gives to a class; a single output has that of class 1.
pub(super) fn probability(row: &[f64], class: usize) -> f64 {
    match *row {
        [p] if class == 0 => 1.0 - p,
        [p] => p,
        _ => row[class],
    }
}

/// Scores of labels, each by itself, with the labels and the weight of each sample.
pub(super) struct LabelBatch {
    scores: Vec<f64>,
    columns: usize,
    /// Row by row.
    truth: Vec<bool>,
    weights: Vec<f64>,
    round: fn(f64) -> f64,
}

impl LabelBatch {
    /// How many labels there are.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Which labels are predicted, row by row.
    pub(super) fn predicted(&self, thresholds: &Thresholds) -> Result<Vec<bool>> {
        thresholds.check(self.columns)?;
        Ok(above(&self.scores, self.columns, thresholds, self.round))
    }

    /// The scores of each sample, its labels and its weight.
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
    /// Predictions and targets are `[batch, …]`, of the same shape.
    pub(super) fn new<F: Scalar>(
        output: &Tensor<F>,
        target: &Tensor<F>,
        weights: Option<&[F]>,
    ) -> Result<Self> {
        let Some((&samples, sample)) = output.shape().split_first() else {
            return Err(Error::shape("the predictions", "[batch, …]", output.shape())
                .help("The first axis is the batch."));
        };
        let columns = sample.iter().product();
        let targets = target_numbers(output, target)?;
        check_nan("the prediction", output)?;
        let weights = weights_of(weights, samples)?;
        Ok(Self { outputs: numbers(output), targets, columns, weights })
    }

    /// How many numbers a sample has.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers of each sample that has a weight above 0, predicted and true, and its weight.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&[f64], &[f64], f64)> {
        let columns = self.columns.max(1);
        let rows = self.outputs.chunks_exact(columns).zip(self.targets.chunks_exact(columns));
        let samples = rows.zip(&self.weights).map(|((output, target), &w)| (output, target, w));
        samples.filter(|(.., weight)| *weight > 0.0)
    }
}

/// Checks that a metric's batches are all of one width, that of the first.
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
