//! The words of retrieval: queries, documents, judgements, runs, measures, and the files they live in.
//!
//! Everything here reads plain, `.gz` and `.zst` files as streams, names file and line in every
//! error, and knows nothing of models.
#![forbid(unsafe_code)]

pub mod atomic;
pub mod bootstrap;
pub mod collection;
pub mod compare;
pub mod dataset;
pub mod doctor;
pub mod error;
pub mod evaluate;
pub mod format;
pub mod fusion;
pub mod lang;
mod lang_name;
pub mod language_bias;
pub mod measure;
pub mod minhash;
pub mod per_query;
pub mod protocol;
pub mod qrels;
pub mod reader;
pub mod record;
pub mod run;
pub mod significance;

mod fields;
mod file_hash;
mod folder;
mod random;
mod run_blocks;
mod table;
mod unique;

pub use atomic::{AtomicFile, lock_folder, write_atomic};
pub use bootstrap::Bootstrap;
pub use collection::{Docs, Queries, ReadOptions, read_docs, read_queries};
pub use compare::{Comparison, Scores, compare};
pub use dataset::{Dataset, Example, ExampleIds, Pair};
pub use error::{Error, Result};
pub use evaluate::{Report, evaluate, evaluate_file, evaluate_with};
pub use file_hash::file_hash;
pub use format::clear::{ClearExample, load_clear};
pub use format::documents::{Body, Document, load_documents};
pub use format::parallel::{PairOptions, Pairing, ParallelRow, load_pairs, load_parallel};
pub use format::unlabelled::{TextKind, each_document};
pub use format::{ExampleOptions, Format, load_examples, read_examples};
pub use fusion::{Floor, Fusion, Scale, fuse, fuse_by, fuse_lists};
pub use lang::Lang;
pub use language_bias::{LanguageBias, Pool, language_bias};
pub use measure::Measure;
pub use minhash::{MinHash, NearDuplicates};
pub use per_query::PerQuery;
pub use qrels::Qrels;
pub use record::{Doc, Query};
pub use run::Run;
pub use significance::Resampling;

/// The name of a query in qrels, runs and query files.
pub type QueryId = String;
/// The name of a document in qrels, runs and corpora.
pub type DocId = String;
