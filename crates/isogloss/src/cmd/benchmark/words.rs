//! Benchmarks with an index of words as the system.

use super::Judged;
use crate::exit::Fault;
use crate::words::Options;
use isogloss_ir::protocol::{Retrieval, Task};
use isogloss_ir::{Lang, Qrels, Query, Run};
use isogloss_lexical::{Searcher, printed_scores};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The best `k` documents of every query, with scores as Anserini prints them: none ties.
///
/// # Errors
/// The search fails.
pub fn found(searcher: &Searcher, queries: &[&Query], k: usize) -> anyhow::Result<Run> {
    let texts: Vec<(&str, Option<Lang>)> = queries.iter().map(|query| (query.text.as_str(), query.lang)).collect();
    let mut run = Run::new();
    for (query, hits) in queries.iter().zip(searcher.search(&texts, k)?) {
        let printed = printed_scores(&hits.iter().map(|hit| hit.1).collect::<Vec<_>>());
        let ids = hits.iter().map(|hit| searcher.index().id(hit.0).to_owned());
        run.insert(query.id.clone(), ids.zip(printed).collect())?;
    }
    Ok(run)
}

/// The indexes of a benchmark's corpora, one open at a time.
pub struct Indexes<'a> {
    options: &'a Options,
    all: &'a Retrieval,
    open: Option<(PathBuf, Searcher)>,
}

impl<'a> Indexes<'a> {
    /// Those that were named, if any were.
    pub fn new(judged: &'a Judged<'a>, all: &'a Retrieval) -> Option<Self> {
        let options = &judged.args.words;
        options.bm25.is_some().then_some(Self { options, all, open: None })
    }

    /// Documents that a search for a task finds at most.
    ///
    /// # Errors
    /// The index cannot be opened, or is of other documents.
    pub fn len(&mut self, task: &Task) -> anyhow::Result<usize> {
        Ok(self.searcher(task)?.index().len())
    }

    /// The best `k` documents of each query, of those in `counts` where it is given.
    ///
    /// # Errors
    /// The search fails.
    pub fn search(
        &mut self,
        task: &Task,
        queries: &[&Query],
        k: usize,
        counts: Option<&HashSet<String>>,
    ) -> anyhow::Result<Run> {
        let searcher = self.searcher(task)?;
        let Some(counts) = counts else { return found(searcher, queries, k) };
        let mut run = Run::new();
        for (query, hits) in found(searcher, queries, searcher.index().len())?.iter() {
            run.insert(query.clone(), hits.iter().filter(|(doc, _)| counts.contains(doc)).take(k).cloned().collect())?;
        }
        Ok(run)
    }

    fn searcher(&mut self, task: &Task) -> anyhow::Result<&Searcher> {
        let folder = self.folder(task);
        if self.open.as_ref().is_none_or(|(open, _)| *open != folder) {
            let searcher = self.options.open(&folder)?;
            check(&searcher, &task.qrels, &folder)?;
            self.open = Some((folder, searcher));
        }
        Ok(&self.open.as_ref().expect("opened").1)
    }

    fn folder(&self, task: &Task) -> PathBuf {
        let given = self.options.bm25.as_deref().expect("checked in new");
        match self.all.corpora.as_slice() {
            [_] => given.to_owned(),
            corpora => given.join(&corpora[task.corpus].name),
        }
    }
}

/// Refuses an index that has none of the documents that are right.
fn check(searcher: &Searcher, qrels: &Qrels, folder: &Path) -> Result<(), Fault> {
    let mut judged = qrels.iter().flat_map(|(_, docs)| docs.keys());
    match judged.any(|doc| searcher.index().find(doc).is_some()) {
        true => Ok(()),
        false => Err(Fault::new(folder, "holds no document that is judged here; index the benchmark's own documents")),
    }
}
