//! Answers for the rows of CSV files.

use super::answer::Answer;
use super::build::Predictor;
use crate::data::{ColumnType, Csv, CsvForm, Table, TablePieces};
use crate::error::{Error, Result};
use crate::shown::cut;
use std::io::Read;
use std::path::Path;

/// The rows of a file that are in memory at a time.
const ROWS: usize = 8_192;

impl Predictor {
    /// Returns the form of the CSV file that the predictor was trained on, by a [`Recipe`](crate::recipe::Recipe): files to
    /// predict are read by it.
    pub fn csv_form(&self) -> Option<&CsvForm> {
        self.csv_form.as_deref()
    }

    /// Answers the rows of a CSV file of any size, in order: calls `take` with some rows and their answers at a time, and
    /// returns the number of rows. The memory is that of 8,192 rows.
    ///
    /// The file is read in the form of the training file, without guessing; if the predictor was not trained on one, the
    /// form is guessed from the whole file, as [`Csv`] does. Columns may be in any order, and further ones are ignored.
    /// Images are paths relative to the file.
    ///
    /// ```no_run
    /// use plywood::prelude::*;
    ///
    /// let predictor = Predictor::load("adult.plywood")?;
    /// predictor.predict_csv("new.csv.gz", |_, answers| {
    ///     answers.iter().for_each(|answer| println!("{answer}"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, lacks a column, or has a value of another type; or `take` fails. The error names the
    /// row. What was taken before stays.
    pub fn predict_csv(
        &self,
        path: impl AsRef<Path>,
        take: impl FnMut(&Table, Vec<Answer>) -> Result<()>,
    ) -> Result<usize> {
        self.predict_csv_keeping(path, &[], take)
    }

    /// [`predict_csv`](Predictor::predict_csv), with further columns of the file in the tables that `take` gets: an id to write
    /// beside the answer. A column that the training file did not have is read as texts.
    ///
    /// ```no_run
    /// use plywood::prelude::*;
    ///
    /// let predictor = Predictor::load("adult.plywood")?;
    /// let mut lines = String::from("id,answer\n");
    /// predictor.predict_csv_keeping("new.csv", &["id"], |rows, answers| {
    ///     for (id, answer) in rows.column("id")?.as_texts()?.zip(&answers) {
    ///         lines += &format!("{},{}\n", id.unwrap_or(""), answer.class().unwrap_or("none"));
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict_csv`](Predictor::predict_csv); the file must have these columns, too.
    pub fn predict_csv_keeping(
        &self,
        path: impl AsRef<Path>,
        columns: &[&str],
        take: impl FnMut(&Table, Vec<Answer>) -> Result<()>,
    ) -> Result<usize> {
        let path = path.as_ref();
        self.predict_pieces(self.csv_pieces(path, columns, ROWS)?, &path.display().to_string(), take)
    }

    /// Reads a whole CSV file in the form of the training file: the columns that the predictor takes, and these. It is for a
    /// test file, with the targets: `predictor.evaluate(&predictor.read_csv("test.csv", &["kind"])?, Classes::column("kind"))`.
    ///
    /// # Errors
    /// As [`predict_csv`](Predictor::predict_csv); the file must have these columns, and a row.
    pub fn read_csv(&self, path: impl AsRef<Path>, columns: &[&str]) -> Result<Table> {
        let path = path.as_ref();
        match self.csv_pieces(path, columns, usize::MAX)?.next() {
            Some(table) => table,
            None => Err(Error::format("the file", "have rows", "none")
                .help("Check the file.")
                .at(format!("read {}", path.display()))),
        }
    }

    /// Begins to read a file: the columns that the predictor takes, and these.
    fn csv_pieces(&self, path: &Path, more: &[&str], rows: usize) -> Result<TablePieces> {
        let place = |error: Error| error.at(format!("predict {}", path.display()));
        let Some(form) = &self.csv_form else { return Csv::file(path).pieces(rows) };
        let mut columns = self.file_columns().map_err(place)?;
        for &name in more {
            let known = form.columns().find(|(known, _)| *known == name);
            if columns.iter().all(|(known, _)| *known != name) {
                columns.push((name, known.map_or(&ColumnType::Text, |(_, column_type)| column_type)));
            }
        }
        form.pieces(path, &columns, rows).map_err(of_another_form)
    }

    /// [`predict_csv`](Predictor::predict_csv) from any reader, which errors name by `name`, for a predictor that knows the
    /// form: a request, a compressed stream.
    ///
    /// # Errors
    /// As [`predict_csv`](Predictor::predict_csv), and when the predictor was not trained on a CSV file.
    pub fn predict_csv_from(
        &self,
        source: impl Read + Send + Sync + 'static,
        name: &str,
        take: impl FnMut(&Table, Vec<Answer>) -> Result<()>,
    ) -> Result<usize> {
        let Some(form) = &self.csv_form else {
            return Err(Error::data(
                "the predictor",
                "know the form of the file",
                "one that was not trained on a CSV file",
            )
            .help("Read the file by `Csv`, and give its pieces to `predict_table`."));
        };
        let pieces = form.pieces_from(source, name, &self.file_columns()?, ROWS).map_err(of_another_form);
        self.predict_pieces(pieces?, name, take)
    }

    fn predict_pieces(
        &self,
        pieces: TablePieces,
        name: &str,
        mut take: impl FnMut(&Table, Vec<Answer>) -> Result<()>,
    ) -> Result<usize> {
        let mut rows = 0;
        for piece in pieces {
            let piece = piece?;
            let place = |error: Error| error.at(format!("predict {name}"));
            let mut answers = self.predict_table(&piece).map_err(place)?;
            answers.iter_mut().flat_map(|answer| &mut answer.notes).for_each(|note| note.row += rows);
            rows += piece.rows();
            take(&piece, answers)?;
        }
        Ok(rows)
    }

    /// The columns of a file for the fields: an image is a path.
    fn file_columns(&self) -> Result<Vec<(&str, &ColumnType)>> {
        let column = |field: &'_ crate::preprocessing::Field| match &field.column_type {
            ColumnType::Array(_) => Err(Error::data(
                format!("the value {:?}", cut(&field.name)),
                "be in a field of a file",
                &field.column_type,
            )
            .help("Give rows to `predict_many`.")),
            _ => Ok(()),
        };
        self.parts.fields.iter().try_for_each(column)?;
        let typed = self.parts.fields.iter().map(|field| match &field.column_type {
            ColumnType::Image => (field.name.as_str(), &ColumnType::Text),
            other => (field.name.as_str(), other),
        });
        Ok(typed.collect())
    }
}

/// Adds what to do if a file is not in the form of the training file.
fn of_another_form(error: Error) -> Error {
    error.help(
        "The file is read in the form of the training file; if it has another separator or other names, read it by `Csv` and \
         give the table to `predict_table`.",
    )
}
