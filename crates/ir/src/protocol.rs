//! The field's benchmarks: the files they are published as, and how each is scored.
//!
//! One file a protocol. Those that search documents read into a [`Retrieval`], those that search translations into
//! [`Sentences`]; those that look for answers in what was found ([`xor_retrieve`], [`mkqa`]) score texts.
//! Everywhere the mean is over all judged queries, one that is not found counting 0, then over languages alike.

pub mod beir;
pub mod belebele;
pub mod has_answer;
pub mod lareqa;
pub mod miracl;
pub mod mkqa;
pub mod mr_tydi;
pub mod nltk;
pub mod ntrex;
pub mod squad;
pub mod tatoeba;
pub mod xor_retrieve;
pub mod xquad;

mod files;
mod score;

pub use score::Score;

use crate::error::{Error, Result, snippet};
use crate::{Doc, Lang, Qrels, Query, QueryId, ReadOptions, read_docs};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Questions over documents, as one or several tasks.
#[derive(Debug)]
pub struct Retrieval {
    /// What is searched.
    pub corpora: Vec<Corpus>,
    /// What is asked, by tasks that share the questions.
    pub queries: Vec<Vec<Query>>,
    /// Which is searched for which.
    pub tasks: Vec<Task>,
    /// What is measured.
    pub scores: Vec<Score>,
}

/// The documents of a task.
#[derive(Debug)]
pub struct Corpus {
    /// What tells it from the others, fit for a file's name.
    pub name: String,
    /// Where the documents are.
    pub docs: Documents,
}

/// Documents in files, which are streamed, or in memory.
#[derive(Debug)]
pub enum Documents {
    /// Files, read one after the other; ids must differ between them. Documents that name no language are in `lang`.
    Files {
        /// The files.
        paths: Vec<PathBuf>,
        /// The language of documents that name none.
        lang: Option<Lang>,
    },
    /// All of them.
    Loaded(Vec<Doc>),
}

/// Questions with their judgements over a corpus.
#[derive(Debug)]
pub struct Task {
    /// What tells it from the others, fit for a file's name.
    pub name: String,
    /// Tasks of one view are averaged together: `X→X`, `X→en`.
    pub view: &'static str,
    /// The language whose row the questions count in; where absent, each question's own.
    pub lang: Option<Lang>,
    /// Documents of this language alone, where named.
    pub only: Option<Lang>,
    /// Which of [`Retrieval::corpora`].
    pub corpus: usize,
    /// Which of [`Retrieval::queries`].
    pub queries: usize,
    /// The documents that answer the questions.
    pub qrels: Qrels,
}

impl Documents {
    /// The documents, one after the other.
    ///
    /// # Errors
    /// A file cannot be opened; the iterator gives an error for a malformed record and ends there.
    pub fn read(&self) -> Result<Box<dyn Iterator<Item = Result<Doc>> + Send + '_>> {
        match self {
            Self::Loaded(docs) => Ok(Box::new(docs.iter().cloned().map(Ok))),
            Self::Files { paths, lang } => {
                let options = ReadOptions { lang: *lang };
                let files: Vec<_> = paths.iter().map(|path| read_docs(path, &options)).collect::<Result<_>>()?;
                Ok(Box::new(files.into_iter().flatten()))
            }
        }
    }
}

impl Retrieval {
    /// The ranks that the measures read; `None` for all.
    pub fn depth(&self) -> Option<usize> {
        self.scores.iter().map(Score::cutoff).try_fold(1, |deepest, k| Some(deepest.max(k?)))
    }

    /// The languages of a task's judged questions.
    ///
    /// # Errors
    /// A question without language.
    pub fn langs<'a>(&'a self, task: &'a Task) -> Result<BTreeMap<&'a QueryId, Lang>> {
        let lang = |query: &'a Query| {
            let lang = task.lang.or(query.lang).ok_or_else(|| Error::QueryLang { query: snippet(&query.id) })?;
            Ok((&query.id, lang))
        };
        let judged = self.queries[task.queries].iter().filter(|query| task.qrels.get(&query.id).is_some());
        judged.map(lang).collect()
    }

    /// A name for a question beyond its task: the id alone where there is one task.
    pub fn full_id<'a>(&self, task: &Task, query: &'a str) -> Cow<'a, str> {
        match self.tasks.len() {
            1 => query.into(),
            _ => format!("{}/{query}", task.name).into(),
        }
    }
}

/// Sentences and their translations.
#[derive(Debug)]
pub struct Sentences {
    /// Lists of sentences.
    pub sides: Vec<Side>,
    /// Which two lists are translations, row by row.
    pub pairs: Vec<SentencePair>,
    /// Groups of languages whose means are told beside that of all.
    pub groups: &'static [(&'static str, &'static [&'static str])],
}

/// Sentences of one language.
#[derive(Debug)]
pub struct Side {
    /// What tells the list from the others, fit for a file's name.
    pub name: String,
    /// Their language.
    pub lang: Lang,
    /// The sentences.
    pub texts: Vec<String>,
}

/// Two lists of [`Sentences`]: a language and English (or another pivot).
#[derive(Debug)]
pub struct SentencePair {
    /// The language.
    pub lang: Lang,
    /// The language's sentences.
    pub foreign: usize,
    /// The pivot's.
    pub pivot: usize,
}
