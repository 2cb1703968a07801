//! Labelled texts from CSV files.

use super::columns::Labels;
use super::header::{Format, Header, csv_settings};
use super::records::{Fields, Records, check_label, is_spaced, open, text};
use super::unpacked::unpacked;
use crate::data::text::LabelledTexts;
use crate::error::{Error, Result};
use crate::shown::count;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// The settings for reading labelled texts from CSV: columns, classes, and the treatment of faulty rows.
///
/// ```
/// use plywood::data::TextCsv;
///
/// let csv = TextCsv::columns("label", "text");
/// let train = csv.read_from("label,text\ngames,chess\nnet,a server\n".as_bytes(), "train.csv")?;
///
/// // Test rows: an empty text, a class that was not trained on, a field too many.
/// let file = "label,text\nnet,\ntime,a clock\nnet,a proxy\nnet,fast, small\n";
/// let csv = csv.classes(train.texts.class_names().to_vec());
/// assert_eq!(
///     csv.read_from(file.as_bytes(), "test.csv").unwrap_err().to_string(),
///     "test.csv: row 1, column \"text\" must be a text, got nothing. Fill it in, or leave such rows out with \
///      `skip_faulty`."
/// );
/// let test = csv.skip_faulty(true).read_from(file.as_bytes(), "test.csv")?;
/// assert_eq!((test.texts.len(), test.texts.labels()), (1, &[1][..])); // "net" is class 1 here too
/// assert_eq!(test.skipped.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 4]);
/// println!("{test}"); // says how many rows were left out, and why each was
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The format is that of RFC 4180: a header, fields between commas or another [`separator`](TextCsv::separator), in
/// quotes if they hold separators, quotes or line ends. Files may be compressed by gzip, which is recognized by their
/// first two bytes. Spaces at the ends of column names and labels are removed. Two columns with the same name are an
/// error. [`LabelledTexts::read_csv`] is the short form.
///
/// A row is faulty if it has more or fewer fields than the header, if its label or its text is missing or not UTF-8,
/// if its label is behind a space and a quote (the quote would become part of the class's name), or if its label is
/// not one of the given [`classes`](TextCsv::classes). Other columns and empty lines are ignored. Labels that look
/// like missing values are classes, with a remark ([`LabelledTexts::remarks`]), unless [`missing`](TextCsv::missing)
/// names them.
///
/// Quotes that do not match are an error in any case, because it is unknown how many rows they affect: a quote that
/// is never closed, or text behind a closing quote (pandas reads both as one long field).
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` is called"]
pub struct TextCsv {
    label: String,
    text: String,
    /// Empty if the labels in the file determine the classes.
    classes: Vec<String>,
    format: Format,
}

/// The texts of a CSV file, and the rows that were left out.
///
/// Its `Display` shows the number of texts, and the remarks ([`LabelledTexts::remarks`]) on classes and on rows that
/// were left out, with the reasons for the first ones.
#[derive(Debug)]
#[non_exhaustive]
pub struct TextRows {
    /// The texts that were read.
    pub texts: LabelledTexts,
    /// The number of rows that were left out: 0 unless [`TextCsv::skip_faulty`] was called.
    pub left_out: usize,
    /// The first 1,000 of these rows, each with the reason; the first row below the header is 1. The list is limited
    /// because a reason takes more memory than most rows.
    pub skipped: Vec<(usize, Error)>,
}

/// The most rows in [`TextRows::skipped`].
const MOST_SKIPPED: usize = 1000;

impl TextCsv {
    /// Reads labels and texts from the columns with these names.
    pub fn columns(label: impl Into<String>, text: impl Into<String>) -> Self {
        let [label, text] = [label.into(), text.into()].map(|name| name.trim().to_owned());
        Self { label, text, classes: Vec::new(), format: Format::default() }
    }

    /// Sets whether faulty rows are left out and the first ones listed in [`TextRows::skipped`]. By default they are
    /// an error. Their number, and the first ones, are among the texts' [`remarks`](LabelledTexts::remarks).
    pub fn skip_faulty(mut self, skip: bool) -> Self {
        self.format.skip = skip;
        self
    }

    /// Reads a file, plain or compressed by gzip.
    ///
    /// # Errors
    /// When the file cannot be read or unpacks to more than `most_unpacked`, lacks a column, has two columns of one
    /// name, or has quotes that do not match; and for the first faulty row, unless
    /// [`skip_faulty`](TextCsv::skip_faulty) was called.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<TextRows> {
        self.read_from(open(path.as_ref())?, &path.as_ref().display().to_string())
    }

    /// Reads from any source of bytes; `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`read`](TextCsv::read).
    pub fn read_from(&self, source: impl Read, name: &str) -> Result<TextRows> {
        unpacked(source, name, self.format.most_unpacked)
            .and_then(|source| self.rows(source, name))
            .map_err(|error| error.at(name))
    }

    /// Reads the rows from unpacked bytes.
    fn rows(&self, source: Box<dyn Read + '_>, name: &str) -> Result<TextRows> {
        // Labels are stored as indices: the text of each row's label would take more memory than most files.
        let mut labels = Labels::new(&self.classes)?;
        let separator = self.format.separator;
        let mut records = Records::new(source, name, separator)?;
        let header = Header::read(&mut records, separator)?;
        let place = [header.place(&self.label)?, header.place(&self.text)?];
        header.check_different()?;
        if place[0] == place[1] {
            return Err(Error::argument(
                "the columns",
                "different, one for labels and one for texts",
                format!("{:?} for both", self.text),
            )
            .help("Name two columns: a text that is its own label teaches nothing."));
        }
        let mut texts = Vec::new();
        let (_, left_out) = self.format.each_row(&mut records, MOST_SKIPPED, |record| {
            let fields = Fields::new(record.text, separator, record.number).collect::<Result<Vec<_>>>()?;
            let (class, text) = self.row(&fields, &header, place, record.number, &mut labels)?;
            labels.add(class);
            texts.push(text);
            Ok(())
        })?;
        let (labels, names, mut remarks) = labels.with_remarks();
        remarks.extend(left_out.remark(name));
        // The remark names the file once; each error in `skipped` names it itself.
        let skipped = left_out.first.into_iter().map(|(row, error)| (row, error.at(name))).collect();
        let texts = LabelledTexts::of(texts, labels, names, remarks);
        Ok(TextRows { texts, left_out: left_out.count, skipped })
    }

    /// Returns the class and the text of a row.
    fn row(
        &self,
        fields: &[std::borrow::Cow<'_, [u8]>],
        header: &Header,
        place: [usize; 2],
        number: usize,
        labels: &mut Labels,
    ) -> Result<(usize, String)> {
        if fields.len() != header.names.len() {
            let spaced = fields.iter().any(is_spaced);
            return Err(Format::wrong_length(number, header.names.len(), fields.len(), spaced));
        }
        let what = |i: usize| format!("row {number}, column {:?}", header.names[place[i]]);
        let [label, content] = [0, 1].map(|i| text(&fields[place[i]], || what(i)));
        let (label, content) = (label?, content?);
        for (i, (field, expected)) in [(label, "be a label"), (content, "be a text")].into_iter().enumerate()
        {
            if let Some(nothing) = self.format.nothing(field) {
                return Err(Error::format(what(i), expected, nothing)
                    .help("Fill it in, or leave such rows out with `skip_faulty`."));
            }
        }
        check_label(&fields[place[0]], || what(0))?;
        let class = labels.class(label, || what(0))?;
        Ok((class, String::from_utf8_lossy(&fields[place[1]]).into_owned()))
    }
}

csv_settings! {
    TextCsv:
    ;
    /// Sets marks that stand for a missing label or text, besides an empty field: `["?", "NA"]`.
    ///
    /// ```
    /// use plywood::data::TextCsv;
    ///
    /// let (file, csv) = ("kind,text\na,one\nNA,two\n", TextCsv::columns("kind", "text"));
    /// let read = csv.read_from(file.as_bytes(), "f.csv")?.texts;
    /// assert!(read.class_names().len() == 2 && read.remarks()[0].starts_with("\"NA\" is a class, of 1 row, and"));
    /// assert_eq!(
    ///     csv.missing(["NA"]).read_from(file.as_bytes(), "f.csv").unwrap_err().to_string(),
    ///     "f.csv: row 2, column \"kind\" must be a label, got nothing, by the mark \"NA\". Fill it in, or leave \
    ///      such rows out with `skip_faulty`."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
}

/// Shows the counts and the remarks, with the first rows that were left out.
impl fmt::Display for TextRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = count(self.texts.len(), "text", "texts");
        write!(f, "{texts} in {}", count(self.texts.class_names().len(), "class", "classes"))?;
        self.texts.remarks().iter().try_for_each(|remark| write!(f, "\n{remark}"))
    }
}

impl LabelledTexts {
    /// Reads a CSV file, plain or compressed by gzip, with a header that names these two columns.
    ///
    /// ```no_run
    /// use plywood::data::LabelledTexts;
    ///
    /// let data = LabelledTexts::read_csv("packages.csv.gz", "label", "text")?;
    /// println!("{} texts in {} classes", data.len(), data.class_names().len());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// It is `TextCsv::columns(label, text).read(path)`: a faulty row is an error. [`TextCsv`] can leave such rows
    /// out, and take a list of classes.
    ///
    /// # Errors
    /// As [`TextCsv::read`]. The error names the row (the first below the header is row 1) and the column.
    pub fn read_csv(path: impl AsRef<Path>, label: &str, text: &str) -> Result<Self> {
        Ok(TextCsv::columns(label, text).read(path)?.texts)
    }

    /// Reads CSV from any source of bytes; `name` stands for it in errors.
    ///
    /// ```
    /// use plywood::data::LabelledTexts;
    ///
    /// let file = "id,label,text\n1,net,\"a server, fast\"\n2,games,chess\n";
    /// let data = LabelledTexts::csv_from(file.as_bytes(), "an example", "label", "text")?;
    /// assert_eq!((data.texts()[0].as_str(), data.labels()), ("a server, fast", &[1, 0][..]));
    ///
    /// let error = LabelledTexts::csv_from(file.as_bytes(), "an example", "class", "text").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "an example: the header must have a column \"class\", got \"id\", \"label\", \"text\". Name a \
    ///      column that exists."
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
