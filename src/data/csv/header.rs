//! The first record of a CSV file: the columns' names. And how the rows below it are gone through: what counts as
//! missing there, and what becomes of faulty ones.

use super::records::{Fields, Record, Records, SPACED, text};
use crate::error::{Error, Result};
use crate::shown::{count, lines, listed};
use std::io::Read;

/// How a file is read, whatever is in it: what the readers of tables and of texts have in common.
#[derive(Clone, Debug)]
pub(in crate::data) struct Format {
    pub separator: u8,
    /// What counts as nothing beside an empty field.
    pub missing: Vec<String>,
    /// Whether faulty rows are left out.
    pub skip: bool,
    /// The most bytes that a compressed file may unpack to.
    pub most_unpacked: u64,
}

impl Default for Format {
    /// Commas; every fault is an error; 1 GiB of what is unpacked.
    fn default() -> Self {
        Self { separator: b',', missing: Vec::new(), skip: false, most_unpacked: 1 << 30 }
    }
}

impl Format {
    /// Shows each row to `visit`, in order, and leaves faulty ones out where that is wanted; how many rows there are, and
    /// those that were left out, the first `most` of them with the reason. A file may hold more faults than memory does.
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
                    // Torn quotes are no fault of a row alone.
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

    /// How an error says that there is nothing, where a field counts as missing.
    pub fn nothing(&self, field: &str) -> Option<String> {
        if field.is_empty() {
            return Some("nothing".to_owned());
        }
        self.missing.iter().any(|mark| mark == field).then(|| format!("nothing, by the mark {field:?}"))
    }

    /// The error of a row that has more or fewer fields than the header; `spaced` where one has spaces before a quote.
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
    /// The first of them by their numbers, each with the reason.
    pub first: Vec<(usize, Error)>,
}

impl LeftOut {
    /// What is to be said of them, if there are any.
    pub fn remark(&self, name: &str) -> Option<String> {
        let rows = count(self.count, "row", "rows");
        let reasons = || lines(self.first.iter().map(|(_, error)| error.parts()), self.count);
        (self.count > 0).then(|| format!("{name}: {rows} left out:{}", reasons()))
    }
}

/// The settings that every reader has beside its columns; the documentation given is an example of `separator`, and
/// what `missing` means.
macro_rules! csv_settings {
    ($reader:ident: $(#[$separator:meta])*; $(#[$missing:meta])*) => {
        impl $reader {
            /// The classes there are, in the order of their indices: for test rows, those that the model was trained
            /// on.
            pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
                self.classes = crate::data::class_names::trimmed(names);
                self
            }

            /// The byte between fields, a comma unless set: `b';'`, `b'\t'`, `b'|'`. A first line `sep=;`, as Excel
            /// writes it, is passed over where it names this byte, and an error where it names another.
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

            /// The most bytes that a file compressed by gzip may unpack to: 1 GiB unless set. A file of 1 MB can unpack
            /// to a thousand times as much, so a larger one is an error.
            ///
            /// Each line end counts 64 bytes more, about what a row takes beside its text. So texts of a few classes
            /// take about as much memory as is set here; a class takes some 200 bytes, and a number of a table up to
            /// 24, however short it is in the file. A file that is not compressed has no such bound: what it takes goes
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
    /// The record, for a look at other separators.
    record: Vec<u8>,
}

impl Header {
    /// The first record of a file, behind Excel's line with the separator, if there is one.
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
            // Names in quotes between other separators are torn quotes by this one.
            let most = others(&record, separator).into_iter().max_by_key(|(_, names)| names.len());
            match most.filter(|(_, names)| names.len() > 1) {
                Some((byte, _)) => error.help(looks_like(byte)),
                None => error,
            }
        })?;
        Ok(Self { names, separator, record })
    }

    /// Refuses a name that two columns have.
    pub fn check_different(&self) -> Result<()> {
        let named = self.names.iter().filter(|name| !name.is_empty());
        named.map(|name| self.place(name)).try_for_each(|place| place.map(drop))
    }

    /// Where the column of this name is; an error where there are two.
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

    /// Another byte that would make more of the header: the column that is looked for, or several where there is one.
    fn likely_separator(&self, wanted: &str) -> Option<u8> {
        let others = others(&self.record, self.separator);
        let with = others.iter().find(|(_, names)| names.iter().any(|name| name == wanted));
        let most = || others.iter().max_by_key(|(_, names)| names.len());
        let several = || most().filter(|(_, names)| self.names.len() == 1 && names.len() > 1);
        with.or_else(several).map(|&(byte, _)| byte)
    }
}

/// The separator that Excel's line before the header names: `sep=;`, with or without quotes.
fn excels(record: &[u8]) -> Option<u8> {
    let line = record.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(record);
    match line {
        [start @ .., byte] if start.eq_ignore_ascii_case(b"sep=") && *byte != b'"' => Some(*byte),
        _ => None,
    }
}

/// The names by each of the other usual separators by which the quotes fit.
fn others(record: &[u8], separator: u8) -> Vec<(u8, Vec<String>)> {
    let usual = [b';', b'\t', b'|', b','].into_iter().filter(|&byte| byte != separator);
    usual.filter_map(|byte| Some((byte, names(record, byte).ok()?))).collect()
}

/// What to do about another separator.
fn looks_like(separator: u8) -> String {
    let byte = char::from(separator).escape_default();
    format!("The separator looks like `{byte}`: `.separator(b'{byte}')` takes it.")
}

/// The names in a header.
fn names(record: &[u8], separator: u8) -> Result<Vec<String>> {
    let fields = Fields::new(record, separator, 0).enumerate();
    let name = |(i, field): (usize, Result<std::borrow::Cow<'_, [u8]>>)| {
        Ok(text(&field?, || format!("the header, column {}", i + 1))?.to_owned())
    };
    fields.map(name).collect()
}
