//! Fitting a recipe.

use super::bound::Bound;
use super::fitted_blocks::FittedBlocks;
use super::plan::Plan;
use super::same_rows::SameRows;
use super::settings::Recipe;
use super::telling;
use super::trainer::AnyTrainer;
use crate::data::Table;
use crate::error::{Error, Result};
use crate::predictor::Predictor;
use crate::shown::{count, grouped};
use crate::train::{Callback, Evaluation, History};
use std::fmt;
use std::path::{Path, PathBuf};

/// What [`Recipe::fit`] returns. It prints as a few lines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fitted {
    /// The trained model with its fitted preprocessing.
    pub predictor: Predictor,
    /// The epochs of training.
    pub history: History,
    /// The loss, the trainer's metrics and the scores of the answers, on the part that was held out; `None` without one.
    pub evaluation: Option<Evaluation>,
    /// The number of training rows.
    pub training_rows: usize,
    /// The number of rows that were held out.
    pub validation_rows: usize,
    /// Remarks on the data, a sentence each.
    pub remarks: Vec<String>,
}

/// How a fit runs.
#[derive(Default)]
pub(super) struct Run {
    pub seed: u64,
    pub silent: bool,
    pub callback: Option<Box<dyn Callback>>,
    /// The folder of checkpoints to resume from.
    pub resume: Option<PathBuf>,
}

impl Recipe {
    /// Fits the preprocessing, builds the model and trains it; with [`validation_split`](Recipe::validation_split), on the
    /// rows that are not held out.
    ///
    /// # Errors
    /// When the recipe is not complete, a column is missing or has another type, the model does not fit what the recipe
    /// has found (all before training), or training fails.
    pub fn fit(&self, table: &Table) -> Result<Fitted> {
        self.fit_run(table, Run { seed: self.seed, ..Run::default() })
    }

    /// Like [`fit`](Recipe::fit), and continues from the newest checkpoint of this folder if there is one: for a program
    /// that is simply started again after it was killed.
    ///
    /// The closure for the trainer sets [`Trainer::checkpoints`](crate::train::Trainer::checkpoints) to the same folder. The
    /// preprocessing is fitted again, so the table must be the same; another one is an error.
    ///
    /// # Errors
    /// As [`fit`](Recipe::fit) and [`Trainer::resume`](crate::train::Trainer::resume).
    pub fn fit_resuming(&self, table: &Table, folder: impl AsRef<Path>) -> Result<Fitted> {
        let resume = Some(folder.as_ref().to_owned());
        self.fit_run(table, Run { seed: self.seed, resume, ..Run::default() })
    }

    fn fit_run(&self, table: &Table, run: Run) -> Result<Fitted> {
        let fit = || {
            let bound = self.bind(table)?;
            let all: Vec<usize> = (0..bound.rows.samples.len()).collect();
            let (train, held_out) = bound.split(&all)?;
            bound.fit(&train, held_out.as_deref(), run).map(|(fitted, _)| fitted)
        };
        fit().map_err(|error: Error| error.at("recipe"))
    }
}

impl Bound<'_> {
    /// Fits to these samples. Nothing but the names of the classes has seen other rows.
    pub fn fit(&self, train: &[usize], held_out: Option<&[usize]>, run: Run) -> Result<(Fitted, Trained)> {
        let rows = self.rows.rows(train);
        let held_out = held_out.map(|samples| self.rows.rows(samples));
        let mut blocks = FittedBlocks::fit(self, &rows)?;
        let plan =
            Plan::new(blocks.planned_inputs(), blocks.planned_outputs(self, &rows), rows.len(), run.seed);
        let mut model = self.recipe.build(&plan).map_err(|error| error.at("model"))?;
        let parts = blocks.fit_to(self.recipe, &*model)?;
        let mut trainer = self.recipe.make(&plan).map_err(|error| error.at("trainer"))?;
        let silent = run.silent;
        if silent {
            trainer.silence();
        }
        trainer.watch(Box::new(SameRows(blocks.checksum()?)));
        if let Some(callback) = run.callback {
            trainer.watch(callback);
        }
        if let Some(folder) = &run.resume {
            trainer.resume(&mut *model, folder)?;
        }
        let data = blocks.encode(self, &rows)?.augmented(blocks.augment(self.recipe)?);
        let validation = held_out.as_ref().map(|rows| blocks.encode(self, rows)).transpose()?;
        let (history, mut evaluation) = trainer.fit(&mut *model, data, validation)?;
        let predictor = parts.with_model(model, self.table.form());
        if let (Some(evaluation), Some(rows)) = (&mut evaluation, &held_out) {
            blocks.score(self, &predictor, rows, evaluation)?;
        }
        let mut remarks = self.remarks.clone();
        if !silent {
            remarks.extend(telling::remarks(self.table, &blocks.columns(), &self.targets[0].1, &rows));
        }
        let fitted = Fitted {
            predictor,
            history,
            evaluation,
            training_rows: rows.len(),
            validation_rows: held_out.as_ref().map_or(0, Vec::len),
            remarks,
        };
        Ok((fitted, Trained { blocks, trainer }))
    }
}

/// Fitted preprocessing, and the trainer that has trained the model.
pub(super) struct Trained {
    blocks: FittedBlocks,
    trainer: Box<dyn AnyTrainer>,
}

impl Trained {
    /// Measures the predictor on samples that it has not seen.
    pub fn evaluate(
        &mut self,
        bound: &Bound<'_>,
        predictor: &Predictor,
        samples: &[usize],
    ) -> Result<Evaluation> {
        let rows = bound.rows.rows(samples);
        let data = self.blocks.encode(bound, &rows)?;
        let mut evaluation = self.trainer.evaluate(predictor.model(), data)?;
        self.blocks.score(bound, predictor, &rows, &mut evaluation)?;
        Ok(evaluation)
    }
}

/// The rows, the last epoch, the scores and the remarks.
impl fmt::Display for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs = count(self.history.epochs.len(), "epoch", "epochs");
        write!(f, "trained on {} rows for {epochs}", grouped(self.training_rows))?;
        if let Some(evaluation) = &self.evaluation {
            write!(f, ", measured on {} others", grouped(self.validation_rows))?;
            let width = evaluation.values().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            for (name, value) in evaluation.values() {
                write!(f, "\n{name:width$}  {value:.4}")?;
            }
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "\n! {remark}"))
    }
}
