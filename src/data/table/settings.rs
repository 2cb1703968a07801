//! [`Settings`]: what the user says of a CSV file; the rest is guessed.

use super::ColumnType;
use super::number::NumberForm;
use crate::error::{Error, Result};
use crate::shown::{cut, listed};

/// Marks of missing values in any column.
const MISSING: [&str; 12] = ["NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "?", "-", "."];
/// Marks of missing values in columns of numbers, booleans and dates. In others they are words.
const MISSING_NUMBERS: [&str; 2] = ["None", "none"];

/// What the user says; `None` is guessed.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub separator: Option<u8>,
    pub quotes: Option<bool>,
    pub header: Option<bool>,
    pub encoding: Option<String>,
    pub comment: Option<String>,
    pub skipped: u32,
    pub decimal: Option<char>,
    pub thousands: Option<Option<char>>,
    pub missing: Vec<String>,
    pub present: Vec<String>,
    pub ignored: Vec<String>,
    pub types: Vec<(String, ColumnType)>,
    pub formats: Vec<(String, NumberForm)>,
    /// The first wrong argument.
    pub fault: Option<String>,
}

impl Settings {
    /// Marks in any column, and those in columns that are not of words.
    pub fn marks(&self) -> [Vec<String>; 2] {
        let usual = |marks: &[&str]| {
            let kept = marks.iter().filter(|mark| !self.present.iter().any(|word| word == *mark));
            kept.map(|&mark| mark.to_owned()).collect::<Vec<_>>()
        };
        let mut all = self.missing.clone();
        all.extend(usual(&MISSING).into_iter().filter(|mark| !self.missing.contains(mark)));
        let more = usual(&MISSING_NUMBERS).into_iter().filter(|mark| !all.contains(mark)).collect();
        [all, more]
    }

    /// Whether a word would be a usual mark of missing values if it were written in other cases.
    pub fn is_nearly_a_mark(&self, word: &str) -> bool {
        let usual = MISSING.iter().chain(&MISSING_NUMBERS);
        !self.present.iter().any(|known| known == word)
            && usual.clone().any(|mark| mark.eq_ignore_ascii_case(word))
            && usual.clone().all(|mark| *mark != word)
    }

    /// The forms that numbers may have, those without marks between thousands first.
    pub fn forms(&self) -> Vec<NumberForm> {
        let decimals = match (self.decimal, self.thousands) {
            (Some(decimal), _) => vec![decimal],
            (None, Some(Some('.'))) => vec![','],
            (None, Some(Some(','))) => vec!['.'],
            _ => vec!['.', ','],
        };
        let plain = decimals.iter().map(|&decimal| NumberForm { decimal, thousands: None });
        let grouped = decimals.iter().filter_map(|&decimal| {
            let thousands = self.thousands.unwrap_or(Some(if decimal == '.' { ',' } else { '.' }));
            thousands.map(|mark| NumberForm { decimal, thousands: Some(mark) })
        });
        plain.chain(grouped).collect()
    }

    /// The forms of the numbers of a column, if the user gave it one of its own.
    pub fn format_of(&self, name: &str) -> Option<NumberForm> {
        self.formats.iter().rev().find(|(known, _)| known == name).map(|(_, form)| *form)
    }

    pub fn type_of(&self, name: &str) -> Option<&ColumnType> {
        self.types.iter().rev().find(|(known, _)| known == name).map(|(_, column_type)| column_type)
    }

    /// Returns an error if a setting names a column that is not there, or is wrong in itself.
    pub fn check(&self, names: &[String]) -> Result<()> {
        let of_types = self.types.iter().map(|(name, _)| name);
        let of_formats = self.formats.iter().map(|(name, _)| name);
        let mut said = self.ignored.iter().chain(of_types).chain(of_formats);
        match said.find(|name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let mut known: Vec<&String> = names.iter().collect();
                known.sort_by_key(|known| distance(&known.to_lowercase(), &name.to_lowercase()));
                let expected = format!("have a column {:?}", cut(name));
                Err(Error::format("the file", expected, listed(&known, 20))
                    .help("A setting names it; the nearest names come first."))
            }
        }
    }
}

/// How many letters of one word have to be changed for the other: Levenshtein's distance, of the first 64 letters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, known) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *known);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_have_small_distances() {
        for (one, other, expected) in
            [("zip", "zip", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected));
        }
    }
}
