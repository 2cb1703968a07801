//! [`Column`]: a name, a type and values.

use super::{ColumnType, DateFormat};
use crate::data::ImageSource;
use crate::error::{Error, Result};
use crate::shown::cut;
use std::collections::HashMap;
use std::sync::Arc;

/// The code of a missing category.
const NONE: u32 = u32::MAX;

/// A column of a [`Table`](super::Table): a name, a type, and a value or a gap for each row.
#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    column_type: ColumnType,
    values: Values,
    row_numbers: RowNumbers,
}

/// Where rows come from, for errors.
#[derive(Clone, Debug)]
pub(super) enum RowNumbers {
    /// The first is the row of this number of the whole, counted from 0, and the others follow it.
    From(usize),
    /// Each is the row of this number.
    Rows(Arc<[usize]>),
}

#[derive(Clone, Debug)]
enum Values {
    /// Numbers, booleans as 0 and 1, dates as seconds since 1970-01-01; NaN is missing.
    Numbers(Vec<f64>),
    /// For each row the position of its word, or [`NONE`].
    Categories {
        codes: Vec<u32>,
        words: Arc<Vec<String>>,
    },
    /// All texts in one, and where each ends; an empty one is missing.
    Texts {
        all: String,
        ends: Vec<usize>,
    },
    Images(Vec<Option<ImageSource>>),
    /// `each` numbers for each row; a missing row is NaN.
    Arrays {
        numbers: Vec<f64>,
        each: usize,
        rows: usize,
    },
}

/// The values of a column of categories: for each row the position of its word among the words.
#[derive(Clone, Copy, Debug)]
pub struct Categories<'a> {
    codes: &'a [u32],
    words: &'a [String],
}

impl<'a> Categories<'a> {
    /// Returns the words. Not each of them must occur in the rows.
    pub fn words(&self) -> &'a [String] {
        self.words
    }

    /// Returns the position of the word of a row; `None` if it is missing, or out of range.
    pub fn code(&self, row: usize) -> Option<usize> {
        self.codes.get(row).filter(|&&code| code != NONE).map(|&code| code as usize)
    }

    /// Returns for each row the position of its word, or `None` if it is missing.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = Option<usize>> + use<'a> {
        self.codes.iter().map(|&code| (code != NONE).then_some(code as usize))
    }
}

impl RowNumbers {
    /// Whether both are known to be the same.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::From(first), Self::From(other)) => first == other,
            (Self::Rows(rows), Self::Rows(other)) => Arc::ptr_eq(rows, other),
            _ => false,
        }
    }

    fn number(&self, row: usize) -> usize {
        match self {
            Self::From(first) => first + row,
            Self::Rows(rows) => rows.get(row).copied().unwrap_or(row),
        }
    }

    /// Where some of the rows come from.
    pub fn select(&self, rows: &[usize]) -> Self {
        let consecutive = rows.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        match (self, rows.first()) {
            (Self::From(first), Some(row)) if consecutive => Self::From(first + row),
            _ => Self::Rows(rows.iter().map(|&row| self.number(row)).collect()),
        }
    }
}

impl Column {
    /// A column of numbers; NaN is missing.
    ///
    /// # Errors
    /// When a number is infinite.
    pub fn numbers(name: impl Into<String>, numbers: impl IntoIterator<Item = f64>) -> Result<Self> {
        Self::of_numbers(name.into(), ColumnType::Number, numbers.into_iter().collect())
    }

    /// A column of booleans, which are written as "false" and "true".
    pub fn booleans(name: impl Into<String>, values: impl IntoIterator<Item = Option<bool>>) -> Self {
        let numbers = values.into_iter().map(|value| value.map_or(f64::NAN, |yes| f64::from(u8::from(yes))));
        let column_type = ColumnType::Boolean { no: "false".into(), yes: "true".into() };
        Self {
            name: name.into(),
            column_type,
            values: Values::Numbers(numbers.collect()),
            row_numbers: RowNumbers::From(0),
        }
    }

    /// A column of dates, from texts in this format. An empty text counts as missing.
    ///
    /// # Errors
    /// When a text has another form, or there is no such date.
    pub fn dates<S: AsRef<str>>(
        name: impl Into<String>,
        format: DateFormat,
        values: impl IntoIterator<Item = Option<S>>,
    ) -> Result<Self> {
        let (name, mut seconds) = (name.into(), Vec::new());
        for (row, text) in values.into_iter().enumerate() {
            seconds.push(match text.as_ref().map(S::as_ref) {
                None | Some("") => f64::NAN,
                Some(text) => format.parse(text).ok_or_else(|| {
                    let what = format!("row {}, column {:?}", row + 1, cut(&name));
                    Error::data(what, format!("be a date as {format}"), format!("{:?}", cut(text)))
                        .help("Correct it, give another format, or give `None` for a missing one.")
                })?,
            });
        }
        Self::of_numbers(name, ColumnType::Date(format), seconds)
    }

    /// A column of categories. Spaces at the ends of a word do not count, as in files; an empty word is missing.
    pub fn categories<S: AsRef<str>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = Option<S>>,
    ) -> Self {
        let (mut words, mut known) = (Vec::new(), HashMap::new());
        let codes =
            values.into_iter().map(|word| match word.as_ref().map(|word| word.as_ref().trim_ascii()) {
                None | Some("") => NONE,
                Some(word) => *known.entry(word.to_owned()).or_insert_with(|| {
                    words.push(word.to_owned());
                    (words.len() - 1) as u32
                }),
            });
        let codes = codes.collect();
        Self::of_categories(name.into(), codes, words)
    }

    /// A column of texts, without the spaces at their ends, as in files. An empty one counts as missing.
    pub fn texts<S: AsRef<str>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = Option<S>>,
    ) -> Self {
        let (mut all, mut ends) = (String::new(), Vec::new());
        for text in values {
            all.push_str(text.as_ref().map_or("", |text| text.as_ref().trim_ascii()));
            ends.push(all.len());
        }
        Self::of_texts(name.into(), all, ends)
    }

    /// A column of images.
    pub fn images(name: impl Into<String>, images: impl IntoIterator<Item = Option<ImageSource>>) -> Self {
        let images = images.into_iter().collect();
        Self {
            name: name.into(),
            column_type: ColumnType::Image,
            values: Values::Images(images),
            row_numbers: RowNumbers::From(0),
        }
    }

    /// A column of arrays of this shape, one after the other in row-major order. A row of NaN is missing.
    ///
    /// # Errors
    /// When the numbers are not a whole number of arrays, or one is infinite.
    pub fn arrays(
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        numbers: impl IntoIterator<Item = f64>,
    ) -> Result<Self> {
        let (name, shape, numbers) = (name.into(), shape.into(), numbers.into_iter().collect::<Vec<_>>());
        let each = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).unwrap_or(0);
        if each == 0 || !numbers.len().is_multiple_of(each) {
            let expected = format!("be whole arrays of shape {shape:?}");
            return Err(Error::data(format!("column {:?}", cut(&name)), expected, numbers.len())
                .help("Give as many numbers for each row as the shape has."));
        }
        check_finite(&name, &numbers, each)?;
        let rows = numbers.len() / each;
        let values = Values::Arrays { numbers, each, rows };
        Ok(Self { name, column_type: ColumnType::Array(shape), values, row_numbers: RowNumbers::From(0) })
    }

    /// A column of numbers, booleans (0 and 1) or dates (seconds since 1970-01-01); NaN is missing.
    pub(crate) fn of_numbers(name: String, column_type: ColumnType, numbers: Vec<f64>) -> Result<Self> {
        check_finite(&name, &numbers, 1)?;
        Ok(Self { name, column_type, values: Values::Numbers(numbers), row_numbers: RowNumbers::From(0) })
    }

    /// A column of categories whose codes are positions among the words, or `u32::MAX` for a missing one.
    pub(crate) fn of_categories(name: String, codes: Vec<u32>, words: Vec<String>) -> Self {
        debug_assert!(codes.iter().all(|&code| code == NONE || (code as usize) < words.len()));
        let values = Values::Categories { codes, words: Arc::new(words) };
        Self { name, column_type: ColumnType::Category, values, row_numbers: RowNumbers::From(0) }
    }

    /// A column of texts, all in one, and where each ends.
    pub(crate) fn of_texts(name: String, all: String, ends: Vec<usize>) -> Self {
        Self {
            name,
            column_type: ColumnType::Text,
            values: Values::Texts { all, ends },
            row_numbers: RowNumbers::From(0),
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the column under another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the text with which errors name the value of a row: `row 8, column "age"`, or `row 8` without a name. Rows are counted from 1, in the
    /// file or table that the column comes from.
    pub fn place(&self, row: usize) -> String {
        let row = format!("row {}", self.row_numbers.number(row) + 1);
        if self.name.is_empty() { row } else { format!("{row}, column {:?}", cut(&self.name)) }
    }

    /// Where the rows come from.
    pub(super) fn row_numbers(&self) -> &RowNumbers {
        &self.row_numbers
    }

    pub(super) fn with_row_numbers(self, row_numbers: RowNumbers) -> Self {
        Self { row_numbers, ..self }
    }

    /// Takes the numbers of the rows from another column, which it was made of.
    pub(crate) fn of_rows_of(self, other: &Self) -> Self {
        self.with_row_numbers(other.row_numbers.clone())
    }

    /// Sets the number of the first row, counted from 0.
    pub(crate) fn starting_at(mut self, first: usize) -> Self {
        self.row_numbers = RowNumbers::From(first);
        self
    }

    /// Returns what the column holds.
    pub fn column_type(&self) -> &ColumnType {
        &self.column_type
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Categories { codes, .. } => codes.len(),
            Values::Texts { ends, .. } => ends.len(),
            Values::Images(images) => images.len(),
            Values::Arrays { rows, .. } => *rows,
        }
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of rows whose value is missing.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    /// Returns whether the value of a row is missing. A row out of range counts as missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.values {
            Values::Numbers(numbers) => numbers.get(row).is_none_or(|x| x.is_nan()),
            Values::Categories { codes, .. } => codes.get(row).is_none_or(|&code| code == NONE),
            Values::Texts { .. } => self.text(row).is_none(),
            Values::Images(images) => images.get(row).is_none_or(Option::is_none),
            Values::Arrays { numbers, each, .. } => {
                numbers.get(row * each..(row + 1) * each).is_none_or(|row| row.iter().any(|x| x.is_nan()))
            }
        }
    }

    /// Returns the numbers of a column of numbers, booleans (as 0 and 1) or dates (as seconds since 1970-01-01, without
    /// time zones); NaN is missing.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn as_numbers(&self) -> Result<&[f64]> {
        match &self.values {
            Values::Numbers(numbers) => Ok(numbers),
            _ => Err(self.unfit("numbers, booleans or dates")),
        }
    }

    /// Returns the categories of a column of them.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn as_categories(&self) -> Result<Categories<'_>> {
        match &self.values {
            Values::Categories { codes, words } => Ok(Categories { codes, words }),
            _ => Err(self.unfit("categories")),
        }
    }

    /// Returns the texts of a column of texts, or the words of categories; `None` is missing.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn as_texts(&self) -> Result<impl ExactSizeIterator<Item = Option<&str>>> {
        match &self.values {
            Values::Texts { .. } | Values::Categories { .. } => Ok((0..self.len()).map(|row| self.text(row))),
            _ => Err(self.unfit("texts or categories")),
        }
    }

    fn text(&self, row: usize) -> Option<&str> {
        match &self.values {
            Values::Texts { all, ends } => {
                let begin = if row == 0 { 0 } else { *ends.get(row - 1)? };
                all.get(begin..*ends.get(row)?).filter(|text| !text.is_empty())
            }
            Values::Categories { codes, words } => words.get(*codes.get(row)? as usize).map(String::as_str),
            _ => None,
        }
    }

    /// Returns the images of a column of them; `None` is missing.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn as_images(&self) -> Result<&[Option<ImageSource>]> {
        match &self.values {
            Values::Images(images) => Ok(images),
            _ => Err(self.unfit("images")),
        }
    }

    /// Returns the numbers of a column of arrays, one array after the other; those of a missing array are NaN.
    ///
    /// # Errors
    /// When the column holds something else.
    pub fn as_arrays(&self) -> Result<&[f64]> {
        match &self.values {
            Values::Arrays { numbers, .. } => Ok(numbers),
            _ => Err(self.unfit("arrays of numbers")),
        }
    }

    fn unfit(&self, expected: &str) -> Error {
        let what = format!("column {:?}", cut(&self.name));
        Error::data(
            what,
            format!("be one of {expected}"),
            format!("one of which each is {}", self.column_type),
        )
        .help("Name another column, or give this one another type where the table is read.")
    }

    /// Returns these rows, which are in range.
    pub(super) fn select(&self, rows: &[usize], row_numbers: RowNumbers) -> Self {
        let values = match &self.values {
            Values::Numbers(numbers) => Values::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Values::Categories { codes, words } => Values::Categories {
                codes: rows.iter().map(|&row| codes[row]).collect(),
                words: words.clone(),
            },
            Values::Texts { .. } => {
                let (mut all, mut ends) = (String::new(), Vec::with_capacity(rows.len()));
                for &row in rows {
                    all.push_str(self.text(row).unwrap_or(""));
                    ends.push(all.len());
                }
                Values::Texts { all, ends }
            }
            Values::Images(images) => Values::Images(rows.iter().map(|&row| images[row].clone()).collect()),
            Values::Arrays { numbers, each, .. } => {
                let of_rows = rows.iter().flat_map(|&row| &numbers[row * each..(row + 1) * each]);
                Values::Arrays { numbers: of_rows.copied().collect(), each: *each, rows: rows.len() }
            }
        };
        Self { name: self.name.clone(), column_type: self.column_type.clone(), values, row_numbers }
    }
}

fn check_finite(name: &str, numbers: &[f64], each: usize) -> Result<()> {
    match numbers.iter().position(|x| x.is_infinite()) {
        None => Ok(()),
        Some(at) => {
            let what = format!("row {}, column {:?}", at / each + 1, cut(name));
            Err(Error::data(what, "be a finite number or missing", numbers[at])
                .help("Correct it, or give NaN for a missing one."))
        }
    }
}
