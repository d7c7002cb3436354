//! Texts to vectors in a benchmark's folder, once each.

use super::Judged;
use crate::exit::Fault;
use crate::model::Model;
use crate::progress::Progress;
use isogloss_dense::{EncoderError, Side, Text, VectorStore, Vectors, encode_to_shards};
use isogloss_ir::{Doc, Query};
use std::path::Path;

/// What is encoded of a document.
pub fn doc_text(doc: Doc) -> Text {
    let text = doc.full_text().into_owned();
    Text { id: doc.id, text, lang: doc.lang }
}

/// What is encoded of a question.
pub fn query_text(query: &Query) -> Text {
    Text { id: query.id.clone(), text: query.text.clone(), lang: query.lang }
}

/// Encodes texts below `vectors/name`, or goes on where that was left.
///
/// # Errors
/// As [`encode_to_shards`]; a text is in a language that the calibrated model was not fitted to.
pub fn encode(
    judged: &Judged,
    model: &Model,
    texts: impl Iterator<Item = isogloss_ir::Result<Text>>,
    side: Side,
    name: &str,
) -> anyhow::Result<VectorStore> {
    let known = |text: isogloss_ir::Result<Text>| -> Result<Text, EncoderError> {
        let text = text?;
        let lang = model
            .lang_of_text(text.lang)
            .map_err(|problem| Fault::new(judged.data, format!("{name}: the text {:?} {problem}", text.id)))?;
        Ok(Text { lang, ..text })
    };
    let directory = judged.place.join("vectors").join(name);
    let mut progress = Progress::new(None);
    encode_to_shards(&*model.encoder, texts.map(known), &directory, &model.encode_options(side), |p| {
        progress.tell(p.rows, || format!("{name}: {} texts encoded", p.rows));
    })?;
    Ok(VectorStore::open(&directory)?)
}

/// The given rows of a store, in their order.
pub fn rows(store: &VectorStore, rows: impl IntoIterator<Item = usize>) -> Vectors {
    let mut vectors = Vectors::empty(store.dim());
    rows.into_iter().for_each(|row| vectors.push(&store.row(row)));
    vectors
}

/// Refuses a task that asks nothing.
pub fn some_queries(n: usize, data: &Path) -> Result<(), Fault> {
    match n {
        0 => Err(Fault::new(data, "has no judged question in the languages asked for; check --lang")),
        _ => Ok(()),
    }
}
