//! The data sets of a run, in memory, and the streams in which they are drawn.

use std::collections::BTreeMap;
use std::path::Path;

use isogloss_ir::{Example, ExampleOptions, Lang, Pair, PairOptions, load_examples, load_pairs};

use crate::config::{BatchConfig, DataConfig, RunConfig};
use crate::error::{Error, Result};
use crate::sampler::{Stream, language_weights};

/// All examples of a run.
pub struct TrainingData {
    /// One list per data set of the run file, in its order.
    pub sets: Vec<Vec<Example>>,
    /// How they are drawn.
    pub streams: Vec<Stream>,
}

/// A translation pair as an example: the source finds the target.
fn from_pair(pair: Pair) -> Example {
    Example {
        query: pair.src,
        positives: vec![pair.tgt],
        lang: pair.src_lang,
        doc_lang: pair.tgt_lang,
        ..Example::default()
    }
}

fn load(config: &DataConfig) -> Result<Vec<Example>> {
    let mut examples: Vec<Example> = match config.format.as_deref() {
        Some("parallel") => load_pairs(&config.path, &PairOptions::default())?.into_iter().map(from_pair).collect(),
        format => {
            let format = format.map(str::parse).transpose()?;
            load_examples(
                &config.path,
                &ExampleOptions { format, split: config.split.clone(), ..ExampleOptions::default() },
            )?
        }
    };
    if let Some(languages) = &config.languages {
        let keep = languages.iter().map(|l| l.parse::<Lang>()).collect::<std::result::Result<Vec<_>, _>>()?;
        examples.retain(|e| language(e).is_some_and(|l| keep.contains(l)));
    }
    examples.truncate(config.limit.unwrap_or(usize::MAX));
    if examples.is_empty() {
        return Err(no_example(&config.path));
    }
    Ok(examples)
}

fn no_example(path: &Path) -> Error {
    Error::value("data", format!("{} gives no example; check its limit and languages", path.display()))
}

/// The language by which an example is sampled: that of its passage unless that is English, else of its query.
fn language(example: &Example) -> Option<&Lang> {
    let foreign = example.doc_lang.as_ref().filter(|l| l.as_str() != "en");
    foreign.or(example.lang.as_ref()).or(example.doc_lang.as_ref())
}

/// Rows by language; those without one are a language of their own.
fn by_language(examples: &[Example]) -> Vec<Vec<u32>> {
    let mut rows: BTreeMap<Option<&Lang>, Vec<u32>> = BTreeMap::new();
    for (row, example) in examples.iter().enumerate() {
        rows.entry(language(example)).or_default().push(row as u32);
    }
    rows.into_values().collect()
}

fn streams(sets: &[Vec<Example>], weights: &[f64], batch: &BatchConfig) -> Vec<Stream> {
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

impl TrainingData {
    /// Reads every data set of a run.
    ///
    /// # Errors
    /// A file is unreadable or malformed, or a data set gives no example.
    pub fn load(config: &RunConfig) -> Result<TrainingData> {
        let sets = config.data.iter().map(load).collect::<Result<Vec<_>>>()?;
        let weights: Vec<f64> =
            config.data.iter().zip(&sets).map(|(d, examples)| d.weight.unwrap_or(examples.len() as f64)).collect();
        let streams = streams(&sets, &weights, &config.batch);
        Ok(TrainingData { sets, streams })
    }

    /// Number of examples in all data sets.
    pub fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
        assert_eq!(language(&example("en", "sw")).unwrap().as_str(), "sw");
        assert_eq!(language(&example("sw", "en")).unwrap().as_str(), "sw");
        assert_eq!(language(&example("en", "en")).unwrap().as_str(), "en");
    }

    #[test]
    fn levelled_languages_share_the_weight_of_their_data_set() {
        let sets = vec![vec![example("en", "de"), example("en", "de"), example("en", "sw")]];
        let batch = BatchConfig { language_temperature: 1e9, ..BatchConfig::default() };
        let weights: Vec<f64> = streams(&sets, &[6.0], &batch).iter().map(|s| s.weight).collect();
        assert!(weights.iter().all(|w| (w - 3.0).abs() < 1e-6), "{weights:?}");
    }
}
