//! [`Recipe`]: its settings.

use super::build_model::BuildModel;
use super::data::TargetKind;
use super::plan::Plan;
use super::target::TargetSpec;
use super::trainer::{AnyTrainer, Held};
use crate::data::Augment;
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::nn::Model;
use crate::preprocessing::{AnySpec, InputSpec};
use crate::train::Trainer;
use std::fmt;
use std::sync::Arc;

/// How a raw table becomes a trained [`Predictor`](crate::predictor::Predictor): which columns make which input, which are
/// predicted, and how the model and its trainer are made.
///
/// ```
/// use plywood::data::{Column, Table};
/// use plywood::prelude::*;
///
/// let kinds = (0..90).map(|i| Some(["setosa", "versicolor", "virginica"][i % 3]));
/// let lengths = (0..90).map(|i| (i % 3) as f64 + (i % 7) as f64 / 20.0);
/// let table = Table::new([Column::numbers("length", lengths)?, Column::categories("kind", kinds)])?;
///
/// let recipe = Recipe::new()
///     .input(Columns::of(["length"]))
///     .output(Classes::column("kind"))
///     .model(|plan| {
///         Sequential::builder(plan.shape())
///             .layer(Dense::units(16)).layer(ReLU)
///             .layer(Dense::units(plan.units())).layer(Softmax)
///     })
///     .trainer(|_| {
///         Trainer::new(CrossEntropy::default(), Adam::default())
///             .epochs(30).learning_rate(0.02).progress(Progress::Silent)
///     });
///
/// let fitted = recipe.clone().validation_split(0.2).fit(&table)?;
/// assert!(fitted.evaluation.as_ref().unwrap().get("accuracy") > Some(0.9));
/// assert_eq!(fitted.predictor.predict(Row::new().with("length", 0.1))?.class(), Some("setosa"));
/// let scores = recipe.cross_validate(&table, &StratifiedKFold::new(3).seed(1))?;
/// assert!(scores.mean("accuracy") > Some(0.9));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`validation_split`](Recipe::validation_split) | no validation |
/// | [`seed`](Recipe::seed) | 0 |
/// | [`weights`](Recipe::weights), [`groups`](Recipe::groups) | none |
/// | [`augment`](Recipe::augment) | nothing |
///
/// The rows are split before anything is fitted: a category or a word that occurs only in rows that were held out
/// is unknown. Only the types of the columns and the names of the classes come from the whole table. Rows without a
/// target are left out, and [`Fitted::remarks`](super::Fitted::remarks) says so. One seed gives one result, to the bit.
#[derive(Clone)]
#[must_use = "nothing is read or trained before `fit` is called"]
pub struct Recipe {
    pub(super) inputs: Vec<(Option<String>, Arc<dyn AnySpec>)>,
    pub(super) outputs: Vec<(Option<String>, TargetSpec)>,
    model: Option<Arc<Build>>,
    trainer: Option<Arc<Make>>,
    pub(super) split: Option<f64>,
    pub(super) seed: u64,
    pub(super) weights: Option<String>,
    pub(super) groups: Option<String>,
    pub(super) augment: Option<(Option<String>, Augment)>,
}

type Build = dyn Fn(&Plan) -> Result<Box<dyn Model>> + Send + Sync;
type Make = dyn Fn(&Plan) -> Box<dyn AnyTrainer> + Send + Sync;

impl Default for Recipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Recipe {
    /// Returns a recipe without inputs and outputs.
    pub fn new() -> Self {
        Self {
            inputs: Vec::new(),
            outputs: Vec::new(),
            model: None,
            trainer: None,
            split: None,
            seed: 0,
            weights: None,
            groups: None,
            augment: None,
        }
    }

    /// Sets the columns that make the input, of a model with one.
    pub fn input(mut self, spec: impl InputSpec) -> Self {
        self.inputs.push((None, Arc::new(spec)));
        self
    }

    /// Adds the columns that make the input with this name.
    pub fn input_named(mut self, input: impl Into<String>, spec: impl InputSpec) -> Self {
        self.inputs.push((Some(input.into()), Arc::new(spec)));
        self
    }

    /// Sets the columns that the output is trained on, of a model with one: [`Classes::column`](crate::predictor::Classes::column),
    /// [`Labels::columns`](crate::predictor::Labels::columns) or [`Numbers::column`](crate::predictor::Numbers::column).
    pub fn output(mut self, target: impl Into<TargetSpec>) -> Self {
        self.outputs.push((None, target.into()));
        self
    }

    /// Adds the columns that the output with this name is trained on.
    pub fn output_named(mut self, output: impl Into<String>, target: impl Into<TargetSpec>) -> Self {
        self.outputs.push((Some(output.into()), target.into()));
        self
    }

    /// Sets how the model is made: a closure that returns a builder, of a [`Sequential`](crate::nn::Sequential) or a
    /// [`Graph`](crate::nn::Graph), for what the recipe has found.
    ///
    /// The recipe sets the builder's seed, another one for each repeat of a search. The closure may also return a `Result`.
    pub fn model<B: BuildModel>(mut self, build: impl Fn(&Plan) -> B + Send + Sync + 'static) -> Self {
        self.model = Some(Arc::new(move |plan: &Plan| build(plan).build_with(plan.seed())));
        self
    }

    /// Sets how the trainer is made: a closure, as each fit needs a new one. The recipe sets its seed.
    pub fn trainer<L>(mut self, make: impl Fn(&Plan) -> Trainer<L> + Send + Sync + 'static) -> Self
    where
        L: Loss<f32> + 'static,
        L::Target: TargetKind,
    {
        self.trainer = Some(Arc::new(move |plan: &Plan| Box::new(Held(Some(make(plan).seed(plan.seed()))))));
        self
    }

    /// Holds this share of the rows out for validation, drawn by the seed; with the same share of each class if the first
    /// output has classes.
    pub fn validation_split(mut self, share: f64) -> Self {
        self.split = Some(share);
        self
    }

    /// Sets the seed of the split, of the initial weights and of the trainer.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes the weights of the rows in training from this column of numbers. Scores do not count them.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(column.into());
        self
    }

    /// Keeps the rows with the same value in this column together, in the training part or in what is held out: the
    /// photos of one patient, the readings of one house.
    ///
    /// Folds and shares then count groups, not rows, and the class of a group is its most frequent one.
    pub fn groups(mut self, column: impl Into<String>) -> Self {
        self.groups = Some(column.into());
        self
    }

    /// Changes the images of the only input at random in training. The predictor does not: an image has one answer.
    pub fn augment(mut self, augment: Augment) -> Self {
        self.augment = Some((None, augment));
        self
    }

    /// Changes the images of the input with this name at random in training.
    pub fn augment_named(mut self, input: impl Into<String>, augment: Augment) -> Self {
        self.augment = Some((Some(input.into()), augment));
        self
    }

    /// Makes the model.
    pub(super) fn build(&self, plan: &Plan) -> Result<Box<dyn Model>> {
        let Some(build) = &self.model else { return Err(lacking("a model", "`.model(|plan| …)`")) };
        let model = build(plan);
        plan.check()?;
        model
    }

    /// Makes the trainer.
    pub(super) fn make(&self, plan: &Plan) -> Result<Box<dyn AnyTrainer>> {
        let Some(make) = &self.trainer else { return Err(lacking("a trainer", "`.trainer(|plan| …)`")) };
        let trainer = make(plan);
        plan.check()?;
        trainer.check().map(|()| trainer)
    }

    /// The name of an input or output, of several or of the only one.
    pub(super) fn name<'a>(names: &[&'a Option<String>], place: usize, what: &'a str) -> Result<&'a str> {
        match (names[place], names.len()) {
            (Some(name), _) => Ok(name),
            (None, 1) => Ok(what),
            (None, several) => Err(Error::argument(
                format!("the {what}s of a recipe"),
                "named, as there are several",
                several,
            )
            .help(format!("Name each as in the model: `.{what}_named(\"…\", …)`."))),
        }
    }

    /// Fails if the recipe is not complete.
    pub(super) fn check(&self) -> Result<()> {
        match (&self.inputs[..], &self.outputs[..]) {
            ([], _) => Err(lacking("an input", "`.input(Columns::all_but([…]))`")),
            (_, []) => Err(lacking("an output", "`.output(Classes::column(…))`")),
            _ => Ok(()),
        }
    }
}

fn lacking(what: &str, help: &str) -> Error {
    Error::argument("the recipe", format!("one with {what}"), "none").help(format!("Add it: {help}."))
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.inputs.iter().map(|(name, _)| name).collect();
        f.debug_struct("Recipe")
            .field("inputs", &names)
            .field("outputs", &self.outputs)
            .field("validation_split", &self.split)
            .field("seed", &self.seed)
            .field("weights", &self.weights)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}
