//! sentence-transformers' columns: `anchor`, `positive`, and `negative` or `negative_1`, `negative_2`, …

use super::langs;
use crate::Example;
use crate::error::Result;
use crate::fields::Record;

pub(super) fn example(record: &mut Record) -> Result<Example> {
    let (lang, doc_lang) = langs(record)?;
    let query = record.content(&["anchor", "query"])?;
    let positives = vec![record.content(&["positive"])?];
    let mut negatives: Vec<String> =
        record.optional_text(&["negative"])?.into_iter().filter(|n| !n.is_empty()).collect();
    negatives.extend(record.numbered("negative")?);
    Ok(Example { query, positives, negatives, lang, doc_lang, ..Example::default() })
}
