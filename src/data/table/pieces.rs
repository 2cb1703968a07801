//! [`TablePieces`]: the rows of a CSV file, some at a time.

use super::build::{Build, Fault};
use super::form::{CsvForm, FormColumn, shown};
use super::number::PLAIN;
use super::source::{Bytes, Source, UTF_8, decoded};
use super::{ColumnType, Table};
use crate::data::csv::{Fields, Records, excels};
use crate::error::{Error, Result};
use crate::shown::{count, cut, listed};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

impl CsvForm {
    /// Reads a file of this form, plain or compressed by gzip, as tables of at most `rows` rows each. The memory is that
    /// of one such table.
    ///
    /// `columns` are the names and types of the columns to be read; [`CsvForm::columns`] returns all of them. The file
    /// may have them in any order, if it has a header, and further columns, which are left out.
    ///
    /// ```no_run
    /// use plywood::data::Table;
    ///
    /// let form = Table::csv("2023.csv")?.form().expect("of a file").clone();
    /// let columns: Vec<_> = form.columns().collect();
    /// for piece in form.pieces("2024.csv.gz", &columns, 10_000)? {
    ///     println!("{} rows", piece?.rows()); // never more than 10,000 in memory
    /// }
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be opened, lacks a column, or has two of one name; when a type is none that a field can
    /// hold. A row with more or fewer fields than the header, or a value of another type, is an error of the iterator.
    pub fn pieces(
        &self,
        path: impl AsRef<Path>,
        columns: &[(&str, &ColumnType)],
        rows: usize,
    ) -> Result<TablePieces> {
        let source = Source::File(path.as_ref().to_owned());
        let folder = path.as_ref().parent().map(Path::to_owned);
        let opened = source.open().map_err(|error| error.at(source.name()))?;
        let pieces = TablePieces::new(self, opened, source.name(), columns, (rows, u64::MAX))?;
        Ok(TablePieces { folder, ..pieces })
    }

    /// [`pieces`](CsvForm::pieces) from any reader, which errors name by `name`.
    ///
    /// # Errors
    /// As those of `pieces`.
    pub fn pieces_from(
        &self,
        source: impl Read + Send + Sync + 'static,
        name: &str,
        columns: &[(&str, &ColumnType)],
        rows: usize,
    ) -> Result<TablePieces> {
        TablePieces::new(self, Box::new(source), name.to_owned(), columns, (rows, u64::MAX))
    }

    /// Begins to read bytes of this form: the records, and the names of the columns.
    pub(super) fn records(&self, bytes: Bytes, name: &str) -> Result<(Records<'static, Bytes>, Vec<String>)> {
        let records = Records::new(bytes, name.to_owned(), self.separator)?;
        let mut records = records.with(self.quotes, &self.comment, self.header);
        let mut names = Vec::new();
        if self.header {
            let empty =
                || Error::format("the file", "have a header", "an empty file").help("Check the file.");
            let mut record = records.read()?.ok_or_else(empty)?;
            if excels(record.text) == Some(self.separator) {
                record = records.read_again()?.ok_or_else(empty)?;
            }
            names = self.names(record.text)?;
        }
        let mut skipped = 0;
        while skipped < self.skipped && records.skip()? {
            skipped += 1;
        }
        Ok((records, names))
    }

    /// Returns the names in a header; a column without one has its position, from 0.
    pub(super) fn names(&self, header: &[u8]) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (i, field) in Fields::new(header, self.separator, 0).quotes(self.quotes).enumerate() {
            if i == super::form::MAX_COLUMNS {
                let expected = format!("have at most {i} columns");
                return Err(Error::format("the header", expected, "more").help("Check the separator."));
            }
            let field = field?;
            let name = str::from_utf8(field.trim_ascii())
                .map_err(|_| not_utf8("the header".to_owned(), &field))?
                .trim();
            names.push(if name.is_empty() { i.to_string() } else { name.to_owned() });
        }
        let mut seen = std::collections::HashSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            None => Ok(names),
            Some(name) => {
                let found = format!("{:?} twice", cut(name));
                Err(Error::format("the header", "have distinct names", found).help(
                    "Give each column a name of its own; a first line that is none of names needs \
                     `.header(false)`.",
                ))
            }
        }
    }
}

/// The error of bytes that are not UTF-8.
pub(super) fn not_utf8(what: String, field: &[u8]) -> Error {
    let at = str::from_utf8(field).err().map_or(0, |error| error.valid_up_to());
    let byte = field.get(at).copied().unwrap_or_default();
    let found = format!("the byte 0x{byte:02x} in {:?}", cut(&String::from_utf8_lossy(field)));
    Error::format(what, "be UTF-8", found)
        .help("If the file comes from Windows, `Csv::encoding(\"windows-1252\")` reads it.")
}

/// The error of a row with more or fewer fields than there are columns.
pub(super) fn wrong_length(row: usize, expected: usize, found: usize, form: &CsvForm) -> Error {
    let like = if form.header { "the header" } else { "the first row" };
    let expected = format!("have {}, as {like} has", count(expected, "field", "fields"));
    let separator = shown(form.separator);
    Error::format(format!("row {row}"), expected, found).help(format!(
        "Put quotes around fields that hold the separator ({separator}) or a line end; if quotes mean nothing in this \
         file, `Csv::quotes(false)`."
    ))
}

/// The rows of a CSV file as tables of at most so many rows each, in order: [`CsvForm::pieces`], or
/// [`Csv::pieces`](super::Csv::pieces).
///
/// After an error it ends.
pub struct TablePieces {
    form: Arc<CsvForm>,
    name: String,
    records: Records<'static, Bytes>,
    /// For each field of a row the place of its column in `columns`, if it is read.
    places: Vec<Option<usize>>,
    columns: Vec<Build>,
    each: usize,
    /// The number of rows that were read.
    read: usize,
    ended: bool,
    pub(super) folder: Option<std::path::PathBuf>,
}

impl TablePieces {
    /// `(rows, most)`: the rows of each table, and the bytes that gzip data may unpack to.
    pub(super) fn new(
        form: &CsvForm,
        source: Box<dyn Read + Send + Sync>,
        name: String,
        columns: &[(&str, &ColumnType)],
        (rows, most): (usize, u64),
    ) -> Result<Self> {
        if rows == 0 {
            return Err(Error::argument("the rows of a piece", "at least 1", 0).help("10,000 are usual."));
        }
        let start = || {
            let bytes = decoded(source, &name, &form.encoding, most)?;
            let (records, names) = form.records(bytes, &name)?;
            let (places, columns) = places(form, names, columns)?;
            Ok((records, places, columns))
        };
        let (records, places, columns) = start().map_err(|error: Error| error.at(&name))?;
        let form = Arc::new(form.clone());
        Ok(Self { form, name, records, places, columns, each: rows, read: 0, ended: false, folder: None })
    }

    /// Reads the next rows. `None` at the end.
    fn read(&mut self) -> Result<Option<Table>> {
        let mut rows = 0;
        while rows < self.each {
            let Some(record) = self.records.read()? else {
                self.ended = true;
                break;
            };
            let mut found = 0;
            let fields = Fields::new(record.text, self.form.separator, record.number);
            for field in fields.quotes(self.form.quotes) {
                let field = field?;
                if let Some(Some(place)) = self.places.get(found) {
                    let (column, field) = (&mut self.columns[*place], field.trim_ascii());
                    column.push(field).map_err(|fault| wrong(column, record.number, field, fault))?;
                }
                found += 1;
            }
            if found != self.places.len() {
                return Err(wrong_length(record.number, self.places.len(), found, &self.form));
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = self.columns.iter_mut().map(|column| Ok(column.take()?.starting_at(self.read)));
        let table = Table::new(columns.collect::<Result<Vec<_>>>()?)?;
        self.read += rows;
        Ok(Some(match &self.folder {
            Some(folder) => table.with_folder(folder),
            None => table,
        }))
    }
}

impl Iterator for TablePieces {
    type Item = Result<Table>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let piece = self.read().map_err(|error| error.at(&self.name));
        self.ended |= piece.is_err();
        piece.transpose()
    }
}

/// The error of a field that is no value of its column.
fn wrong(column: &Build, row: usize, field: &[u8], fault: Fault) -> Error {
    let what = format!("row {row}, column {:?}", cut(column.name()));
    if fault == Fault::Encoding {
        return not_utf8(what, field);
    }
    let found = format!("{:?}", cut(&String::from_utf8_lossy(field)));
    let form = column.number_form().map_or(String::new(), |form| {
        let decimal = if form.decimal == ',' { "comma" } else { "point" };
        let thousands = form.thousands.map_or("nothing".to_owned(), |mark| format!("{mark:?} or nothing"));
        format!("In this form numbers have a decimal {decimal}, and {thousands} between thousands. ")
    });
    Error::format(what, format!("be {} or missing", column.column_type()), found).help(format!(
        "{form}Correct it, or read the file with other settings of `Csv`; marks of missing values are set by `Csv::missing`."
    ))
}

/// For each field of a row the column it goes to; and the columns, in the order in which they are wanted.
fn places(
    form: &CsvForm,
    names: Vec<String>,
    wanted: &[(&str, &ColumnType)],
) -> Result<(Vec<Option<usize>>, Vec<Build>)> {
    let names = match form.header {
        true => names,
        false => form.columns.iter().map(|column| column.name.clone()).collect(),
    };
    let by_name: HashMap<&str, usize> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let known: HashMap<&str, &FormColumn> =
        form.columns.iter().map(|column| (column.name.as_str(), column)).collect();
    let mut places = vec![None; names.len()];
    let mut columns = Vec::new();
    for &(name, column_type) in wanted {
        let Some(&place) = by_name.get(name) else {
            let expected = format!("have a column {:?}", cut(name));
            return Err(Error::format("the file", expected, listed(&names, 20))
                .help("Each column that is read has to be there, under the same name."));
        };
        if matches!(column_type, ColumnType::Image | ColumnType::Array(_)) || places[place].is_some() {
            let what = format!("column {:?}", cut(name));
            return Err(Error::argument(what, "named once, with a type that a field can hold", column_type)
                .help("An image is a category or a text here: its path."));
        }
        places[place] = Some(columns.len());
        columns.push(Build::new(
            form,
            name,
            column_type,
            known.get(name).map_or(PLAIN, |column| column.number),
        ));
    }
    if columns.is_empty() {
        return Err(Error::argument("the columns", "at least one", "none").help("Name one."));
    }
    Ok((places, columns))
}

/// The form that is known before a file was looked at.
pub(super) fn unknown(separator: u8) -> CsvForm {
    CsvForm {
        separator,
        quotes: true,
        header: false,
        encoding: UTF_8.to_owned(),
        comment: String::new(),
        skipped: 0,
        missing: Vec::new(),
        missing_numbers: Vec::new(),
        columns: Vec::new(),
    }
}
