//! Cross-validation of a recipe, and search over recipes.

use super::fit::Run;
use super::rows::RecipeRows;
use super::scores::direction;
use super::settings::Recipe;
use crate::data::{Folds, Table};
use crate::error::{Error, Result};
use crate::train::{CrossValidation, Search, SearchResults, Trial};

impl Recipe {
    /// Fits the recipe to each fold's training part, and measures it on the part that was held out.
    ///
    /// The scores are the loss, the trainer's metrics, and the scores of the answers:
    ///
    /// | output | scores |
    /// |---|---|
    /// | classes | "accuracy", "balanced_accuracy" (the mean recall), "log_loss" |
    /// | labels | "exact_match", "hamming_loss" |
    /// | numbers, in the units of the targets | "mean_absolute_error", "root_mean_squared_error", "r2" |
    ///
    /// With several outputs each begins with the output's name: "category_accuracy". With a
    /// [`validation_split`](Recipe::validation_split) the part to watch is taken from each training part: what is held out
    /// has no say. Nothing is printed. A [`KFold`](crate::data::KFold) needs a seed if the rows are sorted.
    ///
    /// # Errors
    /// When the table cannot be split into these folds, or a fit fails; the error names the fold.
    pub fn cross_validate(
        &self,
        table: &Table,
        folds: &impl Folds<f32, RecipeRows>,
    ) -> Result<CrossValidation> {
        let validate = || {
            let bound = self.bind(table)?;
            let (folds, mut remarks) = folds.folds_and_remarks(&bound.rows)?;
            remarks.extend(bound.remarks.iter().cloned());
            let mut evaluations = Vec::with_capacity(folds.len());
            for (number, (train, test)) in folds.iter().enumerate() {
                let evaluate = || {
                    let (train, watched) = bound.split(train.indices())?;
                    let run = Run { seed: self.seed, silent: true, ..Run::default() };
                    let (fitted, mut trained) = bound.fit(&train, watched.as_deref(), run)?;
                    trained.evaluate(&bound, &fitted.predictor, test.indices())
                };
                evaluations.push(evaluate().map_err(|error: Error| error.at(format!("fold {number}")))?);
            }
            Ok(CrossValidation { folds: evaluations, remarks })
        };
        validate().map_err(|error: Error| error.at("cross-validation"))
    }
}

impl Search {
    /// Compares recipes: fits that of each trial to the training part of each fold, and ranks the trials by their results
    /// on the parts that were held out. Preprocessing is fitted to the training part alone.
    ///
    /// ```
    /// use plywood::data::{Column, HoldOut, Table};
    /// use plywood::prelude::*;
    /// use plywood::train::{Search, Space};
    ///
    /// let numbers: Vec<f64> = (0..60).map(|i| f64::from(i % 4)).collect();
    /// let kinds = numbers.iter().map(|&x| Some(if x > 1.0 { "large" } else { "small" }));
    /// let table = Table::new([Column::categories("kind", kinds), Column::numbers("size", numbers.clone())?])?;
    ///
    /// let search = Search::grid(Space::new().choice("rate", [1e-4, 0.05])).monitor("val_log_loss");
    /// let results = search.run_recipes(&table, &HoldOut::share(0.25).seed(1), |trial| {
    ///     let rate = trial.number("rate")?;
    ///     Ok(Recipe::new()
    ///         .input(Columns::of(["size"]))
    ///         .output(Classes::column("kind"))
    ///         .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(2)).layer(Softmax))
    ///         .trainer(move |_| Trainer::new(CrossEntropy::default(), Adam::default()).epochs(20).learning_rate(rate)))
    /// })?;
    /// assert_eq!(results.best().number("rate")?, 0.05);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// The held-out part is the validation data, so the monitor may be one of the scores of
    /// [`Recipe::cross_validate`] after "val_". The recipes' own seeds and splits are not used.
    ///
    /// # Errors
    /// As [`run`](Search::run).
    pub fn run_recipes(
        &self,
        table: &Table,
        folds: &(impl Folds<f32, RecipeRows> + Sync),
        make: impl Fn(&Trial) -> Result<Recipe> + Sync,
    ) -> Result<SearchResults> {
        let search = || {
            let trials = self.trials()?;
            let first = trials.first().ok_or_else(|| Error::custom("no trials"))?;
            let recipe = make(first)?;
            let parts = folds.folds(&recipe.bind(table)?.rows)?.len();
            self.directed_by(direction).run_jobs(parts, |trial, job| {
                let recipe = make(trial)?;
                let bound = recipe.bind(table)?;
                let folds = folds.folds(&bound.rows)?;
                let (train, held_out) = folds.get(job.fold()).ok_or_else(|| {
                    Error::data("the folds", format!("be {parts} for each trial"), folds.len())
                        .help("All recipes of a search must leave out the same rows.")
                })?;
                let (callback, stopped) = job.watch();
                let run = Run { seed: job.seed(), silent: true, callback, resume: None };
                let (fitted, _) = bound.fit(train.indices(), Some(held_out.indices()), run)?;
                let evaluation =
                    fitted.evaluation.ok_or_else(|| Error::custom("a search must validate, got no part"))?;
                job.ended(fitted.history, evaluation, &stopped)
            })
        };
        search().map_err(|error: Error| error.at("search"))
    }
}
