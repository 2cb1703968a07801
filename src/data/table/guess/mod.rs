//! Guesses the form of a CSV file: what the user has not said, by looking through the whole file.
//!
//! | file | what is guessed |
//! |---|---|
//! | `separator.rs` | separator, quotes and comments, by the beginning |
//! | `header.rs` | whether the first record has names, by the beginning |
//! | `look.rs` | what each column is like, by the whole file |
//! | `numbers.rs` | decimal marks |
//! | `dates.rs` | forms of dates |
//! | `types.rs` | the types of columns |
//! | `kinds.rs` | what a field may be |

mod dates;
mod header;
mod kinds;
mod look;
mod numbers;
mod separator;
#[cfg(test)]
mod tests;
mod types;

use super::ColumnType;
use super::form::{CsvForm, FormColumn};
use super::number::NumberForm;
use super::origin::Remark;
use super::pieces::{not_utf8, unknown, wrong_length};
use super::settings::Settings;
use super::source::{Source, UTF_8, decoded, encoding_name, marked};
use crate::data::csv::{Fields, Plain, unreadable};
use crate::error::{Error, Result};
use crate::shown::cut;
use look::{Context, Look};
use numbers::Candidate;
use std::io::Read;
use types::Unknown;

/// How many bytes of the beginning are looked at for the separator.
const BEGINNING: u64 = 1 << 18;

/// The form of a file and what was noticed. `most`: the bytes that gzip data may unpack to.
pub(super) fn guess(source: &Source, settings: &Settings, most: u64) -> Result<(CsvForm, Vec<Remark>)> {
    if let Some(fault) = &settings.fault {
        return Err(Error::argument("a setting of the CSV file", "sound", fault).help("Correct it."));
    }
    let name = source.name();
    let mut remarks = Vec::new();
    let mut form = unknown(b',');
    [form.missing, form.missing_numbers] = settings.marks();
    form.skipped = settings.skipped;
    form.encoding = encoding(source, settings, most)?;
    let mut start = Vec::new();
    let bytes = decoded(source.open()?, &name, &form.encoding, most)?;
    bytes.take(BEGINNING).read_to_end(&mut start).map_err(|error| unreadable(error, &name))?;
    if start.contains(&0) {
        return Err(Error::format("the file", "be text", "bytes that are 0")
            .help("If it is UTF-16, `.encoding(\"UTF-16LE\")` or `.encoding(\"UTF-16BE\")` reads it."));
    }
    let whole = (start.len() as u64) < BEGINNING;
    let sample = separator::guess(&start, whole, settings, &mut form, &mut remarks)?;
    form.header = header::guess(&sample, settings, &mut remarks);
    drop((start, sample));
    let names = look_through(source, settings, most, &mut form, &mut remarks)?;
    settings.check(&names)?;
    Ok((form, remarks))
}

fn encoding(source: &Source, settings: &Settings, most: u64) -> Result<String> {
    if let Some(label) = &settings.encoding {
        return encoding_name(label);
    }
    let (name, mut start) = (source.name(), Vec::new());
    let bytes = Plain::new(source.open()?, &name, most)?;
    bytes.take(2).read_to_end(&mut start).map_err(|error| unreadable(error, &name))?;
    marked(&start).map_or_else(|| Ok(UTF_8.to_owned()), encoding_name)
}

/// Looks through all rows, and sets the columns of the form. Returns all names.
fn look_through(
    source: &Source,
    settings: &Settings,
    most: u64,
    form: &mut CsvForm,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<String>> {
    let name = source.name();
    let (mut records, mut names) =
        form.records(decoded(source.open()?, &name, &form.encoding, most)?, &name)?;
    let marks = settings.marks();
    let (usual, mut own) = (settings.forms(), Vec::new());
    let (mut looks, mut swallowed): (Vec<Look>, _) = (Vec::new(), None);
    while let Some(record) = records.read()? {
        let fields = || Fields::new(record.text, form.separator, record.number).quotes(form.quotes);
        if looks.is_empty() {
            if !form.header {
                names =
                    fields().enumerate().map(|(i, _)| i.to_string()).take(super::form::MAX_COLUMNS).collect();
            }
            settings.check(&names)?;
            looks.resize_with(names.len(), Look::default);
            own = names.iter().map(|name| settings.format_of(name).map(|form| vec![form])).collect();
        }
        let mut found = 0;
        for field in fields() {
            let field = field?;
            if let Some(look) = looks.get_mut(found) {
                if field.contains(&b'\n') && holds_a_row(&field, form.separator, names.len()) {
                    swallowed.get_or_insert((record.number, found));
                }
                let text = str::from_utf8(field.trim_ascii()).map_err(|_| {
                    not_utf8(format!("row {}, column {:?}", record.number, cut(&names[found])), &field)
                })?;
                let forms = own[found].as_deref().unwrap_or(&usual);
                look.take(text, record.number, &Context { marks: &marks, forms });
            }
            found += 1;
        }
        if found != names.len() {
            return Err(wrong_length(record.number, names.len(), found, form));
        }
    }
    if looks.is_empty() {
        let found = if form.header { "a header alone" } else { "none" };
        return Err(Error::format("the file", "have rows", found).help("Check the file."));
    }
    if let Some((row, column)) = swallowed {
        let what = format!(
            "row {row}, column {:?}, holds line ends and separators, like a row",
            cut(&names[column])
        );
        let remedy = "if a quote was left open there, mend it, or `.quotes(false)`";
        remarks.push(Remark::of_file(format!("{what}: {remedy}")));
    }
    let looked = Looked { names: &names, looks, usual, own, marks, settings };
    form.columns = looked.columns(form.separator, remarks)?;
    Ok(names)
}

/// Whether a line of a field has as many separators as a row.
fn holds_a_row(field: &[u8], separator: u8, columns: usize) -> bool {
    let separators = |line: &[u8]| line.iter().filter(|&&byte| byte == separator).count();
    columns > 1 && field.split(|&byte| byte == b'\n').any(|line| separators(line) >= columns - 1)
}

/// All columns after the file was looked through.
struct Looked<'a> {
    names: &'a [String],
    looks: Vec<Look>,
    usual: Vec<NumberForm>,
    own: Vec<Option<Vec<NumberForm>>>,
    marks: [Vec<String>; 2],
    settings: &'a Settings,
}

impl Looked<'_> {
    fn columns(&self, separator: u8, remarks: &mut Vec<Remark>) -> Result<Vec<FormColumn>> {
        let is_read = |name: &String| !self.settings.ignored.contains(name);
        let candidates: Vec<Option<Candidate<'_>>> = (0..self.names.len())
            .map(|i| {
                let name = &self.names[i];
                let as_said = self.settings.type_of(name);
                let open = is_read(name) && as_said.is_none_or(|said| *said == ColumnType::Number);
                let forms = self.own[i].as_ref().unwrap_or(&self.usual).clone();
                open.then(|| Candidate { name, look: &self.looks[i], forms })
            })
            .collect();
        let forms = numbers::forms(&candidates, separator, remarks)?;
        let comma = forms.iter().flatten().any(|form| form.decimal == ',')
            && !forms.iter().flatten().any(|form| form.decimal == '.');
        let usual = NumberForm { decimal: if comma { ',' } else { '.' }, thousands: None };
        let units = self.units(remarks);
        let mut columns = Vec::new();
        for (i, name) in self.names.iter().enumerate() {
            let marks = &self.marks;
            let context = Context { marks, forms: &[] };
            let unknown =
                Unknown { name, look: &self.looks[i], context: &context, numbers: forms[i].is_some(), units };
            let column_type = match self.settings.type_of(name) {
                Some(said) => said.clone(),
                None if !is_read(name) => ColumnType::Category,
                None => unknown.column_type(remarks)?,
            };
            let own = self.own[i].as_ref().and_then(|forms| forms.first().copied());
            let number = forms[i].or(own).unwrap_or(if self.usual.len() > 2 { usual } else { self.usual[0] });
            columns.push(FormColumn { name: name.clone(), is_read: is_read(name), column_type, number });
        }
        match columns.iter().any(|column| column.is_read) {
            true => Ok(columns),
            false => Err(Error::argument("the columns", "more than those that are ignored", "none")
                .help("Ignore fewer.")),
        }
    }

    /// Whether the row under the header is one of formats or units: the only one that is no number in several columns.
    fn units(&self, remarks: &mut Vec<Remark>) -> bool {
        let first = |look: &&Look| matches!(&look.odd[..], [(1, _)]) && look.any_number() > 1;
        let columns: Vec<&Look> = self.looks.iter().filter(first).collect();
        let units = columns.len() > 1;
        if units {
            let text = &columns[0].odd[0].1;
            let what = format!("row 1 is no number in {} columns of numbers, as {text:?}", columns.len());
            let remedy = "if it has formats or units, `.skip_rows(1)` leaves it out";
            remarks.insert(0, Remark::of_file(format!("{what}: {remedy}")));
        }
        units
    }
}
