//! Whether the first record of a file is one of names.

use super::dates::Dates;
use super::kinds::{BOOLEANS, is_number};
use super::separator::Sample;
use crate::data::table::origin::Remark;
use crate::data::table::settings::Settings;
use crate::shown::{count, cut, listed};
use std::collections::HashSet;

/// What a column says.
#[derive(PartialEq)]
enum Says {
    Header,
    Row,
    Nothing,
}

/// Returns whether the first of these records is a header.
pub(super) fn guess(sample: &Sample, settings: &Settings, remarks: &mut Vec<Remark>) -> bool {
    let Some((first, rows)) = sample.split_first() else { return settings.header.unwrap_or(true) };
    let header = settings.header.unwrap_or_else(|| by_votes(first, rows, settings, remarks));
    let unnamed = first.iter().enumerate().filter(|(_, cell)| header && cell.trim_ascii().is_empty());
    let unnamed: Vec<String> = unnamed.map(|(i, _)| i.to_string()).collect();
    if !unnamed.is_empty() {
        let what = count(unnamed.len(), "column has", "columns have");
        let names = listed(&unnamed, 6);
        remarks.push(Remark::of_file(format!("{what} no name, and the position from 0 as one: {names}")));
    }
    header
}

/// Counts the columns whose first cell is like the others, and those whose first cell is not.
fn by_votes(
    first: &[Vec<u8>],
    rows: &[Vec<Vec<u8>>],
    settings: &Settings,
    remarks: &mut Vec<Remark>,
) -> bool {
    let rows = rows.get(settings.skipped as usize..).unwrap_or_default();
    let marks = settings.marks();
    let is_mark = |text: &[u8]| text.is_empty() || marks.iter().flatten().any(|mark| mark.as_bytes() == text);
    let columns = first.iter().enumerate().map(|(i, cell)| {
        let values = rows.iter().filter_map(|row| row.get(i)).map(|field| field.trim_ascii());
        says(cell.trim_ascii(), &values.filter(|value| !is_mark(value)).collect::<Vec<_>>(), is_mark)
    });
    let all: Vec<Says> = columns.collect();
    let votes = |wanted: Says| all.iter().filter(|says| **says == wanted).count();
    let (header, row) = (votes(Says::Header), votes(Says::Row));
    let names = first.iter().all(|cell| !is_number(cell.trim_ascii()) && !cell.trim_ascii().is_empty());
    let different = first.iter().collect::<HashSet<_>>().len() == first.len();
    let found = header > row || header == row && names && different;
    let shown: Vec<String> =
        first.iter().take(5).map(|cell| cut(&String::from_utf8_lossy(cell)).into_owned()).collect();
    let line = format!("the first line ({})", shown.join(" | "));
    if !found {
        remarks.push(Remark::of_file(format!("{line} is taken for a row; if it has names, `.header(true)`")));
    } else if header == 0 || row > 0 {
        remarks.push(Remark::of_file(format!("{line} is taken for names; if it is a row, `.header(false)`")));
    }
    found
}

/// What the first cell of a column says, by the values under it.
fn says(cell: &[u8], values: &[&[u8]], is_mark: impl Fn(&[u8]) -> bool) -> Says {
    if is_mark(cell) || values.is_empty() {
        return Says::Nothing;
    }
    let all = |is: &dyn Fn(&[u8]) -> bool| values.iter().all(|value| is(value));
    let is_boolean =
        |value: &[u8]| BOOLEANS.iter().flatten().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let is_date = |value: &[u8]| Dates::form_of(value).is_some();
    if all(&is_number) {
        // Years and numbers of columns are names, too.
        let whole = cell.iter().all(u8::is_ascii_digit);
        return match is_number(cell) {
            true if whole => Says::Nothing,
            true => Says::Row,
            false => Says::Header,
        };
    }
    for is in [&is_boolean as &dyn Fn(&[u8]) -> bool, &is_date] {
        if all(is) {
            return if is(cell) { Says::Row } else { Says::Header };
        }
    }
    let different: HashSet<&[u8]> = values.iter().copied().collect();
    match different.contains(cell) {
        true => Says::Row,
        false if values.len() >= 4 && different.len() * 2 <= values.len() => Says::Header,
        false => Says::Nothing,
    }
}
