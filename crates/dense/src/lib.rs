//! Dense vectors: stored in checksummed, memory-mapped shards, and searched by inner product, exactly or through a graph.
//!
//! The line: texts → [`Encoder`] → [`encode_to_shards`] → [`VectorStore`] → [`Flat`] (an [`Index`]) → [`Searcher`].
#![deny(unsafe_op_in_unsafe_fn)]

mod atomic_file;
mod attributes;
mod bitext;
pub mod calibration;
mod dtype;
mod encode;
mod encoder;
mod error;
mod flat;
mod header;
mod hnsw;
mod ids;
mod import;
mod manifest;
mod npy;
mod npy_read;
mod parquet_read;
mod progress;
mod search;
mod sections;
mod shard;
mod side;
mod store;
mod text;
mod top_k;
mod vector_file;
mod vectors;

pub use attributes::{Attributes, write_attributes};
pub use bitext::{Bitext, Margin, Mined, Strategy, accuracy, l2_normalize, translation_accuracy};
pub use dtype::Dtype;
pub use encode::{EncodeOptions, encode_texts, encode_to_shards};
pub use encoder::{Encoder, EncoderError};
pub use error::Error;
pub use flat::{Flat, Index};
pub use hnsw::{Hnsw, HnswOptions, HnswReport, Recall, Scalar, build_hnsw, delete_rows, deleted_rows};
pub use ids::{Ids, RowIds};
pub use import::{append_store, import_vectors};
pub use manifest::{FORMAT_VERSION, Manifest, Plan, ShardEntry};
pub use npy::encode_to_npy;
pub use npy_read::NpyFile;
pub use parquet_read::{ParquetFile, panic_is_caught};
pub use progress::Progress;
pub use search::{Hits, Searcher};
pub use shard::Shard;
pub use side::Side;
pub use store::VectorStore;
pub use text::Text;
pub use top_k::{Neighbor, TopK};
pub use vector_file::VectorFile;
pub use vectors::{Vectors, VectorsView};

/// What a fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;
