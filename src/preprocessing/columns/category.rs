//! [`Category`]: a column of categories, fitted.

use super::rows::Rows;
use super::settings::Chosen;
use super::statistics::no_values;
use super::words::{Found, Lookup, Words, counted};
use crate::codec::contradicts;
use crate::data::TablePart;
use crate::error::{Error, Result};
use crate::preprocessing::{Notes, Remark};
use crate::shown::{count, cut, grouped};
use serde::{Deserialize, Serialize};

/// A fitted column of categories: a number for each word, or the position of the word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Category {
    /// In alphabetical order.
    pub words: Words,
    ordinal: bool,
    /// Whether there is a place for words that are not listed. Rare words of training are there, too.
    unknown: bool,
    /// Whether there is a place for missing words.
    missing: bool,
}

impl Category {
    /// Fits on a column.
    pub fn fit(part: &TablePart, name: &str, chosen: &Chosen) -> Result<Self> {
        let (counts, missing) = counted(part, name)?;
        let all = counts.len();
        let words = frequent(counts, name, chosen.min_count)?;
        if words.len() > chosen.max_categories {
            let what = format!("column {:?}", cut(name));
            let expected = format!("have at most {} different categories", grouped(chosen.max_categories));
            return Err(Error::data(what, expected, grouped(words.len())).help(
                "Make it ids for an `Embedding` by `CategoryIds`, set `min_count` to join rare ones, or leave it out.",
            ));
        }
        let (places, rare) = (!chosen.ordinal, words.len() < all);
        let words = Words::new(words.iter().map(|(word, _)| word))?;
        let missing = missing > 0 && chosen.indicator;
        Ok(Self { words, ordinal: chosen.ordinal, unknown: places && rare, missing: places && missing })
    }

    pub fn width(&self) -> usize {
        match self.ordinal {
            true => 1,
            false => self.words.len() + usize::from(self.unknown) + usize::from(self.missing),
        }
    }

    pub fn names(&self, column: &str) -> Vec<String> {
        if self.ordinal {
            return vec![column.to_owned()];
        }
        let words = self.words.iter().map(|word| format!("{column}={word}"));
        let unknown = self.unknown.then(|| format!("{column} unknown"));
        words.chain(unknown).chain(self.missing.then(|| format!("{column} missing"))).collect()
    }

    pub fn check(&self) -> Result<()> {
        let sorted = self.words.iter().is_sorted();
        match sorted && !(self.ordinal && (self.unknown || self.missing)) {
            true => Ok(()),
            false => {
                Err(contradicts("the categories", "be in order, and only places have extra ones", "others"))
            }
        }
    }

    pub fn encode(&self, codes: &Lookup, mut rows: Rows, notes: &mut Notes) {
        let source = rows.source;
        let (unknown, missing) = (self.words.len(), self.words.len() + usize::from(self.unknown));
        for (row, out) in rows.each() {
            let found = codes.at(row);
            match found {
                Found::Missing => source.note(notes, row, Remark::Missing),
                Found::Unknown(word) => source.note(notes, row, Remark::Unknown(word.to_owned())),
                Found::At(_) => {}
            }
            match (found, self.ordinal) {
                (Found::At(position), true) => out[0] = position as f32,
                (Found::Unknown(_), true) => out[0] = -1.0,
                (Found::Missing, true) => out[0] = -2.0,
                (Found::At(position), false) => out[position] = 1.0,
                (Found::Unknown(_), false) if self.unknown => out[unknown] = 1.0,
                (Found::Missing, false) if self.missing => out[missing] = 1.0,
                _ => {}
            }
        }
    }
}

/// Keeps the categories of at least this many rows.
pub(super) fn frequent(
    mut counts: Vec<(String, usize)>,
    name: &str,
    least: usize,
) -> Result<Vec<(String, usize)>> {
    let most = counts.iter().map(|(_, rows)| *rows).max().ok_or_else(|| no_values(name))?;
    counts.retain(|(_, rows)| *rows >= least);
    if counts.is_empty() {
        let expected = format!("have a category of at least {}", count(least, "row", "rows"));
        let found = format!("{} at most", count(most, "row", "rows"));
        return Err(Error::data(format!("column {:?}", cut(name)), expected, found)
            .help("Use a smaller `min_count`, or leave the column out."));
    }
    Ok(counts)
}
