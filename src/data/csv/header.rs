//! The header of a CSV file with the columns' names, and the loop over the rows below it with its treatment of
//! missing values and faulty rows.

use super::records::{Fields, Record, Records, SPACED, text};
use crate::error::{Error, Result};
use crate::shown::{count, lines, listed};
use std::io::Read;

/// The settings of a CSV file that the readers of tables and of texts share.
#[derive(Clone, Debug)]
pub(in crate::data) struct Format {
    pub separator: u8,
    /// The marks that count as missing, besides an empty field.
    pub missing: Vec<String>,
    /// True if faulty rows are left out.
    pub skip: bool,
    /// The most bytes that a compressed file may unpack to.
    pub most_unpacked: u64,
}

impl Default for Format {
    /// Separates by commas, treats every fault as an error, and allows 1 GiB of unpacked data.
    fn default() -> Self {
        Self { separator: b',', missing: Vec::new(), skip: false, most_unpacked: 1 << 30 }
    }
}

impl Format {
    /// Calls `visit` for each row, in order, and leaves faulty rows out if `skip` is set. Returns the number of rows
    /// and the rows that were left out, with reasons for the first `most` only: a file may hold more faults than fit
    /// into memory.
    pub fn each_row<R: Read>(
        &self,
        records: &mut Records<'_, R>,
        most: usize,
        mut visit: impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<(usize, LeftOut)> {
        let (mut rows, mut out) = (0, LeftOut::default());
        while let Some(record) = records.read()? {
            rows += 1;
            match visit(&record) {
                Err(error) if self.skip => {
                    // Torn quotes are an error even with `skip`: they do not concern one row alone.
                    let mut fields = Fields::new(record.text, self.separator, record.number);
                    fields.try_for_each(|field| field.map(drop))?;
                    out.count += 1;
                    if out.first.len() < most {
                        out.first.push((record.number, error));
                    }
                }
                result => result?,
            }
        }
        Ok((rows, out))
    }

    /// If the field counts as missing, describes it for an error message.
    pub fn nothing(&self, field: &str) -> Option<String> {
        if field.is_empty() {
            return Some("nothing".to_owned());
        }
        self.missing.iter().any(|mark| mark == field).then(|| format!("nothing, by the mark {field:?}"))
    }

    /// The error of a row with more or fewer fields than the header. `spaced`: a field has spaces before a quote.
    pub fn wrong_length(row: usize, expected: usize, found: usize, spaced: bool) -> Error {
        let expected = format!("have {}, as the header has", count(expected, "field", "fields"));
        Error::format(format!("row {row}"), expected, found).help(if spaced {
            SPACED
        } else {
            "Put quotes around fields with separators or line ends, or leave such rows out with `skip_faulty`."
        })
    }
}

/// The rows that were left out.
#[derive(Default)]
pub(super) struct LeftOut {
    pub count: usize,
    /// The first of them, each with its row number and the reason.
    pub first: Vec<(usize, Error)>,
}

impl LeftOut {
    /// Returns a remark on the rows, if there are any.
    pub fn remark(&self, name: &str) -> Option<String> {
        let rows = count(self.count, "row", "rows");
        let reasons = || lines(self.first.iter().map(|(_, error)| error.parts()), self.count);
        (self.count > 0).then(|| format!("{name}: {rows} left out:{}", reasons()))
    }
}

/// Defines the settings that every reader has besides its columns. The arguments are an example for `separator`, and
/// the documentation of `missing`.
macro_rules! csv_settings {
    ($reader:ident: $(#[$separator:meta])*; $(#[$missing:meta])*) => {
        impl $reader {
            /// Sets the classes, in the order of their indices: for test rows, the classes that the model was trained
            /// on.
            pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
                self.classes = crate::data::class_names::trimmed(names);
                self
            }

            /// Sets the byte between fields: `b';'`, `b'\t'`, `b'|'`. The default is a comma. A first line `sep=;`,
            /// as Excel writes it, is skipped if it names this byte, and is an error if it names another.
            $(#[$separator])*
            pub fn separator(mut self, byte: u8) -> Self {
                self.format.separator = byte;
                self
            }

            $(#[$missing])*
            pub fn missing<S: Into<String>>(mut self, marks: impl IntoIterator<Item = S>) -> Self {
                self.format.missing = crate::data::class_names::trimmed(marks);
                self
            }

            /// Sets the most bytes that a file compressed by gzip may unpack to; the default is 1 GiB. A file of 1 MB
            /// can unpack to a thousand times as much, so a larger one is an error.
            ///
            /// Each line end counts 64 bytes more, about what a row takes besides its text. So texts of a few classes
            /// take about as much memory as this limit. A class takes some 200 bytes, and a number of a table up to
            /// 24, however short it is in the file. A file that is not compressed has no such limit: its memory grows
            /// with its own length and rows.
            pub fn most_unpacked(mut self, bytes: u64) -> Self {
                self.format.most_unpacked = bytes;
                self
            }
        }
    };
}
pub(in crate::data) use csv_settings;

/// The columns' names, without spaces at their ends.
#[derive(Debug)]
pub(in crate::data) struct Header {
    pub names: Vec<String>,
    separator: u8,
    /// The header as bytes, to try other separators.
    record: Vec<u8>,
}

impl Header {
    /// Reads the first record of a file, or the second if the first is Excel's line with the separator.
    pub(super) fn read<R: Read>(records: &mut Records<'_, R>, separator: u8) -> Result<Self> {
        let empty = || {
            Error::format("the header", "have the names of the columns", "an empty file")
                .help("Check the file.")
        };
        let mut record = records.read()?.ok_or_else(empty)?;
        if let Some(said) = excels(record.text) {
            if said != separator {
                let [said, separator] = [said, separator].map(|byte| char::from(byte).escape_default());
                let found = format!("the line `sep={said}`");
                return Err(Error::format(
                    "the header",
                    format!("have `{separator}` between the names"),
                    found,
                )
                .help(format!("The line names the separator: `.separator(b'{said}')` takes it.")));
            }
            record = records.read_again()?.ok_or_else(empty)?;
        }
        let record = record.text.to_vec();
        let names = names(&record, separator).map_err(|error| {
            // If names are in quotes but another separator is used, the quotes look torn.
            let most = others(&record, separator).into_iter().max_by_key(|(_, names)| names.len());
            match most.filter(|(_, names)| names.len() > 1) {
                Some((byte, _)) => error.help(looks_like(byte)),
                None => error,
            }
        })?;
        Ok(Self { names, separator, record })
    }

    /// Returns an error if two columns have the same name.
    pub fn check_different(&self) -> Result<()> {
        let named = self.names.iter().filter(|name| !name.is_empty());
        named.map(|name| self.place(name)).try_for_each(|place| place.map(drop))
    }

    /// Returns the position of the column with this name; two such columns are an error.
    pub fn place(&self, wanted: &str) -> Result<usize> {
        let mut places = (0..self.names.len()).filter(|&i| self.names[i] == wanted);
        if let Some(place) = places.next() {
            return places.next().map_or(Ok(place), |second| {
                let found = format!("{wanted:?} in columns {} and {}", place + 1, second + 1);
                Err(Error::format("the header", "have distinct names", found)
                    .help("Give each column a name of its own, or take one of the two out of the file."))
            });
        }
        let quoted: Vec<String> = self.names.iter().map(|name| format!("{name:?}")).collect();
        let error = Error::format("the header", format!("have a column {wanted:?}"), listed(&quoted, 10));
        if self.record.contains(&b'\r') && !self.record.contains(&b'\n') {
            return Err(
                error.help("Lines seem to end in carriage returns alone: convert them to line feeds.")
            );
        }
        if self.record.starts_with(b"#") {
            return Err(error.help(
                "A line that begins with `#` is not a comment in CSV: take such lines out of the file.",
            ));
        }
        if self.names.iter().any(|name| name.trim_matches('"') == wanted) {
            return Err(error.help(SPACED));
        }
        Err(match self.likely_separator(wanted) {
            Some(separator) => error.help(looks_like(separator)),
            None => error.help("Name a column that exists."),
        })
    }

    /// Finds a separator that fits the header better: one that yields the wanted column, or several columns instead
    /// of one.
    fn likely_separator(&self, wanted: &str) -> Option<u8> {
        let others = others(&self.record, self.separator);
        let with = others.iter().find(|(_, names)| names.iter().any(|name| name == wanted));
        let most = || others.iter().max_by_key(|(_, names)| names.len());
        let several = || most().filter(|(_, names)| self.names.len() == 1 && names.len() > 1);
        with.or_else(several).map(|&(byte, _)| byte)
    }
}

/// Returns the separator that Excel's line before the header names: `sep=;`, with or without quotes.
pub(in crate::data) fn excels(record: &[u8]) -> Option<u8> {
    let line = record.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(record);
    match line {
        [start @ .., byte] if start.eq_ignore_ascii_case(b"sep=") && *byte != b'"' => Some(*byte),
        _ => None,
    }
}

/// Returns the names for each of the other usual separators with which the quotes fit.
fn others(record: &[u8], separator: u8) -> Vec<(u8, Vec<String>)> {
    let usual = [b';', b'\t', b'|', b','].into_iter().filter(|&byte| byte != separator);
    usual.filter_map(|byte| Some((byte, names(record, byte).ok()?))).collect()
}

/// Help for a header that seems to use another separator.
fn looks_like(separator: u8) -> String {
    let byte = char::from(separator).escape_default();
    format!("The separator looks like `{byte}`: `.separator(b'{byte}')` takes it.")
}

/// Splits a header into names.
fn names(record: &[u8], separator: u8) -> Result<Vec<String>> {
    let fields = Fields::new(record, separator, 0).enumerate();
    let name = |(i, field): (usize, Result<std::borrow::Cow<'_, [u8]>>)| {
        Ok(text(&field?, || format!("the header, column {}", i + 1))?.to_owned())
    };
    fields.map(name).collect()
}
