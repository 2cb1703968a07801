//! [`Numbers`]: numbers in the units of the targets.

use super::answer::{AnswerNumber, AnswerValue};
use super::output::{OutputBlock, check_names};
use super::scores::check_finite;
use crate::codec::checked;
use crate::data::Normalizer;
use crate::error::{Error, Result};
use crate::nn::OutputActivation;
use crate::state::Kind;
use crate::tensor::{Tensor, slice, standard};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The answer of an output that stands for numbers: their names and unit, and how they get back into the units of the
/// targets.
///
/// A model is often trained on targets that were scaled, or whose logarithm was taken. The answer undoes both, in this
/// order, in `f64`:
///
/// ```text
/// y · scale + center       of the normalizer
/// e^y - 1                  with `log`, for targets ln(1 + t)
/// ```
///
/// ```
/// use plywood::prelude::*;
/// use plywood::preprocessing::Features;
///
/// let prices = plywood::ndarray::arr2(&[[100.0f32], [300.0]]).into_dyn();
/// let normalizer = Normalizer::standard().fit_tensor(&prices)?; // mean 200, deviation 100
/// let model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
/// let price = Numbers::named(["price"]).unit("€").normalizer(normalizer);
/// let predictor = Predictor::new(model).input(Features::of_shape([1])).output(price).build()?;
/// assert_eq!(predictor.predict([0.0])?.to_string(), "price 200 €"); // its bias is 0, the mean of the targets
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Numbers {
    /// Empty for numbers without names.
    #[serde(with = "crate::codec::names")]
    names: Vec<Arc<str>>,
    unit: String,
    log: bool,
    normalizer: Option<Normalizer>,
    /// Whether a recipe takes the numbers from the columns of these names.
    #[serde(skip)]
    columns: bool,
}

checked!(Numbers);

impl Numbers {
    /// Numbers of these names, in the order of the model's outputs.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into()).collect();
        Self { names, ..Self::unnamed() }
    }

    /// The numbers in a column of a table, for a [`Recipe`](crate::recipe::Recipe), which normalizes them to mean 0 and
    /// standard deviation 1 over the training part.
    pub fn column(name: impl Into<String>) -> Self {
        Self::columns([name.into()])
    }

    /// [`column`](Numbers::column) for several columns.
    pub fn columns<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { columns: true, ..Self::named(names) }
    }

    /// Numbers without names, of any shape: an embedding, an image. They are listed in row-major order.
    pub fn unnamed() -> Self {
        Self { names: Vec::new(), unit: String::new(), log: false, normalizer: None, columns: false }
    }

    /// Sets the unit of the numbers, for the answer: "€", "kg".
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// States that the model was trained on `ln(1 + t)` of the targets `t`. In a recipe: trains it on them. Targets of -1
    /// and below are errors there.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Sets the normalizer that the targets were transformed with, after the logarithm if there is one.
    #[must_use]
    pub fn normalizer(mut self, normalizer: Normalizer) -> Self {
        self.normalizer = Some(normalizer);
        self
    }

    /// Returns the names of the numbers; empty if they have none.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether a recipe takes the numbers from columns.
    pub(crate) fn is_of_columns(&self) -> bool {
        self.columns
    }

    /// Returns whether the logarithm of the targets is to be learned.
    pub(crate) fn has_log(&self) -> bool {
        self.log
    }

    /// Checks that the settings are sound.
    fn check(&self) -> Result<()> {
        check_names("the names of the numbers", self.names.iter().map(|name| &**name))
    }

    /// The number in the target's units, of the output's number at this place of a row.
    fn in_units(&self, place: usize, number: f32) -> f64 {
        let scaled = f64::from(number);
        let of = |numbers: &[f64]| numbers[if numbers.len() == 1 { 0 } else { place }];
        let whole = match &self.normalizer {
            Some(normalizer) => scaled * of(normalizer.scale()) + of(normalizer.center()),
            None => scaled,
        };
        if self.log { whole.exp_m1() } else { whole }
    }
}

impl OutputBlock for Numbers {
    const KIND: Kind = Kind::builtin("numbers");

    fn check_output(&self, shape: &[usize], activation: OutputActivation) -> Result<()> {
        self.check()?;
        let of_softmax = matches!(activation, OutputActivation::Softmax | OutputActivation::LogSoftmax);
        if self.columns && of_softmax {
            return Err(Error::data("the output", "be able to take any value", "probabilities of softmax")
                .help("Leave Softmax out: numbers are predicted by a linear last layer."));
        }
        let width = shape.iter().product::<usize>();
        if !self.names.is_empty() && (shape.len() > 1 || width != self.names.len()) {
            let expected = format!("[{}], one number for each name", self.names.len());
            return Err(Error::shape("the output", expected, shape).help(
                "Give the last layer a unit for each number, or name as many numbers as it has units.",
            ));
        }
        match self.normalizer.as_ref().map(|normalizer| normalizer.center().len()) {
            Some(found) if found != 1 && found != width => {
                Err(Error::argument("the normalizer of the output", format!("one of {width} numbers"), found)
                    .help("Give the one that the targets were transformed with."))
            }
            _ => Ok(()),
        }
    }

    fn answer(&self, output: &Tensor, _: OutputActivation) -> Result<Vec<AnswerValue>> {
        check_finite(output)?;
        let (rows, output) = (output.shape().first().copied().unwrap_or(0), standard(output.clone()));
        let width = output.len() / rows.max(1);
        let (unnamed, unit): (Arc<str>, Arc<str>) = ("".into(), self.unit.as_str().into());
        let mut answers = Vec::with_capacity(rows);
        for (row, numbers) in slice(&output).chunks_exact(width.max(1)).enumerate() {
            let number = |(place, &number): (usize, &f32)| {
                let name = self.names.get(place).unwrap_or(&unnamed).clone();
                AnswerNumber { name, value: self.in_units(place, number), unit: unit.clone() }
            };
            let numbers: Vec<AnswerNumber> = numbers.iter().enumerate().map(number).collect();
            if let Some(large) = numbers.iter().find(|number| !number.value.is_finite()) {
                return Err(Error::data(format!("the answer for row {}", row + 1), "be finite", large.value)
                    .help("The output is too large to be converted into the target's units."));
            }
            answers.push(AnswerValue::Numbers(numbers));
        }
        Ok(answers)
    }
}
