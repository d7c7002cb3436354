//! LAReQA on XQuAD-R (Roy et al. 2020): one pool of all languages' sentences, and a right one in each language.
//!
//! mAP@20 and mAP by the language of the question, over the merged pool and over the pool of the question's own language.
//! A document is a sentence with its paragraph behind it.

use super::squad::{Paragraph, paragraphs};
use super::{Corpus, Documents, Retrieval, Score, Task, files};
use crate::error::Result;
use crate::{Doc, DocId, Lang, Qrels, Query, QueryId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Reads `xx.json` (or `xquad-r.xx.json`) of every language that is there: SQuAD with `sentences` and `sentence_breaks`.
///
/// # Errors
/// No file is there, or one is malformed.
pub fn read(path: &Path) -> Result<Retrieval> {
    if path.join("xquad-r").is_dir() {
        return read(&path.join("xquad-r"));
    }
    let mut pool = Pool::default();
    for (stem, file) in files::some(files::between(path, "", ".json")?, path, "en.json or another language of XQuAD-R")?
    {
        let code = stem.rsplit('.').next().unwrap_or(&stem);
        pool.add(&file, files::lang(code, &file)?)?;
    }
    Ok(pool.into_retrieval())
}

#[derive(Default)]
struct Pool {
    docs: Vec<Doc>,
    queries: Vec<Query>,
    /// The question that each query asks, whatever its language.
    questions: Vec<String>,
    /// The right sentences of each question.
    gold: BTreeMap<String, Vec<(DocId, Lang)>>,
}

impl Pool {
    fn add(&mut self, path: &Path, lang: Lang) -> Result<()> {
        for (name, paragraph) in paragraphs(path)? {
            let sentences = sentences(&paragraph);
            let doc_id = |at: usize| format!("{lang}-{name}s{at}");
            for (at, (_, sentence)) in sentences.iter().enumerate() {
                let text = format!("{sentence} {}", paragraph.context);
                self.docs.push(Doc { id: doc_id(at), title: String::new(), text, lang: Some(lang) });
            }
            for (place, question) in paragraph.qas.iter().enumerate() {
                let key = question.id(&format!("{name}q{place}"));
                self.queries.push(Query {
                    id: format!("{lang}-{key}"),
                    text: question.question.clone(),
                    lang: Some(lang),
                });
                self.questions.push(key.clone());
                let start = question.answers.first().map_or(0, |answer| answer.answer_start);
                let holds = sentences.iter().rposition(|(from, _)| *from <= start).unwrap_or(0);
                self.gold.entry(key).or_default().push((doc_id(holds), lang));
            }
        }
        Ok(())
    }

    fn qrels(&self, counts: impl Fn(&Query, Lang) -> bool) -> Qrels {
        let mut qrels = Qrels::default();
        for (query, question) in self.queries.iter().zip(&self.questions) {
            for (doc, _) in self.gold[question].iter().filter(|(_, lang)| counts(query, *lang)) {
                qrels.insert(QueryId::clone(&query.id), doc.clone(), 1);
            }
        }
        qrels
    }

    fn into_retrieval(self) -> Retrieval {
        let merged = Task {
            name: "merged".into(),
            view: "merged pool",
            lang: None,
            only: None,
            corpus: 0,
            queries: 0,
            qrels: self.qrels(|_, _| true),
        };
        let langs: BTreeSet<Lang> = self.docs.iter().filter_map(|doc| doc.lang).collect();
        let own = |lang: Lang| Task {
            name: lang.to_string(),
            view: "own language's pool",
            lang: Some(lang),
            only: Some(lang),
            corpus: 0,
            queries: 0,
            qrels: self.qrels(|query, doc| query.lang == Some(lang) && doc == lang),
        };
        let tasks = [merged].into_iter().chain(langs.into_iter().map(own)).collect();
        let corpus = Corpus { name: "sentences".into(), docs: Documents::Loaded(self.docs) };
        let mut scores = vec![Score::TruncatedAp { k: 20 }];
        scores.extend(Score::list(&["AP"]));
        Retrieval { corpora: vec![corpus], queries: vec![self.queries], tasks, scores }
    }
}

/// Where each sentence starts, in characters, and its text.
fn sentences(paragraph: &Paragraph) -> Vec<(usize, &str)> {
    if !paragraph.sentence_breaks.is_empty() && paragraph.sentence_breaks.len() == paragraph.sentences.len() {
        let starts = paragraph.sentence_breaks.iter().map(|(start, _)| *start);
        return starts.zip(paragraph.sentences.iter().map(String::as_str)).collect();
    }
    let (mut byte, mut found) = (0, Vec::new());
    for sentence in &paragraph.sentences {
        let at = paragraph.context[byte..].find(sentence.as_str()).map_or(byte, |at| byte + at);
        found.push((paragraph.context[..at].chars().count(), sentence.as_str()));
        byte = (at + sentence.len()).min(paragraph.context.len());
        while !paragraph.context.is_char_boundary(byte) {
            byte += 1;
        }
    }
    if found.is_empty() { vec![(0, &paragraph.context)] } else { found }
}
