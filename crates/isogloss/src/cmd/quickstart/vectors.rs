//! Texts to vectors on disk, and rows of them back in memory.

use crate::model::Model;
use isogloss_dense::{EncoderError, Side, VectorStore, Vectors, encode_to_shards};
use std::path::Path;

/// Encodes ids and texts into `directory` and opens it.
///
/// # Errors
/// As [`encode_to_shards`].
pub fn encode(
    model: &Model,
    texts: impl Iterator<Item = (String, String)>,
    side: Side,
    directory: &Path,
) -> isogloss_dense::Result<VectorStore> {
    let texts = texts.map(Ok::<_, EncoderError>);
    encode_to_shards(&*model.encoder, texts, directory, &model.encode_options(side), |_| {})?;
    VectorStore::open(directory)
}

/// The given rows of a store, in their order.
pub fn rows(store: &VectorStore, rows: impl IntoIterator<Item = usize>) -> Vectors {
    let mut vectors = Vectors::empty(store.dim());
    rows.into_iter().for_each(|row| vectors.push(&store.row(row)));
    vectors
}
