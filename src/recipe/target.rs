//! [`TargetSpec`]: columns as targets, and the blocks behind outputs that are fitted to them.

use crate::data::{Column, ColumnType, Normalizer, Table};
use crate::error::{Error, Result};
use crate::predictor::{AnyOutput, Classes, Labels, Numbers};
use crate::shown::cut;
use crate::tensor::Tensor;
use std::sync::Arc;

/// The columns that an output is trained on: [`Classes::column`], [`Labels::columns`], [`Numbers::column`] and
/// [`Numbers::columns`] convert into it.
#[derive(Clone, Debug)]
pub struct TargetSpec(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Classes(Classes),
    Labels(Labels),
    Numbers(Numbers),
}

impl From<Classes> for TargetSpec {
    fn from(classes: Classes) -> Self {
        Self(Kind::Classes(classes))
    }
}

impl From<Labels> for TargetSpec {
    fn from(labels: Labels) -> Self {
        Self(Kind::Labels(labels))
    }
}

impl From<Numbers> for TargetSpec {
    fn from(numbers: Numbers) -> Self {
        Self(Kind::Numbers(numbers))
    }
}

/// The most classes that whole numbers may stand for.
const MOST_NUMBERED: usize = 1_000;

/// The raw targets of an output, of all rows of a table.
#[derive(Clone, Debug)]
pub(super) enum RawTarget {
    /// The class of each row, and the names of all classes.
    Classes { labels: Vec<Option<usize>>, names: Vec<String> },
    /// `units` numbers of each row; NaN is missing. Labels are 0 and 1.
    Numbers { numbers: Vec<f64>, units: usize, are_labels: bool },
}

impl RawTarget {
    /// Returns whether a row has no target, or only a part of it.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Classes { labels, .. } => labels[row].is_none(),
            Self::Numbers { numbers, units, .. } => {
                numbers[row * units..(row + 1) * units].iter().any(|x| x.is_nan())
            }
        }
    }

    /// Returns the number of these rows of each class; empty without classes.
    pub fn class_counts(&self, rows: &[usize]) -> Vec<usize> {
        let Self::Classes { labels, names } = self else { return Vec::new() };
        let mut counts = vec![0; names.len()];
        rows.iter().filter_map(|&row| labels[row]).for_each(|label| counts[label] += 1);
        counts
    }

    /// Returns the number of classes, labels or numbers.
    pub fn units(&self) -> usize {
        match self {
            Self::Classes { names, .. } => names.len(),
            Self::Numbers { units, .. } => *units,
        }
    }
}

impl TargetSpec {
    /// The columns that the targets come from.
    pub(super) fn columns(&self) -> Vec<&str> {
        match &self.0 {
            Kind::Classes(classes) => classes.source().into_iter().collect(),
            Kind::Labels(labels) => labels.names().collect(),
            Kind::Numbers(numbers) => numbers.names().collect(),
        }
    }

    /// Reads the targets of a whole table, so that all parts have the same classes. There must be at least this many.
    pub(super) fn read(&self, table: &Table, least: usize) -> Result<RawTarget> {
        let from_columns = match &self.0 {
            Kind::Classes(classes) => classes.source().is_some(),
            Kind::Labels(labels) => labels.is_of_columns(),
            Kind::Numbers(numbers) => numbers.is_of_columns(),
        };
        if !from_columns {
            return Err(Error::argument("the output of a recipe", "of a column", "one with names")
                .help("Use `Classes::column`, `Labels::columns` or `Numbers::column`."));
        }
        match &self.0 {
            Kind::Classes(classes) => {
                let (labels, names) = classes_of(table.column(classes.source().unwrap_or_default())?, least)?;
                Ok(RawTarget::Classes { labels, names })
            }
            Kind::Labels(labels) => {
                let columns = labels.names().map(|name| label_numbers(table.column(name)?));
                rows_of(columns.collect::<Result<_>>()?, true)
            }
            Kind::Numbers(numbers) => {
                let columns = numbers.names().map(|name| numbers_of(table.column(name)?, numbers.has_log()));
                rows_of(columns.collect::<Result<_>>()?, false)
            }
        }
    }

    /// Fits the block behind the output to the targets of these rows.
    pub(super) fn fit(&self, raw: &RawTarget, rows: &[usize]) -> Result<FittedTarget> {
        match (&self.0, raw) {
            (Kind::Classes(classes), RawTarget::Classes { names, .. }) => {
                Ok(FittedTarget { block: Arc::new(classes.with_names(names)), log: false, normalizer: None })
            }
            (Kind::Numbers(numbers), RawTarget::Numbers { numbers: all, units, .. }) => {
                let log = numbers.has_log();
                let there = rows.iter().filter(|&&row| !raw.is_missing(row));
                let values = there.flat_map(|&row| &all[row * units..(row + 1) * units]);
                let values: Vec<f64> = values.map(|&x| if log { x.ln_1p() } else { x }).collect();
                let shape = vec![values.len() / units, *units];
                let tensor = Tensor::from_shape_vec(shape, values).map_err(Error::custom)?;
                let normalizer = Normalizer::standard().fit_tensor(&tensor)?;
                let block = Arc::new(numbers.clone().normalizer(normalizer.clone()));
                Ok(FittedTarget { block, log, normalizer: Some(normalizer) })
            }
            (Kind::Labels(labels), _) => {
                Ok(FittedTarget { block: Arc::new(labels.clone()), log: false, normalizer: None })
            }
            _ => Err(Error::custom("the targets must be those of the output")),
        }
    }
}

/// The block behind an output, and how its targets are scaled.
#[derive(Clone, Debug)]
pub(super) struct FittedTarget {
    pub block: Arc<dyn AnyOutput>,
    log: bool,
    normalizer: Option<Normalizer>,
}

impl FittedTarget {
    /// A number at this place of a row, as the model learns it.
    pub fn scaled(&self, place: usize, number: f64) -> f32 {
        let number = if self.log { number.ln_1p() } else { number };
        match &self.normalizer {
            Some(normalizer) => {
                let of = |numbers: &[f64]| numbers[if numbers.len() == 1 { 0 } else { place }];
                ((number - of(normalizer.center())) / of(normalizer.scale())) as f32
            }
            None => number as f32,
        }
    }
}

/// Columns as rows.
fn rows_of(columns: Vec<Vec<f64>>, are_labels: bool) -> Result<RawTarget> {
    let (units, rows) = (columns.len(), columns.first().map_or(0, Vec::len));
    let numbers = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Ok(RawTarget::Numbers { numbers, units, are_labels })
}

/// The classes of a column: the words that occur, sorted, and each row's.
fn classes_of(column: &Column, least: usize) -> Result<(Vec<Option<usize>>, Vec<String>)> {
    let (labels, names) = match column.column_type() {
        ColumnType::Category => {
            let categories = column.as_categories()?;
            let mut used = vec![false; categories.words().len()];
            categories.codes().flatten().for_each(|code| used[code] = true);
            let mut order: Vec<usize> = (0..used.len()).filter(|&code| used[code]).collect();
            order.sort_by(|&a, &b| categories.words()[a].cmp(&categories.words()[b]));
            let mut place = vec![0; used.len()];
            order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
            let names = order.iter().map(|&code| categories.words()[code].clone()).collect();
            (categories.codes().map(|code| Some(place[code?])).collect(), names)
        }
        ColumnType::Boolean { no, yes } => {
            let labels = column.as_numbers()?.iter().map(|&x| (!x.is_nan()).then_some(x as usize));
            (labels.collect(), vec![no.clone(), yes.clone()])
        }
        ColumnType::Number => numbered_classes(column)?,
        other => {
            return Err(Error::data(format!("column {:?}", cut(column.name())), "hold classes", other)
                .help("Classes are categories, booleans or whole numbers."));
        }
    };
    let names: Vec<String> = names;
    let mut occurs = vec![false; names.len()];
    labels.iter().flatten().for_each(|&label: &usize| occurs[label] = true);
    if occurs.iter().filter(|occurs| **occurs).count() < least {
        let only = occurs.iter().position(|occurs| *occurs).map(|label| &names[label]);
        let found = only.map_or("none".to_owned(), |name| format!("only {:?}", cut(name)));
        return Err(Error::data(
            format!("column {:?}", cut(column.name())),
            "have at least 2 classes",
            found,
        )
        .help("A model cannot learn from one class; look at how the column was read."));
    }
    Ok((labels, names))
}

/// Whole numbers as classes, in order.
fn numbered_classes(column: &Column) -> Result<(Vec<Option<usize>>, Vec<String>)> {
    let numbers = column.as_numbers()?;
    let mut known: Vec<f64> = Vec::new();
    // 0 and -0 are one class.
    let numbers: Vec<f64> = numbers.iter().map(|number| number + 0.0).collect();
    for (row, &number) in numbers.iter().enumerate().filter(|(_, number)| !number.is_nan()) {
        if number.fract() != 0.0 || number.abs() >= 2f64.powi(53) {
            return Err(Error::data(column.place(row), "be a class", number)
                .help("Numbers with decimals are predicted by `Numbers::column`."));
        }
        if let Err(place) = known.binary_search_by(|other| other.total_cmp(&number)) {
            if known.len() == MOST_NUMBERED {
                let what = format!("column {:?}", cut(column.name()));
                return Err(Error::data(
                    what,
                    format!("have at most {MOST_NUMBERED} classes that are numbers"),
                    "more",
                )
                .help(
                    "Numbers are predicted by `Numbers::column`; codes are read as `ColumnType::Category`.",
                ));
            }
            known.insert(place, number);
        }
    }
    let place = |number: &f64| known.binary_search_by(|other| other.total_cmp(number)).ok();
    Ok((numbers.iter().map(place).collect(), known.iter().map(f64::to_string).collect()))
}

/// A column of booleans, or of 0 and 1.
fn label_numbers(column: &Column) -> Result<Vec<f64>> {
    let numbers = match column.column_type() {
        ColumnType::Boolean { .. } | ColumnType::Number => column.as_numbers()?,
        other => {
            return Err(Error::data(format!("column {:?}", cut(column.name())), "hold booleans", other)
                .help("A label is a column of booleans, or of 0 and 1."));
        }
    };
    match numbers.iter().position(|&x| x != 0.0 && x != 1.0 && !x.is_nan()) {
        None => Ok(numbers.to_vec()),
        Some(row) => Err(Error::data(column.place(row), "be 0 or 1", numbers[row])
            .help("A label is a column of booleans, or of 0 and 1.")),
    }
}

/// A column of numbers.
fn numbers_of(column: &Column, log: bool) -> Result<Vec<f64>> {
    if *column.column_type() != ColumnType::Number {
        let what = format!("column {:?}", cut(column.name()));
        return Err(Error::data(what, "hold numbers", column.column_type())
            .help(
                "Classes are predicted by `Classes::column`. If it should be numbers: `Csv::column(name, ColumnType::Number)` names \
                 the first row that is none; a later file is read as the training file by `Predictor::read_csv`.",
            ));
    }
    let numbers = column.as_numbers()?;
    match numbers.iter().position(|&x| log && x <= -1.0) {
        None => Ok(numbers.to_vec()),
        Some(row) => {
            Err(Error::data(column.place(row), "be above -1 for its logarithm, ln(1 + x)", numbers[row])
                .help("Leave `log` out."))
        }
    }
}
