//! Texts: tokens, vocabularies, and texts with the names of their classes.

mod labelled;
mod tokenizer;
mod vocabulary;

pub use labelled::LabelledTexts;
pub use tokenizer::Tokenizer;
pub use vocabulary::{Vocabulary, VocabularySpec};
