//! Texts cut into tokens.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::UnicodeEmoji;
use unicode_segmentation::UnicodeSegmentation;

/// The longest n-gram of characters that a vocabulary is fitted on.
pub(super) const LONGEST: usize = 10;

/// Cuts texts into tokens: words in lower case, and, if asked for, pairs of words and pieces of words.
///
/// Words begin and end where Unicode says so (Unicode Standard Annex 29, "Text segmentation", section 4), in every
/// script. What holds a letter, a digit or an emoji is a word; all else separates.
///
/// | text | words | |
/// |---|---|---|
/// | `Don't, it’s` | `don't`, `it's` | an apostrophe between letters is part of a word, typeset or typed |
/// | `e-mail`, `Straßen-Karte` | `e`, `mail`, `straßen`, `karte` | hyphens part words |
/// | `3.5`, `1,000`, `x86_64` | `3.5`, `1,000`, `x86_64` | points and commas between digits and underscores do not |
/// | `node.js`, `C++`, `50 %` | `node.js`, `c`, `50` | nor points between letters; signs are left out |
/// | `हिन्दी`, `می‌خواهم` | one word each | marks, and what joins or parts letters without a space, belong to a word |
/// | `😀 👍🏽`, `👨‍👩‍👧` | `😀`, `👍🏽`, `👨‍👩‍👧` | an emoji is a word, with its skin tone or its family |
///
/// Before that, texts are put into lower case (a Greek sigma at a word's end as ς) and into Unicode's form C, in which
/// é is one thing whether it was one character or two. Soft hyphens and marks of the direction of writing, which no
/// reader sees, are removed.
///
/// | tokens of "Fast C++ library" | |
/// |---|---|
/// | words, always | `fast`, `c`, `library` |
/// | [`bigrams`](Tokenizer::bigrams) | `fast c`, `c library` |
/// | [`characters(4, 4)`](Tokenizer::characters) | `#<fas`, `#fast`, `#ast>`, `#<lib`, `#libr`, … |
///
/// They come in this order: all words, then all pairs, then all pieces; so a text that is cut to a length loses its
/// words last. No token of one sort can be taken for one of another.
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
/// scikit-learn's `CountVectorizer` drops words of one letter and parts words at apostrophes, which this does not;
/// `bigrams` is its `ngram_range=(1, 2)` and Keras' `TextVectorization(ngrams=2)`. Pieces are those of Bojanowski et
/// al., "Enriching word vectors with subword information", 2017, as in fastText.
///
/// Where a language has no spaces between words, Unicode's rules need a dictionary that this has not: each character
/// of Chinese or Thai is a word, and runs of Katakana. With [`bigrams`](Tokenizer::bigrams) that does well enough for
/// Chinese; else cut such texts by a program for their language, join its words with spaces, and take
/// [`Tokenizer::whitespace`].
///
/// What serde writes of it names the rule that words are cut by, and a rule that this version of the crate does not
/// have is an error when it is read: texts cut otherwise are other words to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Tokenizer {
    rule: WordRule,
    /// Whether neighbouring words make a token.
    pairs: bool,
    /// The shortest and the longest piece of a word, in characters.
    pieces: Option<(usize, usize)>,
}

/// Where a word begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum WordRule {
    #[default]
    Unicode,
    Whitespace,
}

impl WordRule {
    const ALL: [Self; 2] = [Self::Unicode, Self::Whitespace];

    /// Its name in what is saved. It has to change with anything that cuts texts otherwise than before.
    fn name(self) -> &'static str {
        match self {
            Self::Unicode => "unicode-words-1",
            Self::Whitespace => "whitespace-1",
        }
    }
}

/// What is saved of a tokenizer. The rule comes first, so that bytes of an older form are none, too.
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

/// Fails where the rule is another version's.
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

/// The three sorts of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Word,
    Pair,
    Piece,
}

impl Tokenizer {
    /// Words alone, by Unicode's rules.
    ///
    /// The same as `Tokenizer::default()`.
    pub fn words() -> Self {
        Self::default()
    }

    /// What stands between spaces, tabs and line ends, for texts that another program has cut: nothing is left out.
    ///
    /// Lower case, form C and what no reader sees are as for [`words`](Tokenizer::words). Keras'
    /// `TextVectorization(split="whitespace")`.
    ///
    /// ```
    /// use plywood::data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::whitespace().tokens("ภาษา ไทย C++"), ["ภาษา", "ไทย", "c++"]);
    /// ```
    pub fn whitespace() -> Self {
        Self { rule: WordRule::Whitespace, ..Self::default() }
    }

    /// Whether each two neighbouring words are a word too, with a space between them: "not good" is not "good".
    #[must_use]
    pub fn bigrams(mut self, bigrams: bool) -> Self {
        self.pairs = bigrams;
        self
    }

    /// The pieces of `shortest` to `longest` characters of each word, too, `<` and `>` standing for its ends.
    ///
    /// They help with word forms, compounds and misspellings, where words alone are rare. There are many: a text has
    /// some ten times as many tokens with `characters(3, 5)` as without. Lengths go from 1 to 10, which
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

    /// The tokens of a text; none for a text without letters, digits and emoji.
    pub fn tokens(&self, text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        self.each(text, &mut |_, token| tokens.push(token.to_owned()));
        tokens
    }

    /// The lengths of pieces, where they cannot be used.
    pub(super) fn fault(&self) -> Option<(usize, usize)> {
        self.pieces.filter(|&(shortest, longest)| shortest < 1 || shortest > longest || longest > LONGEST)
    }

    /// Hands out the tokens one after the other, without a string for each.
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
            // Where each character begins, and the end of the last.
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

/// A text in lower case and in form C, without what no reader sees, and with one sort of apostrophe.
fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen = |c: char| match c {
        // The soft hyphen, marks of direction, the joiner of words, and the mark of the order of bytes.
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
    // As a whole, since what a sigma becomes depends on its neighbours; form C last, as small letters may lack it.
    text.chars().filter_map(seen).collect::<String>().to_lowercase().nfc().collect()
}

/// Whether what holds this character is a word.
fn is_of_word(c: char) -> bool {
    // Signs such as # and © count among the emoji, too; those that stand for something begin here.
    c.is_alphanumeric() || c >= '\u{2300}' && c.is_emoji_char()
}
