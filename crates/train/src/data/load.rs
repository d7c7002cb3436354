//! The files of a run as examples of each kind.

use std::sync::Arc;

use isogloss_ir::{
    ClearExample, Document, Example, ExampleOptions, Lang, Pair, PairOptions, each_document, load_clear, load_examples,
    load_pairs,
};
use isogloss_model::BiEncoder;
use rayon::prelude::*;

use super::units::units;
use super::{Sampled, foreign};
use crate::config::DataConfig;
use crate::error::{Error, Result};

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

/// Labelled examples of any format; `parallel` reads translation pairs as such.
///
/// # Errors
/// A file is unreadable or malformed.
pub fn examples(config: &DataConfig) -> Result<Vec<Example>> {
    asked(config, false)
}

/// As [`examples`], each query with a language.
///
/// # Errors
/// As [`examples`]; a query without one, by its line.
pub fn examples_with_lang(config: &DataConfig) -> Result<Vec<Example>> {
    let examples = asked(config, true)?;
    match examples.iter().position(|example| example.lang.is_none()) {
        None => Ok(examples),
        Some(row) => {
            let (path, row) = (config.path.display(), row + 1);
            let problem =
                format!("{path}: the source of pair {row} names no language; declare it as the data set's lang");
            Err(Error::value("data.lang", problem))
        }
    }
}

fn asked(config: &DataConfig, lang_needed: bool) -> Result<Vec<Example>> {
    let (lang, doc_lang) = config.langs()?;
    match config.format.as_deref() {
        Some("parallel") => Ok(pairs(config)?.into_iter().map(from_pair).collect()),
        format => {
            let format = format.map(str::parse).transpose()?;
            let options = ExampleOptions {
                format,
                split: config.split.clone(),
                lang,
                doc_lang,
                lang_needed,
                ..Default::default()
            };
            Ok(load_examples(&config.path, &options)?)
        }
    }
}

/// Translation pairs.
///
/// # Errors
/// As [`examples`].
pub fn pairs(config: &DataConfig) -> Result<Vec<Pair>> {
    let (src_lang, tgt_lang) = config.langs()?;
    Ok(load_pairs(&config.path, &PairOptions { src_lang, tgt_lang, ..PairOptions::default() })?)
}

/// Rows of CLEAR's columns, each with its question in another language.
///
/// # Errors
/// A file is unreadable or malformed, or a row lacks that question.
pub fn clear_rows(config: &DataConfig) -> Result<Vec<ClearExample>> {
    let (lang, cross_lang) = config.langs()?;
    let mut rows = load_clear(&config.path)?;
    if let Some(number) = rows.iter().position(|row| row.cross_anchor.is_none()) {
        let (path, row) = (config.path.display(), number + 1);
        let problem =
            format!("{path}: row {row} has no cross_anchor, the question in another language; add it or drop the row");
        return Err(Error::value("data", problem));
    }
    for row in &mut rows {
        row.lang = row.lang.or(lang);
        row.cross_lang = row.cross_lang.or(cross_lang);
    }
    Ok(rows)
}

/// A run of sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub text: String,
    /// Its language, where known.
    pub lang: Option<Lang>,
}

/// A place in a document.
#[derive(Clone, Debug)]
pub struct Place {
    /// The units of the document in order; at least two.
    pub units: Arc<Vec<String>>,
    /// The document's number in its data set.
    pub document: usize,
    /// Which unit.
    pub at: usize,
    /// The document's language.
    pub lang: Option<Lang>,
}

/// Documents with their units of at most `unit_tokens` tokens.
fn documents(config: &DataConfig, model: &BiEncoder, unit_tokens: usize) -> Result<Vec<(Option<Lang>, Vec<String>)>> {
    let kind = config.format.as_deref().map(str::parse).transpose()?;
    let mut documents: Vec<Document> = Vec::new();
    each_document(&config.path, kind, config.langs()?.0, |document| {
        documents.push(document);
        Ok::<(), Error>(())
    })?;
    let apart = |document: Document| (document.lang, units(document, unit_tokens, |text| model.count_tokens(text)));
    Ok(documents.into_par_iter().map(apart).collect())
}

/// Text without labels, in units of at most `unit_tokens` tokens.
///
/// # Errors
/// As [`examples`].
pub fn texts(config: &DataConfig, model: &BiEncoder, unit_tokens: usize) -> Result<Vec<Text>> {
    let documents = documents(config, model, unit_tokens)?;
    let texts = |(lang, units): (_, Vec<String>)| units.into_iter().map(move |text| Text { text, lang });
    Ok(documents.into_iter().flat_map(texts).collect())
}

/// Every unit of every document that has a neighbour.
///
/// # Errors
/// As [`examples`], or a document has no language.
pub fn places(config: &DataConfig, model: &BiEncoder, unit_tokens: usize) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for (document, (lang, units)) in documents(config, model, unit_tokens)?.into_iter().enumerate() {
        if lang.is_none() {
            let (path, row) = (config.path.display(), document + 1);
            let problem = format!("{path}: document {row} names no language; give the data set a lang");
            return Err(Error::value("data.lang", problem));
        }
        if units.len() > 1 {
            let units = Arc::new(units);
            places.extend((0..units.len()).map(|at| Place { units: Arc::clone(&units), document, at, lang }));
        }
    }
    Ok(places)
}

impl Sampled for Text {
    fn language(&self) -> Option<&Lang> {
        self.lang.as_ref()
    }
}

impl Sampled for Place {
    fn language(&self) -> Option<&Lang> {
        self.lang.as_ref()
    }
}

impl Sampled for Pair {
    fn language(&self) -> Option<&Lang> {
        foreign(&self.src_lang, &self.tgt_lang)
    }
}

impl Sampled for ClearExample {
    fn language(&self) -> Option<&Lang> {
        foreign(&self.lang, &self.cross_lang)
    }
}
