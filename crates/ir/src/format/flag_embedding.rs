//! FlagEmbedding's training records: `query`, and lists of strings `pos` and `neg`.

use super::langs;
use crate::error::Result;
use crate::fields::Record;
use crate::{Example, ExampleIds};

/// Scores of a teacher, where the record has them, are not read.
pub(super) fn example(record: &mut Record) -> Result<Example> {
    let (lang, doc_lang) = langs(record)?;
    Ok(Example {
        query: record.content(&["query"])?,
        positives: record.some_texts("pos")?,
        negatives: record.texts("neg")?,
        lang,
        doc_lang,
        ids: ExampleIds {
            query: record.optional_id(&["id", "query_id"])?,
            positives: record.texts("pos_id")?,
            negatives: record.texts("neg_id")?,
        },
        answers: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, read_examples};

    #[test]
    fn a_plain_string_as_pos_is_refused_with_the_cure() {
        let text = "{\"query\":\"q\",\"pos\":[\"p\"]}\n{\"query\":\"q\",\"pos\":\"p\"}\n";
        let error = read_examples(text.as_bytes(), "t.jsonl", &ExampleOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "t.jsonl:2: field `pos` is a string; expected a list of strings; write [\"…\"]");
    }
}
