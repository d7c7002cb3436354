//! MIRACL v1.0 (Zhang et al. 2023): questions of eighteen languages, each over its own Wikipedia.
//!
//! nDCG@10 and R@100 on the development questions (the test sets' judgements are not published); judgements of 0 are
//! judgements.

use super::{Retrieval, Score, files, mr_tydi};
use crate::Qrels;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Reads the languages that are there: `miracl-v1.0-sw/{topics,qrels}` or `sw/{topics,qrels}` with the corpus beside,
/// `miracl-corpus-v1.0-sw/docs-*.jsonl.gz` or `sw/docs-*.jsonl.gz`.
///
/// # Errors
/// No language is there, or a part of one is missing or malformed.
pub fn read(path: &Path) -> Result<Retrieval> {
    let mut all =
        Retrieval { corpora: vec![], queries: vec![], tasks: vec![], scores: Score::list(&["nDCG@10", "R@100"]) };
    let mut found: Vec<(String, PathBuf)> =
        files::entries(path)?.into_iter().filter_map(|(name, folder)| Some((code(&name, &folder)?, folder))).collect();
    if found.is_empty() && path.join("miracl-v1.0").is_dir() {
        return read(&path.join("miracl-v1.0"));
    }
    found.sort();
    for (code, folder) in files::some(found, path, "miracl-v1.0-ar or another of its languages, with topics and qrels")?
    {
        let lang = files::lang(&code, &folder)?;
        let topics = files::first(&folder, &[&format!("topics/topics.miracl-v1.0-{code}-dev.tsv"), "topics/dev.tsv"])?;
        let qrels = files::first(&folder, &[&format!("qrels/qrels.miracl-v1.0-{code}-dev.tsv"), "qrels/dev.tsv"])?;
        mr_tydi::push(&mut all, lang, docs(path, &folder, &code)?, &topics, Qrels::read(qrels)?)?;
    }
    Ok(all)
}

/// The language of a folder with topics and qrels.
fn code(name: &str, folder: &Path) -> Option<String> {
    let code = name.strip_prefix("miracl-v1.0-").unwrap_or(name);
    (folder.join("topics").is_dir() && folder.join("qrels").is_dir()).then(|| code.to_owned())
}

/// All files of a language's corpus, `docs-0` before `docs-1` before `docs-10`.
fn docs(path: &Path, folder: &Path, code: &str) -> Result<Vec<PathBuf>> {
    let places = [
        path.join(format!("miracl-corpus-v1.0-{code}")),
        path.join(format!("miracl-corpus-v1.0/miracl-corpus-v1.0-{code}")),
        folder.join("corpus"),
        folder.to_owned(),
    ];
    for place in places.iter().filter(|place| place.is_dir()) {
        let mut docs = files::between(place, "docs-", ".jsonl")?;
        docs.sort_by_key(|(number, _)| number.parse::<usize>().unwrap_or(usize::MAX));
        if !docs.is_empty() {
            return Ok(docs.into_iter().map(|(_, path)| path).collect());
        }
    }
    files::some(Vec::new(), folder, &format!("miracl-corpus-v1.0-{code}/docs-0.jsonl beside it"))
}
