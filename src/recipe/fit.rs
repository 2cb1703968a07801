//! Fitting a recipe.

use super::data::{Encoded, FittedInput};
use super::plan::{Plan, PlannedInput, PlannedOutput};
use super::rows::RecipeRows;
use super::same_rows::SameRows;
use super::scores::add_scores;
use super::settings::Recipe;
use super::target::{FittedTarget, RawTarget};
use super::telling;
use super::trainer::AnyTrainer;
use crate::data::{Table, random_split, stratified_split};
use crate::error::{Error, Result};
use crate::nn::Model;
use crate::predictor::{Parts, Predictor};
use crate::shown::{grouped, port};
use crate::train::{Callback, Evaluation, History};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

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

/// A recipe and a table, whose targets are read.
pub(super) struct Bound<'a> {
    pub recipe: &'a Recipe,
    pub table: &'a Table,
    /// By the name of the output.
    pub targets: Vec<(&'a str, RawTarget)>,
    /// Columns that no input contains: those of targets, weights and groups.
    excluded: Vec<&'a str>,
    weights: Option<&'a [f64]>,
    pub rows: RecipeRows,
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

    /// Reads the targets of a table, and groups its rows.
    pub(super) fn bind<'a>(&'a self, table: &'a Table) -> Result<Bound<'a>> {
        self.check()?;
        let (mut targets, mut excluded) = (Vec::new(), Vec::new());
        let names: Vec<&Option<String>> = self.outputs.iter().map(|(name, _)| name).collect();
        for (place, (_, spec)) in self.outputs.iter().enumerate() {
            let name = Self::name(&names, place, "output")?;
            targets.push((name, spec.read(table).map_err(|error| error.at(port("output", name)))?));
            excluded.extend(spec.columns());
        }
        excluded.extend(self.weights.iter().chain(&self.groups).map(String::as_str));
        let (there, missing): (Vec<usize>, Vec<usize>) =
            (0..table.rows()).partition(|&row| targets.iter().any(|(_, target)| !target.is_missing(row)));
        let mut remarks = Vec::new();
        if !missing.is_empty() {
            let noun = if missing.len() == 1 { "row" } else { "rows" };
            remarks.push(format!(
                "{} {noun} without a target left out, the first is row {}",
                grouped(missing.len()),
                missing[0] + 1
            ));
        }
        if there.is_empty() {
            return Err(Error::data("the table", "have a row with a target", "none")
                .help("Look at how the column was read."));
        }
        let weights = match &self.weights {
            None => None,
            Some(column) => {
                let numbers = table.column(column)?.as_numbers()?;
                if let Some(row) = there.iter().find(|&&row| numbers[row].is_nan() || numbers[row] < 0.0) {
                    return Err(Error::data(
                        table.column(column)?.place(*row),
                        "be a weight of at least 0",
                        numbers[*row],
                    )
                    .help("Give each row a weight; 0 leaves it out of training."));
                }
                Some(numbers)
            }
        };
        let rows = self.rows(table, &targets[0].1, there)?;
        Ok(Bound { recipe: self, table, targets, excluded, weights, rows, remarks })
    }

    /// Groups rows: each on its own, or by the values of a column.
    fn rows(&self, table: &Table, target: &RawTarget, there: Vec<usize>) -> Result<RecipeRows> {
        let mut samples: Vec<Vec<usize>> = Vec::new();
        match &self.groups {
            None => samples.extend(there.into_iter().map(|row| vec![row])),
            Some(name) => {
                let (column, mut known) = (table.column(name)?, HashMap::new());
                for row in there {
                    if column.is_missing(row) {
                        return Err(Error::data(column.place(row), "name a group", "nothing")
                            .help("Give each row a group, or leave it out of the table."));
                    }
                    let group = *known.entry(group_of(column, row)?).or_insert(samples.len());
                    if group == samples.len() {
                        samples.push(Vec::new());
                    }
                    samples[group].push(row);
                }
            }
        }
        let (labels, class_names) = match target {
            RawTarget::Classes { labels, names } => {
                let class = |rows: &Vec<usize>| {
                    let mut counts = vec![0; names.len()];
                    rows.iter().filter_map(|&row| labels[row]).for_each(|label| counts[label] += 1);
                    // Of equal counts the first class; without any, a class of its own.
                    let most = (0..names.len()).rev().max_by_key(|&label| counts[label]);
                    most.filter(|&label| counts[label] > 0).unwrap_or(names.len())
                };
                (samples.iter().map(class).collect(), names.clone())
            }
            RawTarget::Numbers { .. } => (Vec::new(), Vec::new()),
        };
        Ok(RecipeRows { samples, labels, class_names })
    }
}

/// The value of a row that rows of its group share.
fn group_of(column: &crate::data::Column, row: usize) -> Result<String> {
    match column.as_numbers() {
        Ok(numbers) => Ok(numbers[row].to_string()),
        Err(_) => Ok(column.as_texts()?.nth(row).flatten().unwrap_or_default().to_owned()),
    }
}

impl Bound<'_> {
    /// Splits samples into those to train on and, if a share is set, those to hold out.
    pub fn split(&self, samples: &[usize]) -> Result<(Vec<usize>, Option<Vec<usize>>)> {
        let Some(share) = self.recipe.split else { return Ok((samples.to_vec(), None)) };
        // The only sample of a class is for training: a model that has not seen the class cannot name it.
        let mut counts = HashMap::new();
        let label = |sample: usize| self.rows.labels.get(sample).copied();
        samples.iter().for_each(|&sample| *counts.entry(label(sample)).or_insert(0) += 1);
        let is_alone = |sample: &usize| label(*sample).is_some() && counts[&label(*sample)] == 1;
        let (alone, samples): (Vec<usize>, Vec<usize>) = samples.iter().partition(|&sample| is_alone(sample));
        let of = |list: &Vec<_>| samples.iter().map(|&sample| Vec::clone(&list[sample])).collect();
        let labels = match self.rows.labels.is_empty() {
            true => Vec::new(),
            false => samples.iter().map(|&sample| self.rows.labels[sample]).collect(),
        };
        let some = RecipeRows { samples: of(&self.rows.samples), labels, class_names: Vec::new() };
        let parts = match some.labels.is_empty() {
            true => random_split::<f32, _>(&some, share, self.recipe.seed),
            false => stratified_split::<f32, _>(&some, share, self.recipe.seed),
        };
        let (train, held_out) = parts.map_err(|error| error.at("validation_split"))?;
        let whole = |part: &[usize]| part.iter().map(|&place| samples[place]).collect::<Vec<_>>();
        Ok(([whole(train.indices()), alone].concat(), Some(whole(held_out.indices()))))
    }

    /// Fits to these samples. Nothing but the names of the classes has seen other rows.
    pub fn fit(&self, train: &[usize], held_out: Option<&[usize]>, run: Run) -> Result<(Fitted, Trained)> {
        let recipe = self.recipe;
        let rows = self.rows.rows(train);
        let held_out = held_out.map(|samples| self.rows.rows(samples));
        let kept = self.kept(&rows)?;
        let mut data = kept.encode(self, &rows)?;
        if let Some((input, augment)) = &recipe.augment {
            let input = input.clone().unwrap_or_else(|| kept.inputs[0].name.clone());
            data.augment = Some((input, augment.clone()));
        }
        let plan = self.plan(&kept, &data, run.seed);
        let mut model = recipe.build(&plan).map_err(|error| error.at("model"))?;
        let names: Vec<&str> = self.targets.iter().map(|(name, _)| *name).collect();
        let parts = kept.parts(&names, &*model)?;
        let mut trainer = recipe.make(&plan).map_err(|error| error.at("trainer"))?;
        let silent = run.silent;
        if silent {
            trainer.silence();
        }
        trainer.watch(Box::new(SameRows(kept.checksum()?)));
        if let Some(callback) = run.callback {
            trainer.watch(callback);
        }
        if let Some(folder) = &run.resume {
            trainer.resume(&mut *model, folder)?;
        }
        let validation = held_out.as_ref().map(|rows| kept.encode(self, rows)).transpose()?;
        let (history, evaluation) = trainer.fit(&mut *model, data, validation)?;
        let predictor = parts.with_model(model, self.table.form());
        let mut remarks = self.remarks.clone();
        if !silent {
            let names: Vec<String> =
                kept.inputs.iter().flat_map(FittedInput::fields).map(|field| field.name).collect();
            remarks.extend(telling::remarks(self.table, &names, &self.targets[0].1, &rows));
        }
        let mut fitted = Fitted {
            predictor,
            history,
            evaluation,
            training_rows: rows.len(),
            validation_rows: held_out.as_ref().map_or(0, Vec::len),
            remarks,
        };
        if let (Some(evaluation), Some(rows)) = (&mut fitted.evaluation, &held_out) {
            kept.score(self, &fitted.predictor, rows, evaluation)?;
        }
        Ok((fitted, Trained { kept, trainer }))
    }

    /// Fits the preprocessing to these rows.
    fn kept(&self, rows: &[usize]) -> Result<Kept> {
        let part = self.table.part(rows.to_vec())?;
        let names: Vec<&Option<String>> = self.recipe.inputs.iter().map(|(name, _)| name).collect();
        let inputs = self.recipe.inputs.iter().enumerate().map(|(place, (_, spec))| {
            let name = Recipe::name(&names, place, "input")?;
            let block = spec.fit(&part, &self.excluded).map_err(|error| error.at(port("input", name)))?;
            Ok(FittedInput { name: name.to_owned(), block })
        });
        let inputs = inputs.collect::<Result<_>>()?;
        let outputs = self.targets.iter().zip(&self.recipe.outputs).map(|((name, raw), (_, spec))| {
            spec.fit(raw, rows).map_err(|error| error.at(port("output", name)))
        });
        Ok(Kept { inputs, outputs: outputs.collect::<Result<_>>()? })
    }

    fn plan(&self, kept: &Kept, data: &Encoded, seed: u64) -> Plan {
        let inputs = kept.inputs.iter().map(|input| PlannedInput {
            name: input.name.clone(),
            shape: input.block.shape(),
            ids: input.block.ids(),
        });
        let outputs = self.targets.iter().enumerate().map(|(place, (name, raw))| PlannedOutput {
            name: (*name).to_owned(),
            units: raw.units(),
            class_counts: data.class_counts(place),
        });
        Plan {
            rows: data.rows(),
            seed,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            fault: Mutex::new(None),
        }
    }
}

/// Fitted preprocessing.
struct Kept {
    inputs: Vec<FittedInput>,
    outputs: Vec<FittedTarget>,
}

/// Fitted preprocessing, and the trainer that has trained the model.
pub(super) struct Trained {
    kept: Kept,
    trainer: Box<dyn AnyTrainer>,
}

impl Kept {
    /// The checksum of everything that was fitted.
    fn checksum(&self) -> Result<u32> {
        let inputs = self.inputs.iter().map(|input| input.block.bytes());
        let outputs = self.outputs.iter().map(|output| output.block.bytes());
        let mut sum = crc32fast::Hasher::new();
        for bytes in inputs.chain(outputs) {
            sum.update(&bytes?);
        }
        Ok(sum.finalize())
    }

    fn encode(&self, bound: &Bound<'_>, rows: &[usize]) -> Result<Encoded> {
        let outputs: Vec<_> = bound
            .targets
            .iter()
            .zip(&self.outputs)
            .map(|((name, raw), fitted)| (*name, raw, fitted))
            .collect();
        let weights = bound.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        Ok(Encoded::new(bound.table, rows, &self.inputs, &outputs)?.weighted(weights))
    }

    /// Checks that the blocks fit a model, before it is trained.
    fn parts(&self, names: &[&str], model: &dyn Model) -> Result<Parts> {
        let name = |name: &str, several: bool| several.then(|| name.to_owned());
        let inputs =
            self.inputs.iter().map(|input| (name(&input.name, self.inputs.len() > 1), input.block.clone()));
        let outputs = names.iter().zip(&self.outputs);
        let outputs =
            outputs.map(|(output, fitted)| (name(output, self.outputs.len() > 1), fitted.block.clone()));
        Parts::new(model.as_infer(), inputs.collect(), outputs.collect())
    }

    /// Adds the scores of the answers for rows.
    fn score(
        &self,
        bound: &Bound<'_>,
        predictor: &Predictor,
        rows: &[usize],
        evaluation: &mut Evaluation,
    ) -> Result<()> {
        let targets: Vec<_> = bound.targets.iter().map(|(name, raw)| (*name, raw)).collect();
        let prepared = predictor.prepare_table(&bound.table.select(rows)?)?;
        add_scores(evaluation, predictor, &predictor.infer(&prepared)?, &targets, rows)
    }
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
        let data = self.kept.encode(bound, &rows)?;
        let mut evaluation = self.trainer.evaluate(predictor.model(), data)?;
        self.kept.score(bound, predictor, &rows, &mut evaluation)?;
        Ok(evaluation)
    }
}

/// The rows, the last epoch, the scores and the remarks.
impl fmt::Display for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs = self.history.epochs.len();
        write!(f, "trained on {} rows for {} epochs", grouped(self.training_rows), epochs)?;
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
