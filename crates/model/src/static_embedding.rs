//! A static model: a table of token vectors; the vector of a text is the mean of its tokens' rows.

use isogloss_engine::{Key, Packed, Tensor, op};

use crate::config::StaticConfig;
use crate::error::Result;
use crate::layers::{INITIAL_DEVIATION, Named, NamedMut, Source};
use crate::weights::Checkpoint;

/// Name of the table, as in sentence-transformers' module of this kind.
const TABLE: &str = "embedding.weight";

/// A table and a mean.
pub struct StaticEmbedding {
    table: Tensor,
}

impl StaticEmbedding {
    /// Loads the table of a checkpoint.
    ///
    /// # Errors
    /// It is missing, of another shape or not finite.
    pub fn load(config: &StaticConfig, checkpoint: &Checkpoint) -> Result<StaticEmbedding> {
        Ok(StaticEmbedding { table: checkpoint.parameter(TABLE, &[config.vocab, config.dim])? })
    }

    /// A fresh normal table.
    pub fn fresh(config: &StaticConfig, key: Key) -> StaticEmbedding {
        let source = Source::Fresh(key, INITIAL_DEVIATION);
        let table = source.weight(TABLE, &[config.vocab, config.dim]).expect("fresh weights cannot be missing");
        StaticEmbedding { table }
    }

    /// Vectors `[sequences, dim]`.
    pub fn forward(&self, ids: &[u32], packed: &Packed) -> Tensor {
        op::embedding_bag(&self.table, ids, packed)
    }
    /// The table of word vectors, `[words, hidden]`.
    pub(crate) fn words(&self) -> &Tensor {
        &self.table
    }

    pub(crate) fn parameters(&self) -> Named<'_> {
        vec![(TABLE.into(), &self.table)]
    }

    pub(crate) fn parameters_mut(&mut self) -> NamedMut<'_> {
        vec![(TABLE.into(), &mut self.table)]
    }
}
