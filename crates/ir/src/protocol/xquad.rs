//! XQuAD (Artetxe, Ruder and Yogatama 2020) as paragraph retrieval: X→X, X→en and en→X, nDCG@10.

use super::squad::{Passages, passages};
use super::{Corpus, Documents, Retrieval, Score, Task, files};
use crate::error::Result;
use std::path::Path;

/// Reads `xquad.xx.json` of every language that is there; with English, also across it.
///
/// # Errors
/// No file is there, or one is malformed.
pub fn read(path: &Path) -> Result<Retrieval> {
    let found = files::some(files::between(path, "xquad.", ".json")?, path, "xquad.en.json or another language's")?;
    let mut langs: Vec<Passages> = Vec::new();
    for (code, file) in found {
        langs.push(passages(&file, files::lang(&code, &file)?)?);
    }
    Ok(across(langs, "en", &["nDCG@10"]))
}

/// Every language over its own documents, over the pivot's, and the pivot's questions over its documents.
pub(super) fn across(langs: Vec<Passages>, pivot: &str, measures: &[&str]) -> Retrieval {
    let mut tasks = Vec::new();
    let english = langs.iter().position(|passages| passages.lang.as_str() == pivot);
    let mut task = |view: &'static str, row: usize, corpus: usize, queries: usize| {
        let name = format!("{}-{}", langs[corpus].lang, langs[queries].lang);
        let qrels = langs[queries].qrels(&langs[corpus]);
        tasks.push(Task { name, view, lang: Some(langs[row].lang), only: None, corpus, queries, qrels });
    };
    (0..langs.len()).for_each(|at| task("X→X", at, at, at));
    for other in (0..langs.len()).filter(|at| english.is_some_and(|english| english != *at)) {
        let english = english.unwrap_or(other);
        task("X→en", other, english, other);
        task("en→X", other, other, english);
    }
    let corpus = |passages: &mut Passages| Corpus {
        name: passages.lang.to_string(),
        docs: Documents::Loaded(std::mem::take(&mut passages.docs)),
    };
    let mut langs = langs;
    let corpora = langs.iter_mut().map(corpus).collect();
    let queries = langs.into_iter().map(|passages| passages.queries).collect();
    Retrieval { corpora, queries, tasks, scores: Score::list(measures) }
}
