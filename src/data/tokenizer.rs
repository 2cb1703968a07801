//! Texts cut into tokens.

use serde::{Deserialize, Serialize};

/// The longest n-gram of characters that a vocabulary is fitted on.
pub(super) const LONGEST: usize = 10;

/// Cuts texts into tokens: words in lower case, and, if asked for, pairs of words and pieces of words.
///
/// A word is an unbroken run of letters and digits as Unicode has them (`char::is_alphanumeric`); all else separates.
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
/// use plywood::Tokenizer;
///
/// let tokenizer = Tokenizer::words().bigrams();
/// assert_eq!(tokenizer.tokens("Straßen-Karte, 2D"), [
///     "straßen", "karte", "2d", "straßen karte", "karte 2d"
/// ]);
/// ```
///
/// scikit-learn's `CountVectorizer` drops words of one letter, which this does not; `bigrams` is its
/// `ngram_range=(1, 2)` and Keras' `TextVectorization(ngrams=2)`. Pieces are those of Bojanowski et al., "Enriching
/// word vectors with subword information", 2017, as in fastText.
///
/// Letters that are written as a base and an accent of their own (Unicode's NFD) are cut there: compose such texts
/// first (NFC). Languages without spaces between words need a tokeniser of their own: join its words with spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokenizer {
    /// Whether neighbouring words make a token.
    pairs: bool,
    /// The shortest and the longest piece of a word, in characters.
    pieces: Option<(usize, usize)>,
}

/// The three sorts of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Word,
    Pair,
    Piece,
}

impl Tokenizer {
    /// Words alone.
    ///
    /// The same as `Tokenizer::default()`.
    pub fn words() -> Self {
        Self::default()
    }

    /// Each two neighbouring words, too, with a space between them: "not good" is not "good".
    #[must_use]
    pub fn bigrams(mut self) -> Self {
        self.pairs = true;
        self
    }

    /// The pieces of `shortest` to `longest` characters of each word, too, `<` and `>` standing for its ends.
    ///
    /// They help with word forms, compounds and misspellings, where words alone are rare. There are many: a text has
    /// some ten times as many tokens with `characters(3, 5)` as without. Lengths go from 1 to 10, which
    /// [`VocabularySpec::fit`](crate::VocabularySpec::fit) checks.
    ///
    /// ```
    /// use plywood::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::words().characters(3, 4).tokens("Go!"), ["go", "#<go", "#go>", "#<go>"]);
    /// ```
    #[must_use]
    pub fn characters(mut self, shortest: usize, longest: usize) -> Self {
        self.pieces = Some((shortest, longest));
        self
    }

    /// The tokens of a text; none for a text without letters and digits.
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
        let lower = |word: &str| word.chars().flat_map(char::to_lowercase).collect::<String>();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(lower).collect();
        for word in &words {
            visit(Sort::Word, word);
        }
        let mut token = String::new();
        if self.pairs {
            for pair in words.windows(2) {
                token.clear();
                token.extend([&pair[0], " ", &pair[1]]);
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
