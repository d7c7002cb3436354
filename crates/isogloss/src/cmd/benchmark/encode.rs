//! Texts to vectors in a benchmark's folder, once each.

use super::Judged;
use crate::exit::Fault;
use crate::model::Model;
use crate::progress::Progress;
use isogloss_dense::{EncoderError, Side, VectorStore, Vectors, encode_to_shards};
use std::path::Path;

/// Encodes ids and texts below `vectors/name`, or goes on where that was left.
///
/// # Errors
/// As [`encode_to_shards`].
pub fn encode<E: Into<EncoderError>>(
    judged: &Judged,
    model: &Model,
    texts: impl Iterator<Item = Result<(String, String), E>>,
    side: Side,
    name: &str,
) -> anyhow::Result<VectorStore> {
    let directory = judged.place.join("vectors").join(name);
    let mut progress = Progress::new(None);
    encode_to_shards(&*model.encoder, texts, &directory, &model.encode_options(side), |p| {
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
