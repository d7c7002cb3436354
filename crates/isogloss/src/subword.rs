//! `subword:<name>`: a model's tokenizer as an analyzer.

use isogloss_lexical::{Analyzer, Error, Result};
use isogloss_model::Tokenizer;
use std::path::Path;

/// The tokens of a `tokenizer.json`, without special tokens.
struct Subwords {
    name: String,
    tokenizer: Tokenizer,
    /// Tokens by id.
    tokens: Vec<String>,
}

/// Opens the tokenizer in a folder, or that of a model's folder.
///
/// # Errors
/// [`Error::Subword`] where there is none, or it is broken.
pub fn open(name: &str) -> Result<Box<dyn Analyzer>> {
    let tokenizer = Tokenizer::load(Path::new(name)).map_err(|source| fault(name, source))?;
    let last = (0..).take_while(|&id| (id as usize) < tokenizer.vocab_size());
    let tokens = last.map(|id| tokenizer.token(id).unwrap_or_default()).collect();
    Ok(Box::new(Subwords { name: name.to_owned(), tokenizer, tokens }))
}

fn fault(name: &str, source: isogloss_model::Error) -> Error {
    Error::Subword { name: name.to_owned(), source: source.into() }
}

impl Analyzer for Subwords {
    fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()> {
        for id in self.tokenizer.encode_plain(text).map_err(|source| fault(&self.name, source))? {
            match self.tokens.get(id as usize) {
                Some(token) => found(token),
                // An id beyond the size of the vocabulary: the vocabulary has gaps.
                None => found(&self.tokenizer.token(id).unwrap_or_default()),
            }
        }
        Ok(())
    }
}
