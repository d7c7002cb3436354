//! `isogloss search --bm25`: the best documents by their words.

use super::{Args, queries};
use crate::exit::Fault;
use crate::run_out::put;
use isogloss_ir::{Error, Lang, Query, Run};
use isogloss_lexical::{Searcher, printed_scores};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// The last column of the run.
const TAG: &str = "isogloss-bm25";
/// Queries searched between two writings.
const BATCH: usize = 4096;

/// Searches and writes the run, its scores and ties as Anserini prints them.
pub fn run(index: &Path, args: &Args) -> anyhow::Result<()> {
    let searcher = args.words.open(index)?;
    let asked = queries(args.queries())?.into_iter().map(|query| (query.id, (query.text, query.lang))).collect();
    let found = Found { searcher, asked, k: args.k, index, queries: &args.queries().path };
    put(args.out.as_deref(), |to, name| found.write(to, name))
}

/// What the words give: the best `k` of every query, with the scores that [`run`] prints.
pub fn ranked(searcher: &Searcher, queries: &[Query], k: usize) -> anyhow::Result<Run> {
    let mut run = Run::new();
    for batch in queries.chunks(BATCH) {
        let texts: Vec<(&str, Option<Lang>)> = batch.iter().map(|query| (query.text.as_str(), query.lang)).collect();
        for (query, hits) in batch.iter().zip(searcher.search(&texts, k)?) {
            let printed = printed_scores(&hits.iter().map(|hit| hit.1).collect::<Vec<_>>());
            // To the six decimals that are printed.
            let scores = printed.into_iter().map(|score| ((f64::from(score) * 1e6).round() / 1e6) as f32);
            let docs = hits.iter().map(|hit| searcher.index().id(hit.0).to_owned());
            run.insert(query.id.clone(), docs.zip(scores).collect())?;
        }
    }
    Ok(run)
}

/// Queries by id, and what they are put to.
struct Found<'a> {
    searcher: Searcher,
    asked: BTreeMap<String, (String, Option<Lang>)>,
    k: usize,
    index: &'a Path,
    queries: &'a Path,
}

impl Found<'_> {
    fn write(&self, to: &mut dyn Write, name: &Path) -> anyhow::Result<()> {
        let asked: Vec<(&String, &(String, Option<Lang>))> = self.asked.iter().collect();
        for batch in asked.chunks(BATCH) {
            let texts: Vec<(&str, Option<Lang>)> =
                batch.iter().map(|(_, (text, lang))| (text.as_str(), *lang)).collect();
            for ((query, _), hits) in batch.iter().zip(self.searcher.search(&texts, self.k)?) {
                let query = column(query, self.queries)?;
                let printed = printed_scores(&hits.iter().map(|hit| hit.1).collect::<Vec<_>>());
                for (rank, (hit, score)) in (1..).zip(hits.iter().zip(printed)) {
                    let doc = column(self.searcher.index().id(hit.0), self.index)?;
                    writeln!(to, "{query} Q0 {doc} {rank} {score:.6} {TAG}").map_err(|e| Error::io(name, e))?;
                }
            }
        }
        Ok(())
    }
}

/// An id as a column of the run.
fn column<'a>(id: &'a str, path: &Path) -> Result<&'a str, Fault> {
    match id.is_empty() || id.contains(char::is_whitespace) {
        true => {
            Err(Fault::new(path, format!("the id {id:?} cannot be a column of a run; rename it without white space")))
        }
        false => Ok(id),
    }
}
