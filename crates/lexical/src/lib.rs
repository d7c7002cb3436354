//! Words of every script and BM25 over them, equal to Lucene's.
//!
//! The line: text → [`Analyzer`] (named by a [`Profile`]) → [`build_index`] → [`Index`] → [`Searcher`].

pub mod analyzer;
pub mod bm25;
mod detect;
mod error;
mod index;
mod search;
mod store;

pub use analyzer::{Analyzer, Field, OpenSubword, Profile};
pub use bm25::{Bm25, printed_scores};
pub use detect::{contradicts, field_of};
pub use error::{Error, Result};
pub use index::{FieldSummary, IndexOptions, build_index};
pub use search::{Hit, Searcher};
pub use store::Index;
