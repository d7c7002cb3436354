//! Positives and hard negatives for queries without labels, where words and vectors agree: steps 2 to 4 of lexicon-enhanced
//! self-supervised training (Ren et al. 2022, arXiv 2303.14979). The method is the paper's; every number is ours.
//!
//! Both lists of a query are fused, `S = n(BM25) + α · n(dense)`, `n(s) = (s − (max + min) / 2) / (max − min)`. The document with
//! the highest `S` is its positive if it stands at the top of both lists, leads by enough, and finds the query back among all
//! queries. Hard negatives stand high in one list and are not in the other. Everything between is used for nothing.

mod options;
mod report;
mod rules;

pub use options::{Agreement, PairsOptions};
pub use report::{LangPairs, PairsReport, Sample};

use crate::BLOCK;
use crate::error::{Error, Result};
use crate::lists::{Langs, Lists};
use crate::query_vectors::QueryVectors;
use crate::work::Work;
use isogloss_dense::{Flat, Index as _, Vectors};
use isogloss_ir::{Lang, Qrels, Query};
use isogloss_lexical::Searcher;
use rayon::prelude::*;
use rules::Judge;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What is mined.
pub struct Pairs<'a> {
    /// What finds candidates.
    pub lists: &'a Lists<'a>,
    /// The queries.
    pub queries: &'a [Query],
    /// Their vectors, where documents have some.
    pub vectors: Option<&'a QueryVectors>,
    /// An index of the queries, for the way back where there are no vectors.
    pub query_words: Option<&'a Searcher>,
    /// Judgements to measure what was mined by; they decide nothing.
    pub qrels: Option<&'a Qrels>,
    /// Hashes of everything above by name: a killed run of others does not go on.
    pub inputs: BTreeMap<String, String>,
    /// The rules.
    pub options: &'a PairsOptions,
}

/// Mines pairs into `out`, a row for every query that has a positive, in the order of the queries; beside it come the report,
/// `OUT.report.json` and the same for people in `OUT.report.txt`. `told` is called with the number of queries done.
///
/// Memory: the queries, the rows of the corpus and what one block of queries finds; vectors are read where they lie. Killed at
/// any moment and started again, it ends in the same bytes.
///
/// # Errors
/// Options out of their range, lists or vectors missing that they need, and whatever a list, the texts or the disk fail
/// with.
pub fn mine(task: &Pairs<'_>, out: &Path, mut told: impl FnMut(u64, u64)) -> Result<PairsReport> {
    task.options.check(task.lists.are())?;
    let plan = crate::work::plan("pairs", &task.inputs, task.options)?;
    let way_back = WayBack::new(task)?;
    let work = Work::begin(out, &plan)?;
    let mut report = PairsReport::default();
    for (at, block) in task.queries.chunks(BLOCK).enumerate() {
        report.merge(work.block(at, || of_block(task, &way_back, block))?, task.options.samples);
        told(((at + 1) * BLOCK).min(task.queries.len()) as u64, task.queries.len() as u64);
    }
    work.finish(out, task.queries.len().div_ceil(BLOCK), &plan, &report)?;
    Ok(report)
}

fn of_block(task: &Pairs<'_>, way_back: &WayBack<'_>, queries: &[Query]) -> Result<(PairsReport, Vec<u8>)> {
    let options = task.options;
    let used = options.lists.uses();
    let vectors = task.vectors.map(|vectors| vectors.of(queries)).transpose()?;
    let view = vectors.as_ref().map(|vectors| vectors.view());
    let mut found = task.lists.search(queries, view, options.depth.max(options.negatives_beyond), options.langs)?;
    for lists in &mut found {
        (0..2).filter(|at| !used[*at]).for_each(|at| lists[at] = None);
    }
    let judge = Judge { options, lists: task.lists };
    let chosen: Vec<_> = found.par_iter().map(|found| judge.positive(found)).collect::<Result<_>>()?;
    let asked: Vec<(usize, u32)> =
        chosen.iter().enumerate().filter_map(|(at, chosen)| Some((at, chosen.agreed()?))).collect();
    let back: HashMap<usize, bool> =
        asked.iter().map(|(at, _)| *at).zip(way_back.finds(queries, &asked, task)?).collect();
    let of_query = |(at, chosen): (usize, &rules::Chosen)| {
        let found_back = back.get(&at).copied().unwrap_or(false);
        judge.row(&queries[at], &found[at], chosen, found_back, task.qrels)
    };
    let rows: Vec<(PairsReport, Vec<u8>)> = chosen.par_iter().enumerate().map(of_query).collect::<Result<_>>()?;
    let (mut report, mut bytes) = (PairsReport::default(), Vec::new());
    for (of_query, row) in rows {
        report.merge(of_query, options.samples);
        bytes.extend(row);
    }
    Ok((report, bytes))
}

/// How a document finds its query back.
enum WayBack<'a> {
    /// It need not.
    Not,
    /// By its vector, among the queries' vectors.
    Vectors {
        flat: Flat,
        vectors: &'a QueryVectors,
        /// The language of every row of the queries' vectors that is one of the queries asked.
        langs: Vec<Option<Option<Lang>>>,
    },
    /// By its words, among the queries' words.
    Words(&'a Searcher, HashMap<&'a str, Option<Lang>>),
}

impl<'a> WayBack<'a> {
    fn new(task: &Pairs<'a>) -> Result<Self> {
        if task.options.round_trip == 0 {
            return Ok(Self::Not);
        }
        let missing = |got: &str| Error::Option {
            key: "the way back",
            got: got.to_owned(),
            range: "by the queries' vectors or words, or none (a round trip of 0)",
        };
        match (task.options.lists.uses()[1], task.vectors, task.query_words) {
            (true, Some(vectors), _) => {
                let mut langs = vec![None; vectors.store().rows()];
                for query in task.queries {
                    langs[vectors.row(query)? as usize] = Some(query.lang);
                }
                Ok(Self::Vectors { flat: Flat::new(vectors.store().clone()), vectors, langs })
            }
            (true, None, _) => Err(missing("by vectors, without the queries'")),
            (false, _, Some(words)) => {
                let lang = |query: &'a Query| (query.id.as_str(), query.lang);
                Ok(Self::Words(words, task.queries.iter().map(lang).collect()))
            }
            (false, _, None) => Err(missing("by words, without an index of the queries")),
        }
    }

    /// Whether each document of `asked` (place of its query, row) finds its query among the best of all queries; with
    /// [`Langs::Same`] of those in the query's language.
    fn finds(&self, queries: &[Query], asked: &[(usize, u32)], task: &Pairs<'_>) -> Result<Vec<bool>> {
        let (k, mut found) = (task.options.round_trip, vec![false; asked.len()]);
        let mut by_lang: BTreeMap<Option<Lang>, Vec<usize>> = BTreeMap::new();
        for (i, (at, _)) in asked.iter().enumerate() {
            let lang = queries[*at].lang.filter(|_| task.options.langs == Langs::Same);
            by_lang.entry(lang).or_default().push(i);
        }
        for (lang, places) in by_lang {
            let allowed = |query: Option<Lang>| lang.is_none() || query == lang;
            match self {
                Self::Not => places.iter().for_each(|i| found[*i] = true),
                Self::Vectors { flat, vectors, langs } => {
                    let mut docs = Vectors::empty(flat.dim());
                    for i in &places {
                        docs.push(&task.lists.vector(asked[*i].1).expect("there are vectors"));
                    }
                    let among: Vec<bool> = langs.iter().map(|lang| lang.is_some_and(allowed)).collect();
                    for (i, hits) in places.iter().zip(flat.search_among(docs.view(), k, Some(&among))) {
                        let row = vectors.row(&queries[asked[*i].0])?;
                        found[*i] = hits.iter().any(|hit| hit.row == row);
                    }
                }
                Self::Words(searcher, langs) => {
                    let index = searcher.index();
                    let among: Vec<bool> = (0..index.len() as u32)
                        .map(|query| langs.get(index.id(query)).is_some_and(|lang| allowed(*lang)))
                        .collect();
                    let passages = task.lists.passages();
                    let texts = places.iter().map(|i| {
                        let row = asked[*i].1;
                        Ok((passages.get(row)?.text, lang.or(passages.lang(row))))
                    });
                    let texts = texts.collect::<Result<Vec<_>>>()?;
                    for (i, hits) in places.iter().zip(searcher.search_among(&texts, k, Some(&among))?) {
                        let id = &queries[asked[*i].0].id;
                        found[*i] = hits.iter().any(|hit| index.id(hit.0) == id);
                    }
                }
            }
        }
        Ok(found)
    }
}
