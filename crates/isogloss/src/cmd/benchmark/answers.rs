//! Benchmarks that look for answers in what was found.

use super::encode::{doc_text, encode, query_text, some_queries};
use super::report::View;
use super::{Judged, Model, words};
use crate::exit::Fault;
use crate::run_out::TAG;
use isogloss_dense::{Flat, Index, Side, VectorStore};
use isogloss_ir::protocol::has_answer::has_answer;
use isogloss_ir::protocol::xor_retrieve::{self, Prediction, Question};
use isogloss_ir::protocol::{Documents, mkqa};
use isogloss_ir::{Query, Run};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Passages found for a question.
const DEPTH: usize = 100;

/// Predictions that one thread scores at once.
const PART: usize = 16;

/// Questions searched at once.
const BATCH: usize = 4096;

/// XOR-Retrieve, from a model, a run, or predictions as the official script takes them.
///
/// # Errors
/// The data cannot be read, or the model fails.
pub fn xor_retrieve(judged: &Judged) -> anyhow::Result<Vec<View>> {
    let names =
        ["xor_dev_retrieve_eng_span_v1_1.jsonl", "xor_dev_retrieve_eng_span.jsonl", "questions.jsonl", "queries.jsonl"];
    let mut questions = xor_retrieve::read_questions(part(judged.data, &names)?)?;
    questions.retain(|question| question.query.lang.is_some_and(|lang| judged.wants(lang)));
    let predictions = match judged.args.run.as_deref().filter(|run| is_list(run)) {
        Some(predictions) => xor_retrieve::read_predictions(predictions)?,
        None => {
            let queries: Vec<Query> = questions.iter().map(|question| question.query.clone()).collect();
            let found = Found::new(judged, queries)?;
            let predicted = |query: &Query| Prediction {
                id: query.id.clone(),
                lang: query.lang.expect("questions name their language"),
                texts: found.texts(query).map(str::to_owned).collect(),
            };
            questions.iter().map(|question| predicted(&question.query)).collect()
        }
    };
    let (view, missing, unknown) = scored(&questions, &predictions);
    if missing > 0 {
        eprintln!("note: questions without prediction, not counted as in the official script: {missing}");
    }
    if unknown > 0 && judged.args.lang.is_empty() {
        eprintln!("note: predictions for unknown questions, passed over: {unknown}");
    }
    some_queries(view.per_query.len(), judged.data)?;
    Ok(vec![view])
}

/// Scores predictions on all threads; besides, how many questions have none and how many are of no question.
fn scored(questions: &[Question], predictions: &[Prediction]) -> (View, usize, usize) {
    let by_id: HashMap<&str, &Question> = questions.iter().map(|q| (q.query.id.as_str(), q)).collect();
    let of_part = |part: &[Prediction]| {
        let asked: Vec<Question> = part.iter().filter_map(|p| by_id.get(p.id.as_str()).copied().cloned()).collect();
        xor_retrieve::score(&asked, part)
    };
    let parts: Vec<_> = predictions.par_chunks(PART).map(of_part).collect();
    let mut view = View::new("all", xor_retrieve::MEASURES.map(|(name, _)| name.to_owned()).into());
    for (query, lang, values) in parts.iter().flat_map(|part| part.per_query.iter()) {
        view.per_query.insert(query.clone(), lang, values.to_vec());
    }
    let predicted: HashSet<&str> = predictions.iter().map(|prediction| prediction.id.as_str()).collect();
    let unasked: Vec<Question> =
        questions.iter().filter(|q| !predicted.contains(q.query.id.as_str())).cloned().collect();
    (view, xor_retrieve::score(&unasked, &[]).missing, parts.iter().map(|part| part.unknown).sum())
}

/// MKQA, from a model or a run.
///
/// # Errors
/// The data cannot be read, or the model fails.
pub fn mkqa(judged: &Judged) -> anyhow::Result<Vec<View>> {
    let questions = mkqa::read(judged.data, &judged.args.lang)?;
    let queries: Vec<Query> = questions.iter().flat_map(|question| question.queries.clone()).collect();
    let found = Found::new(judged, queries)?;
    let mut view = View::new("all", mkqa::CUTOFFS.map(|k| format!("R@{k}")).into());
    let asked: Vec<_> = questions.iter().flat_map(|q| q.queries.iter().map(move |query| (query, &q.answers))).collect();
    let values = |(query, answers): &(&Query, &Vec<_>)| {
        let first = found.texts(query).position(|text| has_answer(text, answers));
        mkqa::CUTOFFS.map(|k| f64::from(first.is_some_and(|rank| rank < k))).to_vec()
    };
    let values: Vec<Vec<f64>> = asked.par_iter().map(values).collect();
    for ((query, _), values) in asked.iter().zip(values) {
        view.missing += usize::from(found.run.get(&query.id).is_none());
        view.per_query.insert(query.id.clone(), query.lang, values);
    }
    some_queries(view.per_query.len(), judged.data)?;
    Ok(vec![view])
}

/// What was found for each question, with its text.
struct Found {
    run: Run,
    texts: HashMap<String, String>,
}

impl Found {
    fn new(judged: &Judged, queries: Vec<Query>) -> anyhow::Result<Self> {
        let corpus = part(judged.data, &["psgs_w100.tsv", "passages.tsv", "corpus.jsonl", "corpus.tsv"])?;
        // Both search English Wikipedia.
        let docs = Documents::Files { paths: vec![corpus], lang: Some("en".parse()?) };
        let run = match (&judged.model, &judged.args.words.bm25) {
            (Some(model), _) => search(judged, model, &docs, &queries)?,
            (None, Some(index)) => search_words(judged, index, &queries)?,
            (None, None) => Run::read(judged.run_given()?)?,
        };
        let named: HashSet<&str> =
            run.iter().flat_map(|(_, hits)| hits.iter().take(DEPTH).map(|(doc, _)| doc.as_str())).collect();
        let mut texts = HashMap::new();
        for doc in docs.read()? {
            let doc = doc?;
            if named.contains(doc.id.as_str()) {
                texts.insert(doc.id, doc.text);
            }
        }
        if let Some(doc) = named.iter().find(|doc| !texts.contains_key(**doc)) {
            let problem =
                format!("the run names the passage {doc:?}, which is not there; give the passages that were searched");
            return Err(Fault::new(judged.data, problem).into());
        }
        Ok(Self { run, texts })
    }

    /// The texts found for a question, best first, without titles.
    fn texts(&self, query: &Query) -> impl Iterator<Item = &str> {
        let hits = self.run.get(&query.id).unwrap_or_default();
        hits.iter().take(DEPTH).map(|(doc, _)| self.texts[doc].as_str())
    }
}

fn search(judged: &Judged, model: &Model, docs: &Documents, queries: &[Query]) -> anyhow::Result<Run> {
    let texts = docs.read()?.map(|doc| doc.map(doc_text));
    let docs = Arc::new(encode(judged, model, texts, Side::Doc, "docs")?);
    let texts = queries.iter().map(|query| Ok(query_text(query)));
    let queries: VectorStore = encode(judged, model, texts, Side::Query, "queries")?;
    let (index, mut run) = (Flat::new(docs.clone()), Run::new());
    for start in (0..queries.rows()).step_by(BATCH) {
        let batch = start..queries.rows().min(start + BATCH);
        let found = index.search(super::encode::rows(&queries, batch.clone()).view(), DEPTH);
        for (row, hits) in batch.zip(found) {
            let hits = hits.iter().map(|hit| (docs.id(hit.row as usize).to_owned(), hit.score));
            run.insert(queries.id(row), hits.collect())?;
        }
    }
    keep(judged, &run)?;
    Ok(run)
}

fn search_words(judged: &Judged, index: &Path, queries: &[Query]) -> anyhow::Result<Run> {
    let queries: Vec<&Query> = queries.iter().collect();
    let run = words::found(&judged.args.words.open(index)?, &queries, DEPTH)?;
    keep(judged, &run)?;
    Ok(run)
}

/// Writes the run where there is a folder for it.
fn keep(judged: &Judged, run: &Run) -> isogloss_ir::Result<()> {
    match judged.args.out {
        Some(_) => run.write(judged.place.join("run.trec"), TAG),
        None => Ok(()),
    }
}

/// A file given itself, or the first of `names` in a folder, plain or compressed.
fn part(data: &Path, names: &[&str]) -> Result<PathBuf, Fault> {
    if data.is_file() {
        return Ok(data.to_owned());
    }
    let candidates =
        names.iter().flat_map(|name| ["", ".gz", ".zst"].map(|suffix| data.join(format!("{name}{suffix}"))));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| Fault::new(data, format!("the folder has no {}; add it", names.join(" or "))))
}

/// Whether a file holds a JSON list and so no TREC run.
fn is_list(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 64];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let compressed = head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let json = path.to_string_lossy().contains(".json");
    head[..read].trim_ascii_start().first() == Some(&b'[') || (compressed && json)
}
