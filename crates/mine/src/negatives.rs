//! Hard negatives: documents that words or vectors find for a query and that do not answer it.
//!
//! A candidate is what a list finds within its window of ranks. It is dropped where it is a known positive, a translation or a
//! near-duplicate of one, where a list ranks it before its window, or where its score comes too near to the positive's in
//! any list that knows it; the rest are taken from the best rank down, or at random.

mod choice;
mod options;
mod report;

pub use options::{ListRules, Margin, NegativesOptions, Pick, PositiveScore, RerankerRules};
pub use report::{Kept, NegativesReport, Rule};
pub(crate) use report::{short, write_histograms};

use crate::BLOCK;
use crate::error::{Error, Result};
use crate::lists::Lists;
use crate::parallel::Parallel;
use crate::query_vectors::QueryVectors;
use crate::work::Work;
use choice::Chooser;
use isogloss_ir::language_bias::question_of;
use isogloss_ir::{Qrels, Query, Run};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// What is mined.
pub struct Negatives<'a> {
    /// What finds candidates.
    pub lists: &'a Lists<'a>,
    /// All queries; those without a positive are passed over, but their judgements count for their translations.
    pub queries: &'a [Query],
    /// Where the queries are from, for errors.
    pub queries_path: &'a Path,
    /// The queries' vectors, where documents have some.
    pub vectors: Option<&'a QueryVectors>,
    /// Which documents answer which query.
    pub qrels: &'a Qrels,
    /// Where the judgements are from, for errors.
    pub qrels_path: &'a Path,
    /// Which documents are translations of each other.
    pub parallel: &'a Parallel,
    /// A reranker's scores of documents.
    pub reranker: Option<&'a Run>,
    /// Hashes of everything above by name: a killed run of others does not go on.
    pub inputs: BTreeMap<String, String>,
    /// The rules.
    pub options: &'a NegativesOptions,
}

/// A query with the documents that answer it.
struct Asked {
    query: Query,
    /// Documents judged to answer it.
    positives: Vec<u32>,
    /// Those judged to answer its translations besides.
    elsewhere: Vec<u32>,
}

impl Negatives<'_> {
    /// Whether queries, judgements and corpus belong together: what [`mine`] looks at first, without vectors.
    ///
    /// # Errors
    /// Judgements of documents or queries that are not there, or none.
    pub fn check(&self) -> Result<()> {
        asked(self).map(drop)
    }
}

/// Mines negatives into `out`, a row for every query with a positive, in the order of the queries; beside it come the
/// report, `OUT.report.json` and the same for people in `OUT.report.txt`. `told` is called with the number of queries done.
///
/// Memory: the queries, the rows of the corpus ([`Lists`], [`Passages`](crate::Passages)) and what one block of queries
/// finds; vectors are read where they lie. Killed at any moment and started again, it ends in the same bytes.
///
/// # Errors
/// Options out of their range, judgements of documents or queries that are not there, and whatever a list, the texts or the
/// disk fail with.
pub fn mine(task: &Negatives<'_>, out: &Path, mut told: impl FnMut(u64, u64)) -> Result<NegativesReport> {
    task.options.check(task.lists.are(), task.reranker.is_some())?;
    let asked = asked(task)?;
    let work = Work::begin(out, &plan(task)?)?;
    let mut report = NegativesReport::default();
    for (at, block) in asked.chunks(BLOCK).enumerate() {
        report.merge(work.block(at, || of_block(task, block))?, task.options.suspects);
        told(((at + 1) * BLOCK).min(asked.len()) as u64, asked.len() as u64);
    }
    work.finish(out, asked.len().div_ceil(BLOCK), &plan(task)?, &report)?;
    Ok(report)
}

fn plan(task: &Negatives<'_>) -> Result<Value> {
    crate::work::plan("negatives", &task.inputs, task.options)
}

/// The queries with a positive, with the positives of their translations.
fn asked(task: &Negatives<'_>) -> Result<Vec<Asked>> {
    let passages = task.lists.passages();
    let known: HashMap<&str, &Query> = task.queries.iter().map(|query| (query.id.as_str(), query)).collect();
    let mut by_query: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut by_question: HashMap<&str, BTreeSet<u32>> = HashMap::new();
    for (query, judged) in task.qrels.iter() {
        let answers = judged.iter().filter(|(_, grade)| **grade >= task.options.min_grade);
        let unknown = |what, id: &str, other: &Path| Error::Unknown {
            path: task.qrels_path.to_owned(),
            what,
            id: id.to_owned(),
            other: other.to_owned(),
        };
        let row =
            |(doc, _): (&String, &i32)| passages.find(doc).ok_or_else(|| unknown("document", doc, passages.corpus()));
        let rows = answers.map(row).collect::<Result<Vec<u32>>>()?;
        if rows.is_empty() {
            continue;
        }
        let query = known.get(query.as_str()).ok_or_else(|| unknown("query", query, task.queries_path))?;
        by_question.entry(question(query)).or_default().extend(&rows);
        by_query.insert(&query.id, rows);
    }
    let with_positives = |query: &Query| {
        let positives = by_query.remove(query.id.as_str())?;
        let elsewhere = by_question.get(question(query)).into_iter().flatten().copied();
        let elsewhere = elsewhere.filter(|row| !positives.contains(row)).collect();
        Some(Asked { query: query.clone(), positives, elsewhere })
    };
    let asked: Vec<Asked> = task.queries.iter().filter_map(with_positives).collect();
    match asked.is_empty() {
        false => Ok(asked),
        true => Err(Error::NoPositive {
            queries: task.queries_path.to_owned(),
            qrels: task.qrels_path.to_owned(),
            grade: task.options.min_grade,
        }),
    }
}

fn question(query: &Query) -> &str {
    query.lang.map_or(query.id.as_str(), |lang| question_of(&query.id, lang))
}

fn of_block(task: &Negatives<'_>, block: &[Asked]) -> Result<(NegativesReport, Vec<u8>)> {
    let queries: Vec<Query> = block.iter().map(|asked| asked.query.clone()).collect();
    let vectors = task.vectors.map(|vectors| vectors.of(&queries)).transpose()?;
    let view = vectors.as_ref().map(|vectors| vectors.view());
    let options = task.options;
    let found = task.lists.search(&queries, view, options.depth(task.lists.are()), options.langs)?;
    let positives: Vec<Vec<u32>> = block.iter().map(|asked| asked.positives.clone()).collect();
    let scores = task.lists.scores(&queries, view, &positives)?;
    let chooser = Chooser { task };
    let of_query = |((asked, found), scores)| chooser.choose(asked, found, scores);
    let rows: Vec<(NegativesReport, Vec<u8>)> =
        block.par_iter().zip(found).zip(scores).map(of_query).collect::<Result<_>>()?;
    let (mut report, mut bytes) = (NegativesReport::default(), Vec::new());
    for (of_query, row) in rows {
        report.merge(of_query, options.suspects);
        bytes.extend(row);
    }
    Ok((report, bytes))
}
