//! Text to token ids, exactly as the Hugging Face tokenizer of the model does it.

mod special;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{
    Encoding, NormalizerWrapper, PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy, normalizers,
};

pub use special::SpecialTokens;

use crate::error::{Error, Result};

/// One text as ids of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenIds {
    /// Ids, special tokens included; never padded.
    pub ids: Vec<u32>,
    /// 0 for the first text and 1 for the second, where the tokenizer tells the two of a pair apart; else none.
    pub type_ids: Option<Vec<u32>>,
    /// Leading tokens that belong to the prompt (the leading special token among them); 0 without a prompt.
    pub prompt_tokens: usize,
}

/// A model's tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: SpecialTokens,
    path: PathBuf,
}

impl Tokenizer {
    /// Reads `folder/tokenizer.json`, and the roles of its special tokens from `special_tokens_map.json` and
    /// `tokenizer_config.json` beside it. Padding and truncation baked into the file are ignored.
    ///
    /// # Errors
    /// A missing or broken `tokenizer.json`; a role named in the files whose token is not in the vocabulary.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        if !path.exists() {
            let cure = "save the tokenizer with transformers' AutoTokenizer.save_pretrained, which writes it";
            return Err(Error::Missing { path, cure });
        }
        let mut inner = tokenizers::Tokenizer::from_file(&path).map_err(Error::tokenizer(&path))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(Error::tokenizer(&path))?;
        let special = SpecialTokens::read(folder, |token| inner.token_to_id(token))?;
        Ok(Self { inner, special, path })
    }

    /// The same tokenizer, but with all text lowered first.
    pub fn lowercased(mut self) -> Result<Self> {
        let lower = NormalizerWrapper::Lowercase(normalizers::Lowercase);
        let steps = std::iter::once(lower).chain(self.inner.get_normalizer().cloned()).collect();
        let steps = normalizers::Sequence::new(steps);
        self.inner.with_normalizer(Some(steps)).map_err(Error::tokenizer(&self.path))?;
        Ok(self)
    }

    /// Encodes each text with `prompt` in front of it, over all cores, cut on the right to `max_tokens` tokens
    /// including the special ones. The result depends on neither the batch nor the number of threads.
    ///
    /// # Errors
    /// A `max_tokens` that leaves no room beside the special tokens; whatever the library refuses.
    pub fn encode_batch(&self, texts: &[&str], prompt: &str, max_tokens: usize) -> Result<Vec<TokenIds>> {
        self.check_room(max_tokens, false)?;
        let prompt_tokens = self.prompt_tokens(prompt, max_tokens)?;
        let encode = |text: &&str| {
            let encoding = match prompt {
                "" => self.cut(text, None, max_tokens)?,
                _ => self.cut(&format!("{prompt}{text}"), None, max_tokens)?,
            };
            let prompt_tokens = prompt_tokens.min(encoding.len());
            Ok(TokenIds { ids: encoding.get_ids().to_vec(), type_ids: None, prompt_tokens })
        };
        texts.par_iter().map(encode).collect()
    }

    /// Encodes pairs into one sequence each; the longer of the two loses tokens first.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_batch`].
    pub fn encode_pairs(&self, pairs: &[(&str, &str)], max_tokens: usize) -> Result<Vec<TokenIds>> {
        self.check_room(max_tokens, true)?;
        let encode = |(a, b): &(&str, &str)| {
            let encoding = self.cut(a, Some(b), max_tokens)?;
            let types = encoding.get_type_ids();
            let type_ids = types.iter().any(|&t| t != 0).then(|| types.to_vec());
            Ok(TokenIds { ids: encoding.get_ids().to_vec(), type_ids, prompt_tokens: 0 })
        };
        pairs.par_iter().map(encode).collect()
    }

    /// Ids of `text` alone, without special tokens, uncut.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encode_one(text)?.get_ids().to_vec())
    }

    /// The text that `ids` stand for, with or without the special tokens among them.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner.decode(ids, skip_special).map_err(Error::tokenizer(&self.path))
    }

    /// The special tokens by their roles.
    pub fn special(&self) -> &SpecialTokens {
        &self.special
    }

    /// Id of the padding token.
    ///
    /// # Errors
    /// [`Error::SpecialToken`] where the tokenizer has none.
    pub fn pad_id(&self) -> Result<u32> {
        self.special.pad.ok_or_else(|| Error::SpecialToken { path: self.path.clone(), role: "pad" })
    }

    /// Id of the token that ends a text.
    ///
    /// # Errors
    /// [`Error::SpecialToken`] where the tokenizer has none.
    pub fn end_id(&self) -> Result<u32> {
        self.special.sep.ok_or_else(|| Error::SpecialToken { path: self.path.clone(), role: "eos" })
    }

    /// Id of the mask token.
    ///
    /// # Errors
    /// [`Error::SpecialToken`] where the tokenizer has none.
    pub fn mask_id(&self) -> Result<u32> {
        self.special.mask.ok_or_else(|| Error::SpecialToken { path: self.path.clone(), role: "mask" })
    }

    /// Number of ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Id of `token`, where there is one.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Token of `id`, where there is one.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The `tokenizer.json` it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a word table of fewer rows than there are ids.
    pub(crate) fn check_rows(&self, rows: usize) -> Result<()> {
        if self.vocab_size() <= rows {
            return Ok(());
        }
        let (key, expected) = ("vocabulary size".into(), "at most the rows of the word table");
        Err(Error::Key { path: self.path.clone(), key, expected, got: self.vocab_size().to_string() })
    }

    /// Positions that the prompt takes at the beginning of a text: what it encodes to by itself, less the special
    /// token at the end.
    fn prompt_tokens(&self, prompt: &str, max_tokens: usize) -> Result<usize> {
        if prompt.is_empty() {
            return Ok(0);
        }
        let encoding = self.cut(prompt, None, max_tokens)?;
        let closed = encoding.get_special_tokens_mask().last() == Some(&1);
        Ok(encoding.len() - usize::from(closed))
    }

    fn encode_one(&self, text: &str) -> Result<Encoding> {
        self.inner.encode_fast(text, false).map_err(Error::tokenizer(&self.path))
    }

    fn added(&self, pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |p| p.added_tokens(pair))
    }

    fn check_room(&self, max_tokens: usize, pair: bool) -> Result<()> {
        match self.added(pair) {
            added if max_tokens <= added => Err(Error::NoRoom { max_tokens, added }),
            _ => Ok(()),
        }
    }

    /// Encodes, cuts, then adds the special tokens.
    fn cut(&self, text: &str, pair: Option<&str>, max_tokens: usize) -> Result<Encoding> {
        let params = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: max_tokens - self.added(pair.is_some()),
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let second = pair.map(|text| self.encode_one(text)).transpose()?;
        let cut = truncate_encodings(self.encode_one(text)?, second, &params);
        let (first, second) = cut.map_err(Error::tokenizer(&self.path))?;
        self.inner.post_process(first, second, true).map_err(Error::tokenizer(&self.path))
    }
}

#[cfg(test)]
#[path = "tokens/tests.rs"]
mod tests;
