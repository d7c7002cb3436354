//! The data sets of a task, in memory, and the streams in which they are drawn.

use std::collections::BTreeMap;
use std::path::PathBuf;

use isogloss_ir::{Example, Lang};

use crate::config::{BatchConfig, DataConfig};
use crate::error::{Error, Result};
use crate::sampler::{Stream, language_weights};

pub(crate) mod load;
mod source;
mod units;

pub use load::{Place, Text};
pub use source::{Source, Tally};

/// Something that is sampled by language.
pub trait Sampled {
    /// The language by which it is sampled.
    fn language(&self) -> Option<&Lang>;
}

impl Sampled for Example {
    /// That of the passage unless it is English, else of the query.
    fn language(&self) -> Option<&Lang> {
        foreign(&self.lang, &self.doc_lang)
    }
}

/// Of two languages the second unless it is English or unknown.
pub(crate) fn foreign<'a>(first: &'a Option<Lang>, second: &'a Option<Lang>) -> Option<&'a Lang> {
    second.as_ref().filter(|l| l.as_str() != "en").or(first.as_ref()).or(second.as_ref())
}

/// Examples of one kind.
pub struct TrainingData<E> {
    /// Where each data set comes from.
    pub paths: Vec<PathBuf>,
    /// One list per data set, in the order of the run file.
    pub sets: Vec<Vec<E>>,
    /// How they are drawn.
    pub streams: Vec<Stream>,
}

/// Rows by language; those without one are a language of their own.
fn by_language<E: Sampled>(examples: &[E]) -> Vec<Vec<u32>> {
    let mut rows: BTreeMap<Option<&Lang>, Vec<u32>> = BTreeMap::new();
    for (row, example) in examples.iter().enumerate() {
        rows.entry(example.language()).or_default().push(row as u32);
    }
    rows.into_values().collect()
}

fn streams<E: Sampled>(sets: &[Vec<E>], weights: &[f64], batch: &BatchConfig) -> Vec<Stream> {
    let mut streams = Vec::new();
    for (dataset, (examples, weight)) in sets.iter().zip(weights).enumerate() {
        if !batch.one_language && batch.language_temperature == 1.0 {
            streams.push(Stream { dataset, rows: (0..examples.len() as u32).collect(), weight: *weight });
            continue;
        }
        let languages = by_language(examples);
        let shares = language_weights(&languages.iter().map(Vec::len).collect::<Vec<_>>(), batch.language_temperature);
        let parts = languages.into_iter().zip(shares);
        streams.extend(parts.map(|(rows, share)| Stream { dataset, rows, weight: weight * share }));
    }
    streams
}

impl<E: Sampled> TrainingData<E> {
    /// Reads data sets by `read`; keeps the languages and the number of rows that each is limited to.
    ///
    /// # Errors
    /// A file is unreadable or malformed, or a data set gives no example.
    pub fn load(
        configs: &[&DataConfig],
        batch: &BatchConfig,
        read: impl Fn(&DataConfig) -> Result<Vec<E>>,
    ) -> Result<TrainingData<E>> {
        let sets = configs.iter().map(|config| limited(config, read(config)?)).collect::<Result<Vec<_>>>()?;
        let weights: Vec<f64> =
            configs.iter().zip(&sets).map(|(d, examples)| d.weight.unwrap_or(examples.len() as f64)).collect();
        let streams = streams(&sets, &weights, batch);
        Ok(TrainingData { paths: configs.iter().map(|config| config.path.clone()).collect(), sets, streams })
    }
}

fn limited<E: Sampled>(config: &DataConfig, mut examples: Vec<E>) -> Result<Vec<E>> {
    if let Some(languages) = &config.languages {
        let keep = languages.iter().map(|l| l.parse::<Lang>()).collect::<std::result::Result<Vec<_>, _>>()?;
        examples.retain(|e| e.language().is_some_and(|l| keep.contains(l)));
    }
    examples.truncate(config.limit.unwrap_or(usize::MAX));
    if examples.is_empty() {
        let problem = format!("{} gives no example; check its limit and languages", config.path.display());
        return Err(Error::value("data", problem));
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(lang: &str, doc_lang: &str) -> Example {
        Example {
            lang: lang.parse().ok(),
            doc_lang: doc_lang.parse().ok(),
            positives: vec![String::new()],
            ..Example::default()
        }
    }

    #[test]
    fn a_pair_with_english_is_sampled_by_its_other_language() {
        assert_eq!(example("en", "sw").language().unwrap().as_str(), "sw");
        assert_eq!(example("sw", "en").language().unwrap().as_str(), "sw");
        assert_eq!(example("en", "en").language().unwrap().as_str(), "en");
    }

    #[test]
    fn levelled_languages_share_the_weight_of_their_data_set() {
        let sets = vec![vec![example("en", "de"), example("en", "de"), example("en", "sw")]];
        let batch = BatchConfig { language_temperature: 1e9, ..BatchConfig::default() };
        let weights: Vec<f64> = streams(&sets, &[6.0], &batch).iter().map(|s| s.weight).collect();
        assert!(weights.iter().all(|w| (w - 3.0).abs() < 1e-6), "{weights:?}");
    }
}
