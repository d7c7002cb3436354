//! NLTK's `word_tokenize` for English, token for token: Punkt splits sentences, then the improved Treebank tokenizer words.
//!
//! Ported from NLTK 3.10.4 (Apache-2.0), whose regular expressions run on the `regex` engine but for the contractions,
//! which run on Python's own; Python's Unicode tables are those of version 14, Rust's newer. The parameters of
//! Punkt are those of the classic English model (see NOTICE).

mod punkt;
mod treebank;

pub use punkt::sentences;
pub use treebank::words;

/// The tokens of an English text: those of each of its [`sentences`].
pub fn word_tokenize(text: &str) -> Vec<String> {
    sentences(text).into_iter().flat_map(words).collect()
}

/// What Python's `str.isspace` holds for.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
