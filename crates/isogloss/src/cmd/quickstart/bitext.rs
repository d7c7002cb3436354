//! Sentence retrieval: does each sentence find its translation among all others of its set?

use super::report::{Both, Set};
use super::vectors::{encode, rows};
use crate::model::Model;
use isogloss_dense::{Side, translation_accuracy};
use isogloss_ir::{Lang, Pair, PairOptions, load_pairs};
use std::collections::BTreeMap;
use std::path::Path;

/// Accuracy@1 of every language's sentences to English and back, on pairs whose target is English.
///
/// # Errors
/// The pairs cannot be read, or the vectors not be written below `vectors`.
pub fn accuracy(model: &Model, path: &Path, vectors: &Path) -> anyhow::Result<Set> {
    let pairs = load_pairs(path, &PairOptions::default())?;
    let texts =
        |text: fn(&Pair) -> &str| pairs.iter().enumerate().map(move |(i, pair)| (i.to_string(), text(pair).into()));
    let foreign = encode(model, texts(|pair| &pair.src), Side::Query, &vectors.join("foreign"))?;
    let english = encode(model, texts(|pair| &pair.tgt), Side::Doc, &vectors.join("english"))?;
    let mut by_lang: BTreeMap<Lang, Vec<usize>> = BTreeMap::new();
    for (row, pair) in pairs.iter().enumerate() {
        if let Some(lang) = pair.src_lang {
            by_lang.entry(lang).or_default().push(row);
        }
    }
    let mut scores = BTreeMap::new();
    for (lang, of_lang) in &by_lang {
        let foreign = rows(&foreign, of_lang.iter().copied());
        let english = rows(&english, of_lang.iter().copied());
        let (to_english, from_english) = translation_accuracy(&foreign, &english)?;
        scores.insert(*lang, Both { to_english, from_english });
    }
    Ok(Set::new(scores, by_lang.values().map(Vec::len).max().unwrap_or(0)))
}
