//! Distinct texts, all of them or an even sample.

use isogloss_ir::{Result, TextKind, each_document};
use std::collections::BTreeMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// Texts by their hash: each counts once, and of more than the limit those with the lowest hashes stay, whatever
/// the order in which they came. Memory: the texts kept.
pub struct Sample {
    limit: usize,
    texts: BTreeMap<u128, String>,
}

impl Sample {
    /// Keeps `limit` texts, or all.
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit: limit.unwrap_or(usize::MAX), texts: BTreeMap::new() }
    }

    /// Adds a text.
    pub fn push(&mut self, text: String) {
        let hash = xxh3_128(text.as_bytes());
        let worst = self.texts.last_key_value().map(|(hash, _)| *hash);
        if self.texts.len() >= self.limit && worst.is_some_and(|worst| hash >= worst) {
            return;
        }
        self.texts.insert(hash, text);
        if self.texts.len() > self.limit {
            self.texts.pop_last();
        }
    }

    /// Adds every text of a file or of a folder in the BEIR layout, as `kind` or else its first line says.
    ///
    /// # Errors
    /// As [`each_document`].
    pub fn read(&mut self, path: &Path, kind: Option<TextKind>) -> Result<()> {
        each_document(path, kind, None, |document| {
            document.body.parts().into_iter().for_each(|text| self.push(text));
            Ok(())
        })
    }

    /// The texts kept.
    pub fn into_texts(self) -> Vec<String> {
        self.texts.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &[usize], limit: Option<usize>) -> Vec<String> {
        let mut sample = Sample::new(limit);
        texts.iter().for_each(|text| sample.push(text.to_string()));
        sample.into_texts()
    }

    #[test]
    fn the_order_does_not_matter_and_doubles_count_once() {
        let forth: Vec<usize> = (0..100).collect();
        let back: Vec<usize> = (0..200).rev().map(|i| i % 100).collect();
        assert_eq!(kept(&forth, Some(10)), kept(&back, Some(10)));
        assert_eq!((kept(&back, Some(10)).len(), kept(&back, None).len()), (10, 100));
    }
}
