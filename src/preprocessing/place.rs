//! Checks of columns, whose errors name the value.

use crate::data::{Column, ColumnType};
use crate::error::{Error, Result};
use crate::shown::cut;
use std::mem::discriminant;

/// The error for a value that is too large for `f32`.
pub(super) fn too_large(column: &Column, row: usize, number: f64) -> Error {
    Error::data(column.place(row), "be finite in f32 when it is prepared", format!("{number:e}"))
        .help("Correct the number, or leave the row out.")
}

/// Fails if a column holds something else than what was fitted.
///
/// Two formats of dates, or two pairs of words for false and true, are the same: a table holds seconds, and 0 and 1.
pub(super) fn check_type(column: &Column, fitted: &ColumnType) -> Result<()> {
    let found = column.column_type();
    let same = match (found, fitted) {
        (ColumnType::Array(found), ColumnType::Array(fitted)) => found == fitted,
        // Categories are texts, too.
        (ColumnType::Category, ColumnType::Text) => true,
        _ => discriminant(found) == discriminant(fitted),
    };
    if same {
        return Ok(());
    }
    let what = match column.name().is_empty() {
        true => "the value of each row".to_owned(),
        false => format!("column {:?}", cut(column.name())),
    };
    Err(Error::data(what, format!("hold {fitted} in each row"), found)
        .help("Give the column the type that it had in training."))
}
