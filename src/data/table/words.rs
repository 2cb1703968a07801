//! [`Words`]: different words, and the position of each.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Different words, in the order in which they came. A word is found by one look-up, or none if it is that of the row
/// before.
#[derive(Debug, Default)]
pub(super) struct Words {
    places: HashTable<u32>,
    words: Vec<String>,
    hasher: DefaultHashBuilder,
    last: usize,
}

impl Words {
    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn as_slice(&self) -> &[String] {
        &self.words
    }

    /// Returns the position of a word, if it is known.
    pub fn find(&mut self, word: &[u8]) -> Option<u32> {
        if self.words.get(self.last).is_some_and(|last| last.as_bytes() == word) {
            return Some(self.last as u32);
        }
        let words = &self.words;
        let same = |&place: &u32| words[place as usize].as_bytes() == word;
        let place = *self.places.find(self.hasher.hash_one(word), same)?;
        self.last = place as usize;
        Some(place)
    }

    /// Adds a word that is not known, and returns its position.
    pub fn add(&mut self, word: &str) -> u32 {
        let place = self.words.len() as u32;
        let (words, hasher) = (&self.words, &self.hasher);
        let hash = |&place: &u32| hasher.hash_one(words[place as usize].as_bytes());
        self.places.insert_unique(hasher.hash_one(word.as_bytes()), place, hash);
        self.words.push(word.to_owned());
        self.last = place as usize;
        place
    }

    /// Returns the words, and forgets them.
    pub fn take(&mut self) -> Vec<String> {
        self.places.clear();
        self.last = 0;
        std::mem::take(&mut self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_was_put() {
        let mut words = Words::default();
        for _ in 0..2 {
            for i in 0..1_000u32 {
                let word = format!("word {}", i * 7 % 500);
                let found = words.find(word.as_bytes());
                assert_eq!(found, i.checked_sub(500));
                if found.is_none() {
                    assert_eq!(words.add(&word), i);
                }
            }
            assert_eq!((words.len(), words.take().len(), words.len()), (500, 500, 0));
            assert_eq!(words.find(b"word 0"), None);
        }
    }
}
