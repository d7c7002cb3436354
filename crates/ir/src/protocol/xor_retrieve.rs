//! XOR-Retrieve (Asai et al. 2021): questions in seven languages, answered by English Wikipedia.
//!
//! R@2kt and R@5kt: whether the first 2,000 or 5,000 tokens of what was found hold an answer. As in the official script:
//! the tokens of the passages' texts (no titles) are put together in rank order until there are enough, cut, joined by blanks; an
//! answer is found where it is a part of that string, letter case and all. Answers "yes" and "no" are passed over, and
//! so are questions without other answers.

use super::nltk::word_tokenize;
use crate::error::Result;
use crate::fields::{Record, Records};
use crate::reader::Lines;
use crate::unique::Unique;
use crate::{Lang, PerQuery, Query, QueryId};
use std::collections::HashMap;
use std::path::Path;

/// The names of the measures, and the tokens that each reads.
pub const MEASURES: [(&str, usize); 2] = [("R@2kt", 2000), ("R@5kt", 5000)];

/// A question with its answers in English.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The question itself.
    pub query: Query,
    /// Strings of which any is right.
    pub answers: Vec<String>,
}

/// The texts that a system found for a question, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The question's id.
    pub id: QueryId,
    /// Its language, by which the scores are grouped.
    pub lang: Lang,
    /// Passages without titles.
    pub texts: Vec<String>,
}

/// What [`score`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// 1 or 0 for each question that counts, under [`MEASURES`].
    pub per_query: PerQuery,
    /// Questions that would count but have no prediction: they do not count, as in the official script.
    pub missing: usize,
    /// Predictions for questions that are not there.
    pub unknown: usize,
}

/// The questions of `xor_dev_retrieve_eng_span_v1_1.jsonl`: JSON lines `{"id", "question", "answers", "lang"}`.
///
/// # Errors
/// A file that cannot be read, or a malformed question.
pub fn read_questions(path: impl AsRef<Path>) -> Result<Vec<Question>> {
    let question = |record: Result<Record>| {
        let mut record = record?;
        let (id, text) = (record.id(&["id", "_id"])?, record.text(&["question", "text"])?);
        let lang = record.lang(&["lang"])?.ok_or_else(|| record.missing(&["lang"]))?;
        Ok(Question { query: Query { id, text, lang: Some(lang) }, answers: record.texts("answers")? })
    };
    Records::json(Lines::open(path.as_ref())?)?.map(question).collect()
}

/// The predictions of a system: a JSON list `[{"id", "lang", "ctxs": [text, …]}]`.
///
/// # Errors
/// A file that cannot be read, a malformed prediction, or two of one question.
pub fn read_predictions(path: impl AsRef<Path>) -> Result<Vec<Prediction>> {
    let mut seen = Unique::default();
    let prediction = |record: Result<Record>| {
        let mut record = record?;
        let id = record.id(&["id"])?;
        seen.insert(&id, "prediction", &record.path, record.line)?;
        let lang = record.lang(&["lang"])?.ok_or_else(|| record.missing(&["lang"]))?;
        Ok(Prediction { id, lang, texts: record.texts("ctxs")? })
    };
    Records::json(Lines::open(path.as_ref())?)?.map(prediction).collect()
}

/// Scores predictions.
pub fn score(questions: &[Question], predictions: &[Prediction]) -> Scores {
    let mut per_query = PerQuery::new(MEASURES.map(|(name, _)| name.to_owned()).into());
    let mut open: HashMap<&str, Vec<&str>> = questions.iter().map(|q| (q.query.id.as_str(), spans(q))).collect();
    let mut unknown = 0;
    for prediction in predictions {
        match open.remove(prediction.id.as_str()) {
            None => unknown += 1,
            Some(spans) if spans.is_empty() => {}
            Some(spans) => {
                per_query.insert(&prediction.id, Some(prediction.lang), found(&spans, &prediction.texts));
            }
        }
    }
    Scores { per_query, missing: open.values().filter(|spans| !spans.is_empty()).count(), unknown }
}

/// The answers that are looked for.
fn spans(question: &Question) -> Vec<&str> {
    question.answers.iter().map(String::as_str).filter(|answer| !matches!(*answer, "yes" | "no")).collect()
}

fn found(spans: &[&str], texts: &[String]) -> Vec<f64> {
    let most = MEASURES.iter().map(|(_, tokens)| *tokens).max().unwrap_or(0);
    let mut tokens = Vec::new();
    for text in texts {
        tokens.extend(word_tokenize(text));
        if tokens.len() >= most {
            break;
        }
    }
    let holds = |(_, n): (&str, usize)| {
        let text = tokens[..n.min(tokens.len())].join(" ");
        f64::from(spans.iter().any(|span| text.contains(span)))
    };
    MEASURES.map(holds).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: &str, answers: &[&str]) -> Question {
        let query = Query { id: id.into(), text: "?".into(), lang: Some("fi".parse().unwrap()) };
        Question { query, answers: answers.iter().map(|answer| (*answer).to_owned()).collect() }
    }

    #[test]
    fn yes_and_no_do_not_count() {
        let lang: Lang = "fi".parse().unwrap();
        let questions = [question("a", &["yes", "no"]), question("b", &["no", "Oslo"]), question("c", &["Bergen"])];
        let of = |id: &str, text: &str| Prediction { id: id.into(), lang, texts: vec![text.into()] };
        let scores = score(&questions, &[of("a", "yes"), of("b", "no city"), of("z", "Oslo")]);
        assert_eq!((scores.missing, scores.unknown, scores.per_query.len()), (1, 1, 1));
        assert_eq!(scores.per_query.scores("R@2kt").unwrap()["b"], 0.0);
    }
}
