//! The BEIR layout (Thakur et al. 2021), in any language: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.
//!
//! nDCG@10 and R@100; where queries have languages, by those.

use super::{Corpus, Documents, Retrieval, Score, Task};
use crate::error::Result;
use crate::{Lang, Qrels, ReadOptions, read_queries};
use std::path::Path;

/// Reads a folder. Queries that name no language are in `lang`, or in none (`und`).
///
/// # Errors
/// A part is missing or malformed.
pub fn read(path: &Path, lang: Option<Lang>) -> Result<Retrieval> {
    let qrels = Qrels::read(path)?;
    let options = ReadOptions { lang: lang.or("und".parse().ok()) };
    let mut queries: Vec<_> = read_queries(path, &options)?.collect::<Result<_>>()?;
    queries.retain(|query| qrels.get(&query.id).is_some());
    let corpus = Corpus { name: "corpus".into(), docs: Documents::Files { paths: vec![path.into()], lang } };
    let task = Task { name: "run".into(), view: "all", lang: None, only: None, corpus: 0, queries: 0, qrels };
    Ok(Retrieval {
        corpora: vec![corpus],
        queries: vec![queries],
        tasks: vec![task],
        scores: Score::list(&["nDCG@10", "R@100"]),
    })
}
