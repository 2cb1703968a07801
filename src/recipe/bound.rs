//! [`Bound`]: a recipe and a table, whose targets are read, and how its rows are split.

use super::rows::RecipeRows;
use super::settings::Recipe;
use super::target::RawTarget;
use crate::data::{Column, Table, random_split, stratified_split};
use crate::error::{Error, Result};
use crate::shown::{grouped, port};
use std::collections::HashMap;

/// A recipe and a table, whose targets are read.
pub(super) struct Bound<'a> {
    pub recipe: &'a Recipe,
    pub table: &'a Table,
    /// By the name of the output.
    pub targets: Vec<(&'a str, RawTarget)>,
    /// Columns that no input contains: those of targets, weights and groups.
    pub excluded: Vec<&'a str>,
    pub weights: Option<&'a [f64]>,
    pub rows: RecipeRows,
    pub remarks: Vec<String>,
}

impl Recipe {
    /// Reads the targets of a table, and groups its rows.
    pub(super) fn bind<'a>(&'a self, table: &'a Table) -> Result<Bound<'a>> {
        self.check()?;
        let (mut targets, mut excluded) = (Vec::new(), Vec::new());
        let names: Vec<&Option<String>> = self.outputs.iter().map(|(name, _)| name).collect();
        for (place, (_, spec)) in self.outputs.iter().enumerate() {
            let name = Self::name(&names, place, "output")?;
            targets.push((name, spec.read(table, 2).map_err(|error| error.at(port("output", name)))?));
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
        let weights = self.row_weights(table, &there)?;
        let rows = self.rows(table, &targets[0].1, there)?;
        Ok(Bound { recipe: self, table, targets, excluded, weights, rows, remarks })
    }

    /// The weights of rows, if a column has them.
    fn row_weights<'a>(&self, table: &'a Table, rows: &[usize]) -> Result<Option<&'a [f64]>> {
        let Some(column) = &self.weights else { return Ok(None) };
        let column = table.column(column)?;
        let numbers = column.as_numbers()?;
        match rows.iter().find(|&&row| !(0.0..=f64::from(f32::MAX)).contains(&numbers[row])) {
            None => Ok(Some(numbers)),
            Some(&row) => {
                let expected = "be a weight, at least 0 and finite in f32";
                Err(Error::data(column.place(row), expected, numbers[row])
                    .help("Give each row a weight; 0 leaves it out of training."))
            }
        }
    }

    /// Groups rows: each on its own, or by the values of a column.
    fn rows(&self, table: &Table, target: &RawTarget, there: Vec<usize>) -> Result<RecipeRows> {
        let mut samples: Vec<Vec<usize>> = Vec::new();
        match &self.groups {
            None => samples.extend(there.into_iter().map(|row| vec![row])),
            Some(name) => {
                let (column, mut known) = (table.column(name)?, HashMap::new());
                let groups = groups_of(column)?;
                for row in there {
                    let Some(group) = &groups[row] else {
                        return Err(Error::data(column.place(row), "name a group", "nothing")
                            .help("Give each row a group, or leave it out of the table."));
                    };
                    let group = *known.entry(group).or_insert(samples.len());
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
                    if let [row] = rows[..] {
                        return labels[row].unwrap_or(names.len());
                    }
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

/// The group of each row, by a value that its rows share; `None` where it is missing.
fn groups_of(column: &Column) -> Result<Vec<Option<String>>> {
    match column.as_numbers() {
        // 0 and -0 are one group.
        Ok(numbers) => Ok(numbers.iter().map(|x| (!x.is_nan()).then(|| (x + 0.0).to_string())).collect()),
        Err(_) => Ok(column.as_texts()?.map(|text| text.map(str::to_owned)).collect()),
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
}
