//! The vectors of queries, by their ids.

use crate::error::{Error, Result};
use isogloss_dense::{VectorStore, Vectors};
use isogloss_ir::Query;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The vectors of queries, on disk.
pub struct QueryVectors {
    store: Arc<VectorStore>,
    rows: HashMap<String, u32>,
    queries: PathBuf,
}

impl QueryVectors {
    /// Those of a directory; `queries` names the queries' file in errors.
    pub fn new(store: Arc<VectorStore>, queries: &Path) -> Self {
        let rows = (0..store.rows()).map(|row| (store.id(row).to_owned(), row as u32)).collect();
        Self { store, rows, queries: queries.to_owned() }
    }

    /// The directory.
    pub fn store(&self) -> &Arc<VectorStore> {
        &self.store
    }

    /// The row of a query.
    ///
    /// # Errors
    /// It has no vector.
    pub fn row(&self, query: &Query) -> Result<u32> {
        let unknown = || Error::Unknown {
            path: self.queries.clone(),
            what: "query",
            id: query.id.clone(),
            other: self.store.directory().to_owned(),
        };
        self.rows.get(&query.id).copied().ok_or_else(unknown)
    }

    /// The vectors of `queries`, a row for each.
    ///
    /// # Errors
    /// One has none.
    pub fn of(&self, queries: &[Query]) -> Result<Vectors> {
        let mut vectors = Vectors::empty(self.store.dim());
        for query in queries {
            vectors.push(&self.store.row(self.row(query)? as usize));
        }
        Ok(vectors)
    }
}
