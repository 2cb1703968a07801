//! [`Labels`]: several labels at once.

use super::answer::AnswerValue;
use super::output::{OutputBlock, check_names};
use super::scores::{Link, Scores};
use crate::codec::checked;
use crate::error::{Error, Result};
use crate::nn::OutputActivation;
use crate::state::Kind;
use crate::tensor::{Tensor, slice};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The answer of an output that stands for labels, of which none, one or several are right: a name and a threshold for
/// each.
///
/// The outputs are those of a sigmoid, or of a linear layer, whose sigmoid is computed. A label is named if its
/// probability is above its threshold.
///
/// ```
/// use plywood::prelude::*;
/// use plywood::preprocessing::Features;
///
/// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Sigmoid).build()?;
/// let labels = Labels::named(["sea", "sunset"]).thresholds([0.5, 0.3]);
/// let predictor = Predictor::new(model).input(Features::of_shape([2])).output(labels).build()?;
/// assert_eq!(predictor.predict([0.0, 0.0])?.labels(), ["sunset"]); // both have 0.5
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Labels {
    #[serde(with = "crate::codec::names")]
    names: Vec<Arc<str>>,
    /// One, or one for each name.
    #[serde(with = "crate::codec::words")]
    thresholds: Vec<f64>,
    link: Link,
    /// Whether a recipe takes the labels from the columns of these names.
    #[serde(skip)]
    columns: bool,
}

checked!(Labels);

impl Labels {
    /// Labels of these names, in the order of the model's outputs, with the threshold 0.5.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into()).collect();
        Self { names, thresholds: vec![0.5], link: Link::OfModel, columns: false }
    }

    /// Labels in columns of a table, for a [`Recipe`](crate::recipe::Recipe): a column of booleans, or of 0 and 1, for each
    /// label, which has its name.
    pub fn columns<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { columns: true, ..Self::named(names) }
    }

    /// Sets the threshold above which a label is named, one for all.
    #[must_use]
    pub fn threshold(mut self, probability: f64) -> Self {
        self.thresholds = vec![probability];
        self
    }

    /// Sets a threshold for each label.
    #[must_use]
    pub fn thresholds(mut self, probabilities: impl IntoIterator<Item = f64>) -> Self {
        self.thresholds = probabilities.into_iter().collect();
        self
    }

    /// States that the outputs are logits, for a model whose last layer does not say so.
    #[must_use]
    pub fn logits(mut self) -> Self {
        self.link = Link::Logits;
        self
    }

    /// States that the outputs are probabilities, for a model whose last layer does not say so.
    #[must_use]
    pub fn probabilities(mut self) -> Self {
        self.link = Link::Probabilities;
        self
    }

    /// Returns the names of the labels, in the order of the model's outputs.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether a recipe takes the labels from columns.
    pub(crate) fn is_of_columns(&self) -> bool {
        self.columns
    }

    /// The probabilities of all labels, `[rows, labels]`, in the order of their names.
    pub(super) fn all(&self, output: &Tensor, activation: OutputActivation) -> Result<Array2<f32>> {
        let probabilities = Scores::of(self.link, activation, false)?.probabilities(output, false)?;
        let all = slice(&probabilities).to_vec();
        Array2::from_shape_vec((all.len() / self.names.len().max(1), self.names.len()), all)
            .map_err(Error::custom)
    }

    /// Checks that the settings are sound.
    fn check(&self) -> Result<()> {
        if self.names.is_empty() {
            return Err(Error::argument("the labels", "at least 1", "none")
                .help("Name each label, in the order of the model's outputs."));
        }
        check_names("the names of the labels", self.names.iter().map(|name| &**name))?;
        if self.thresholds.len() != 1 && self.thresholds.len() != self.names.len() {
            let expected = format!("one, or one for each of the {} labels", self.names.len());
            return Err(Error::argument("the thresholds", expected, self.thresholds.len())
                .help("Give `.threshold(0.5)`, or `.thresholds([…])` in the order of the labels."));
        }
        match self.thresholds.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            None => Ok(()),
            Some(threshold) => Err(Error::argument("the thresholds", "probabilities from 0 to 1", threshold)
                .help("0.5 is usual.")),
        }
    }
}

impl OutputBlock for Labels {
    const KIND: Kind = Kind::builtin("labels");

    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()> {
        self.check()?;
        if shape.len() > 1 || shape.iter().product::<usize>() != self.names.len() {
            let expected = format!("[{}], one number for each label", self.names.len());
            return Err(Error::shape("the output", expected, shape)
                .help("Give the last layer a unit for each label, or name as many labels as it has units."));
        }
        Scores::of(self.link, activation, false).map(|_| ())
    }

    fn answer(&self, output: &Tensor, activation: OutputActivation) -> Result<Vec<AnswerValue>> {
        let probabilities = Scores::of(self.link, activation, false)?.probabilities(output, false)?;
        let rows = slice(&probabilities).chunks_exact(self.names.len().max(1));
        let of_row = |row: &[f32]| {
            let thresholds = self.thresholds.iter().cycle();
            let labels = self.names.iter().zip(row).zip(thresholds).map(|((name, &p), &threshold)| {
                // As `predict_labels`, the threshold is rounded to the type of the probability.
                (name.clone(), p, p > threshold as f32)
            });
            AnswerValue::Labels(labels.collect())
        };
        Ok(rows.map(of_row).collect())
    }
}
