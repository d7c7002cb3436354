//! Tevatron's training records: with the passages in them, or (2.x) with ids into a corpus.

use super::dpr::{apart, passages};
use super::{ExampleOptions, langs};
use crate::error::{Error, Result};
use crate::fields::Record;
use crate::{Example, ExampleIds};

pub(super) fn example(record: &mut Record, options: &ExampleOptions) -> Result<Example> {
    let query = record.content(&["query", "query_text"])?;
    let query_id = record.optional_id(&["query_id"])?;
    let (lang, doc_lang) = langs(record)?;
    let answers = record.texts("answers")?;
    let mut example = Example { query, lang, doc_lang, answers, ..Example::default() };
    if record.has("positive_document_ids") {
        if options.corpus.is_none() {
            return Err(Error::TextsNeeded { path: record.path.to_path_buf(), line: record.line, what: "document" });
        }
        let positives = record.some_texts("positive_document_ids")?;
        example.ids = ExampleIds { query: query_id, positives, negatives: record.texts("negative_document_ids")? };
        return Ok(example);
    }
    let positives = passages(record, "positive_passages")?;
    if positives.is_empty() {
        return Err(match record.has("positive_passages") {
            true => record.wrong_as("positive_passages", "a list of at least one passage", "an empty list"),
            false => record.missing(&["positive_passages", "positive_document_ids"]),
        });
    }
    (example.positives, example.ids.positives) = apart(positives);
    (example.negatives, example.ids.negatives) = apart(passages(record, "negative_passages")?);
    example.ids.query = query_id;
    Ok(example)
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, load_examples, read_examples};

    #[test]
    fn passages_keep_their_ids() {
        let text = r#"{"query_id":"1","query":"q","positive_passages":[{"docid":"d#1","title":"T","text":"p"}],"negative_passages":[{"docid":"d#2","title":"","text":"n"}]}"#;
        let got = read_examples(text.as_bytes(), "x", &ExampleOptions::default()).unwrap();
        assert_eq!((&got[0].positives[0][..], &got[0].negatives[0][..]), ("T p", "n"));
        assert_eq!(
            (&got[0].ids.positives[0][..], &got[0].ids.negatives[0][..], got[0].ids.query.as_deref()),
            ("d#1", "d#2", Some("1"))
        );
    }

    #[test]
    fn ids_find_their_texts_in_the_corpus() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = folder.path().join("corpus.jsonl");
        std::fs::write(&corpus, "{\"docid\":\"a\",\"document_text\":\"p\"}\n{\"docid\":\"b\",\"text\":\"n\"}\n")
            .unwrap();
        let train = folder.path().join("train.jsonl");
        let text = r#"{"query_id":"1","query_text":"q","positive_document_ids":["a"],"negative_document_ids":["b"]}"#;
        std::fs::write(&train, text).unwrap();
        let error = load_examples(&train, &ExampleOptions::default()).unwrap_err().to_string();
        assert!(error.contains("train.jsonl:1:") && error.contains("`corpus`"), "{error}");
        let got = load_examples(&train, &ExampleOptions { corpus: Some(corpus), ..Default::default() }).unwrap();
        assert_eq!((&got[0].positives[0][..], &got[0].negatives[0][..]), ("p", "n"));
    }
}
