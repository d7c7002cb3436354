//! The SQuAD family as retrieval: each question should find its paragraph among all of its file.
//!
//! nDCG@10 and R@100; every file is a language of its own.

use super::{Corpus, Documents, Retrieval, Score, Task, files};
use crate::error::{Error, Result};
use crate::fields::json_error;
use crate::reader::Lines;
use crate::{Doc, DocId, Lang, Qrels, Query, QueryId};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const EXPECTED: &str =
    "SQuAD: {\"data\": [{\"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \"question\": …}]}]}]}";

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

/// A paragraph with its questions.
#[derive(Debug, Deserialize)]
pub(super) struct Paragraph {
    pub context: String,
    pub qas: Vec<Question>,
    /// Of XQuAD-R.
    #[serde(default)]
    pub sentences: Vec<String>,
    /// Of XQuAD-R: where each sentence starts and ends, in characters.
    #[serde(default)]
    pub sentence_breaks: Vec<(usize, usize)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Question {
    #[serde(default)]
    id: Value,
    pub question: String,
    #[serde(default)]
    pub answers: Vec<Answer>,
    #[serde(default)]
    pub is_impossible: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// In characters.
    #[serde(default)]
    pub answer_start: usize,
}

impl Question {
    /// Its id, or its place.
    pub fn id(&self, place: &str) -> String {
        match &self.id {
            Value::String(id) if !id.is_empty() => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => place.to_owned(),
        }
    }
}

/// The paragraphs of a file with names (`a0p0`) that its translations share.
pub(super) fn paragraphs(path: &Path) -> Result<Vec<(String, Paragraph)>> {
    let mut lines = Lines::open(path)?;
    lines.peek_bytes()?;
    let (input, mut place) = lines.into_parts();
    let file: File = serde_json::from_reader(input).map_err(|e| {
        place.line += e.line();
        if e.is_io() { place.io(e.into()) } else { json_error(&e, &place.path, place.line, EXPECTED) }
    })?;
    let articles = file.data.into_iter().enumerate();
    let named = |(a, article): (usize, Article)| {
        article.paragraphs.into_iter().enumerate().map(move |(p, paragraph)| (format!("a{a}p{p}"), paragraph))
    };
    let all: Vec<_> = articles.flat_map(named).collect();
    match all.iter().any(|(_, paragraph)| !paragraph.qas.is_empty()) {
        true => Ok(all),
        false => Err(Error::Empty { path: path.into(), expected: EXPECTED }),
    }
}

/// One language: its documents, its questions, and the name of the paragraph that answers each.
pub(super) struct Passages {
    pub lang: Lang,
    pub docs: Vec<Doc>,
    pub queries: Vec<Query>,
    /// By query, the paragraph's name.
    pub answers: Vec<(QueryId, String)>,
    /// Documents by the names of their paragraphs; the same text twice is one document.
    pub ids: HashMap<String, DocId>,
}

/// The answerable questions of a file over all its paragraphs; ids are led by the language.
pub(super) fn passages(path: &Path, lang: Lang) -> Result<Passages> {
    let mut all = Passages { lang, docs: vec![], queries: vec![], answers: vec![], ids: HashMap::new() };
    let mut by_text: HashMap<String, DocId> = HashMap::new();
    for (name, paragraph) in paragraphs(path)? {
        let id = format!("{lang}-{name}");
        let doc = by_text.entry(paragraph.context.clone()).or_insert_with(|| {
            all.docs.push(Doc { id: id.clone(), title: String::new(), text: paragraph.context, lang: Some(lang) });
            id
        });
        all.ids.insert(name.clone(), doc.clone());
        for (place, question) in paragraph.qas.into_iter().enumerate().filter(|(_, question)| !question.is_impossible) {
            let id = format!("{lang}-{}", question.id(&format!("{name}q{place}")));
            all.answers.push((id.clone(), name.clone()));
            all.queries.push(Query { id, text: question.question, lang: Some(lang) });
        }
    }
    Ok(all)
}

impl Passages {
    /// Judgements of these questions over another language's paragraphs (or their own).
    pub fn qrels(&self, over: &Passages) -> Qrels {
        let mut qrels = Qrels::default();
        for (query, name) in &self.answers {
            if let Some(doc) = over.ids.get(name) {
                qrels.insert(query.clone(), doc.clone(), 1);
            }
        }
        qrels
    }
}

/// Reads a file, or every `.json` file of a folder. The language is the last part of the file's name (`xquad.ar.json`),
/// else `lang`, else none (`und`).
///
/// # Errors
/// No file is there, or one is malformed.
pub fn read(path: &Path, lang: Option<Lang>) -> Result<Retrieval> {
    let found: Vec<PathBuf> = match path.is_dir() {
        false => vec![path.into()],
        true => files::some(files::between(path, "", ".json")?, path, ".json file")?
            .into_iter()
            .map(|(_, path)| path)
            .collect(),
    };
    let mut all =
        Retrieval { corpora: vec![], queries: vec![], tasks: vec![], scores: Score::list(&["nDCG@10", "R@100"]) };
    for (at, file) in found.iter().enumerate() {
        let lang = told(file).or(lang).map_or_else(|| files::lang("und", file), Ok)?;
        let passages = passages(file, lang)?;
        let name = if found.len() == 1 { "run".into() } else { format!("{at}-{lang}") };
        let qrels = passages.qrels(&passages);
        all.corpora.push(Corpus { name: name.clone(), docs: Documents::Loaded(passages.docs) });
        all.queries.push(passages.queries);
        all.tasks.push(Task { name, view: "X→X", lang: Some(lang), only: None, corpus: at, queries: at, qrels });
    }
    Ok(all)
}

/// The language that a file's name ends with.
fn told(path: &Path) -> Option<Lang> {
    let name = crate::reader::bare_name(path);
    let stem = name.strip_suffix(".json")?;
    stem.rsplit('.').next()?.parse().ok()
}
