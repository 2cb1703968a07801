//! [`Text`] and [`TextEncoder`]: texts as ids of their words.

use super::{Field, InputBlock, InputSpec, Notes, Remark};
use crate::codec::checked;
use crate::data::{Column, ColumnType, TablePart, Tokenizer, Vocabulary, VocabularySpec};
use crate::error::{Error, Result};
use crate::shown::cut;
use crate::state::Kind;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A column of texts as an input, not yet fitted: which words it will know, and how many of a text.
///
/// ```
/// use plywood::data::{Column, Table};
/// use plywood::preprocessing::Text;
///
/// let titles = Column::texts("title", [Some("a fast library"), Some("a library for images")]);
/// let text = Text::column("title").max_size(1_000).min_count(1).length(8).fit(&Table::new([titles])?.whole())?;
/// assert_eq!(text.vocabulary().tokens(), ["a", "library", "fast", "for", "images"]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`tokenizer`](Text::tokenizer) | [`Tokenizer::words`] |
/// | [`max_size`](Text::max_size) | 20,000 ids |
/// | [`min_count`](Text::min_count) | 2 |
/// | [`length`](Text::length) | 32 ids |
#[derive(Clone, Debug)]
#[must_use]
pub struct Text {
    column: String,
    vocabulary: VocabularySpec,
    length: usize,
}

impl Text {
    /// Takes the texts of this column.
    pub fn column(name: impl Into<String>) -> Self {
        let vocabulary = Vocabulary::of(Tokenizer::words()).max_size(20_000).min_count(2);
        Self { column: name.into(), vocabulary, length: 32 }
    }

    /// Sets how texts are split.
    pub fn tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.vocabulary = self.vocabulary.tokenizer(tokenizer);
        self
    }

    /// Sets the most ids, padding and unknown words included: see [`VocabularySpec::max_size`].
    pub fn max_size(mut self, ids: usize) -> Self {
        self.vocabulary = self.vocabulary.max_size(ids);
        self
    }

    /// Sets how often a word must occur in the training part to be known; the default is 1.
    ///
    /// With 2, the default, rare words teach the model what an unknown one means. With 1, no text of the training part has an unknown
    /// word unless `max_size` leaves some out, so its vector in an embedding stays as it was drawn.
    pub fn min_count(mut self, count: usize) -> Self {
        self.vocabulary = self.vocabulary.min_count(count);
        self
    }

    /// Sets how many ids of a text are read. Choose a length that 99 of 100 texts fit in.
    pub fn length(mut self, ids: usize) -> Self {
        self.length = ids;
        self
    }

    /// Counts and numbers the words of this part.
    ///
    /// # Errors
    /// When there is no such column, it holds something else, a setting is out of range, or no word is left.
    pub fn fit(&self, part: &TablePart<'_>) -> Result<TextEncoder> {
        let mut counter = self.vocabulary.clone().counter()?;
        part.each(&[&self.column], |table| {
            for text in table.column(&self.column)?.as_texts()?.flatten() {
                counter.add(text);
            }
            Ok(())
        })?;
        let vocabulary =
            counter.finish().map_err(|error| error.at(format!("column {:?}", cut(&self.column))))?;
        let block = TextEncoder { column: self.column.clone(), length: self.length, vocabulary };
        block.check().map(|()| block)
    }
}

impl InputSpec for Text {
    type Block = TextEncoder;

    fn fit_excluding(&self, part: &TablePart<'_>, _: &[&str]) -> Result<TextEncoder> {
        self.fit(part)
    }
}

/// A block that makes an input of ids from texts: `[rows, length]`, for an [`Embedding`](crate::nn::Embedding) or an
/// [`EmbeddingBag`](crate::nn::EmbeddingBag).
///
/// ```
/// use plywood::prelude::*;
///
/// let train = ["a fast library", "a library for images", "a slow game"];
/// let vocabulary = Vocabulary::of(Tokenizer::words()).fit(&train)?;
/// let model = Sequential::builder([8])
///     .layer(EmbeddingBag::vocabulary(vocabulary.len(), 8).padding(Vocabulary::PADDING))
///     .layer(Dense::units(2)).layer(Softmax)
///     .build()?;
/// let predictor = Predictor::new(model)
///     .input(TextEncoder::new(vocabulary, 8))
///     .output(Classes::named(["tool", "toy"]))
///     .build()?;
/// let answer = predictor.predict("Quux?")?;
/// assert_eq!(answer.notes()[0].to_string(), "input has no known word");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Shorter texts are padded with [`Vocabulary::PADDING`] at the end, longer ones are truncated. An answer has a note if a
/// text was truncated, was missing or empty (all ids are padding then), or has no known word.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct TextEncoder {
    column: String,
    length: usize,
    vocabulary: Vocabulary,
}

checked!(TextEncoder);

impl TextEncoder {
    /// Takes the first `length` ids of each text, by this vocabulary. The value is named after the model's input.
    pub fn new(vocabulary: Vocabulary, length: usize) -> Self {
        Self { column: String::new(), length, vocabulary }
    }

    /// Sets the name of the value.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// Returns the vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn check(&self) -> Result<()> {
        match self.length {
            0 => Err(Error::argument("the length of texts", "at least 1", 0)
                .help("Count the tokens of usual texts: `vocabulary.ids(text).len()`.")),
            _ => Ok(()),
        }
    }
}

impl InputBlock for TextEncoder {
    const KIND: Kind = Kind::builtin("text");

    fn fields(&self) -> Vec<Field> {
        vec![Field::new(self.column.clone(), ColumnType::Text)]
    }

    fn shape(&self) -> Vec<usize> {
        vec![self.length]
    }

    fn ids(&self) -> Option<usize> {
        Some(self.vocabulary.len())
    }

    fn encode(&self, columns: &[&Column], notes: &mut Notes) -> Result<Tensor> {
        self.check()?;
        let texts: Vec<&str> = columns[0].as_texts()?.map(|text| text.unwrap_or("")).collect();
        let ids = self.vocabulary.encode_counted(&texts, self.length, |row, tokens, known| {
            if texts[row].is_empty() {
                notes.add(row, 0, Remark::Missing);
            } else if known == 0 {
                notes.add(row, 0, Remark::NoKnownWord);
            } else if tokens > self.length {
                notes.add(row, 0, Remark::Truncated(tokens));
            }
        })?;
        Ok(ids.into_dyn())
    }
}
