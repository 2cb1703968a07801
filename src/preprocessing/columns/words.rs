//! [`Words`]: the categories that an encoder knows.

use crate::codec::{blob, contradicts};
use crate::data::{Categories, TablePart};
use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The most words that there may be: `f32` represents all integers up to here exactly.
const MOST: usize = (1 << 24) - 2;

/// An empty place in the table of positions.
const NONE: u32 = u32::MAX;

/// Different words, each with its position. In files they are stored apart, so that a large number does not count
/// against the size of the description; in memory a word takes its letters and at most 20 bytes.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// All words, one after the other.
    all: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// The positions by hash: a word is at the place of its hash, or at one of those that follow without a gap.
    table: Vec<u32>,
    hasher: RandomState,
}

/// How a word was found.
pub(super) enum Found<'a> {
    Missing,
    Unknown(&'a str),
    At(usize),
}

impl Words {
    /// Makes a list of these words.
    ///
    /// # Errors
    /// When there is none, one is empty or occurs twice, or there are too many.
    pub fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Self> {
        let (mut all, mut ends) = (String::new(), Vec::new());
        for word in words {
            all.push_str(word.as_ref());
            ends.push(u32::try_from(all.len()).map_err(|_| unsound("words of more than 4 GB"))?);
            if ends.len() > MOST {
                return Err(unsound("more"));
            }
            if word.as_ref().is_empty() {
                return Err(unsound("an empty one"));
            }
        }
        if ends.is_empty() {
            return Err(unsound("none"));
        }
        let table = vec![NONE; (2 * ends.len()).next_power_of_two()];
        let mut words = Self { all, ends, table, hasher: RandomState::new() };
        for position in 0..words.len() {
            match words.search(words.at(position)) {
                Ok(_) => return Err(unsound(format!("{:?} twice", words.at(position)))),
                Err(place) => words.table[place] = position as u32,
            }
        }
        Ok(words)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the word at a position, which is in range.
    pub fn at(&self, position: usize) -> &str {
        let begin = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.all[begin as usize..self.ends[position] as usize]
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|position| self.at(position))
    }

    /// Returns the position of a word.
    pub fn find(&self, word: &str) -> Option<usize> {
        self.search(word).ok()
    }

    /// Returns the position of a word, or the free place in the table where it would be.
    fn search(&self, word: &str) -> std::result::Result<usize, usize> {
        let mask = self.table.len() - 1; // a power of two; half of it is free
        let mut place = self.hasher.hash_one(word) as usize & mask;
        loop {
            match self.table[place] {
                NONE => return Err(place),
                position if self.at(position as usize) == word => return Ok(position as usize),
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// Prepares to look up the rows of a column: the words of its dictionary once, if there are fewer of them than
    /// rows.
    pub fn lookup<'a>(&'a self, given: Categories<'a>) -> Lookup<'a> {
        let slot = |word: &String| self.find(word).map_or(NONE, |position| position as u32);
        let few = given.words().len() < given.codes().len();
        let slots = few.then(|| given.words().iter().map(slot).collect());
        Lookup { words: self, given, slots }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.all.len() + 4 * self.len());
        for word in self.iter() {
            bytes.extend((word.len() as u32).to_le_bytes());
            bytes.extend(word.as_bytes());
        }
        bytes
    }
}

/// Takes the words off [`Words::to_bytes`], one after the other; the last is `None` if they do not end with the bytes.
fn words_of(mut bytes: &[u8]) -> impl Iterator<Item = Option<&str>> + Clone {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let split = bytes.split_first_chunk().and_then(|(length, rest)| {
            let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some((std::str::from_utf8(word).ok()?, rest))
        });
        bytes = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(word, _)| word))
    })
}

fn unsound(found: impl std::fmt::Display) -> Error {
    contradicts("the categories", format!("be 1 to {MOST} different words"), found)
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        (&self.all, &self.ends) == (&other.all, &other.ends)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_seq(self.iter()),
            false => blob::serialize(&self.to_bytes(), serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = if deserializer.is_human_readable() {
            Self::new(Vec::<String>::deserialize(deserializer)?)
        } else {
            let bytes = blob::deserialize(deserializer)?;
            let words = words_of(&bytes);
            match words.clone().all(|word| word.is_some()) {
                true => Self::new(words.flatten()),
                false => Err(unsound("other bytes")),
            }
        };
        words.map_err(|error| serde::de::Error::custom(error.to_string().trim_end_matches('.')))
    }
}

/// The words of a column's rows, looked up.
pub(super) struct Lookup<'a> {
    words: &'a Words,
    given: Categories<'a>,
    /// For each word of the column its position or [`NONE`].
    slots: Option<Vec<u32>>,
}

impl<'a> Lookup<'a> {
    pub fn at(&self, row: usize) -> Found<'a> {
        let Some(code) = self.given.code(row) else { return Found::Missing };
        let word = || self.given.words()[code].as_str();
        match &self.slots {
            Some(slots) => match slots[code] {
                NONE => Found::Unknown(word()),
                slot => Found::At(slot as usize),
            },
            None => self.words.find(word()).map_or_else(|| Found::Unknown(word()), Found::At),
        }
    }
}

/// Counts the rows of each category, in alphabetical order, and those without one.
pub(super) fn counted(part: &TablePart, name: &str) -> Result<(Vec<(String, usize)>, usize)> {
    let (mut counts, mut missing) = (HashMap::<String, usize>::new(), 0);
    // For each code of a piece the number of its rows, and the codes that occur.
    let (mut rows, mut used) = (Vec::<usize>::new(), Vec::new());
    part.each(&[name], |piece| {
        let categories = piece.column(name)?.as_categories()?;
        rows.resize(categories.words().len(), 0);
        for code in categories.codes() {
            match code {
                None => missing += 1,
                Some(code) => {
                    if rows[code] == 0 {
                        used.push(code);
                    }
                    rows[code] += 1;
                }
            }
        }
        for code in used.drain(..) {
            let (word, count) = (&categories.words()[code], std::mem::take(&mut rows[code]));
            match counts.get_mut(word) {
                Some(sum) => *sum += count,
                None => drop(counts.insert(word.clone(), count)),
            }
        }
        Ok(())
    })?;
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_unstable();
    Ok((counts, missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_saved() {
        let many: Vec<String> = (0..5_000).map(|i| format!("word {i} ä")).collect();
        let words = Words::new(&many).unwrap();
        assert!(many.iter().enumerate().all(|(i, word)| words.find(word) == Some(i) && words.at(i) == word));
        assert_eq!((words.find("word"), words.find("")), (None, None));
        let bytes = crate::codec::encode(&words).unwrap();
        assert_eq!(crate::codec::decode::<Words>(&bytes, "words").unwrap(), words);
        let json = serde_json::to_string(&Words::new(["b", "a"]).unwrap()).unwrap();
        assert_eq!(json, r#"["b","a"]"#);
    }

    #[test]
    fn unsound_words_are_refused() {
        for json in [r#"["a","a"]"#, "[]", r#"["a",""]"#] {
            assert!(serde_json::from_str::<Words>(json).is_err(), "{json}");
        }
        for bytes in [&[1, 0, 0, 0][..], &[1, 0, 0, 0, 0xff], &[1, 0, 0], &[255, 255, 255, 255, 65], &[]] {
            let sent = crate::codec::encode(&crate::codec::Bytes(bytes.into())).unwrap();
            assert!(crate::codec::decode::<Words>(&sent, "words").is_err(), "{bytes:?}");
        }
    }
}
