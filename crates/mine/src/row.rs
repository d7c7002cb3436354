//! A mined row, as `isogloss train` reads it: FlagEmbedding's form, with ids and languages.

use crate::error::{Error, Result};
use crate::passages::Passages;
use isogloss_ir::{Lang, Query};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<Lang>,
    /// The language of all texts, where they share one.
    #[serde(skip_serializing_if = "Option::is_none")]
    doc_lang: Option<Lang>,
    pos: Vec<String>,
    neg: Vec<String>,
    pos_id: Vec<String>,
    neg_id: Vec<String>,
    /// A reranker's scores, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pos_scores: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    neg_scores: Option<Vec<f32>>,
}

/// The row of a query, its line break included; `scores` are those of a reranker, all or none.
pub(crate) fn row(
    query: &Query,
    passages: &Passages,
    positives: &[u32],
    negatives: &[u32],
    scores: Option<[Vec<f32>; 2]>,
) -> Result<Vec<u8>> {
    let texts = |rows: &[u32]| -> Result<(Vec<String>, Vec<String>)> {
        let passages = rows.iter().map(|row| passages.get(*row)).collect::<Result<Vec<_>>>()?;
        Ok(passages.into_iter().map(|passage| (passage.text, passage.id)).unzip())
    };
    let ((pos, pos_id), (neg, neg_id)) = (texts(positives)?, texts(negatives)?);
    let mut langs = positives.iter().chain(negatives).map(|row| passages.lang(*row));
    let first = langs.next().flatten();
    let (pos_scores, neg_scores) = scores.map(|[pos, neg]| (pos, neg)).unzip();
    let row = Row {
        id: &query.id,
        query: &query.text,
        lang: query.lang,
        doc_lang: first.filter(|_| langs.all(|lang| lang == first)),
        pos,
        neg,
        pos_id,
        neg_id,
        pos_scores,
        neg_scores,
    };
    let mut bytes =
        serde_json::to_vec(&row).map_err(|e| Error::io("write a row of", Path::new("the output"))(e.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
