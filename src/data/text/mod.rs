//! Texts: tokens, vocabularies, and texts with named classes.

mod labelled;
mod tokenizer;
mod vocabulary;

pub use labelled::LabelledTexts;
pub use tokenizer::Tokenizer;
pub use vocabulary::{Vocabulary, VocabularySpec};
