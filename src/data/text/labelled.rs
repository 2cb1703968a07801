//! Texts with named classes.

use crate::data::class_names::{be_one_of, check_classes, remarks_on_classes, trimmed};
use crate::error::{Error, Result};
use crate::shown::cut;
use std::collections::HashMap;

/// Texts, a class index for each, and the classes' names.
///
/// ```
/// use plywood::data::LabelledTexts;
///
/// let data = LabelledTexts::new(vec!["a chess game", "a web server", "a puzzle"], &["games", "net", "games"])?;
/// assert_eq!((data.class_names(), data.labels()), (&["games".to_owned(), "net".to_owned()][..], &[0, 1, 0][..]));
///
/// let (train, test) = data.split_at(2)?; // both know all classes
/// assert_eq!((train.len(), test.texts(), test.class_names().len()), (2, &["a puzzle".to_owned()][..], 2));
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The classes are the distinct labels, sorted by code point as by scikit-learn's `LabelEncoder`, so the order of the
/// texts does not matter. Spaces at the ends of labels are ignored; upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledTexts {
    texts: Vec<String>,
    labels: Vec<usize>,
    names: Vec<String>,
    remarks: Vec<String>,
}

impl LabelledTexts {
    /// Makes texts with a label each; the distinct labels become the classes.
    ///
    /// # Errors
    /// When there is not one label for each text.
    pub fn new<T: Into<String>, S: AsRef<str>>(texts: Vec<T>, labels: &[S]) -> Result<Self> {
        let mut names = trimmed(labels.iter().map(AsRef::as_ref));
        names.sort_unstable();
        names.dedup();
        let data = Self::with_classes(texts, labels, names)?;
        let remarks = remarks_on_classes(&data.names, &data.labels);
        Ok(Self { remarks, ..data })
    }

    /// Makes texts with labels from a list of classes: for test data that must have the training data's classes.
    ///
    /// ```
    /// use plywood::data::LabelledTexts;
    ///
    /// let names = vec!["games".to_owned(), "net".to_owned()];
    /// let error = LabelledTexts::with_classes(vec!["a clock"], &["time"], names).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "label 0 must be one of the 2 classes (games, net), got \"time\". Train on data with this class, or \
    ///      leave its texts out."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is not one label for each text, a label is not in the list, or a name occurs twice.
    pub fn with_classes<T: Into<String>, S: AsRef<str>>(
        texts: Vec<T>,
        labels: &[S],
        names: Vec<String>,
    ) -> Result<Self> {
        if texts.len() != labels.len() {
            return Err(Error::data(
                "the number of labels",
                format!("be {}, one for each text", texts.len()),
                labels.len(),
            )
            .help("Give one label for each text."));
        }
        let names = trimmed(names);
        check_classes(&names)?;
        let classes: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let class = |(i, label): (usize, &S)| {
            classes.get(label.as_ref().trim()).copied().ok_or_else(|| {
                let found = format!("{:?}", cut(label.as_ref()));
                Error::data(format!("label {i}"), be_one_of(&names), found)
                    .help("Train on data with this class, or leave its texts out.")
            })
        };
        let labels = labels.iter().enumerate().map(class).collect::<Result<_>>()?;
        let texts = texts.into_iter().map(Into::into).collect();
        Ok(Self { texts, labels, names, remarks: Vec::new() })
    }

    /// Returns the texts, in their original order.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Returns the class of each text.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Returns the names of the classes, in the order of their indices.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// Returns remarks on the texts: classes that look like missing values ("NA", "?"), pairs of classes that look
    /// the same (`é` as one character or two, zero-width characters), and rows of a file that were left out.
    ///
    /// Empty for most data. `fit` prints them if they are passed on by
    /// [`ArrayDataset::with_remarks`](crate::data::ArrayDataset::with_remarks).
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Makes texts whose classes are already known.
    #[cfg(feature = "csv")]
    pub(in crate::data) fn of(
        texts: Vec<String>,
        labels: Vec<usize>,
        names: Vec<String>,
        remarks: Vec<String>,
    ) -> Self {
        Self { texts, labels, names, remarks }
    }

    /// Returns the number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the first `count` texts, and the rest; both keep all classes.
    ///
    /// # Errors
    /// When there are fewer than `count` texts.
    pub fn split_at(mut self, count: usize) -> Result<(Self, Self)> {
        if count > self.len() {
            return Err(Error::argument(
                "the number of texts in the first part",
                format!("at most {}", self.len()),
                count,
            )
            .help("Use a smaller part."));
        }
        let (texts, labels) = (self.texts.split_off(count), self.labels.split_off(count));
        let rest = Self { texts, labels, names: self.names.clone(), remarks: self.remarks.clone() };
        Ok((self, rest))
    }
}
