//! Labelled texts out of CSV files.
//!
//! The format is RFC 4180's: a header line, fields between commas, quoted where they hold commas, quotes or line ends.
//! Files may be compressed by gzip, which is recognised by its first two bytes.

use super::labelled::LabelledTexts;
use super::quotes::Quotes;
use crate::error::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes that are read, after decompression: 4 GiB.
///
/// It guards against small files that decompress to more than the machine has.
const MAX_BYTES: u64 = 1 << 32;

/// How labelled texts are read out of CSV: which columns, which classes, and what becomes of faulty rows.
///
/// ```
/// use plywood::TextCsv;
///
/// let csv = TextCsv::columns("label", "text");
/// let train = csv.read_from("label,text\ngames,chess\nnet,a server\n".as_bytes(), "train.csv")?;
///
/// // Test rows: an empty text, a class that was not trained on, a field too many.
/// let file = "label,text\nnet,\ntime,a clock\nnet,a proxy\nnet,fast, small\n";
/// let csv = csv.classes(train.texts.class_names().to_vec());
/// assert_eq!(
///     csv.read_from(file.as_bytes(), "test.csv").unwrap_err().to_string(),
///     "test.csv: expected row 1, column \"text\" to be a text, found nothing. \
///      Fill it in, or leave such rows out by `TextCsv::skip_faulty`."
/// );
/// let test = csv.skip_faulty().read_from(file.as_bytes(), "test.csv")?;
/// assert_eq!((test.texts.len(), test.texts.labels()), (1, &[1][..])); // "net" is class 1 here too
/// assert_eq!(test.skipped.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 4]);
/// println!("{test}"); // says how many rows were left out, and why each was
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// A row is faulty when it has more or fewer fields than the header, its label or its text is empty or not UTF-8, or
/// its label is none of the [`classes`](TextCsv::classes) where those were given. Other columns are passed over, and
/// so are empty lines. [`LabelledTexts::read_csv`] is the short form.
///
/// Quotes that do not fit are an error in any case, since nobody can tell which rows they have swallowed: a field
/// whose quote is never closed, or with something behind its closing quote (pandas and the `csv` crate take both for
/// a long field).
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` is called"]
pub struct TextCsv {
    label: String,
    text: String,
    /// Empty where the labels of the file are the classes.
    classes: Vec<String>,
    skip: bool,
}

/// The texts of a CSV file, and the rows that were left out.
///
/// Its `Display` says how many texts there are, and lists the rows that were left out.
#[derive(Debug)]
#[non_exhaustive]
pub struct TextRows {
    /// The texts that were read.
    pub texts: LabelledTexts,
    /// The rows that were left out, each with the reason; the first row below the header is 1. Empty unless
    /// [`TextCsv::skip_faulty`] was called.
    pub skipped: Vec<(usize, Error)>,
}

impl TextCsv {
    /// Labels and texts from the columns of these names.
    pub fn columns(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self { label: label.into(), text: text.into(), classes: Vec::new(), skip: false }
    }

    /// The classes there are, in the order of their indices: for test texts, those that the model was trained on.
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves faulty rows out, and lists them in [`TextRows::skipped`].
    pub fn skip_faulty(mut self) -> Self {
        self.skip = true;
        self
    }

    /// Reads a file, plain or compressed by gzip.
    ///
    /// # Errors
    /// When the file cannot be read, is longer than 4 GiB, lacks a column, or has quotes that do not fit; and for the
    /// first faulty row, unless [`skip_faulty`](TextCsv::skip_faulty) was called.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<TextRows> {
        let path = path.as_ref();
        let file = File::open(path)
            .map_err(|e| Error::io("open", path, e).help("Check the path and the permission to read it."))?;
        self.read_from(io::BufReader::new(file), &path.display().to_string())
    }

    /// Reads from anything that gives bytes; `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`read`](TextCsv::read).
    pub fn read_from(&self, mut source: impl Read, name: &str) -> Result<TextRows> {
        let mut start = Vec::new();
        (&mut source)
            .take(2)
            .read_to_end(&mut start)
            .map_err(|e| Error::io("read", name, e).help("Check that the file is a readable file."))?;
        let gzip = start == [0x1f, 0x8b];
        let source = io::Cursor::new(start).chain(source);
        let rows = if gzip { self.rows(MultiGzDecoder::new(source), name) } else { self.rows(source, name) };
        rows.map_err(|error| error.at(name))
    }

    /// The rows, from bytes that are no longer compressed.
    fn rows(&self, mut source: impl Read, name: &str) -> Result<TextRows> {
        let failed = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => {
                Error::io("read", name, error).help("The file is damaged or cut off, or on a failing disk.")
            }
            kind => Error::format("the file", "CSV", format!("{kind:?}")).help("Look at it in an editor."),
        };
        let mut start = Vec::new();
        (&mut source).take(3).read_to_end(&mut start).map_err(|error| failed(error.into()))?;
        if start == *b"\xef\xbb\xbf" {
            start.clear(); // the mark that some programs put before UTF-8
        }
        let source = Quotes::new(io::Cursor::new(start).chain(source).take(MAX_BYTES));
        // Lengths of rows are checked here, where the row can be named.
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
        let mut record = ByteRecord::new();
        reader.read_byte_record(&mut record).map_err(failed)?;
        if let Some(fault) = reader.get_ref().fault(0, reader.position().byte()) {
            return Err(torn("the header".to_owned(), fault));
        }
        let header: Vec<String> =
            record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        let place = [column(&header, &self.label)?, column(&header, &self.text)?];
        let (mut texts, mut labels, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        let mut number = 0;
        while reader.read_byte_record(&mut record).map_err(failed)? {
            number += 1;
            let from = record.position().map_or(0, csv::Position::byte);
            if let Some(fault) = reader.get_ref().fault(from, reader.position().byte()) {
                return Err(torn(format!("row {number}"), fault));
            }
            match self.row(&record, &header, place, number) {
                Ok([label, text]) => {
                    labels.push(label.to_owned());
                    texts.push(text.to_owned());
                }
                Err(error) if self.skip => skipped.push((number, error.at(name))),
                Err(error) => return Err(error),
            }
        }
        if reader.position().byte() >= MAX_BYTES {
            return Err(Error::format("the file", format!("shorter than {MAX_BYTES} bytes"), "more")
                .help("It is made to fill the memory, or has to be split."));
        }
        let texts = match &self.classes[..] {
            [] => LabelledTexts::new(texts, &labels)?,
            names => LabelledTexts::with_classes(texts, &labels, names.to_vec())?,
        };
        Ok(TextRows { texts, skipped })
    }

    /// Label and text of a row.
    fn row<'a>(
        &self,
        record: &'a ByteRecord,
        header: &[String],
        place: [usize; 2],
        number: usize,
    ) -> Result<[&'a str; 2]> {
        if record.len() != header.len() {
            let expected = format!("{} fields, as the header has", header.len());
            return Err(Error::format(format!("row {number}"), expected, record.len()).help(
                "Put quotes around fields with commas or line ends, \
                 or leave such rows out by `TextCsv::skip_faulty`.",
            ));
        }
        let fault = |i: usize, expected: String, found: String, help: &str| {
            Error::format(format!("row {number}, column {:?}", header[place[i]]), expected, found).help(help)
        };
        let mut fields = [""; 2];
        for (i, what) in ["a label", "a text"].into_iter().enumerate() {
            let field = std::str::from_utf8(&record[place[i]]);
            fields[i] = field.map_err(|error| {
                fault(i, "UTF-8".to_owned(), error.to_string(), "Save the file as UTF-8.")
            })?;
            if fields[i].trim().is_empty() {
                let help = "Fill it in, or leave such rows out by `TextCsv::skip_faulty`.";
                return Err(fault(i, what.to_owned(), "nothing".to_owned(), help));
            }
        }
        if !self.classes.is_empty() && !self.classes.iter().any(|name| name == fields[0]) {
            let expected = format!("one of the {} classes ({})", self.classes.len(), self.classes.join(", "));
            let help = "Train on data with this class, or leave such rows out by `TextCsv::skip_faulty`.";
            return Err(fault(0, expected, format!("{:?}", fields[0]), help));
        }
        Ok(fields)
    }
}

/// Where the column of this name is.
fn column(header: &[String], wanted: &str) -> Result<usize> {
    header.iter().position(|name| name == wanted).ok_or_else(|| {
        let expected = format!("one with a column {wanted:?}");
        let found = header.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let found = if found.is_empty() { "an empty file".to_owned() } else { found };
        Error::format("the header", expected, found).help("Name a column that is there.")
    })
}

/// The error of quotes that do not fit.
fn torn(what: String, fault: &str) -> Error {
    Error::format(what, "a row whose quotes are in pairs", fault)
        .help("Write a quote inside of quotes twice; rows behind it cannot be told apart.")
}

/// The counts, and the rows that were left out.
impl fmt::Display for TextRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let texts = count(self.texts.len(), "text", "texts");
        write!(f, "{texts} in {}", count(self.texts.class_names().len(), "class", "classes"))?;
        if !self.skipped.is_empty() {
            write!(f, "\n{} left out:", count(self.skipped.len(), "row", "rows"))?;
        }
        self.skipped.iter().try_for_each(|(_, error)| write!(f, "\n  {error}"))
    }
}

impl LabelledTexts {
    /// Reads a CSV file, plain or compressed by gzip, with a header that names these two columns.
    ///
    /// ```no_run
    /// use plywood::LabelledTexts;
    ///
    /// let data = LabelledTexts::read_csv("packages.csv.gz", "label", "text")?;
    /// println!("{} texts in {} classes", data.len(), data.class_names().len());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// It is `TextCsv::columns(label, text).read(path)`: a faulty row is an error. [`TextCsv`] can leave such rows
    /// out, and be given the classes there are.
    ///
    /// # Errors
    /// As [`TextCsv::read`]; it names the row (the first below the header is row 1) and the column.
    pub fn read_csv(path: impl AsRef<Path>, label: &str, text: &str) -> Result<Self> {
        Ok(TextCsv::columns(label, text).read(path)?.texts)
    }

    /// Reads CSV from anything that gives bytes; `name` stands for it in errors.
    ///
    /// ```
    /// use plywood::LabelledTexts;
    ///
    /// let file = "id,label,text\n1,net,\"a server, fast\"\n2,games,chess\n";
    /// let data = LabelledTexts::csv_from(file.as_bytes(), "an example", "label", "text")?;
    /// assert_eq!((data.texts()[0].as_str(), data.labels()), ("a server, fast", &[1, 0][..]));
    ///
    /// let error = LabelledTexts::csv_from(file.as_bytes(), "an example", "class", "text").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "an example: expected the header to be one with a column \"class\", found \"id\", \"label\", \"text\". \
    ///      Name a column that is there."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_csv`](LabelledTexts::read_csv).
    pub fn csv_from(source: impl Read, name: &str, label: &str, text: &str) -> Result<Self> {
        Ok(TextCsv::columns(label, text).read_from(source, name)?.texts)
    }
}
