//! [`Classes`]: one of several classes.

use super::answer::AnswerValue;
use super::output::{OutputBlock, check_names};
use super::scores::{Link, Scores};
use crate::codec::checked;
use crate::error::{Error, Result};
use crate::nn::OutputActivation;
use crate::shown::count;
use crate::state::Kind;
use crate::tensor::{Tensor, slice};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The answer of an output that stands for classes, of which one is right: their names, and how many are shown.
///
/// | outputs for `n` classes | probabilities |
/// |---|---|
/// | `n`, of softmax | as they are |
/// | `n`, of a linear layer | their softmax |
/// | 1 for two classes, of a sigmoid | `1 - p` of the first class and `p` of the second |
/// | 1 for two classes, of a linear layer | the same of its sigmoid |
///
/// ```
/// use plywood::prelude::*;
/// use plywood::preprocessing::Features;
///
/// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let classes = Classes::named(["ham", "spam"]).threshold(0.9);
/// let predictor = Predictor::new(model).input(Features::of_shape([2])).output(classes).build()?;
/// assert_eq!(predictor.predict([0.0, 0.0])?.class(), None); // both 0.5
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Classes {
    #[serde(with = "crate::codec::names")]
    names: Vec<Arc<str>>,
    top: usize,
    #[serde(with = "crate::codec::words")]
    threshold: f64,
    link: Link,
    /// The column of a table that a recipe takes the names from.
    #[serde(skip)]
    column: Option<String>,
}

checked!(Classes);

impl Classes {
    /// Classes of these names, in the order of the model's outputs. The three most probable ones are shown.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into()).collect();
        Self { names, top: 3, threshold: 0.0, link: Link::OfModel, column: None }
    }

    /// The classes in a column of a table, for a [`Recipe`](crate::recipe::Recipe): those that occur in the whole table,
    /// sorted. The column holds categories, booleans or whole numbers.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: Some(name.into()), ..Self::named([""; 0]) }
    }

    /// Sets how many classes an answer lists, the most probable first; the default is 3.
    #[must_use]
    pub fn top(mut self, classes: usize) -> Self {
        self.top = classes;
        self
    }

    /// Sets the probability, from 0 to 1, that the most probable class must have, or the answer is "none" and its
    /// [`class`](super::Answer::class) is `None`; the default is 0. Scores of a recipe do not depend on it.
    #[must_use]
    pub fn threshold(mut self, probability: f64) -> Self {
        self.threshold = probability;
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

    /// Returns the names of the classes, in the order of the model's outputs.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The same settings for other classes.
    pub(crate) fn with_names(&self, names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.as_str().into()).collect(), ..self.clone() }
    }

    /// The column that a recipe takes the names from.
    pub(crate) fn source(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Checks that the settings are sound.
    fn check(&self) -> Result<()> {
        if self.names.len() < 2 {
            let names = count(self.names.len(), "name", "names");
            return Err(Error::argument("the classes", "at least 2", names)
                .help("Name each class, in the order of the model's outputs."));
        }
        check_names("the names of the classes", self.names())?;
        if self.top == 0 {
            return Err(
                Error::argument("the number of classes to list", "at least 1", 0).help("3 are usual.")
            );
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(Error::argument("the threshold", "a probability from 0 to 1", self.threshold)
                .help("0 always gives a class."));
        }
        Ok(())
    }

    /// The probabilities of all classes, `[rows, classes]`, in the order of their names.
    pub(super) fn all(&self, output: &Tensor, activation: OutputActivation) -> Result<Array2<f32>> {
        let width = output.shape().iter().skip(1).product::<usize>();
        let binary = self.is_binary(width);
        let probabilities = Scores::of(self.link, activation, !binary)?.probabilities(output, !binary)?;
        let row = |row: &[f32]| if binary { vec![1.0 - row[0], row[0]] } else { row.to_vec() };
        let all: Vec<f32> = slice(&probabilities).chunks_exact(width.max(1)).flat_map(row).collect();
        Array2::from_shape_vec((all.len() / self.names.len().max(1), self.names.len()), all)
            .map_err(Error::custom)
    }

    /// Whether a single output stands for two classes.
    fn is_binary(&self, width: usize) -> bool {
        self.names.len() == 2 && width == 1
    }
}

impl OutputBlock for Classes {
    const KIND: Kind = Kind::builtin("classes");

    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()> {
        self.check()?;
        let width = shape.iter().product::<usize>();
        let binary = self.is_binary(width);
        let of_softmax = matches!(activation, OutputActivation::Softmax | OutputActivation::LogSoftmax);
        if shape.len() > 1 || width != self.names.len() && (!binary || of_softmax) {
            let expected = format!("[{}], one number for each class", self.names.len());
            return Err(Error::shape("the output", expected, shape).help(
                "Give the last layer a unit for each class, or name as many classes as it has units.",
            ));
        }
        Scores::of(self.link, activation, !binary).map(|_| ())
    }

    fn answer(&self, output: &Tensor, activation: OutputActivation) -> Result<Vec<AnswerValue>> {
        let width = output.shape().iter().skip(1).product::<usize>();
        let binary = self.is_binary(width);
        let probabilities = Scores::of(self.link, activation, !binary)?.probabilities(output, !binary)?;
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        let answers = slice(&probabilities).chunks_exact(width.max(1)).map(|row| {
            let both;
            let row = match binary {
                true => {
                    both = [1.0 - row[0], row[0]];
                    &both[..]
                }
                false => row,
            };
            let top = self.top.min(row.len());
            first(&mut order, row, top);
            let ranked: Vec<_> =
                order[..top].iter().map(|&class| (self.names[class].clone(), row[class])).collect();
            let none = f64::from(ranked[0].1) < self.threshold;
            AnswerValue::Class { ranked, none }
        });
        Ok(answers.collect())
    }
}

/// Puts the classes of the `top` largest probabilities first, the largest first; of equals the lower class.
fn first(order: &mut [usize], row: &[f32], top: usize) {
    let before = |a: &usize, b: &usize| row[*b].total_cmp(&row[*a]).then(a.cmp(b));
    if top < order.len() {
        order.select_nth_unstable_by(top - 1, before);
    }
    order[..top].sort_unstable_by(before);
}
