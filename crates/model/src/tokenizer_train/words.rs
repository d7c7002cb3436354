//! Counts the words that a tokenizer is trained on.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Result, Tokenizer,
};

/// Texts taken from the iterator at once.
const WINDOW: usize = 8192;

/// Longer words are cut: the lattice of a word grows with its length, and its probabilities vanish.
const WORD_CHARS: usize = 128;

/// Words as `tokenizer` splits them and their counts, by word; characters beyond `coverage` end a word.
pub(super) fn count_words<T: AsRef<str> + Sync>(
    tokenizer: &Tokenizer,
    texts: impl IntoIterator<Item = T>,
    coverage: f64,
) -> Result<Vec<(String, u32)>> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut texts = texts.into_iter();
    loop {
        let window: Vec<T> = texts.by_ref().take(WINDOW).collect();
        if window.is_empty() {
            break;
        }
        let words: Result<Vec<Vec<String>>> = window.par_iter().map(|t| split(tokenizer, t.as_ref())).collect();
        words?.into_iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    Ok(scaled(covered(counts, coverage)))
}

fn split(tokenizer: &Tokenizer, text: &str) -> Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized)?;
    }
    let mut words = PreTokenizedString::from(normalized.get());
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut words)?;
    }
    let words = words.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    Ok(words.into_iter().map(|(word, ..)| word.to_owned()).collect())
}

/// Cuts words at characters that together make up less than `1 − coverage` of the text, and at their length.
fn covered(counts: HashMap<String, u64>, coverage: f64) -> BTreeMap<String, u64> {
    let mut chars: HashMap<char, u64> = HashMap::new();
    for (word, count) in &counts {
        word.chars().for_each(|c| *chars.entry(c).or_default() += count);
    }
    let total: u64 = chars.values().sum();
    let mut ranked: Vec<(char, u64)> = chars.into_iter().collect();
    ranked.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    let mut kept = HashMap::new();
    let mut sum = 0;
    for (c, count) in ranked {
        if sum as f64 >= coverage * total as f64 {
            break;
        }
        sum += count;
        kept.insert(c, ());
    }
    let mut words = BTreeMap::new();
    for (word, count) in counts {
        for part in word.split(|c| !kept.contains_key(&c)).filter(|part| !part.is_empty()) {
            let chars: Vec<char> = part.chars().collect();
            for part in chars.chunks(WORD_CHARS) {
                *words.entry(part.iter().collect()).or_default() += count;
            }
        }
    }
    words
}

/// The trainer counts in 32 bits: larger counts are brought down together, each to at least 1.
fn scaled(words: BTreeMap<String, u64>) -> Vec<(String, u32)> {
    let total: u64 = words.values().sum();
    let divisor = total.div_ceil(u64::from(u32::MAX / 2)).max(1);
    words.into_iter().map(|(word, count)| (word, (count / divisor).max(1) as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_characters_end_words() {
        let counts = [("▁abc", 10), ("▁aξb", 1), ("▁a", 5)].map(|(w, n)| (w.to_owned(), n)).into();
        let words = covered(counts, 0.97);
        let want = [("b", 1), ("▁a", 6), ("▁abc", 10)].map(|(w, n)| (w.to_owned(), n));
        assert_eq!(words.into_iter().collect::<Vec<_>>(), want);
    }

    #[test]
    fn long_words_are_cut_and_large_counts_scaled() {
        let words = covered([("x".repeat(300), 2)].into(), 1.0);
        assert_eq!(words.into_iter().collect::<Vec<_>>(), [("x".repeat(44), 2), ("x".repeat(128), 4)]);
        let words = scaled([("a".to_owned(), u64::from(u32::MAX)), ("b".to_owned(), 1)].into());
        assert_eq!(words, [("a".to_owned(), u32::MAX / 3), ("b".to_owned(), 1)]);
    }
}
