//! Splits texts into tokens.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

/// The greatest length of a character n-gram.
pub(super) const LONGEST: usize = 10;

/// Splits texts into tokens: words in lower case and, optionally, pairs of words and pieces of words.
///
/// Word boundaries are those of Unicode (Unicode Standard Annex 29, "Text segmentation", section 4), for every
/// script. A word is a segment with a letter, a digit or an emoji; all others only separate words.
///
/// | text | words | |
/// |---|---|---|
/// | `Don't, it’s` | `don't`, `it's` | an apostrophe between letters is part of a word, typeset or typed |
/// | `e-mail`, `Straßen-Karte` | `e`, `mail`, `straßen`, `karte` | hyphens separate words |
/// | `3.5`, `1,000`, `x86_64` | `3.5`, `1,000`, `x86_64` | underscores, and points and commas in numbers, do not |
/// | `node.js`, `C++`, `50 %` | `node.js`, `c`, `50` | nor do points between letters; symbols are dropped |
/// | `हिन्दी`, `می‌خواهم` | one word each | combining marks and zero-width joiners and non-joiners belong to the word |
/// | `😀 👍🏽`, `👨‍👩‍👧` | `😀`, `👍🏽`, `👨‍👩‍👧` | an emoji is a word, together with its skin tone or joined emoji |
///
/// Before that, texts are converted to lower case (a Greek sigma at the end of a word becomes ς) and to Unicode's
/// form C, in which é is the same whether it was one character or two. Soft hyphens and marks of the writing
/// direction, which are invisible, are removed.
///
/// | tokens of "Fast C++ library" | |
/// |---|---|
/// | words, always | `fast`, `c`, `library` |
/// | [`bigrams`](Tokenizer::bigrams) | `fast c`, `c library` |
/// | [`characters(4, 4)`](Tokenizer::characters) | `#<fas`, `#fast`, `#ast>`, `#<lib`, `#libr`, … |
///
/// The order is: all words, then all pairs, then all pieces. So truncating a text drops its words last. Tokens of
/// different kinds are never equal.
///
/// ```
/// use plywood::data::Tokenizer;
///
/// let tokenizer = Tokenizer::words().bigrams(true);
/// assert_eq!(tokenizer.tokens("Straßen-Karte, 2D"), [
///     "straßen", "karte", "2d", "straßen karte", "karte 2d"
/// ]);
/// ```
///
/// scikit-learn's `CountVectorizer` drops words of one letter and splits words at apostrophes; this tokenizer does
/// neither. `bigrams` corresponds to its `ngram_range=(1, 2)` and to Keras' `TextVectorization(ngrams=2)`. Pieces are
/// those of Bojanowski et al., "Enriching word vectors with subword information", 2017, as in fastText.
///
/// For languages without spaces between words, Unicode's rules would need a dictionary, which this tokenizer does not
/// have: each Chinese or Thai character is a word, and so is a run of Katakana. With [`bigrams`](Tokenizer::bigrams)
/// this works well enough for Chinese; else segment such texts with a program for their language, join the words with
/// spaces, and use [`Tokenizer::whitespace`].
///
/// The serialized form names the rule for word boundaries. Reading a rule that this version of the crate does not
/// have is an error, because texts split by another rule are other words to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Tokenizer {
    rule: WordRule,
    /// True if pairs of neighbouring words are tokens.
    pairs: bool,
    /// The least and the greatest length of a piece of a word, in characters.
    pieces: Option<(usize, usize)>,
}

/// The rule for word boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum WordRule {
    #[default]
    Unicode,
    Whitespace,
}

impl WordRule {
    const ALL: [Self; 2] = [Self::Unicode, Self::Whitespace];

    /// Returns the rule's name in the saved form. It must change with every change to how texts are split.
    fn name(self) -> &'static str {
        match self {
            Self::Unicode => "unicode-words-1",
            Self::Whitespace => "whitespace-1",
        }
    }
}

/// The saved form of a tokenizer. The rule comes first, so that reading the bytes of an older form fails too.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Tokenizer")]
struct Saved {
    #[serde(default)]
    rule: String,
    pairs: bool,
    pieces: Option<(usize, usize)>,
}

impl From<Tokenizer> for Saved {
    fn from(Tokenizer { rule, pairs, pieces }: Tokenizer) -> Self {
        Self { rule: rule.name().to_owned(), pairs, pieces }
    }
}

/// Returns an error if the rule is not one of this version.
impl TryFrom<Saved> for Tokenizer {
    type Error = Error;

    fn try_from(Saved { rule, pairs, pieces }: Saved) -> Result<Self> {
        match WordRule::ALL.into_iter().find(|known| known.name() == rule) {
            Some(rule) => Ok(Self { rule, pairs, pieces }),
            None => {
                let found = if rule.is_empty() { "none: runs of letters and digits" } else { &rule };
                let names = WordRule::ALL.map(WordRule::name).join(" or ");
                Err(Error::format("the tokenizer's rule for words", format!("be {names}"), found).help(
                    "Another version of Plywood wrote it, which splits texts differently: fit the vocabulary \
                     again, and train the model with it.",
                ))
            }
        }
    }
}

/// The three kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Word,
    Pair,
    Piece,
}

impl Tokenizer {
    /// Splits texts into words only, by Unicode's rules.
    ///
    /// This is the same as `Tokenizer::default()`.
    pub fn words() -> Self {
        Self::default()
    }

    /// Splits texts at spaces, tabs and line ends, for texts that another program has segmented: no symbol is
    /// dropped.
    ///
    /// Lower case, form C and invisible characters are treated as by [`words`](Tokenizer::words). It corresponds to
    /// Keras' `TextVectorization(split="whitespace")`.
    ///
    /// ```
    /// use plywood::data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::whitespace().tokens("ภาษา ไทย C++"), ["ภาษา", "ไทย", "c++"]);
    /// ```
    pub fn whitespace() -> Self {
        Self { rule: WordRule::Whitespace, ..Self::default() }
    }

    /// Sets whether each pair of neighbouring words is a token too, with a space between them: "not good" is not
    /// "good".
    #[must_use]
    pub fn bigrams(mut self, bigrams: bool) -> Self {
        self.pairs = bigrams;
        self
    }

    /// Adds the pieces of `shortest` to `longest` characters of each word; `<` and `>` mark the ends of the word.
    ///
    /// Pieces help with word forms, compounds and misspellings, which are rare as whole words. There are many: with
    /// `characters(3, 5)` a text has some ten times as many tokens as without. Lengths are from 1 to 10, which
    /// [`VocabularySpec::fit`](crate::data::VocabularySpec::fit) checks.
    ///
    /// ```
    /// use plywood::data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::words().characters(3, 4).tokens("Go!"), ["go", "#<go", "#go>", "#<go>"]);
    /// ```
    #[must_use]
    pub fn characters(mut self, shortest: usize, longest: usize) -> Self {
        self.pieces = Some((shortest, longest));
        self
    }

    /// Returns the tokens of a text; none for a text without letters, digits and emoji.
    pub fn tokens(&self, text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        self.each(text, &mut |_, token| tokens.push(token.to_owned()));
        tokens
    }

    /// Returns the lengths of pieces if they are out of range.
    pub(super) fn fault(&self) -> Option<(usize, usize)> {
        self.pieces.filter(|&(shortest, longest)| shortest < 1 || shortest > longest || longest > LONGEST)
    }

    /// Calls `visit` for each token, without allocating a string for each.
    pub(super) fn each(&self, text: &str, visit: &mut dyn FnMut(Sort, &str)) {
        let text = plain(text);
        let words: Vec<&str> = match self.rule {
            WordRule::Unicode => {
                text.split_word_bounds().filter(|part| part.chars().any(is_of_word)).collect()
            }
            WordRule::Whitespace => text.split_whitespace().collect(),
        };
        for word in &words {
            visit(Sort::Word, word);
        }
        let mut token = String::new();
        if self.pairs {
            for pair in words.windows(2) {
                token.clear();
                token.extend([pair[0], " ", pair[1]]);
                visit(Sort::Pair, &token);
            }
        }
        let Some((shortest, longest)) = self.pieces else { return };
        let mut ends = Vec::new();
        for word in &words {
            let whole = format!("<{word}>");
            // The offsets of the characters, and the end of the last.
            ends.clear();
            ends.extend(whole.char_indices().map(|(at, _)| at));
            ends.push(whole.len());
            for length in shortest.max(1)..=longest.min(ends.len() - 1) {
                for bounds in ends.windows(length + 1) {
                    token.clear();
                    token.push('#');
                    token.push_str(&whole[bounds[0]..bounds[length]]);
                    visit(Sort::Piece, &token);
                }
            }
        }
    }
}

/// Converts a text to lower case and form C, without invisible characters, and with one kind of apostrophe.
fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen = |c: char| match c {
        // The soft hyphen, marks of the writing direction, the word joiner, and the byte order mark.
        '\u{ad}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => None,
        '’' => Some('\''),
        c => Some(c),
    };
    // The text is converted as a whole, since the lower case of a sigma depends on its neighbours; form C comes last,
    // because lower-case letters may not be in it.
    text.chars().filter_map(seen).collect::<String>().to_lowercase().nfc().collect()
}

/// Returns whether a segment with this character is a word.
fn is_of_word(c: char) -> bool {
    // Symbols such as # and © count as emoji characters too; the pictographic ones begin at this code point.
    c.is_alphanumeric() || c >= '\u{2300}' && c.is_emoji_char()
}
