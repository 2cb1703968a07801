//! [`Table`]: columns of equal length.

use super::column::RowNumbers;
use super::origin::Origin;
use super::{Column, CsvForm};
use crate::error::{Error, Result};
use crate::shown::{cut, listed};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A table in memory: named columns of equal length, as they were read, not yet filled or scaled.
///
/// ```
/// use plywood::data::{Column, Table};
///
/// let table = Table::new([
///     Column::numbers("age", [38.0, f64::NAN, 26.0])?, // NaN is missing
///     Column::categories("port", [Some("S"), Some("C"), None]),
/// ])?;
/// assert_eq!((table.rows(), table.column("port")?.missing()), (3, 1));
/// assert!(table.column("cabin").unwrap_err().to_string().starts_with("the table must have a column \"cabin\", got"));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Clones share the columns.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Arc<Column>>,
    rows: usize,
    /// The folder that paths in the table are relative to.
    folder: Option<PathBuf>,
    /// The file it was read from.
    origin: Option<Arc<Origin>>,
}

impl Table {
    /// Makes a table of these columns.
    ///
    /// # Errors
    /// When there is no column, two have the same name, or their lengths differ.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Result<Self> {
        let columns: Vec<Arc<Column>> = columns.into_iter().map(Arc::new).collect();
        let Some(first) = columns.first() else {
            return Err(Error::data("the table", "have a column", "none").help("Give it columns."));
        };
        let mut seen = std::collections::HashSet::new();
        for column in &columns {
            if !seen.insert(column.name()) {
                let found = format!("{:?} twice", cut(column.name()));
                return Err(Error::data("the columns", "have different names", found)
                    .help("Rename or leave out one of them."));
            }
            if column.len() != first.len() {
                let expected = format!("have {} values, as column {:?}", first.len(), cut(first.name()));
                return Err(Error::data(format!("column {:?}", cut(column.name())), expected, column.len())
                    .help("A table has one value for each row and column; a missing one is NaN or `None`."));
            }
        }
        Ok(Self { rows: first.len(), columns, folder: None, origin: None })
    }

    /// Sets the folder that paths in the table are relative to. For a table from a file it is the file's folder.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Returns the folder that paths in the table are relative to, if it is known.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A table read from a file.
    pub(super) fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(Arc::new(origin)), ..self }
    }

    pub(super) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// Returns what was noticed when the table was read from a file: what was taken for what, ids, constants. Printing
    /// the table shows it, too. Empty for other tables.
    pub fn remarks(&self) -> &[String] {
        self.origin.as_ref().map_or(&[], |origin| &origin.texts)
    }

    /// Returns the form of the CSV file that the table was read from, by which others like it can be read.
    pub fn form(&self) -> Option<&CsvForm> {
        self.origin.as_ref().map(|origin| &origin.form)
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the columns, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.columns.iter().map(|column| &**column)
    }

    /// Returns the column with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn column(&self, name: &str) -> Result<&Column> {
        match self.columns.iter().find(|column| column.name() == name) {
            Some(column) => Ok(column),
            None => match self.form().is_some_and(|form| form.ignores(name)) {
                true => Err(no_column(name, self.columns()).help("It was left out by `Csv::ignore`.")),
                false => Err(no_column(name, self.columns())),
            },
        }
    }

    /// Returns the table with this column in place of the one of the same name, or with one more.
    ///
    /// # Errors
    /// When the column has another number of values than the table has rows.
    pub fn with(mut self, column: Column) -> Result<Self> {
        let place = self.columns.iter().position(|known| known.name() == column.name());
        // What was noticed in the file is not about the new one.
        if let Some(origin) = self.origin.as_mut().filter(|_| place.is_some()) {
            *origin = Arc::new(origin.without(column.name()));
        }
        let column = Arc::new(match self.columns.first() {
            Some(first) => column.with_row_numbers(first.row_numbers().clone()),
            None => column,
        });
        if column.len() != self.rows {
            let expected = format!("have {} values, as the table has rows", self.rows);
            return Err(Error::data(format!("column {:?}", cut(column.name())), expected, column.len())
                .help("Give one value for each row; a missing one is NaN or `None`."));
        }
        match place {
            Some(at) => self.columns[at] = column,
            None => self.columns.push(column),
        }
        Ok(self)
    }

    /// Returns the table without the columns of these names.
    ///
    /// # Errors
    /// When there is no such column, or none would be left.
    pub fn without<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        for name in names {
            self.column(name.as_ref())?;
            self.columns.retain(|column| column.name() != name.as_ref());
        }
        match self.columns.is_empty() {
            true => Err(Error::data("the table", "keep a column", "none").help("Leave out fewer columns.")),
            false => Ok(self),
        }
    }

    /// Returns these rows, in this order, as a table of their own.
    ///
    /// # Errors
    /// When a row is out of range.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        self.check_rows(rows)?;
        Ok(self.selected(rows, self.columns.iter()))
    }

    /// The rows of some columns, which are in range.
    pub(super) fn selected<'a>(
        &self,
        rows: &[usize],
        columns: impl Iterator<Item = &'a Arc<Column>>,
    ) -> Self {
        // Columns of a table mostly come from the same rows.
        let mut last: Option<(&RowNumbers, RowNumbers)> = None;
        let columns = columns.map(|column| {
            let own = column.row_numbers();
            let numbers = match &last {
                Some((known, numbers)) if known.is_same(own) => numbers.clone(),
                _ => own.select(rows),
            };
            last = Some((own, numbers.clone()));
            Arc::new(column.select(rows, numbers))
        });
        let columns = columns.collect();
        Self { columns, rows: rows.len(), folder: self.folder.clone(), origin: self.origin.clone() }
    }

    /// The columns, to be shared.
    pub(super) fn shared(&self) -> &[Arc<Column>] {
        &self.columns
    }

    /// Fails if a row is out of range.
    pub(super) fn check_rows(&self, rows: &[usize]) -> Result<()> {
        match rows.iter().find(|&&row| row >= self.rows) {
            None => Ok(()),
            Some(row) => {
                let expected = format!("below {}, the number of rows", self.rows);
                Err(Error::argument("the rows", expected, row).help("Rows are counted from 0."))
            }
        }
    }
}

/// The error for a column that is not there.
pub(super) fn no_column<'a>(name: &str, columns: impl Iterator<Item = &'a Column>) -> Error {
    let names: Vec<&str> = columns.map(Column::name).collect();
    let expected = format!("have a column {:?}", cut(name));
    Error::data("the table", expected, listed(&names, 20)).help("Name one of these.")
}
