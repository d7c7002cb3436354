//! `lucene:ja:<folder>`: Japanese as Lucene's `JapaneseAnalyzer` has it, with the dictionary in the folder.

mod dictionary;
mod lattice;

use super::word_set::WordSet;
use super::{Analyzer, fold, unicode::Units, unicode::is_punctuation};
use crate::error::Result;
use dictionary::Dictionary;
use lattice::Lattice;
use std::collections::HashSet;
use std::path::Path;

/// Words by the dictionary, in the form it lists them; particles and the like are left out.
pub(crate) struct Japanese {
    dictionary: Dictionary,
    stop_tags: HashSet<&'static str>,
    stop_words: WordSet,
}

impl Japanese {
    /// With the dictionary of a folder.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            dictionary: Dictionary::open(folder)?,
            stop_tags: include_str!("words/postags-ja.txt").lines().collect(),
            stop_words: WordSet::of_lines(include_str!("words/stop-ja.txt")),
        })
    }

    /// What is indexed for a word of the text, if anything.
    fn indexed(&self, surface: &[u16], features: &str) -> Option<Units> {
        let mut features = features.split(',');
        let tags: Vec<&str> = features.by_ref().take(4).filter(|tag| *tag != "*").collect();
        if is_punctuation(surface[0]) || self.stop_tags.contains(tags.join("-").as_str()) {
            return None;
        }
        let mut token = match features.nth(2).filter(|base| *base != "*") {
            Some(base) => base.encode_utf16().collect(),
            None => surface.to_vec(),
        };
        fold::lower_case(&mut token);
        if self.stop_words.contains(&token) {
            return None;
        }
        stem_katakana(&mut token);
        Some(token)
    }
}

impl Analyzer for Japanese {
    fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()> {
        let mut units: Units = text.encode_utf16().collect();
        fold::cjk_width(&mut units);
        Lattice::new(&self.dictionary, &units).each_word(&mut |surface, word| {
            if let Some(token) = self.indexed(surface, self.dictionary.features(word)) {
                found(&String::from_utf16_lossy(&token));
            }
        });
        Ok(())
    }
}

/// `JapaneseKatakanaStemFilter`: drops the last sound mark of a word of four katakana or more.
fn stem_katakana(token: &mut Units) {
    let katakana = |unit: &u16| (0x30a0..0x3100).contains(unit);
    if token.len() >= 4 && token.last() == Some(&0x30fc) && token.iter().all(katakana) {
        token.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn a_long_vowel_at_the_end_of_a_loan_word_goes() {
        assert_eq!(stemmed(stem_katakana, "コンピューター"), "コンピュータ");
        assert_eq!(stemmed(stem_katakana, "コピー"), "コピー");
        assert_eq!(stemmed(stem_katakana, "スーパー店"), "スーパー店");
    }
}
