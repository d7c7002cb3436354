//! Dense Passage Retrieval's JSON: questions with positive, negative and hard negative contexts.

use super::langs;
use crate::error::Result;
use crate::fields::Record;
use crate::record::{TITLE_SEPARATOR, titled};
use crate::{Example, ExampleIds};

/// `None` for a question without positive contexts. Hard negatives stand before the others.
pub(super) fn example(record: &mut Record) -> Result<Option<Example>> {
    let query = record.content(&["question"])?;
    let (lang, doc_lang) = langs(record)?;
    let answers = record.texts("answers")?;
    let positives = passages(record, "positive_ctxs")?;
    let mut negatives = passages(record, "hard_negative_ctxs")?;
    negatives.extend(passages(record, "negative_ctxs")?);
    if positives.is_empty() {
        return Ok(None);
    }
    let (positives, positive_ids) = apart(positives);
    let (negatives, negative_ids) = apart(negatives);
    let ids = ExampleIds {
        query: record.optional_id(&["id", "query_id"])?,
        positives: positive_ids,
        negatives: negative_ids,
    };
    Ok(Some(Example { query, positives, negatives, lang, doc_lang, ids, answers }))
}

/// Title with text, and the id where there is one, of every passage in the list `name`.
pub(super) fn passages(record: &mut Record, name: &str) -> Result<Vec<(String, Option<String>)>> {
    let passage = |mut passage: Record| {
        let title = passage.optional_text(&["title"])?.unwrap_or_default();
        let text = passage.text(&["text"])?;
        let id = passage.optional_id(&["docid", "passage_id", "psg_id", "id"])?;
        Ok((titled(&title, &text, TITLE_SEPARATOR).into_owned(), id))
    };
    record.records(name)?.into_iter().map(passage).collect()
}

/// Texts and ids; no ids unless all have one.
pub(super) fn apart(passages: Vec<(String, Option<String>)>) -> (Vec<String>, Vec<String>) {
    let (texts, ids): (Vec<_>, Vec<_>) = passages.into_iter().unzip();
    (texts, ids.into_iter().collect::<Option<_>>().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, read_examples};

    #[test]
    fn contexts_keep_titles_and_ids_and_empty_questions_are_passed_over() {
        let text = r#"[
            {"question": "none", "positive_ctxs": []},
            {"question": "q", "answers": ["a", 7], "positive_ctxs": [{"title": "T", "text": "p", "passage_id": 12}],
             "negative_ctxs": [{"title": "", "text": "n"}], "hard_negative_ctxs": [{"title": "H", "text": "h"}]}
        ]"#;
        let got = read_examples(text.as_bytes(), "x", &ExampleOptions::default()).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(
            (&got[0].positives[..], &got[0].negatives[..]),
            (&["T p".to_owned()][..], &["H h".to_owned(), "n".into()][..])
        );
        assert_eq!(
            (&got[0].ids.positives[..], got[0].ids.negatives.len(), &got[0].answers[1]),
            (&["12".to_owned()][..], 0, &"7".to_owned())
        );
    }
}
