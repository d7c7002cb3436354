//! Which tokens play which role.

use std::path::Path;

use serde_json::Value;

use crate::config::keys::Keys;
use crate::error::Result;

/// Ids of the special tokens, by role; none where the tokenizer has no such token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Fills a batch up.
    pub pad: Option<u32>,
    /// Begins a text.
    pub cls: Option<u32>,
    /// Ends a text.
    pub sep: Option<u32>,
    /// Hides a token in masked language modelling.
    pub mask: Option<u32>,
    /// Stands for what is not in the vocabulary.
    pub unk: Option<u32>,
}

/// Keys of a role in the tokenizer's files, and the tokens tried where no file names one.
const PAD: (&[&str], &[&str]) = (&["pad_token"], &["<pad>", "[PAD]"]);
const CLS: (&[&str], &[&str]) = (&["cls_token", "bos_token"], &["[CLS]", "<s>", "<bos>"]);
const SEP: (&[&str], &[&str]) = (&["sep_token", "eos_token"], &["[SEP]", "</s>", "<eos>"]);
const MASK: (&[&str], &[&str]) = (&["mask_token"], &["<mask>", "[MASK]"]);
const UNK: (&[&str], &[&str]) = (&["unk_token"], &["<unk>", "[UNK]"]);

impl SpecialTokens {
    /// Looks each role up in `special_tokens_map.json`, then in `tokenizer_config.json`, then by its usual names.
    pub(super) fn read(folder: &Path, id: impl Fn(&str) -> Option<u32>) -> Result<Self> {
        let mut files = Vec::new();
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = folder.join(name);
            if path.exists() {
                files.push(Keys::read(&path)?);
            }
        }
        let find = |(keys, usual): (&[&'static str], &[&str])| -> Result<Option<u32>> {
            match named(&files, keys)? {
                Some((file, key, token)) => match id(&token) {
                    Some(id) => Ok(Some(id)),
                    None => Err(file.wrong(key, "a token of tokenizer.json", Some(&Value::String(token)))),
                },
                None => Ok(usual.iter().find_map(|token| id(token))),
            }
        };
        Ok(Self { pad: find(PAD)?, cls: find(CLS)?, sep: find(SEP)?, mask: find(MASK)?, unk: find(UNK)? })
    }
}

/// The first of `keys` that any file holds, as a string or as an object with `content`.
fn named<'a>(files: &'a [Keys], keys: &[&'a str]) -> Result<Option<(&'a Keys, &'a str, String)>> {
    for &key in keys {
        for file in files {
            let Some(value) = file.get(key) else { continue };
            let token = value.as_str().or_else(|| value.get("content").and_then(Value::as_str));
            let token = token.ok_or_else(|| file.wrong(key, "a token", Some(value)))?;
            return Ok(Some((file, key, token.to_owned())));
        }
    }
    Ok(None)
}
