//! Texts that are nearly the same as others.

use isogloss_ir::minhash::{MinHash, Shingles};

/// Characters of an n-gram.
const CHARS: usize = 5;

/// The n-grams of some texts, to hold others against.
pub(crate) struct Near {
    min_hash: MinHash,
    sets: Vec<Shingles>,
    threshold: f64,
}

impl Near {
    /// Texts are near from a Jaccard similarity of `threshold` on, of their sets of five characters as MinHash takes them;
    /// it is computed whole, not estimated.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>, threshold: f64) -> Self {
        let min_hash = MinHash::new(CHARS, 0);
        Self { sets: texts.map(|text| min_hash.shingles(text)).collect(), min_hash, threshold }
    }

    /// Whether `text` is near any of them.
    pub(crate) fn has(&self, text: &str) -> bool {
        let set = self.min_hash.shingles(text);
        self.sets.iter().any(|other| other.jaccard(&set) >= self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_word_more_is_near_and_another_is_not() {
        let text = "The horse runs by the river in the early morning light.";
        let near = Near::new([text].into_iter(), 0.8);
        assert!(near.has(text) && near.has(&format!("{}  ", text.to_uppercase())));
        assert!(near.has(&format!("{text} Now")));
        assert!(!near.has("The horse sleeps on the roof in the late evening."));
        assert!(!near.has(""));
    }
}
