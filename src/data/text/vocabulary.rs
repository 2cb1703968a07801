//! Converts tokens to numbers: a model's known tokens, and texts as rows of their ids.
//!
//! ```text
//! text ── Tokenizer ──> tokens ── Vocabulary ──> ids, [samples, length] ── EmbeddingBag or Embedding ──> numbers
//! ```
//!
//! Tokens are counted in a hash map. The order of the ids does not depend on the map's order, since no two tokens are
//! equal in both frequency and spelling.

use super::tokenizer::{LONGEST, Sort, Tokenizer};
use crate::error::{Error, Result};
use crate::shown::count;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The most ids that there may be: `f32` represents all integers up to here exactly.
const MOST: usize = 1 << 24;

/// The first id of a token: ids 0 and 1 are reserved.
const FIRST: usize = 2;

/// The tokens that a model knows, each with its id.
///
/// | id | |
/// |---|---|
/// | 0 | [`PADDING`](Vocabulary::PADDING), behind the end of a text |
/// | 1 | [`UNKNOWN`](Vocabulary::UNKNOWN), for words that are not in the vocabulary |
/// | 2 … | tokens, the most frequent first, ties in alphabetical order |
///
/// Fit it on the training texts alone: words that occur only in test texts must be unknown, as words of future texts
/// will be. Unknown pairs and pieces are dropped, because a shared id for all of them would carry no information.
///
/// ```
/// use plywood::prelude::*;
///
/// let train = ["A fast library", "a library for images", "a game"];
/// let vocabulary = Vocabulary::of(Tokenizer::words()).min_count(2).fit(&train)?;
/// assert_eq!(vocabulary.tokens(), ["a", "library"]); // 3 times and 2 times
/// assert_eq!(vocabulary.ids("A new library!"), [2, 1, 3]);
///
/// let ids = vocabulary.encode(&train, 4)?; // [samples, length]
/// assert_eq!(ids.row(2).to_vec(), [2.0, 1.0, 0.0, 0.0]);
/// let data = ArrayDataset::new(ids, vec![0, 1, 1])?;
/// let model = Sequential::builder([4])
///     .layer(EmbeddingBag::vocabulary(vocabulary.len(), 8).padding(Vocabulary::PADDING))
///     .layer(Dense::units(2)).layer(Softmax)
///     .build()?;
/// assert!(evaluate::confusion_matrix(&model, &data)?.accuracy() <= 1.0); // not trained yet
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// It implements serde's traits, including its tokenizer, and must be kept with the saved model: in another
/// vocabulary the same ids mean other words. A vocabulary whose words were split by a rule of another version is
/// refused. Ids 0 and 1 have the same meaning as in Keras' `TextVectorization`; `min_count` is like scikit-learn's
/// `min_df`, but counts occurrences, not texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    /// Tokens by id, from [`FIRST`].
    tokens: Vec<String>,
    /// Used for look-ups only, never iterated over.
    ids: HashMap<String, u32>,
}

/// The saved form of a vocabulary.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Vocabulary")]
struct Saved {
    tokenizer: Tokenizer,
    #[serde(with = "crate::codec::texts")]
    tokens: Vec<String>,
}

impl From<Vocabulary> for Saved {
    fn from(vocabulary: Vocabulary) -> Self {
        Self { tokenizer: vocabulary.tokenizer, tokens: vocabulary.tokens }
    }
}

/// Returns an error if a token occurs twice, or there are too many: such a file was not written by this crate.
impl TryFrom<Saved> for Vocabulary {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { tokenizer, tokens } = saved;
        check(&tokenizer)?;
        let corrupt = |found: String| {
            let expected = format!("have at most {} different tokens", MOST - FIRST);
            Error::format("the vocabulary", expected, found).help("The file is corrupt; save it again.")
        };
        if tokens.len() > MOST - FIRST {
            return Err(corrupt(format!("{} tokens", tokens.len())));
        }
        let mut ids = HashMap::with_capacity(tokens.len());
        for (token, id) in tokens.iter().zip(FIRST as u32..) {
            if ids.insert(token.clone(), id).is_some() {
                return Err(corrupt(format!("{token:?} twice")));
            }
        }
        Ok(Self { tokenizer, tokens, ids })
    }
}

/// Checks that the lengths of pieces are in their range.
fn check(tokenizer: &Tokenizer) -> Result<()> {
    match tokenizer.fault() {
        None => Ok(()),
        Some((shortest, longest)) => {
            let expected = format!("from 1 to {LONGEST} characters long, the shortest first");
            Err(Error::argument("the pieces of words", expected, format!("{shortest} to {longest}"))
                .help("3 to 5 are usual."))
        }
    }
}

impl Vocabulary {
    /// The id that fills a row behind the end of a text; give it to the embedding's `padding`.
    pub const PADDING: usize = 0;

    /// The id of all words that are not in the vocabulary.
    pub const UNKNOWN: usize = 1;

    /// Starts a vocabulary of the tokens that this tokenizer makes; call `fit` on the result.
    ///
    /// By default it takes every token.
    pub fn of(tokenizer: Tokenizer) -> VocabularySpec {
        VocabularySpec { tokenizer, max_size: MOST, min_count: 1 }
    }

    /// Returns the number of ids, including those of padding and of unknown words: an embedding needs this number of
    /// rows.
    #[expect(clippy::len_without_is_empty, reason = "two ids are always there")]
    pub fn len(&self) -> usize {
        FIRST + self.tokens.len()
    }

    /// Returns the tokens in the order of their ids; the first has id 2.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Returns the tokenizer that splits texts into tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Returns the id of a token in the tokenizer's form (in lower case), if it is known.
    pub fn id(&self, token: &str) -> Option<usize> {
        self.ids.get(token).map(|&id| id as usize)
    }

    /// Returns all ids of a text: first its words, then pairs, then pieces.
    ///
    /// ```
    /// use plywood::prelude::*;
    ///
    /// let vocabulary = Vocabulary::of(Tokenizer::words().bigrams(true)).fit(&["not good"])?;
    /// assert_eq!(vocabulary.tokens(), ["good", "not", "not good"]);
    /// assert_eq!(vocabulary.ids("Not bad, not good."), [3, 1, 3, 2, 4]); // "not bad" is left out
    /// assert!(vocabulary.ids("...").is_empty());
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn ids(&self, text: &str) -> Vec<usize> {
        let mut ids = Vec::new();
        self.each(text, &mut |id| ids.push(id as usize));
        ids
    }

    fn each(&self, text: &str, visit: &mut dyn FnMut(u32)) {
        self.tokenizer.each(text, &mut |sort, token| match (self.ids.get(token), sort) {
            (Some(&id), _) => visit(id),
            (None, Sort::Word) => visit(Self::UNKNOWN as u32),
            (None, _) => {}
        });
    }

    /// Converts texts to an array of ids, `[texts, length]`, for [`ArrayDataset`](crate::data::ArrayDataset) and for
    /// `predict`.
    ///
    /// Shorter texts are padded with [`PADDING`](Vocabulary::PADDING) at the end; longer ones are truncated to their
    /// first `length` ids. The array takes 4 bytes for each id, so choose a length that 99 of 100 texts fit in, not
    /// that of the longest.
    ///
    /// # Errors
    /// When the length is 0, or the array does not fit into memory.
    pub fn encode<S: AsRef<str>>(&self, texts: &[S], length: usize) -> Result<Array2<f32>> {
        self.encode_counted(texts, length, |_, _, _| {})
    }

    /// [`encode`](Vocabulary::encode), which calls `seen` for each text with its number, the number of its ids, and how
    /// many of them are known tokens.
    pub(crate) fn encode_counted<S: AsRef<str>>(
        &self,
        texts: &[S],
        length: usize,
        mut seen: impl FnMut(usize, usize, usize),
    ) -> Result<Array2<f32>> {
        if length == 0 {
            return Err(Error::argument("the length of texts", "at least 1", length)
                .help("Count the tokens of usual texts: `vocabulary.ids(text).len()`."));
        }
        let mut numbers: Vec<f32> = Vec::new();
        let count = texts.len().checked_mul(length);
        let large = || {
            let found = format!("{} texts of {length} ids", texts.len());
            Error::argument("the array of ids", "small enough to fit into memory", found)
                .help("Use a smaller length, or fewer texts at a time.")
        };
        let count = count.filter(|&n| numbers.try_reserve_exact(n).is_ok()).ok_or_else(large)?;
        numbers.resize(count, Self::PADDING as f32);
        for (number, (text, row)) in texts.iter().zip(numbers.chunks_exact_mut(length)).enumerate() {
            let (mut row, mut ids, mut known) = (row.iter_mut(), 0, 0);
            self.each(text.as_ref(), &mut |id| {
                if let Some(place) = row.next() {
                    *place = id as f32; // exact: ids are below 2^24
                }
                ids += 1;
                known += usize::from(id as usize != Self::UNKNOWN);
            });
            seen(number, ids, known);
        }
        Array2::from_shape_vec((texts.len(), length), numbers).map_err(|_| large())
    }
}

/// The settings that a [`Vocabulary`] is fitted with; [`Vocabulary::of`] returns it.
#[derive(Clone, Debug)]
pub struct VocabularySpec {
    tokenizer: Tokenizer,
    max_size: usize,
    min_count: usize,
}

impl VocabularySpec {
    /// Sets the most ids, padding and unknown words included, as Keras' `max_tokens`: the rarest tokens are dropped
    /// first.
    ///
    /// It is from 3 to 2^24, the default.
    #[must_use]
    pub fn max_size(mut self, ids: usize) -> Self {
        self.max_size = ids;
        self
    }

    /// Sets how often a token must occur in the training texts to be included; the default is 1.
    ///
    /// With 2, words that occur once are unknown in training already, so that id 1 learns what rare words mean.
    #[must_use]
    pub fn min_count(mut self, count: usize) -> Self {
        self.min_count = count;
        self
    }

    /// Counts the tokens of the training texts and numbers them.
    ///
    /// The result depends on the texts alone, not on their order.
    ///
    /// # Errors
    /// When a setting is out of range, or no token is left.
    pub fn fit<S: AsRef<str>>(self, texts: &[S]) -> Result<Vocabulary> {
        let mut counter = self.counter()?;
        texts.iter().for_each(|text| counter.add(text.as_ref()));
        counter.finish()
    }

    /// Sets how texts are split.
    pub(crate) fn tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.tokenizer = tokenizer;
        self
    }

    /// Checks the settings, and begins to count.
    pub(crate) fn counter(self) -> Result<Counter> {
        let Self { ref tokenizer, max_size, .. } = self;
        check(tokenizer)?;
        if !(FIRST + 1..=MOST).contains(&max_size) {
            return Err(Error::argument("the vocabulary's size", format!("from 3 to {MOST}"), max_size)
                .help("Ids 0 and 1 stand for padding and unknown words; 20,000 is a usual size."));
        }
        Ok(Counter { spec: self, texts: 0, counts: HashMap::new() })
    }
}

/// Counts the tokens of texts, one text after the other.
pub(crate) struct Counter {
    spec: VocabularySpec,
    texts: usize,
    counts: HashMap<String, usize>,
}

impl Counter {
    /// Counts the tokens of a text.
    pub fn add(&mut self, text: &str) {
        self.texts += 1;
        self.spec.tokenizer.each(text, &mut |_, token| match self.counts.get_mut(token) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(token.to_owned(), 1);
            }
        });
    }

    /// Numbers the tokens.
    pub fn finish(self) -> Result<Vocabulary> {
        let Self { spec: VocabularySpec { tokenizer, max_size, min_count }, texts, counts } = self;
        let mut tokens: Vec<(String, usize)> = counts.into_iter().filter(|&(_, n)| n >= min_count).collect();
        if tokens.is_empty() {
            let found = format!("none in {}", count(texts, "text", "texts"));
            return Err(Error::data(
                "the texts",
                format!("have a token that occurs at least {}", count(min_count, "time", "times")),
                found,
            )
            .help("Give training texts with words, or use a smaller `min_count`."));
        }
        tokens.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        tokens.truncate(max_size - FIRST);
        let tokens = tokens.into_iter().map(|(token, _)| token).collect();
        Vocabulary::try_from(Saved { tokenizer, tokens })
    }
}
