//! [`Csv`]: reads a CSV file whose form is guessed, printed, and corrected by the user.

use super::guess::guess;
use super::number::NumberForm;
use super::origin::{Origin, Remark};
use super::pieces::TablePieces;
use super::settings::Settings;
use super::source::Source;
use super::{ColumnType, CsvForm, DateFormat, Table, summary};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Reads a CSV file as it is: plain or compressed by gzip, with any separator, and with gaps.
///
/// What the settings do not say is guessed from the whole file: separator, decimal mark, header, the type of each
/// column. Print the table to see what was taken for what, and correct what is wrong by a setting:
///
/// ```
/// use plywood::data::{ColumnType, Csv};
///
/// let file = "name;price;sold;code\nchair;12,50;31.01.2024;7\ntable;?;28.02.2024;9\nlamp;8;01.03.2024;7\n";
/// let csv = Csv::bytes("shop.csv", file).column("code", ColumnType::Category);
/// let table = csv.read()?;
/// assert_eq!(table.column("price")?.as_numbers()?[0], 12.5); // a decimal comma, as nothing else fits
/// assert_eq!(table.column("price")?.missing(), 1); // `?` and others are marks of missing values
/// assert_eq!(table.column("code")?.column_type(), &ColumnType::Category); // and no number, as it is said
/// println!("{table}"); // the types of all columns
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// **What is ambiguous is an error** that shows the readings, until a setting says which: dates that may be day and
/// month or month and day; `839.390` in a file that does not show whether its points are decimal marks; two separators
/// that fit. `nan` and `inf` are never numbers. Numbers with leading zeros are categories. Ids and constants are kept,
/// and remarked.
///
/// Missing is what is empty, or is one of `NA`, `N/A`, `n/a`, `#N/A`, `<NA>`, `NaN`, `nan`, `null`, `NULL`, `?`, `-`, `.`;
/// and `None` and `none`, but in columns of words these are words. [`missing`](Csv::missing) and
/// [`present`](Csv::present) change that.
///
/// Rows are counted from 1, without the header, lines of comment and skipped rows.
#[derive(Clone, Debug)]
#[must_use = "`read` returns the table"]
pub struct Csv {
    source: Source,
    settings: Settings,
    most_unpacked: Option<u64>,
}

impl Csv {
    /// A file on disk. It is read several times.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Source::File(path.into()))
    }

    /// A file in memory, which errors name by `name`.
    pub fn bytes(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self::of(Source::Bytes(name.into(), bytes.as_ref().into()))
    }

    fn of(source: Source) -> Self {
        Self { source, settings: Settings::default(), most_unpacked: None }
    }

    /// Says the byte between fields: `b','`, `b';'`, `b'\t'`, `b'|'`, or another.
    pub fn separator(mut self, byte: u8) -> Self {
        self.settings.separator = Some(byte);
        self
    }

    /// Says whether the decimal mark is a comma, or else a point, in all columns.
    pub fn decimal_comma(mut self, comma: bool) -> Self {
        self.settings.decimal = Some(if comma { ',' } else { '.' });
        self
    }

    /// Says what is between groups of three digits, such as `Some('\'')` for 1'234.5; `None` for nothing. By default it
    /// may be a comma, or a point if the decimal mark is a comma.
    pub fn thousands(mut self, mark: impl Into<Option<char>>) -> Self {
        self.settings.thousands = Some(self.sound_mark(mark.into()));
        self
    }

    /// Says the decimal mark of one column, `'.'` or `','`, and what is between its groups of three digits.
    pub fn number_format(
        mut self,
        column: impl Into<String>,
        decimal: char,
        thousands: impl Into<Option<char>>,
    ) -> Self {
        let thousands = self.sound_mark(thousands.into());
        if !matches!(decimal, '.' | ',') || thousands == Some(decimal) {
            self.fault(format!("the decimal mark {decimal:?} with {thousands:?} between thousands"));
        }
        self.settings.formats.push((column.into(), NumberForm { decimal, thousands }));
        self
    }

    fn sound_mark(&mut self, mark: Option<char>) -> Option<char> {
        if let Some(mark) = mark.filter(|mark| mark.is_alphanumeric() || "+-\"\r\n".contains(*mark)) {
            self.fault(format!("{mark:?} between thousands"));
        }
        mark
    }

    fn fault(&mut self, what: String) {
        self.settings.fault.get_or_insert(what);
    }

    /// Says whether the first record has the names of the columns. Without a header they are "0", "1", "2" and so on.
    pub fn header(mut self, header: bool) -> Self {
        self.settings.header = Some(header);
        self
    }

    /// Adds marks of missing values, such as `k.A.` or `-999`.
    pub fn missing<S: Into<String>>(mut self, marks: impl IntoIterator<Item = S>) -> Self {
        self.settings.missing.extend(crate::data::class_names::trimmed(marks));
        self
    }

    /// Takes usual marks of missing values for words, such as `NA` for Namibia.
    pub fn present<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.settings.present.extend(crate::data::class_names::trimmed(words));
        self
    }

    /// Leaves out lines that begin with this text; with an empty one none. By default it is `#` if the file begins with
    /// such lines.
    pub fn comment(mut self, start: impl Into<String>) -> Self {
        self.settings.comment = Some(start.into());
        self
    }

    /// Leaves out the first `rows` rows under the header, which are no data: formats, units.
    pub fn skip_rows(mut self, rows: u32) -> Self {
        self.settings.skipped = rows;
        self
    }

    /// Says whether quotes around a field mean that it may hold separators and line ends. By default they do, but not in
    /// a file with tabs whose quotes do not come in pairs.
    pub fn quotes(mut self, quotes: bool) -> Self {
        self.settings.quotes = Some(quotes);
        self
    }

    /// Says the encoding, by a name of the [Encoding Standard](https://encoding.spec.whatwg.org/#names-and-labels), such
    /// as "windows-1252". Others than UTF-8 need the feature `csv`. By default it is UTF-8, or UTF-16 if the file begins
    /// with its mark.
    pub fn encoding(mut self, name: impl Into<String>) -> Self {
        self.settings.encoding = Some(name.into());
        self
    }

    /// Says the type of a column.
    pub fn column(mut self, name: impl Into<String>, column_type: ColumnType) -> Self {
        let name = name.into();
        if matches!(column_type, ColumnType::Image | ColumnType::Array(_)) {
            self.fault(format!("{column_type} in the fields of column {name:?}"));
        }
        self.settings.types.push((name, column_type));
        self
    }

    /// Says the form of the dates of a column, as [`DateFormat`] has them: `"%d.%m.%Y"`.
    pub fn date(mut self, name: impl Into<String>, format: &str) -> Self {
        match DateFormat::new(format) {
            Ok(format) => self.column(name, ColumnType::Date(format)),
            Err(_) => {
                self.fault(format!("{format:?} as a form of dates"));
                self
            }
        }
    }

    /// Leaves these columns out.
    pub fn ignore<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.settings.ignored.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the most bytes that a file compressed by gzip may unpack to, where each line end counts 64 more; the default
    /// is 1 GiB for [`read`](Csv::read), and none for [`pieces`](Csv::pieces).
    pub fn most_unpacked(mut self, bytes: u64) -> Self {
        self.most_unpacked = Some(bytes);
        self
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// When the file cannot be read, is ambiguous, or is faulty: a row with more or fewer fields than the header, a
    /// quote that is never closed, bytes that are not of the encoding. When a setting names a column that is not there,
    /// or a value is none of the type that was said. The text names row and column, and the setting that helps.
    pub fn read(&self) -> Result<Table> {
        let most = self.most_unpacked.unwrap_or(1 << 30);
        let (form, mut remarks) = self.guess(most)?;
        let mut pieces = self.begin(&form, (usize::MAX, most))?;
        let table = pieces.next().unwrap_or_else(|| {
            Err(Error::format("the file", "have rows", "none").help("It has changed while it was read."))
        })?;
        remarks.extend(self.nearly_marks(&table));
        remarks.extend(summary::remarks(&table));
        Ok(table.with_origin(Origin::new(self.source.name(), form, remarks)))
    }

    /// Reads the file as tables of at most `rows` rows each, in memory for one such table. Before, it is looked through
    /// once for its form, in as little memory.
    ///
    /// To read many files of one form, see [`CsvForm::pieces`].
    ///
    /// ```
    /// use plywood::data::Csv;
    ///
    /// let file = "x,y\n1,a\n2,b\n3,a\n";
    /// let rows: plywood::Result<Vec<usize>> =
    ///     Csv::bytes("f.csv", file).pieces(2)?.map(|piece| Ok(piece?.rows())).collect();
    /// assert_eq!(rows?, [2, 1]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`read`](Csv::read).
    pub fn pieces(&self, rows: usize) -> Result<TablePieces> {
        let most = self.most_unpacked.unwrap_or(u64::MAX);
        let (form, _) = self.guess(most)?;
        self.begin(&form, (rows, most))
    }

    fn guess(&self, most: u64) -> Result<(CsvForm, Vec<Remark>)> {
        guess(&self.source, &self.settings, most).map_err(|error| {
            // Quotes that do not come in pairs.
            let torn = error.parts().1.starts_with("Write a quote inside of quotes twice");
            let remedy = "Write a quote inside of quotes twice; or, if quotes mean nothing in this file, \
                          `.quotes(false)`.";
            let error = if torn { error.help(remedy) } else { error };
            error.at(self.source.name())
        })
    }

    fn begin(&self, form: &CsvForm, limits: (usize, u64)) -> Result<TablePieces> {
        let columns: Vec<(&str, &ColumnType)> = form.columns().collect();
        let name = self.source.name();
        let source = self.source.open().map_err(|error| error.at(&name))?;
        let mut pieces = TablePieces::new(form, source, name, &columns, limits)?;
        if let Source::File(path) = &self.source {
            pieces.folder = path.parent().map(Path::to_owned);
        }
        Ok(pieces)
    }

    /// Remarks on words that would be marks of missing values in other cases.
    fn nearly_marks(&self, table: &Table) -> Vec<Remark> {
        let categories = table.columns().filter_map(|column| Some((column, column.as_categories().ok()?)));
        let words =
            categories.flat_map(|(column, words)| words.words().iter().map(move |word| (column, word)));
        let near = words.filter(|(_, word)| self.settings.is_nearly_a_mark(word));
        near.map(|(column, word)| {
            let text =
                format!("{word:?} is taken for a value; if that means missing, `.missing([{word:?}])`");
            Remark::of(column.name(), text)
        })
        .collect()
    }
}

impl Table {
    /// Reads a CSV file as it is: short for [`Csv::file`]`(path).read()`. Print the table to see what each column was
    /// taken for.
    ///
    /// # Errors
    /// As those of [`Csv::read`].
    pub fn csv(path: impl Into<PathBuf>) -> Result<Self> {
        Csv::file(path).read()
    }
}
