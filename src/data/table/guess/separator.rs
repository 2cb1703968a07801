//! The separator of a file, whether quotes mean anything in it, and lines of comment, from its beginning.

use super::kinds::is_typed;
use crate::data::csv::{Fields, Records, excels};
use crate::data::table::form::{CsvForm, shown};
use crate::data::table::origin::Remark;
use crate::data::table::settings::Settings;
use crate::error::{Error, Result};
use crate::shown::count;

/// The usual separators.
const USUAL: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many records of the beginning are looked at.
const RECORDS: usize = 200;

/// The records of a file's beginning, as fields.
pub(super) type Sample = Vec<Vec<Vec<u8>>>;

/// Whether a field has both tabs and line ends.
#[expect(clippy::ptr_arg, reason = "the items of a list of fields")]
fn holds_rows(field: &Vec<u8>) -> bool {
    field.contains(&b'\n') && field.contains(&b'\t')
}

/// The beginning of a file, read with one separator.
struct Reading {
    separator: u8,
    quotes: bool,
    records: Sample,
    /// The quotes do not fit.
    torn: bool,
}

impl Reading {
    fn of(start: &[u8], whole: bool, form: &CsvForm) -> Self {
        let (mut records, mut torn) = (Vec::new(), false);
        if let Ok(reader) = Records::new(start, "", form.separator) {
            let mut reader = reader.with(form.quotes, &form.comment, true);
            while records.len() <= RECORDS {
                match reader.read() {
                    Ok(None) => break,
                    // Excel's line with the separator is no record.
                    Ok(Some(record)) if records.is_empty() && excels(record.text).is_some() => {}
                    Ok(Some(record)) => {
                        let fields = Fields::new(record.text, form.separator, 0).quotes(form.quotes);
                        match fields.map(|field| Ok(field?.into_owned())).collect::<Result<Vec<_>>>() {
                            // In files with tabs a field of several rows is one whose quote means nothing.
                            Ok(fields) if form.separator == b'\t' && fields.iter().any(holds_rows) => {
                                torn = true;
                            }
                            Ok(fields) => records.push(fields),
                            Err(_) => torn = true,
                        }
                    }
                    Err(_) => torn |= whole,
                }
                if torn {
                    break;
                }
            }
        }
        if !whole && records.len() > 1 && records.len() <= RECORDS {
            records.pop();
        }
        Self { separator: form.separator, quotes: form.quotes, records, torn }
    }

    /// The number of fields that most records have.
    fn fields(&self) -> usize {
        let mut lengths: Vec<usize> = self.records.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        let runs = lengths.chunk_by(|a, b| a == b);
        runs.max_by_key(|run| run.len()).map_or(0, |run| run[0])
    }

    /// The share of records with that number, or 0 if it is 1.
    fn share(&self) -> f64 {
        let fields = self.fields();
        let of_it = self.records.iter().filter(|record| record.len() == fields && fields > 1);
        of_it.count() as f64 / self.records.len().max(1) as f64
    }

    /// The share of fields that are numbers, dates, booleans or empty, less that of words with another separator.
    fn typed(&self) -> f64 {
        let all = || self.records.iter().flatten();
        let holds_another =
            |field: &&Vec<u8>| USUAL.iter().any(|&other| other != self.separator && field.contains(&other));
        let typed = all().filter(|field| is_typed(field)).count() as f64;
        let wrong = all().filter(|field| !is_typed(field)).filter(holds_another).count() as f64;
        (typed - wrong) / all().count().max(1) as f64
    }

    fn in_words(&self) -> String {
        let first = self.records.get(1).or(self.records.first());
        let fields = first.iter().flat_map(|record| record.iter().take(4));
        let fields: Vec<String> = fields
            .map(|field| crate::shown::cut(&format!("{:?}", String::from_utf8_lossy(field))).into_owned())
            .collect();
        let more = if self.fields() > 4 { " …" } else { "" };
        let number = count(self.fields(), "field", "fields");
        format!("{} with {number}, {}{more}", shown(self.separator), fields.join(" "))
    }
}

/// Sets separator, quotes and comment of the form from the beginning of a file, `whole` if that is all of it. Returns
/// the records read with them.
pub(super) fn guess(
    start: &[u8],
    whole: bool,
    settings: &Settings,
    form: &mut CsvForm,
    remarks: &mut Vec<Remark>,
) -> Result<Sample> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let signs: Vec<&[u8]> = lines.take_while(|line| line.starts_with(b"#")).collect();
    form.comment =
        settings.comment.clone().unwrap_or_else(|| String::from(if signs.is_empty() { "" } else { "#" }));
    form.quotes = settings.quotes.unwrap_or(true);
    let mut reading = best(start, whole, settings, form)?;
    // One such line may be the header: `#chrom,start`.
    if let (None, [line]) = (&settings.comment, &signs[..])
        && Fields::new(line, reading.separator, 0).count() == reading.fields()
        && reading.fields() > 1
    {
        form.comment.clear();
        reading = best(start, whole, settings, form)?;
    }
    (form.separator, form.quotes) = (reading.separator, reading.quotes);
    if settings.comment.is_none() && !form.comment.is_empty() {
        let lines = count(signs.len(), "line that begins with '#' is", "lines that begin with '#' are");
        remarks.push(Remark::of_file(format!("{lines} taken for comment; if not, `.comment(\"\")`")));
    }
    if settings.quotes.is_none() && !form.quotes {
        let text = "quotes are taken for letters, as they do not come in pairs; if not, `.quotes(true)`";
        remarks.push(Remark::of_file(text));
    }
    Ok(reading.records)
}

/// The best reading of a file's beginning.
fn best(start: &[u8], whole: bool, settings: &Settings, form: &CsvForm) -> Result<Reading> {
    let said = start.split(|&byte| byte == b'\n').next().and_then(|line| excels(line.trim_ascii()));
    let separators = match settings.separator.or(said) {
        Some(separator) => vec![separator],
        None => USUAL.to_vec(),
    };
    let mut readings: Vec<Reading> = separators
        .iter()
        .map(|&separator| {
            let mut form = CsvForm { separator, ..form.clone() };
            let quoted = Reading::of(start, whole, &form);
            form.quotes = false;
            let bare = || Reading::of(start, whole, &form);
            // A tab is a separator of files in which quotes mean nothing, as IANA defines them.
            match settings.quotes {
                None if quoted.torn && separator == b'\t' => Some(bare()).filter(|bare| bare.share() == 1.0),
                // The separator is still to be found, so that the error names the row.
                None if quoted.torn => Some(bare()).map(|bare| Reading { quotes: true, torn: true, ..bare }),
                _ => None,
            }
            .unwrap_or(quoted)
        })
        .collect();
    let most = readings.iter().map(Reading::share).fold(0.0, f64::max);
    if most >= 0.9 {
        readings.retain(|reading| reading.share() >= most.min(0.999));
    } else if most > 0.0 {
        readings.retain(|reading| reading.share() == most);
    } else {
        readings.truncate(1);
    }
    readings
        .sort_by(|a, b| (a.torn, -a.typed()).partial_cmp(&(b.torn, -b.typed())).expect("shares are numbers"));
    if let [first, second, ..] = &readings[..]
        && first.torn == second.torn
        && first.typed() < second.typed() + 0.05
    {
        let found = format!("two: {}; or {}", first.in_words(), second.in_words());
        let [one, other] = [first, second].map(|reading| char::from(reading.separator).escape_default());
        return Err(Error::format("the file", "have a separator that fits alone", found)
            .help(format!("Say which: `.separator(b'{one}')` or `.separator(b'{other}')`.")));
    }
    Ok(readings.swap_remove(0))
}
