//! The SQuAD family: `data[].paragraphs[].{context, qas[]}`, also of its translations.

use super::ExampleOptions;
use crate::error::Result;
use crate::fields::json_error;
use crate::reader::Lines;
use crate::{Example, ExampleIds};
use serde::Deserialize;
use serde_json::Value;

const EXPECTED: &str = "SQuAD: {\"data\": [{\"paragraphs\": [{\"context\": …, \"qas\": [{\"question\": …}]}]}]}";

#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    id: Value,
    question: String,
    #[serde(default)]
    answers: Vec<Answer>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

/// One example per question that its paragraph answers; the positive is the paragraph without its title.
pub(crate) fn load(mut lines: Lines<'_>, options: &ExampleOptions) -> Result<Vec<Example>> {
    // Its questions never name their language, whatever their lines.
    options.check_lang(None, lines.path(), 1)?;
    lines.peek_bytes()?;
    let (input, mut place) = lines.into_parts();
    let squad: Squad = serde_json::from_reader(input).map_err(|e| {
        place.line += e.line();
        if e.is_io() { place.io(e.into()) } else { json_error(&e, &place.path, place.line, EXPECTED) }
    })?;
    let paragraphs = squad.data.into_iter().flat_map(|article| article.paragraphs);
    Ok(paragraphs.flat_map(examples).collect())
}

fn examples(paragraph: Paragraph) -> impl Iterator<Item = Example> {
    let Paragraph { context, qas } = paragraph;
    qas.into_iter().filter(|qa| !qa.is_impossible).map(move |qa| Example {
        query: qa.question,
        positives: vec![context.clone()],
        ids: ExampleIds { query: id_of(qa.id), ..ExampleIds::default() },
        answers: distinct(qa.answers),
        ..Example::default()
    })
}

fn id_of(id: Value) -> Option<String> {
    match id {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn distinct(answers: Vec<Answer>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for answer in answers {
        if !texts.contains(&answer.text) {
            texts.push(answer.text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, read_examples};

    #[test]
    fn every_answerable_question_gives_an_example() {
        let text = r#"{"version": "2", "data": [{"title": "T", "paragraphs": [{"context": "c", "qas": [
            {"id": "1", "question": "q", "answers": [{"text": "a", "answer_start": 0}, {"text": "a", "answer_start": 0}]},
            {"id": "2", "question": "r", "answers": [], "is_impossible": true}]}]}]}"#;
        let got = read_examples(text.as_bytes(), "x", &ExampleOptions::default()).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(
            (&got[0].query[..], &got[0].positives[0][..], &got[0].answers[..]),
            ("q", "c", &["a".to_owned()][..])
        );
    }

    #[test]
    fn a_missing_part_is_told_with_its_line() {
        let text = "\n{\"data\": [\n{\"paragraphs\": [\n{\"context\": \"c\"}]}]}";
        let error = read_examples(text.as_bytes(), "x", &ExampleOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("x:4:") && error.contains("qas"), "{error}");
    }
}
