//! The values that a predictor takes, and how rows and tables are matched to them.

use super::raw::{Raw, Row};
use crate::data::{Column, ColumnType, CsvForm, ImageSource, Table};
use crate::error::{Error, Result};
use crate::preprocessing::Field;
use crate::shown::{cut, listed};
use std::borrow::Cow;
use std::path::Path;

/// The columns of rows for these fields, in their order.
///
/// `first` is the number of the first row, for errors. Texts that are marks of missing values in the training file are
/// missing here, too.
pub(super) fn columns_of_rows(
    rows: &[Row],
    first: usize,
    fields: &[Field],
    form: Option<&CsvForm>,
) -> Result<Vec<Column>> {
    let column = |field| Ok(column_of_rows(rows, first, (field, fields), form)?.starting_at(first));
    fields.iter().map(column).collect()
}

fn column_of_rows(
    rows: &[Row],
    first: usize,
    (field, fields): (&Field, &[Field]),
    form: Option<&CsvForm>,
) -> Result<Column> {
    let raws = Raws { raws: raws_of(rows, first, (field, fields), form)?, first, field };
    let (name, column_type) = (field.name.clone(), &field.column_type);
    match column_type {
        ColumnType::Number | ColumnType::Boolean { .. } | ColumnType::Date(_) => {
            let numbers = raws.each(|raw| match (raw, column_type) {
                (Raw::Number(number), ColumnType::Number) if number.is_finite() => Some(*number),
                (Raw::Boolean(value), ColumnType::Boolean { .. }) => Some(f64::from(u8::from(*value))),
                (Raw::Text(word), ColumnType::Boolean { no, yes }) => {
                    let is = |other: &str| word.trim_ascii().eq_ignore_ascii_case(other);
                    if is(yes) { Some(1.0) } else { is(no).then_some(0.0) }
                }
                (Raw::Text(text), ColumnType::Date(format)) => format.parse(text),
                _ => None,
            })?;
            let numbers = numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect();
            Column::of_numbers(name, column_type.clone(), numbers)
        }
        ColumnType::Category => {
            let words = raws.each(|raw| match raw {
                Raw::Text(text) => Some(text.clone()),
                // A code: 7 and 7.0 are "7".
                Raw::Number(number) => Some(number.to_string()),
                _ => None,
            })?;
            Ok(Column::categories(name, words))
        }
        ColumnType::Text => {
            let texts = raws.each(|raw| if let Raw::Text(text) = raw { Some(text) } else { None })?;
            Ok(Column::texts(name, texts))
        }
        ColumnType::Image => {
            let images =
                raws.each(|raw| if let Raw::Image(image) = raw { Some(image.clone()) } else { None })?;
            Ok(Column::images(name, images))
        }
        ColumnType::Array(shape) => {
            let arrays = raws.each(|raw| match raw {
                Raw::Array { shape: found, numbers }
                    if found == shape && numbers.len() == shape.iter().product::<usize>() =>
                {
                    numbers.iter().all(|x| x.is_finite()).then_some(numbers)
                }
                _ => None,
            })?;
            let missing = vec![f64::NAN; shape.iter().product()];
            let numbers = arrays.into_iter().flat_map(|array| array.unwrap_or(&missing).iter().copied());
            Column::arrays(name, shape.clone(), numbers.collect::<Vec<_>>())
        }
    }
}

/// The raw value of each row for a field. A text that is a mark of missing values is missing.
fn raws_of<'r>(
    rows: &'r [Row],
    first: usize,
    (field, fields): (&Field, &[Field]),
    form: Option<&CsvForm>,
) -> Result<Vec<&'r Raw>> {
    let mut raws = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let entry = row.get(&field.name, fields.len() == 1);
        let raw = match entry.ok_or_else(|| no_value(first + number, &field.name, row, fields))? {
            Ok(raw) => raw,
            Err(fault) => return Err(unfit(first + number, field, fault)),
        };
        let is_mark =
            |text: &str| form.is_some_and(|form| form.is_missing(text.trim_ascii(), &field.column_type));
        raws.push(match raw {
            Raw::Text(text) if is_mark(text) => &Raw::Missing,
            raw => raw,
        });
    }
    Ok(raws)
}

/// The raw values of a field, one of each row.
struct Raws<'a> {
    raws: Vec<&'a Raw>,
    /// The number of the first row.
    first: usize,
    field: &'a Field,
}

impl<'a> Raws<'a> {
    /// Converts each value; `None` for a missing one. Fails at one that cannot be converted.
    fn each<T>(&self, convert: impl Fn(&'a Raw) -> Option<T>) -> Result<Vec<Option<T>>> {
        let convert = |(row, raw): (usize, &&'a Raw)| match raw {
            Raw::Missing => Ok(None),
            raw => {
                convert(raw).map(Some).ok_or_else(|| unfit(self.first + row, self.field, &raw.described()))
            }
        };
        self.raws.iter().enumerate().map(convert).collect()
    }
}

/// The error for a value that a field cannot have.
fn unfit(row: usize, field: &Field, found: &str) -> Error {
    let what = format!("row {}, {:?}", row + 1, cut(&field.name));
    Error::data(what, format!("be {}", field.column_type), found).help(advice(&field.column_type))
}

fn no_value(row: usize, name: &str, found: &Row, fields: &[Field]) -> Error {
    let names: Vec<&str> = found.names().collect();
    let given = match &names[..] {
        [] => "nothing".to_owned(),
        [""] => "one without a name".to_owned(),
        names => listed(names, 20),
    };
    let help = match fields {
        [_] => "Give it by this name, or as the only value.",
        _ => "Give each by its name, a missing one as `null`.",
    };
    Error::data(format!("row {}", row + 1), format!("have a value {:?}", cut(name)), given).help(help)
}

/// What to give for a type.
fn advice(column_type: &ColumnType) -> &'static str {
    match column_type {
        ColumnType::Number => "Give a number, or `null` for a missing one; a text is not converted.",
        ColumnType::Boolean { .. } => "Give true or false, or one of the two words.",
        ColumnType::Date(_) => "Write the date in this form.",
        ColumnType::Category => {
            "Give its word as a text, not true or false; a column of two words is read as booleans by `Csv::column(name, ColumnType::Boolean { … })`."
        }
        ColumnType::Image => {
            "Give `Raw::file(path)`, `Raw::image(bytes)` of a PNG or JPEG file, or `Pixels`; a text is not read as a path."
        }
        ColumnType::Array(_) => "Give a list of so many finite numbers, nested as the shape says.",
        _ => "Give a text.",
    }
}

/// The columns of a table for these fields, in their order.
pub(crate) fn columns_of_table<'t>(table: &'t Table, fields: &[Field]) -> Result<Vec<Cow<'t, Column>>> {
    fields
        .iter()
        .map(|field| {
            let column = table.column(&field.name).map_err(|error| {
                error
                    .help("The model was trained with it; an empty value is filled, a missing column is not.")
            })?;
            converted(column, field, table.folder())
        })
        .collect()
}

/// A column as the type of a field.
fn converted<'t>(column: &'t Column, field: &Field, folder: Option<&Path>) -> Result<Cow<'t, Column>> {
    let borrowed = Ok(Cow::Borrowed(column));
    match (&field.column_type, column.column_type()) {
        (wanted, found) if wanted == found => borrowed,
        // Of dates the seconds count and of booleans the truth, however they were written; categories are texts.
        (ColumnType::Date(_), ColumnType::Date(_))
        | (ColumnType::Boolean { .. }, ColumnType::Boolean { .. })
        | (ColumnType::Text, ColumnType::Category) => borrowed,
        (ColumnType::Category, ColumnType::Text) => {
            Ok(Cow::Owned(Column::categories(field.name.clone(), column.as_texts()?).of_rows_of(column)))
        }
        // A code: 7 and 7.0 are "7", as in rows.
        (ColumnType::Category, ColumnType::Number) => {
            let words = column.as_numbers()?.iter().map(|x| (!x.is_nan()).then(|| x.to_string()));
            Ok(Cow::Owned(Column::categories(field.name.clone(), words).of_rows_of(column)))
        }
        (ColumnType::Image, ColumnType::Category | ColumnType::Text) => {
            let folder = folder.unwrap_or(Path::new(""));
            let paths = column.as_texts()?.map(|path| Some(ImageSource::File(folder.join(path?))));
            Ok(Cow::Owned(Column::images(field.name.clone(), paths).of_rows_of(column)))
        }
        (wanted, found) => {
            let what = format!("column {:?}", cut(column.name()));
            Err(Error::data(what, format!("hold {wanted} in each row"), found)
                .help("Read the table as the one of training: a file by `Predictor::predict_csv`, or with the column's type in `Csv::column`."))
        }
    }
}
