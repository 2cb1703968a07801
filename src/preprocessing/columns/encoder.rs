//! [`ColumnsEncoder`]: columns of a table to rows of numbers, fitted.

use super::super::place::check_type;
use super::category::Category;
use super::date::Date;
use super::number::Number;
use super::rows::{Rows, Source};
use super::settings::Chosen;
use super::words::Lookup;
use crate::codec::{self, contradicts};
use crate::data::{Column, ColumnType, TablePart};
use crate::error::{Error, Result};
use crate::preprocessing::{Field, InputBlock, Notes};
use crate::state::Kind;
use crate::tensor::{Tensor, zeros};
use ndarray::IxDyn;
use serde::{Deserialize, Serialize};

/// The rows that are prepared at a time: few enough that they stay in the cache from column to column.
const BLOCK: usize = 256;

/// The most columns, and the most numbers of a row.
const MOST: usize = 1 << 24;
const MOST_COLUMNS: usize = 1 << 16;

/// Columns of a table as rows of numbers, with the statistics of the training part; [`Columns::fit`](super::Columns::fit)
/// makes it.
///
/// | | |
/// |---|---|
/// | takes | the columns that were fitted, by name |
/// | makes | `[rows, width]`, numbers that are finite |
/// | notes | [`Missing`](crate::preprocessing::Remark::Missing), [`Unknown`](crate::preprocessing::Remark::Unknown), and [`OutOfRange`](crate::preprocessing::Remark::OutOfRange) for what is below or above all of training |
///
/// A row depends on nothing but its own values: the same row has the same bits in any table. It implements serde's
/// traits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ColumnsEncoder {
    #[serde(deserialize_with = "codec::list::<_, _, MOST_COLUMNS>")]
    columns: Vec<Fitted>,
}

codec::checked!(ColumnsEncoder);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fitted {
    name: String,
    column_type: ColumnType,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    Number(Number),
    Date(Date),
    Category(Category),
}

/// The values of a column.
enum Values<'a> {
    Numbers(&'a [f64]),
    Words(Lookup<'a>),
}

impl Fitted {
    /// Fits on a column of a part, which can be one of numbers.
    pub fn fit(part: &TablePart, name: &str, chosen: &Chosen) -> Result<Self> {
        chosen.check()?;
        let column_type = part.column_type(name)?.clone();
        let step = match &column_type {
            ColumnType::Number => Step::Number(Number::fit(part, name, false, chosen)?),
            ColumnType::Boolean { .. } => Step::Number(Number::fit(part, name, true, chosen)?),
            ColumnType::Date(_) => Step::Date(Date::fit(part, name, chosen)?),
            _ => Step::Category(Category::fit(part, name, chosen)?),
        };
        Ok(Self { name: name.to_owned(), column_type, step })
    }

    fn width(&self) -> usize {
        match &self.step {
            Step::Number(step) => step.width(),
            Step::Date(step) => step.width(),
            Step::Category(step) => step.width(),
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.step {
            Step::Number(step) => step.names(&self.name),
            Step::Date(step) => step.names(&self.name),
            Step::Category(step) => step.names(&self.name),
        }
    }

    fn check(&self) -> Result<()> {
        match (&self.step, &self.column_type) {
            (Step::Number(step), ColumnType::Number | ColumnType::Boolean { .. }) => step.check(),
            (Step::Date(step), ColumnType::Date(_)) => step.check(),
            (Step::Category(step), ColumnType::Category) => step.check(),
            (_, found) => Err(contradicts("the column", "be encoded as its type", found)),
        }
    }

    fn values<'a>(&'a self, column: &'a Column) -> Result<Values<'a>> {
        check_type(column, &self.column_type)?;
        Ok(match &self.step {
            Step::Category(step) => Values::Words(step.words.lookup(column.as_categories()?)),
            _ => Values::Numbers(column.as_numbers()?),
        })
    }

    fn encode(&self, values: &Values, rows: Rows, notes: &mut Notes) -> Result<()> {
        let some = rows.begin..rows.begin + rows.numbers.len() / rows.width;
        match (&self.step, values) {
            (Step::Number(step), Values::Numbers(all)) => step.encode(&all[some], rows, notes),
            (Step::Date(step), Values::Numbers(all)) => step.encode(&all[some], rows, notes),
            (Step::Category(step), Values::Words(codes)) => {
                step.encode(codes, rows, notes);
                Ok(())
            }
            _ => Err(Error::custom("a column must have the values of its type")), // as `values` has made them
        }
    }
}

impl ColumnsEncoder {
    /// Joins columns, which have different names.
    pub(super) fn of(columns: Vec<Fitted>) -> Result<Self> {
        let encoder = Self { columns };
        match encoder.total() {
            Some(_) => Ok(encoder),
            None => Err(Error::data("the columns", format!("make at most {MOST} numbers of a row"), "more")
                .help("Set `min_count` for categories, or name fewer columns.")),
        }
    }

    /// The numbers of a row, if they are not too many.
    fn total(&self) -> Option<usize> {
        let sum = self.columns.iter().try_fold(0usize, |sum, column| sum.checked_add(column.width()));
        sum.filter(|&width| (1..=MOST).contains(&width))
    }

    fn check(&self) -> Result<()> {
        codec::differ("the columns", self.columns.iter().map(|column| column.name.as_str()))?;
        self.columns.iter().try_for_each(Fitted::check)?;
        match self.total() {
            Some(_) => Ok(()),
            None => Err(contradicts("the columns", format!("make 1 to {MOST} numbers"), "another number")),
        }
    }

    /// Returns the number of numbers that it makes of a row.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Fitted::width).sum()
    }

    /// Returns a name for each number of a row: "age", "age missing", "port=S", "port unknown", "since year".
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().flat_map(Fitted::names).collect()
    }

    /// Returns the categories that it knows of a column, in alphabetical order; none for a column of numbers.
    pub fn categories(&self, column: &str) -> impl Iterator<Item = &str> {
        let found = self.columns.iter().find(|fitted| fitted.name == column);
        let words = found.and_then(|fitted| match &fitted.step {
            Step::Category(step) => Some(step.words.iter()),
            _ => None,
        });
        words.into_iter().flatten()
    }
}

impl InputBlock for ColumnsEncoder {
    const KIND: Kind = Kind::builtin("columns");

    fn fields(&self) -> Vec<Field> {
        let field = |column: &Fitted| Field::new(&column.name, column.column_type.clone());
        self.columns.iter().map(field).collect()
    }

    /// One axis, of the [`width`](ColumnsEncoder::width).
    fn shape(&self) -> Vec<usize> {
        vec![self.width()]
    }

    /// # Errors
    /// When a column has another type, a number is too large for `f32`, or has no logarithm where one is taken.
    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor> {
        let steps = self.columns.iter().zip(columns).enumerate();
        let steps: Vec<(&Fitted, Values, Source, usize)> = steps
            .map(|(field, (fitted, column))| {
                Ok((fitted, fitted.values(column)?, Source { column, field }, fitted.width()))
            })
            .collect::<Result<_>>()?;
        let rows = columns.first().map_or(0, |column| column.len());
        let width = steps.iter().map(|(.., width)| width).sum::<usize>();
        if rows.checked_mul(width).is_none_or(|numbers| numbers > isize::MAX as usize / 16) {
            let found = format!("{rows} rows of {width} numbers");
            return Err(Error::argument("the table", "small enough for memory when it is prepared", found)
                .help("Prepare fewer rows at a time."));
        }
        let mut tensor = zeros::<f32>(IxDyn(&[rows, width]));
        let all = crate::tensor::slice_mut(&mut tensor);
        for (block, numbers) in all.chunks_mut(BLOCK * width).enumerate() {
            let mut first = 0;
            for (fitted, values, source, columns) in &steps {
                let rows = Rows { source: *source, numbers, width, first, begin: block * BLOCK };
                fitted.encode(values, rows, notes)?;
                first += columns;
            }
        }
        Ok(tensor)
    }
}
