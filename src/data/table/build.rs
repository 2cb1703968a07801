//! [`Build`]: a column that is filled field by field.

use super::form::CsvForm;
use super::number::NumberForm;
use super::words::Words;
use super::{Column, ColumnType, DateFormat};
use crate::error::Result;

/// Marks of missing values.
#[derive(Debug)]
pub(super) struct Marks {
    marks: Vec<Box<[u8]>>,
    longest: usize,
}

impl Marks {
    pub fn new<'a>(marks: impl IntoIterator<Item = &'a String>) -> Self {
        let marks: Vec<Box<[u8]>> = marks.into_iter().map(|mark| mark.as_bytes().into()).collect();
        Self { longest: marks.iter().map(|mark| mark.len()).max().unwrap_or(0), marks }
    }

    /// Whether a field stands for nothing.
    pub fn has(&self, field: &[u8]) -> bool {
        field.is_empty() || field.len() <= self.longest && self.marks.iter().any(|mark| **mark == *field)
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// It is no value of the column's type.
    Type,
    /// It is not UTF-8.
    Encoding,
}

/// A column that is filled field by field.
#[derive(Debug)]
pub(super) struct Build {
    name: String,
    column_type: ColumnType,
    marks: Marks,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// `marked`: a mark of missing values is a number, as -999.
    Numbers {
        numbers: Vec<f64>,
        form: NumberForm,
        marked: bool,
    },
    Booleans {
        numbers: Vec<f64>,
        no: String,
        yes: String,
    },
    Dates {
        numbers: Vec<f64>,
        format: DateFormat,
    },
    Categories {
        codes: Vec<u32>,
        words: Words,
    },
    Texts {
        all: String,
        ends: Vec<usize>,
    },
}

impl Build {
    /// A column of one of the types that fields can hold.
    pub fn new(form: &CsvForm, name: &str, column_type: &ColumnType, number: NumberForm) -> Self {
        let words = matches!(column_type, ColumnType::Category | ColumnType::Text);
        let more = form.missing_numbers.iter().filter(|_| !words);
        let marks = Marks::new(form.missing.iter().chain(more));
        let numbers = Vec::new();
        let values = match column_type {
            ColumnType::Number => {
                let marked = marks.marks.iter().any(|mark| number.parse(mark).is_some());
                Values::Numbers { numbers, form: number, marked }
            }
            ColumnType::Boolean { no, yes } => Values::Booleans { numbers, no: no.clone(), yes: yes.clone() },
            ColumnType::Date(format) => Values::Dates { numbers, format: format.clone() },
            ColumnType::Category => Values::Categories { codes: Vec::new(), words: Words::default() },
            _ => Values::Texts { all: String::new(), ends: Vec::new() },
        };
        Self { name: name.to_owned(), column_type: column_type.clone(), marks, values }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How numbers are written, in a column of them.
    pub fn number_form(&self) -> Option<NumberForm> {
        match &self.values {
            Values::Numbers { form, .. } => Some(*form),
            _ => None,
        }
    }

    pub fn column_type(&self) -> &ColumnType {
        &self.column_type
    }

    /// Takes the value of the next row, without spaces at its ends.
    #[inline]
    pub fn push(&mut self, field: &[u8]) -> std::result::Result<(), Fault> {
        let marks = &self.marks;
        let text = || str::from_utf8(field).map_err(|_| Fault::Encoding);
        // Of a field that is none of the expected: missing, or a fault.
        let other = || match (marks.has(field), str::from_utf8(field)) {
            (true, _) => Ok(f64::NAN),
            (false, Ok(_)) => Err(Fault::Type),
            (false, Err(_)) => Err(Fault::Encoding),
        };
        match &mut self.values {
            Values::Numbers { numbers, form, marked } => numbers.push(match form.parse(field) {
                Some(_) if *marked && marks.has(field) => f64::NAN,
                Some(x) => x,
                None => other()?,
            }),
            Values::Booleans { numbers, no, yes } => {
                let is = |word: &str| field.eq_ignore_ascii_case(word.as_bytes());
                let value = if is(no) {
                    0.0
                } else if is(yes) {
                    1.0
                } else {
                    other()?
                };
                numbers.push(value);
            }
            Values::Dates { numbers, format } => numbers.push(match field {
                b"" => f64::NAN,
                _ => format.parse(text()?).map_or_else(other, Ok)?,
            }),
            Values::Categories { codes, words } => codes.push(match words.find(field) {
                Some(code) => code,
                None if marks.has(field) => u32::MAX,
                None => words.add(text()?),
            }),
            Values::Texts { all, ends } => {
                if !marks.has(field) {
                    all.push_str(text()?);
                }
                ends.push(all.len());
            }
        }
        Ok(())
    }

    /// Returns the column, and begins the next one of the same kind.
    pub fn take(&mut self) -> Result<Column> {
        let name = self.name.clone();
        match &mut self.values {
            Values::Numbers { numbers, .. }
            | Values::Booleans { numbers, .. }
            | Values::Dates { numbers, .. } => {
                Column::of_numbers(name, self.column_type.clone(), std::mem::take(numbers))
            }
            Values::Categories { codes, words } => {
                Ok(Column::of_categories(name, std::mem::take(codes), words.take()))
            }
            Values::Texts { all, ends } => {
                Ok(Column::of_texts(name, std::mem::take(all), std::mem::take(ends)))
            }
        }
    }
}
