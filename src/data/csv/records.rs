//! The CSV format, shared by all readers: bytes to records, and records to fields.
//!
//! The format is that of RFC 4180, with any byte between fields. A field in quotes may hold separators, line ends,
//! and doubled quotes:
//!
//! ```text
//!             quote                quote               separator or line end
//! field's start ──> inside of quotes <──> behind a quote ──> field's start
//! ```
//!
//! Two faults are an error even if faulty rows are left out, because it is unknown how many rows they affect: text
//! behind a closing quote, and an end of the file inside of quotes. (pandas and others read both as one long field.)

use crate::error::{Error, Result};
use crate::shown::cut;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest record that is read, in bytes. It limits the memory for a file without line ends, or with a quote that
/// is never closed.
const LONGEST: u64 = 1 << 24;

/// Iterates over the records of a file; empty lines are skipped.
pub(in crate::data) struct Records<'a, R> {
    source: BufReader<R>,
    /// The name of the source in errors.
    name: Cow<'a, str>,
    separator: u8,
    /// Whether quotes around fields mean anything.
    quotes: bool,
    /// What lines that are left out begin with.
    comment: Vec<u8>,
    bytes: Vec<u8>,
    /// The offset of the next line.
    next: u64,
    /// The number of records read, the header included.
    count: usize,
}

/// One record of a file.
pub(in crate::data) struct Record<'a> {
    /// The offset of its line in the source.
    pub place: u64,
    /// 0 for the header, 1 for the first row below it.
    pub number: usize,
    /// Without its line end.
    pub text: &'a [u8],
}

/// The name of a record in errors.
pub(super) fn what(number: usize) -> String {
    if number == 0 { "the header".to_owned() } else { format!("row {number}") }
}

impl<'a, R: Read> Records<'a, R> {
    pub fn new(source: R, name: impl Into<Cow<'a, str>>, separator: u8) -> Result<Self> {
        if matches!(separator, b'"' | b'\n' | b'\r') {
            let found = format!("{:?}", char::from(separator));
            return Err(Error::argument("the separator", "a byte other than a quote or a line end", found)
                .help("`,`, `;`, a tab and `|` are usual."));
        }
        let source = BufReader::with_capacity(1 << 16, source);
        let (name, bytes, comment) = (name.into(), Vec::new(), Vec::new());
        Ok(Self { source, name, separator, quotes: true, comment, bytes, next: 0, count: 0 })
    }

    /// Sets whether quotes around fields mean anything, what lines that are left out begin with (empty for none), and
    /// whether the first record is a header: if not, it is row 1.
    pub fn with(mut self, quotes: bool, comment: &str, header: bool) -> Self {
        (self.quotes, self.comment, self.count) = (quotes, comment.into(), usize::from(!header));
        self
    }

    /// Returns the next record, or `None` at the end.
    pub fn read(&mut self) -> Result<Option<Record<'_>>> {
        let (mut from, mut end) = (0, 0);
        let mut place = self.next;
        while from == end {
            place = self.next;
            if !self.read_lines()? {
                return Ok(None);
            }
            self.next += self.bytes.len() as u64;
            from = mark_of_utf8(place, &self.bytes);
            end = from + without_end(&self.bytes[from..]).len();
            if self.is_comment(from) {
                end = from;
            }
        }
        self.count += 1;
        Ok(Some(Record { place, number: self.count - 1, text: &self.bytes[from..end] }))
    }

    /// Returns the next record, under the number of the last one, which does not count.
    pub fn read_again(&mut self) -> Result<Option<Record<'_>>> {
        self.count -= 1;
        self.read()
    }

    /// Whether the line that begins there is to be left out.
    fn is_comment(&self, from: usize) -> bool {
        !self.comment.is_empty() && self.bytes[from..].starts_with(&self.comment)
    }

    /// Leaves the next record out, without counting it.
    pub fn skip(&mut self) -> Result<bool> {
        let found = self.read()?.is_some();
        self.count -= usize::from(found);
        Ok(found)
    }

    /// Reads a line, and further lines while a quote is open. Returns false at the end of the source.
    fn read_lines(&mut self) -> Result<bool> {
        self.bytes.clear();
        let mut open = false;
        loop {
            let begin = self.bytes.len();
            let mut room = (&mut self.source).take(LONGEST + 1 - begin as u64);
            let read =
                room.read_until(b'\n', &mut self.bytes).map_err(|error| unreadable(error, &self.name))?;
            if self.bytes.len() as u64 > LONGEST {
                let (expected, found) = (format!("have at most {LONGEST} bytes"), "more");
                return Err(Error::format(what(self.count), expected, found)
                    .help("Look for line ends that are missing, or a quote that is never closed."));
            }
            let mark = if begin == 0 { mark_of_utf8(self.next, &self.bytes) } else { 0 };
            let skipped = begin == 0 && self.is_comment(mark);
            open = self.quotes && !skipped && is_open(open, &self.bytes[begin + mark..], self.separator);
            if open && read == 0 {
                return Err(torn(self.count, "a quote that is never closed"));
            }
            if !open {
                return Ok(!self.bytes.is_empty());
            }
        }
    }
}

/// Returns the length of the byte order mark that some programs write at the beginning of a UTF-8 file.
fn mark_of_utf8(place: u64, bytes: &[u8]) -> usize {
    if place == 0 && bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// Strips `\n` or `\r\n`.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns whether a quote is open at the end of this line; `open` says whether one was open before it.
fn is_open(open: bool, line: &[u8], separator: u8) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Start,
        /// In a field without quotes, where a quote is an ordinary character.
        Plain,
        Inside,
        /// Behind a quote inside of quotes: it closes the field, or is the first of a doubled quote.
        Behind,
    }
    if !open && !line.contains(&b'"') {
        return false;
    }
    let begin = if open { State::Inside } else { State::Start };
    let end = line.iter().fold(begin, |state, &byte| match (state, byte) {
        (State::Inside, b'"') => State::Behind,
        (State::Inside, _) | (State::Start | State::Behind, b'"') => State::Inside,
        _ if byte == separator => State::Start,
        _ => State::Plain,
    });
    end == State::Inside
}

/// Returns the first record of these bytes, without its line end.
pub(super) fn first_record(bytes: &[u8], separator: u8) -> &[u8] {
    let (mut open, mut end) = (false, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        open = is_open(open, line, separator);
        end += line.len();
        if !open {
            break;
        }
    }
    without_end(&bytes[..end])
}

/// Iterates over the fields of a record, without their quotes.
#[derive(Clone)]
pub(in crate::data) struct Fields<'a> {
    /// The text behind the last separator; `None` at the end.
    rest: Option<&'a [u8]>,
    separator: u8,
    quotes: bool,
    /// The record's number, for errors.
    number: usize,
}

impl<'a> Fields<'a> {
    pub fn new(record: &'a [u8], separator: u8, number: usize) -> Self {
        Self { rest: Some(record), separator, quotes: true, number }
    }

    /// Sets whether quotes around fields mean anything.
    pub fn quotes(mut self, quotes: bool) -> Self {
        self.quotes = quotes;
        self
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Cow<'a, [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(quoted) = rest.strip_prefix(b"\"").filter(|_| self.quotes) else {
            let end = rest.iter().position(|&b| b == self.separator).unwrap_or(rest.len());
            self.rest = rest.get(end + 1..);
            return Some(Ok(Cow::Borrowed(&rest[..end])));
        };
        let (mut field, mut begin) = (Cow::Borrowed(&b""[..]), 0);
        loop {
            let Some(length) = quoted[begin..].iter().position(|&b| b == b'"') else {
                return Some(Err(torn(self.number, "a quote that is never closed")));
            };
            let piece = &quoted[begin..begin + length];
            if field.is_empty() {
                field = Cow::Borrowed(piece);
            } else {
                field.to_mut().extend_from_slice(piece);
            }
            begin += length + 1;
            match quoted.get(begin) {
                None => return Some(Ok(field)),
                Some(&byte) if byte == self.separator => {
                    self.rest = Some(&quoted[begin + 1..]);
                    return Some(Ok(field));
                }
                Some(b'"') => {
                    field.to_mut().push(b'"');
                    begin += 1;
                }
                Some(_) => {
                    let found = "a closing quote that is not followed by a separator or the end of the line";
                    return Some(Err(torn(self.number, found)));
                }
            }
        }
    }
}

/// The error of quotes that do not match.
fn torn(number: usize, found: &str) -> Error {
    Error::format(what(number), "have its quotes in pairs", found)
        .help("Write a quote inside of quotes twice; the rows after it cannot be told apart.")
}

/// Converts a field to text, without spaces at its ends. `what` describes its position for errors.
pub(super) fn text(field: &[u8], what: impl FnOnce() -> String) -> Result<&str> {
    str::from_utf8(field).map(str::trim).map_err(|error| {
        let at = error.valid_up_to();
        let byte = field.get(at).copied().unwrap_or_default();
        let found = format!("the byte 0x{byte:02x} in {:?}", cut(&String::from_utf8_lossy(field)));
        let help = if field.starts_with(b"\xff\xfe") || field.starts_with(b"\xfe\xff") {
            "It looks like UTF-16. Save the file as UTF-8: `iconv -f UTF-16 -t UTF-8`."
        } else {
            "Save the file as UTF-8; if it comes from Windows, `iconv -f WINDOWS-1252 -t UTF-8` may do it."
        };
        Error::format(what(), "be UTF-8", found).help(help)
    })
}

/// Returns whether a field begins with spaces and then a quote, which is then an ordinary character.
///
/// A doubled quote inside of quotes is intended, and does not count: such a field is an owned copy.
#[expect(clippy::ptr_arg, reason = "whether it is a copy says whether a quote in it was meant")]
pub(super) fn is_spaced(field: &Cow<'_, [u8]>) -> bool {
    let Cow::Borrowed(field) = field else { return false };
    let text = field.trim_ascii_start();
    text.len() < field.len() && text.starts_with(b"\"")
}

/// Returns an error for a label behind a space and a quote: it would become a class other than the intended one.
#[expect(clippy::ptr_arg, reason = "whether it is a copy says whether a quote in it was meant")]
pub(super) fn check_label(field: &Cow<'_, [u8]>, what: impl FnOnce() -> String) -> Result<()> {
    if !is_spaced(field) {
        return Ok(());
    }
    let found = format!("{:?}, with a space before the quote", cut(&String::from_utf8_lossy(field)));
    Err(Error::format(what(), "be a label with quotes around it or without quotes", found).help(SPACED))
}

/// Help for a quote behind a space.
pub(super) const SPACED: &str =
    "A quote opens a field only right after the separator: remove the spaces before it.";

/// Opens a file, to be read from its beginning.
pub(in crate::data) fn open(path: &Path) -> Result<File> {
    File::open(path)
        .map_err(|error| Error::io("open", path, error).help("Check the path and the permission to read it."))
}

/// The error of a source that fails while it is read.
pub(in crate::data) fn unreadable(error: io::Error, name: &str) -> Error {
    let help = match error.kind() {
        io::ErrorKind::FileTooLarge => "Raise `most_unpacked`, if you trust the file.",
        // These kinds come from the decoder, and from `Members` for other data behind the last member.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "Get the file again, or unpack it (`gunzip`) and give the file that comes out."
        }
        _ => "The file must be whole and readable.",
    };
    Error::io("read", name, error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records of a file as lists of fields.
    fn all(file: &[u8], separator: u8) -> Result<Vec<Vec<String>>> {
        let mut records = Records::new(file, "f", separator)?;
        let mut rows = Vec::new();
        while let Some(record) = records.read()? {
            let at = record.place as usize;
            let begins = &file[at + mark_of_utf8(at as u64, &file[at..])..];
            assert_eq!(first_record(begins, separator), record.text);
            let fields = Fields::new(record.text, separator, record.number);
            let fields = fields.map(|field| Ok(String::from_utf8_lossy(&field?).into_owned()));
            rows.push(fields.collect::<Result<Vec<_>>>()?);
        }
        Ok(rows)
    }

    #[test]
    fn quotes_line_ends_and_marks() {
        let file =
            b"\xef\xbb\xbf\"a,\r\nb\",c\r\n\r\n\n\"\",\"x\"\"\n\"\"\"\nit's 5\" long,\n\"last\",\"\n\"";
        let rows = all(file, b',').unwrap();
        assert_eq!(rows, [["a,\r\nb", "c"], ["", "x\"\n\""], ["it's 5\" long", ""], ["last", "\n"]]);
        assert_eq!(all(b"a;\"b;c\"\n1,5;2", b';').unwrap(), [["a", "b;c"], ["1,5", "2"]]);
        assert_eq!(all(b"", b',').unwrap().len(), 0);
    }

    #[test]
    fn quotes_that_do_not_fit_name_the_row_where_they_open() {
        for (file, row) in [(&b"a,b\n1,\"x\n2,y\n"[..], "row 1 must"), (b"\"a\n", "the header must")] {
            let error = all(file, b',').unwrap_err().to_string();
            assert!(error.starts_with(row) && error.contains("never closed"), "{error}");
        }
        let error = all(b"a,b\n1,\"x\n2,\"y\n", b',').unwrap_err().to_string();
        assert!(error.contains("a closing quote that is not followed by"), "{error}");
        for separator in [b'"', b'\n', b'\r'] {
            assert!(all(b"a", separator).is_err());
        }
    }

    #[test]
    fn odd_bytes_are_records_or_errors_and_a_stream_finds_the_same_ones() {
        let random = crate::random::Random::seed(3);
        let mut whole = 0;
        for case in 0..20_000 {
            let mut draws = random.at(0, case);
            let length = draws.below(24);
            let file: Vec<u8> = (0..length).map(|_| b"a\"\"\",;\n\n\r\xef\xff"[draws.below(11)]).collect();
            whole += usize::from(all(&file, b',').is_ok_and(|rows| rows.len() > 1));
        }
        assert!(whole > 1_000, "{whole}");
    }
}
