//! Mr. TyDi v1.1 (Zhang et al. 2021): questions of eleven languages, each over its own Wikipedia.
//!
//! RR@100 and R@100 on the test questions; the mean of the eleven.

use super::{Corpus, Documents, Retrieval, Score, Task, files};
use crate::error::Result;
use crate::{Lang, Qrels, ReadOptions, read_queries};
use std::path::{Path, PathBuf};

/// The languages as the folders name them (`mrtydi-v1.1-arabic`), and their codes.
const LANGS: [(&str, &str); 11] = [
    ("arabic", "ar"),
    ("bengali", "bn"),
    ("english", "en"),
    ("finnish", "fi"),
    ("indonesian", "id"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("russian", "ru"),
    ("swahili", "sw"),
    ("telugu", "te"),
    ("thai", "th"),
];

/// Reads the folders of the languages that are there, of one of them, or a folder that is one itself.
///
/// # Errors
/// No language is there, or a part of one is missing or malformed.
pub fn read(path: &Path) -> Result<Retrieval> {
    let folder_of = |(name, code): (&str, &str)| {
        let names = [format!("mrtydi-v1.1-{name}"), name.to_owned(), code.to_owned()];
        Some((code.to_owned(), names.iter().map(|name| path.join(name)).find(|folder| folder.is_dir())?))
    };
    let own = |(name, code): (&str, &str)| {
        let is_own = path.file_name()?.to_str()? == format!("mrtydi-v1.1-{name}");
        is_own.then(|| (code.to_owned(), path.to_owned()))
    };
    let found: Vec<_> = LANGS.into_iter().filter_map(|lang| own(lang).or_else(|| folder_of(lang))).collect();
    let found = files::some(found, path, "mrtydi-v1.1-arabic or another of its languages")?;
    let mut all =
        Retrieval { corpora: vec![], queries: vec![], tasks: vec![], scores: Score::list(&["RR@100", "R@100"]) };
    for (code, folder) in found {
        let lang = files::lang(&code, &folder)?;
        let docs = files::first(&folder, &["collection/docs.jsonl", "docs.jsonl", "corpus.jsonl"])?;
        let topics = files::first(&folder, &["topic.test.tsv", "topics.test.tsv", "ir-format-data/topics.test.txt"])?;
        let qrels = files::first(&folder, &["qrels.test.txt", "qrels.test.tsv", "ir-format-data/qrels.test.txt"])?;
        push(&mut all, lang, vec![docs], &topics, Qrels::read(qrels)?)?;
    }
    Ok(all)
}

/// Adds a language with its own corpus.
pub(super) fn push(all: &mut Retrieval, lang: Lang, docs: Vec<PathBuf>, topics: &Path, qrels: Qrels) -> Result<()> {
    let mut queries: Vec<_> = read_queries(topics, &ReadOptions { lang: Some(lang) })?.collect::<Result<_>>()?;
    queries.retain(|query| qrels.get(&query.id).is_some());
    let (name, at) = (lang.to_string(), all.corpora.len());
    all.corpora.push(Corpus { name: name.clone(), docs: Documents::Files { paths: docs, lang: Some(lang) } });
    all.queries.push(queries);
    all.tasks.push(Task { name, view: "X→X", lang: Some(lang), only: None, corpus: at, queries: at, qrels });
    Ok(())
}
