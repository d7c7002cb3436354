//! How vectors are searched: exactly or through a graph, all of them or some; and queries that are vectors already.

use super::{Args, write};
use crate::exit::Fault;
use crate::model::positive;
use crate::stored::is_vectors;
use crate::vector_file::ColumnOptions;
use isogloss_dense::{Attributes, Error, Flat, Hnsw, Index, VectorStore, Vectors, deleted_rows};
use isogloss_ir::Run;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Queries searched between two looks at the ids.
const WINDOW: usize = 4096;

/// How vectors are searched.
#[derive(Debug, clap::Args)]
pub struct VectorOptions {
    /// Search through the graph that `isogloss index --hnsw` built beside the vectors, not all of them.
    #[arg(long, requires = "corpus")]
    hnsw: bool,

    /// How many candidates a search through the graph keeps: more find more and take longer.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 64, requires = "hnsw")]
    ef: usize,

    /// Only documents with this attribute (`lang=sw`), which `isogloss index --attributes` stored; of several for one key any, of
    /// several keys all.
    #[arg(long = "where", value_name = "KEY=VALUE", requires = "corpus")]
    only: Vec<Condition>,

    /// Queries as vectors of another tool, in place of --model and --queries, one a row: a .npy file of float32 or float16, or a Parquet file
    /// with a column of lists of those or of float64.
    #[arg(id = "vectors", long = "query-vectors", value_name = "FILE", requires = "corpus", conflicts_with_all = ["model", "queries", "bm25"])]
    pub query_vectors: Option<PathBuf>,

    /// The ids of those queries, one a line; for Parquet in place of its column of ids.
    #[arg(id = "ids", long = "query-ids", value_name = "FILE", requires = "vectors")]
    query_ids: Option<PathBuf>,

    #[command(flatten)]
    columns: ColumnOptions,
}

/// A key and a value.
#[derive(Debug, Clone)]
struct Condition(String, String);

impl FromStr for Condition {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        match given.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Self(key.into(), value.into())),
            _ => Err("is no KEY=VALUE, such as lang=sw".into()),
        }
    }
}

impl VectorOptions {
    /// The index asked for, every byte of it checked.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn index(&self, store: &Arc<VectorStore>) -> isogloss_dense::Result<Arc<dyn Index>> {
        if self.hnsw {
            let index = Hnsw::open(store.clone())?.with_ef(self.ef);
            index.verify()?;
            return Ok(Arc::new(index));
        }
        store.verify()?;
        Ok(Arc::new(Flat::new(store.clone())))
    }

    /// The rows to search among; all where it is `None`.
    ///
    /// # Errors
    /// An attribute that no row has; damaged attributes or deleted rows.
    pub fn among(&self, store: &VectorStore) -> isogloss_dense::Result<Option<Vec<bool>>> {
        let deleted = deleted_rows(store)?;
        if self.only.is_empty() && deleted.is_empty() {
            return Ok(None);
        }
        let mut among = match self.only.as_slice() {
            [] => vec![true; store.rows()],
            only => {
                let wanted: Vec<_> = only.iter().map(|Condition(key, value)| (key.clone(), value.clone())).collect();
                Attributes::open(store)?.among(&wanted)?
            }
        };
        deleted.into_iter().for_each(|row| among[row as usize] = false);
        Ok(Some(among))
    }
}

/// Searches for vectors, and writes the run.
pub fn run(vectors: &Path, args: &Args) -> anyhow::Result<()> {
    let corpus = &args.corpus().path;
    if !is_vectors(corpus) {
        return Err(Fault::new(corpus, "holds no vectors; encode or index it first").into());
    }
    let given = &args.vectors;
    let (file, ids) = given.columns.open(vectors, given.query_ids.as_deref(), "--query-ids")?;
    let queries = file.read()?;
    let store = Arc::new(VectorStore::open(corpus)?);
    let fits = |what, left, left_of, right, right_of| match left == right {
        true => Ok(()),
        false => Err(Error::Mismatch { what, left, left_of, right, right_of }),
    };
    fits("dim", queries.dim(), "the queries", store.dim(), "the index")?;
    fits("rows", ids.len(), "the ids", queries.len(), "the queries")?;
    Ok(write(&ranked(&store, &queries, &ids, args)?, args.out.as_deref())?)
}

fn ranked(store: &Arc<VectorStore>, queries: &Vectors, ids: &[String], args: &Args) -> anyhow::Result<Run> {
    let (index, among) = (args.vectors.index(store)?, args.vectors.among(store)?);
    let mut run = Run::new();
    for (at, ids) in ids.chunks(WINDOW).enumerate() {
        let from = at * WINDOW;
        let found = index.search_among(queries.view().rows(from, from + ids.len()), args.k, among.as_deref());
        for (id, hits) in ids.iter().zip(found) {
            let hits = hits.iter().map(|hit| (store.id(hit.row as usize).to_owned(), hit.score));
            run.insert(id.clone(), hits.collect())?;
        }
    }
    Ok(run)
}
