//! Questions and passages of several languages: retrieval from and to English, and a few searches to look at.

use super::report::{Both, Found, Search, Set};
use super::vectors::{encode, rows};
use crate::model::Model;
use isogloss_dense::{Flat, Index, Searcher, Side, VectorStore};
use isogloss_ir::{
    Bootstrap, Doc, Lang, Measure, Qrels, Query, ReadOptions, Run, evaluate_with, read_docs, read_queries,
};
use isogloss_model::BiEncoder;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// What is measured.
pub const MEASURE: Measure = Measure::Ndcg { k: Some(10) };

/// Hits shown of a search.
const SHOWN: usize = 3;

/// Passages, questions and their judgements.
struct Collection {
    docs: Vec<Doc>,
    queries: Vec<Query>,
    qrels: Qrels,
}

impl Collection {
    fn read(folder: &Path) -> isogloss_ir::Result<Self> {
        let options = ReadOptions::default();
        Ok(Self {
            docs: read_docs(folder, &options)?.collect::<Result<_, _>>()?,
            queries: read_queries(folder, &options)?.collect::<Result<_, _>>()?,
            qrels: Qrels::read(folder)?,
        })
    }

    fn docs_of(&self, lang: Lang) -> Vec<usize> {
        (0..self.docs.len()).filter(|&row| self.docs[row].lang == Some(lang)).collect()
    }

    fn queries_of(&self, lang: Lang) -> Vec<usize> {
        (0..self.queries.len()).filter(|&row| self.queries[row].lang == Some(lang)).collect()
    }
}

/// nDCG@10 of English questions over each language's passages, and of each language's questions over English ones.
///
/// # Errors
/// The collection cannot be read, or the vectors not be written below `vectors`.
pub fn ndcg(model: &Model, folder: &Path, vectors: &Path) -> anyhow::Result<Set> {
    let all = Collection::read(folder)?;
    let docs = all.docs.iter().map(|doc| (doc.id.clone(), doc.full_text().into_owned()));
    let docs = encode(model, docs, Side::Doc, &vectors.join("passages"))?;
    let queries = all.queries.iter().map(|query| (query.id.clone(), query.text.clone()));
    let queries = encode(model, queries, Side::Query, &vectors.join("questions"))?;
    let english: Lang = "en".parse()?;
    let langs: BTreeSet<Lang> = all.docs.iter().filter_map(|doc| doc.lang).collect();
    let mut scores = BTreeMap::new();
    for lang in langs {
        let to_english = ndcg_of(&all, &queries, lang, &docs, english)?;
        let from_english = ndcg_of(&all, &queries, english, &docs, lang)?;
        scores.insert(lang, Both { to_english, from_english });
    }
    Ok(Set::new(scores, all.docs_of(english).len()))
}

/// The mean over the questions of one language, searched in the passages of another.
fn ndcg_of(
    all: &Collection,
    queries: &VectorStore,
    asked: Lang,
    docs: &VectorStore,
    answered: Lang,
) -> anyhow::Result<f64> {
    let (query_rows, doc_rows) = (all.queries_of(asked), all.docs_of(answered));
    let index = Flat::from_vectors(rows(docs, doc_rows.iter().copied()))?;
    let found = index.search(rows(queries, query_rows.iter().copied()).view(), 10);
    let (mut run, mut qrels) = (Run::new(), Qrels::default());
    let pool: BTreeSet<&str> = doc_rows.iter().map(|&row| all.docs[row].id.as_str()).collect();
    for (&row, hits) in query_rows.iter().zip(&found) {
        let query = &all.queries[row].id;
        let hits = hits.iter().map(|n| (all.docs[doc_rows[n.row as usize]].id.clone(), n.score));
        run.insert(query.clone(), hits.collect())?;
        for (doc, grade) in all.qrels.get(query).into_iter().flatten().filter(|(doc, _)| pool.contains(doc.as_str())) {
            qrels.insert(query.clone(), doc.clone(), *grade);
        }
    }
    let bootstrap = Bootstrap { resamples: 0, ..Bootstrap::default() };
    let report = evaluate_with(&qrels, &run, &[MEASURE], None, bootstrap)?;
    Ok(report.mean.get(MEASURE).unwrap_or(0.0))
}

/// One question of each language, searched in the passages of all languages as [`ndcg`] encoded them.
///
/// The questions are spread over the set by their places alone: the middle one of each language's share.
///
/// # Errors
/// The collection or the vectors cannot be read.
pub fn searches(encoder: Arc<BiEncoder>, folder: &Path, vectors: &Path) -> anyhow::Result<Vec<Search>> {
    let all = Collection::read(folder)?;
    let store = Arc::new(VectorStore::open(&vectors.join("passages"))?);
    let searcher = Searcher::new(encoder, Arc::new(Flat::new(store.clone())), store)?;
    let docs: HashMap<&str, &Doc> = all.docs.iter().map(|doc| (doc.id.as_str(), doc)).collect();
    let langs: BTreeSet<Lang> = all.queries.iter().filter_map(|query| query.lang).collect();
    let count = langs.len();
    let mut searches = Vec::new();
    for (i, lang) in langs.into_iter().enumerate() {
        let of_lang = all.queries_of(lang);
        let query = &all.queries[of_lang[(2 * i + 1) * of_lang.len() / (2 * count)]];
        let hits = searcher.search_text(&query.text, SHOWN)?;
        let judged = all.qrels.get(&query.id);
        let found = hits.iter().map(|(id, score)| Found {
            lang: docs[id.as_str()].lang,
            score: *score,
            gold: judged.and_then(|judged| judged.get(id)).is_some_and(|grade| *grade > 0),
            text: beginning(&docs[id.as_str()].full_text()),
            id: id.clone(),
        });
        searches.push(Search { lang, id: query.id.clone(), query: query.text.clone(), found: found.collect() });
    }
    Ok(searches)
}

/// The first 80 characters, in one line.
fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(80).collect()
}
