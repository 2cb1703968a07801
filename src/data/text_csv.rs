//! Labelled texts out of CSV files.
//!
//! The format is RFC 4180's: a header line, fields between commas, quoted where they hold commas, quotes or line ends.
//! Files may be compressed by gzip, which is recognised by its first two bytes.

use super::labelled::LabelledTexts;
use crate::error::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes that are read, after decompression: 4 GiB.
///
/// It guards against small files that decompress to more than the machine has.
const MAX_BYTES: u64 = 1 << 32;

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
    /// Other columns are passed over. A text may be empty, a label may not.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing, a row has more or fewer fields than the header, a field is
    /// not UTF-8, or a label is empty; it names the row (the first below the header is row 1) and the column.
    pub fn read_csv(path: impl AsRef<Path>, label: &str, text: &str) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path)
            .map_err(|e| Error::io("open", path, e).help("Check the path and the permission to read it."))?;
        Self::csv_from(io::BufReader::new(file), &path.display().to_string(), label, text)
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
    pub fn csv_from(mut source: impl Read, name: &str, label: &str, text: &str) -> Result<Self> {
        let mut start = Vec::new();
        (&mut source)
            .take(2)
            .read_to_end(&mut start)
            .map_err(|e| Error::io("read", name, e).help("Check that the file is a readable file."))?;
        let gzip = start == [0x1f, 0x8b];
        let source = io::Cursor::new(start).chain(source);
        let data = if gzip {
            read(MultiGzDecoder::new(source), name, label, text)
        } else {
            read(source, name, label, text)
        };
        data.map_err(|error| error.at(name))
    }
}

/// The rows, from bytes that are no longer compressed.
fn read(source: impl Read, name: &str, label: &str, text: &str) -> Result<LabelledTexts> {
    let failed = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => {
            Error::io("read", name, error).help("The file is damaged or cut off, or on a failing disk.")
        }
        kind => Error::format("the file", "CSV", format!("{kind:?}")).help("Look at it in an editor."),
    };
    let mut source = source;
    let mut start = Vec::new();
    (&mut source).take(3).read_to_end(&mut start).map_err(|error| failed(error.into()))?;
    if start == *b"\xef\xbb\xbf" {
        start.clear(); // the mark that some programs put before UTF-8
    }
    let source = io::Cursor::new(start).chain(source);
    // Lengths of rows are checked here, where the row can be named.
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source.take(MAX_BYTES));
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(failed)?;
    let header: Vec<String> =
        record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    let column = |wanted: &str| {
        header.iter().position(|name| name == wanted).ok_or_else(|| {
            let expected = format!("one with a column {wanted:?}");
            let found = header.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            let found = if found.is_empty() { "an empty file".to_owned() } else { found };
            Error::format("the header", expected, found).help("Name a column that is there.")
        })
    };
    let (label_column, text_column) = (column(label)?, column(text)?);
    let (mut texts, mut labels) = (Vec::new(), Vec::new());
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let row = texts.len() + 1;
        if record.len() != header.len() {
            let expected = format!("{} fields, as the header has", header.len());
            return Err(Error::format(format!("row {row}"), expected, record.len())
                .help("Put quotes around fields with commas or line ends."));
        }
        let field = |column: usize| {
            std::str::from_utf8(&record[column]).map_err(|error| {
                let what = format!("row {row}, column {:?}", header[column]);
                Error::format(what, "UTF-8", error).help("Save the file as UTF-8.")
            })
        };
        let (label, text) = (field(label_column)?, field(text_column)?);
        if label.is_empty() {
            let what = format!("row {row}, column {:?}", header[label_column]);
            return Err(Error::format(what, "a label", "nothing").help("Fill it in, or leave the row out."));
        }
        labels.push(label.to_owned());
        texts.push(text.to_owned());
    }
    if reader.position().byte() >= MAX_BYTES {
        return Err(Error::format("the file", format!("shorter than {MAX_BYTES} bytes"), "more")
            .help("It is made to fill the memory, or has to be split."));
    }
    LabelledTexts::new(texts, &labels)
}
