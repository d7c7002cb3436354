//! MKQA (Longpre, Lu and Daiber 2021): 6,620 questions in 26 languages, answered by English Wikipedia.
//!
//! R@20 and R@100: whether any of the first passages has an English answer, by [`has_answer`](super::has_answer). Questions
//! without answer, with a long one or with yes or no are left out.

use super::files;
use super::has_answer::Answer;
use crate::error::Result;
use crate::fields::{Record, Records};
use crate::reader::Lines;
use crate::{Lang, Query};
use serde_json::Value;
use std::path::Path;

/// The ranks that the measures R@20 and R@100 read.
pub const CUTOFFS: [usize; 2] = [20, 100];

/// Kinds of answers that no passage can hold.
const UNUSED: [&str; 3] = ["unanswerable", "long_answer", "binary"];

/// A question in every language, with its English answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// By language; ids are led by it.
    pub queries: Vec<Query>,
    /// Answers and their aliases.
    pub answers: Vec<Answer>,
}

/// Reads `mkqa.jsonl`, itself or in a folder; `langs` other than none leaves out all others.
///
/// # Errors
/// The file cannot be read, or a question is malformed.
pub fn read(path: &Path, langs: &[Lang]) -> Result<Vec<Question>> {
    let file = if path.is_dir() { files::first(path, &["mkqa.jsonl"])? } else { path.to_owned() };
    let records = Records::json(Lines::open(&file)?)?;
    records.filter_map(|record| record.and_then(|record| question(record, langs)).transpose()).collect()
}

fn question(mut record: Record, langs: &[Lang]) -> Result<Option<Question>> {
    let id = record.id(&["example_id"])?;
    let mut answers = Vec::new();
    for answer in english(&record)? {
        if answer["type"].as_str().is_some_and(|kind| UNUSED.contains(&kind)) {
            return Ok(None);
        }
        let aliases = answer["aliases"].as_array().into_iter().flatten();
        answers.extend([&answer["text"]].into_iter().chain(aliases).filter_map(Value::as_str).map(Answer::new));
    }
    let Some(Value::Object(texts)) = record.fields.get("queries") else {
        return Err(if record.has("queries") {
            record.wrong("queries", "an object: {lang: text}")
        } else {
            record.missing(&["queries"])
        });
    };
    let mut queries = Vec::new();
    for (code, text) in texts {
        let lang = record.parse_lang(code)?;
        if langs.is_empty() || langs.contains(&lang) {
            let text = text.as_str().unwrap_or_default().to_owned();
            queries.push(Query { id: format!("{lang}-{id}"), text, lang: Some(lang) });
        }
    }
    Ok(Some(Question { queries, answers }).filter(|question| !question.answers.is_empty()))
}

fn english(record: &Record) -> Result<&Vec<Value>> {
    let english = record.fields.get("answers").and_then(|answers| answers.get("en")).and_then(Value::as_array);
    english.ok_or_else(|| match record.has("answers") {
        true => record.wrong("answers", "an object with a list under `en`"),
        false => record.missing(&["answers"]),
    })
}
