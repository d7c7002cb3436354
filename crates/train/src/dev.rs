//! The development set watched while training.

use std::collections::BTreeMap;

use isogloss_dense::{Encoder, Flat, Index, Side, translation_accuracy};
use isogloss_ir::{
    Bootstrap, Lang, Measure, PairOptions, Qrels, ReadOptions, Run, evaluate_with, load_pairs, read_docs, read_queries,
};
use isogloss_model::BiEncoder;

use crate::config::EvaluateConfig;
use crate::error::{Error, Result};

/// What a development set says of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Name of what is measured.
    pub measure: String,
    /// Its value.
    pub value: f64,
    /// Whether less of it is better.
    pub falls: bool,
    /// The same by language, where it is taken so.
    pub by_lang: BTreeMap<String, f64>,
}

impl Score {
    /// Whether it is better than a value of the same measure.
    pub fn beats(&self, other: f64) -> bool {
        if self.falls { self.value < other } else { self.value > other }
    }
}

/// A development set in memory.
pub enum DevSet {
    /// Queries, documents and judgements.
    Retrieval {
        /// Ids and texts.
        queries: Vec<(String, String)>,
        /// Ids and texts.
        docs: Vec<(String, String)>,
        /// Judgements.
        qrels: Qrels,
        /// What is measured.
        measure: Measure,
    },
    /// Translations by language: each text should find its own.
    Parallel(BTreeMap<Option<Lang>, Vec<(String, String)>>),
}

fn encode(model: &BiEncoder, texts: &[&str], side: Side) -> Result<isogloss_dense::Vectors> {
    model.encode(texts, side).map_err(|e| Error::value("evaluate", e.to_string()))
}

impl DevSet {
    /// Reads the development set of a run.
    ///
    /// # Errors
    /// A file is unreadable or malformed.
    pub fn load(config: &EvaluateConfig) -> Result<DevSet> {
        let options = ReadOptions::default();
        if let Some(path) = &config.parallel {
            let mut languages: BTreeMap<_, Vec<(String, String)>> = BTreeMap::new();
            for pair in load_pairs(path, &PairOptions::default())? {
                let english = |lang: &Option<Lang>| lang.as_ref().is_some_and(|l| l.as_str() == "en");
                let lang = if english(&pair.tgt_lang) { pair.src_lang } else { pair.tgt_lang };
                languages.entry(lang).or_default().push((pair.src, pair.tgt));
            }
            return Ok(DevSet::Parallel(languages));
        }
        let (Some(corpus), Some(queries), Some(qrels)) = (&config.corpus, &config.queries, &config.qrels) else {
            return Err(Error::value("evaluate", "needs corpus, queries and qrels"));
        };
        let docs = read_docs(corpus, &options)?.map(|d| d.map(|d| (d.id.clone(), d.full_text().into_owned())));
        let queries = read_queries(queries, &options)?.map(|q| q.map(|q| (q.id, q.text)));
        Ok(DevSet::Retrieval {
            docs: docs.collect::<isogloss_ir::Result<_>>()?,
            queries: queries.collect::<isogloss_ir::Result<_>>()?,
            qrels: Qrels::read(qrels)?,
            measure: config.measure(false).parse()?,
        })
    }

    /// Name of what is measured.
    pub fn measure(&self) -> String {
        match self {
            DevSet::Retrieval { measure, .. } => measure.to_string(),
            DevSet::Parallel(_) => "accuracy@1".into(),
        }
    }

    /// The mean measure of a model, in 0..=1.
    ///
    /// # Errors
    /// The model cannot encode, or no query is judged.
    pub fn score(&self, model: &BiEncoder) -> Result<f64> {
        match self {
            DevSet::Parallel(languages) => {
                let mut sum = 0.0;
                for pairs in languages.values() {
                    let (a, b): (Vec<&str>, Vec<&str>) = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
                    let (forth, back) =
                        translation_accuracy(&encode(model, &a, Side::Query)?, &encode(model, &b, Side::Doc)?)?;
                    sum += (forth + back) / 2.0;
                }
                Ok(sum / languages.len() as f64)
            }
            DevSet::Retrieval { queries, docs, qrels, measure } => {
                let texts =
                    |items: &'_ [(String, String)]| -> Vec<String> { items.iter().map(|(_, t)| t.clone()).collect() };
                let (q, d) = (texts(queries), texts(docs));
                let q = encode(model, &q.iter().map(String::as_str).collect::<Vec<_>>(), Side::Query)?;
                let d = encode(model, &d.iter().map(String::as_str).collect::<Vec<_>>(), Side::Doc)?;
                let k = measure.cutoff().unwrap_or(1000);
                let mut run = Run::new();
                for ((id, _), hits) in queries.iter().zip(Flat::from_vectors(d)?.search(q.view(), k)) {
                    run.insert(id.clone(), hits.iter().map(|n| (docs[n.row as usize].0.clone(), n.score)).collect())?;
                }
                let report =
                    evaluate_with(qrels, &run, &[*measure], None, Bootstrap { resamples: 0, ..Bootstrap::default() })?;
                Ok(report.mean.get(*measure).unwrap_or(0.0))
            }
        }
    }
}
