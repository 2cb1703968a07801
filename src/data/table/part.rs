//! [`TablePart`]: some rows of a table.

use super::columns::no_column;
use super::{Column, ColumnType, Table};
use crate::error::Result;
use std::sync::Arc;

/// The number of rows that are visited at a time.
const PIECE: usize = 8_192;

/// Some rows of a table: what preprocessing is fitted on.
///
/// Fitting goes through the rows one column after the other, in pieces, so that a copy of a piece of one column is all
/// that is needed in memory.
#[derive(Clone, Debug)]
pub struct TablePart<'a> {
    table: &'a Table,
    /// `None` for all.
    rows: Option<Vec<usize>>,
}

impl Table {
    /// Returns these rows, by reference, as what preprocessing is fitted on.
    ///
    /// # Errors
    /// When a row is out of range.
    pub fn part(&self, rows: Vec<usize>) -> Result<TablePart<'_>> {
        self.check_rows(&rows)?;
        Ok(TablePart::of(self, Some(rows)))
    }

    /// Returns all rows as a part.
    pub fn whole(&self) -> TablePart<'_> {
        TablePart::of(self, None)
    }
}

impl<'a> TablePart<'a> {
    /// Rows that are in range.
    fn of(table: &'a Table, rows: Option<Vec<usize>>) -> Self {
        Self { table, rows }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.table.rows(), Vec::len)
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the names and types of the columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &ColumnType)> {
        self.table.columns().map(|column| (column.name(), column.column_type()))
    }

    /// Returns the type of a column.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn column_type(&self, name: &str) -> Result<&ColumnType> {
        self.table.column(name).map(Column::column_type)
    }

    /// Calls `visit` with the rows in order, some at a time, as tables of the named columns. It may be called again.
    ///
    /// # Errors
    /// When there is no such column, or `visit` fails.
    pub fn each(&self, columns: &[&str], mut visit: impl FnMut(&Table) -> Result<()>) -> Result<()> {
        let chosen: Vec<&Arc<Column>> = columns
            .iter()
            .map(|name| {
                let found = self.table.shared().iter().find(|column| column.name() == *name);
                found.ok_or_else(|| no_column(name, self.table.columns()))
            })
            .collect::<Result<_>>()?;
        for first in (0..self.len()).step_by(PIECE) {
            let end = self.len().min(first + PIECE);
            let piece = match &self.rows {
                Some(rows) => self.table.selected(&rows[first..end], chosen.iter().copied()),
                None => self.table.selected(&(first..end).collect::<Vec<_>>(), chosen.iter().copied()),
            };
            visit(&piece)?;
        }
        Ok(())
    }
}
