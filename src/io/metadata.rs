//! [`Metadata`]: information that a file stores beside the model.

use crate::codec::{self, checked, differ};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The maximum numbers of class names and of notes, for reading and for writing.
const MAX_CLASSES: usize = 65_536;
const MAX_NOTES: usize = 4_096;

/// Information for the users of a saved model: the names of its classes, how inputs were prepared, notes.
///
/// It is written with the model by [`Save::save_with`](super::Save::save_with), and can be read without
/// it: only the head of the file is read, however large the model is. It is for people and programs; the crate itself
/// does not use it.
///
/// ```
/// use plywood::prelude::*;
///
/// let path = std::env::temp_dir().join("plywood-doc-metadata.plywood");
/// let model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(2)).layer(Softmax).build()?;
/// let metadata = Metadata::new()
///     .classes(["shirt", "shoe"])
///     .preprocessing("bytes / 255")
///     .note("trained", "garments, 10 epochs");
/// model.save_with(&path, &metadata)?;
///
/// let read = Metadata::load(&path)?;
/// assert_eq!(read.class_names(), ["shirt", "shoe"]);
/// assert_eq!((read.get("preprocessing"), read.get("author")), (Some("bytes / 255"), None));
/// assert_eq!(read.written_by(), env!("CARGO_PKG_VERSION")); // this crate's version
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Metadata {
    /// The crate's version.
    written_by: String,
    /// In the order of the model's outputs.
    #[serde(deserialize_with = "codec::list::<_, _, MAX_CLASSES>")]
    classes: Vec<String>,
    /// Keys and texts, in the order in which they were added.
    #[serde(deserialize_with = "codec::list::<_, _, MAX_NOTES>")]
    notes: Vec<(String, String)>,
}

checked!(Metadata);

impl Metadata {
    /// Returns metadata with nothing but the crate's version.
    pub fn new() -> Self {
        Self { written_by: env!("CARGO_PKG_VERSION").to_owned(), classes: Vec::new(), notes: Vec::new() }
    }

    /// Sets the names of the classes, in the order of the model's outputs. At most 65,536.
    #[must_use]
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Describes how inputs were prepared, in words or in a format of your own: the note "preprocessing".
    #[must_use]
    pub fn preprocessing(self, how: impl Into<String>) -> Self {
        self.note("preprocessing", how)
    }

    /// Adds a text under a key, replacing an earlier one with the same key. At most 4,096 notes.
    #[must_use]
    pub fn note(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        let key = key.into();
        self.notes.retain(|(known, _)| *known != key);
        self.notes.push((key, text.into()));
        self
    }

    /// Returns the names of the classes; empty if none were given.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// Returns the text under this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    /// Returns all keys with their texts, in the order in which they were added.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.notes.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// Returns the version of Plywood that wrote the file.
    pub fn written_by(&self) -> &str {
        &self.written_by
    }

    /// Refuses metadata beyond the limits, both when writing and when reading.
    pub(super) fn check(&self) -> Result<()> {
        let lists = [
            ("the number of classes", self.classes.len(), MAX_CLASSES),
            ("the number of notes", self.notes.len(), MAX_NOTES),
        ];
        match lists.into_iter().find(|(_, found, most)| found > most) {
            None => differ("the notes of the model", self.notes.iter().map(|(key, _)| key.as_str())),
            Some((what, found, most)) => Err(Error::argument(what, format!("at most {most}"), found)
                .help("Keep longer lists in a file of their own.")),
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}
