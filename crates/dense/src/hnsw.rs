//! Approximate search: graphs over the rows of a store (HNSW, Malkov and Yashunin, TPAMI 2020), walked in bytes, halves or bits and rescored
//! at 16 bits.
//!
//! An index lies beside the shards of its store: `hnsw.json` and immutable segments, one for what was indexed at a time. Rows are
//! compared by inner product, while a graph is built too, so vectors need not be of one length (ip-NSW, Morozov and Babenko, NeurIPS 2018).

mod beam;
mod build;
mod candidate;
mod codes;
mod deleted;
mod graph;
mod kernel;
mod maintain;
mod manifest;
mod pool;
mod prune;
mod query;
mod recall;
mod scalar;
mod segment;
mod source;
mod twins;

use std::sync::Arc;

use rayon::prelude::*;

pub use maintain::{HnswReport, build_hnsw, delete_rows, deleted_rows};
pub use manifest::{HnswOptions, Recall};
pub use scalar::Scalar;

use crate::{Error, Index, Neighbor, Result, VectorStore, VectorsView};
use beam::Scratch;
use manifest::{INDEX, IndexManifest};
use pool::Pool;
use query::{Request, search_segment};
use segment::Segment;
use source::{Cut, Source};

/// How far a search looks unless told otherwise.
const EF: usize = 64;

/// The approximate index of a store, mapped.
///
/// A search takes `O(ef · log rows)` products, about; memory beyond the map: a byte a row for each thread that searches. The same result
/// whatever the number of threads.
pub struct Hnsw {
    store: Arc<VectorStore>,
    manifest: IndexManifest,
    cut: Cut,
    segments: Vec<Segment>,
    /// Whether each row is still there; `None` where all are.
    alive: Option<Vec<bool>>,
    ef: usize,
    scratch: Pool<Scratch>,
}

impl Hnsw {
    /// Opens the index beside the shards of `store`: maps its segments and checks all but the numbers of their rows, in a time that hardly
    /// grows with them. [`Hnsw::verify`] checks the rest; damage that it would find can mislead a search, and no more.
    ///
    /// # Errors
    /// There is no index; it is of other shards, or not of all of them; a missing, cut, damaged or foreign file, by name.
    pub fn open(store: Arc<VectorStore>) -> Result<Self> {
        let path = store.directory().join(INDEX);
        let manifest = IndexManifest::read(store.directory())?.ok_or_else(|| Error::NoIndex { path: path.clone() })?;
        let indexed = manifest.bound_to(&store)?;
        if indexed < store.shards().len() {
            return Err(Error::IndexBehind { path, indexed, shards: store.shards().len() });
        }
        Self::with(store, manifest)
    }

    /// The index that `manifest` tells of, which covers the store.
    fn with(store: Arc<VectorStore>, manifest: IndexManifest) -> Result<Self> {
        let cut = cut(&manifest.options, store.dim());
        let mut segments = Vec::new();
        for entry in &manifest.segments {
            let segment = Segment::open(&store.directory().join(&entry.file))?;
            let agrees = segment.len() == entry.rows as usize
                && segment.dim() == cut.dim
                && segment.scalar() == manifest.options.scalar
                && format!("{:016x}", segment.table_xxh3()) == entry.table_xxh3;
            if !agrees {
                return Err(Error::IndexStale { path: store.directory().join(&entry.file) });
            }
            segments.push(segment);
        }
        let rows = segments.iter().map(Segment::len).sum::<usize>();
        if rows != store.rows() {
            return Err(Error::IndexStale { path: store.directory().join(INDEX) });
        }
        let alive = maintain::alive(&store, &manifest)?;
        Ok(Self { store, manifest, cut, segments, alive, ef: EF, scratch: Pool::default() })
    }

    /// The same, looking at the best `ef` rows of every graph, at least: more find more and take longer.
    pub fn with_ef(self, ef: usize) -> Self {
        Self { ef, ..self }
    }

    /// Reads every byte of every segment and holds it against the checksums.
    pub fn verify(&self) -> Result<()> {
        self.segments.iter().try_for_each(Segment::verify)
    }

    /// How it was built.
    pub fn options(&self) -> &HnswOptions {
        &self.manifest.options
    }

    /// What was measured when it was built; `None` with fewer than two rows.
    pub fn recall(&self) -> Option<&Recall> {
        self.manifest.recall.as_ref()
    }

    /// Number of graphs.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    fn search_with(&self, queries: VectorsView<'_>, k: usize, ef: usize, among: Option<&[bool]>) -> Vec<Vec<Neighbor>> {
        assert!(
            queries.is_empty() || queries.dim() == self.dim(),
            "queries of {}, rows of {}",
            queries.dim(),
            self.dim()
        );
        assert!(among.is_none_or(|among| among.len() == self.len()), "a value for every row");
        let both: Option<Vec<bool>> = match (among, &self.alive) {
            (Some(among), Some(alive)) => Some(among.iter().zip(alive).map(|(a, b)| *a && *b).collect()),
            _ => None,
        };
        let among = both.as_deref().or(among).or(self.alive.as_deref());
        let mut first = 0;
        let mut requests = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            let among = among.map(|among| &among[first..first + segment.len()]);
            let count = among.map_or(segment.len(), |among| among.iter().filter(|a| **a).count());
            requests.push((first as u32, segment, Request { k, ef: ef.max(k), among, count }));
            first += segment.len();
        }
        let one =
            |query: usize| self.scratch.with(|scratch| self.search_one(queries.row(query), k, &requests, scratch));
        (0..queries.len()).into_par_iter().map(one).collect()
    }

    fn search_one(
        &self,
        query: &[f32],
        k: usize,
        requests: &[(u32, &Segment, Request<'_>)],
        scratch: &mut Scratch,
    ) -> Vec<Neighbor> {
        let mut vector = Vec::new();
        self.cut.apply(query, &mut vector);
        let mut found = Vec::new();
        for (first, segment, request) in requests {
            let candidates = search_segment(segment, &vector, request, scratch);
            found.extend(candidates.iter().map(|c| Neighbor { row: first + c.node(), score: c.score() }));
        }
        if requests.len() > 1 {
            found.sort_unstable_by(Neighbor::by_rank);
            found.truncate(k);
        }
        found
    }

    fn store(&self) -> &VectorStore {
        &self.store
    }

    fn source(&self) -> Source<'_> {
        Source { store: &self.store, start: 0, end: self.store.rows(), cut: self.cut }
    }

    fn is_alive(&self, row: u32) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive[row as usize])
    }

    /// Rows that are not deleted.
    fn count(&self) -> usize {
        self.alive.as_ref().map_or(self.len(), |alive| alive.iter().filter(|a| **a).count())
    }
}

fn cut(options: &HnswOptions, dim: usize) -> Cut {
    Cut { dim: options.dim.map_or(dim, |dim| dim as usize), renormalize: options.renormalize }
}

impl Index for Hnsw {
    fn len(&self) -> usize {
        self.store.rows()
    }

    fn dim(&self) -> usize {
        self.store.dim()
    }

    /// Rows that are found are scored at 16 bits a component, cut as the index is; deleted rows are never found. Rows that do not count are
    /// passed through. Where few count, or those are far from the query, all that do are scored instead.
    fn search_among(&self, queries: VectorsView<'_>, k: usize, among: Option<&[bool]>) -> Vec<Vec<Neighbor>> {
        self.search_with(queries, k, self.ef, among)
    }
}

#[cfg(test)]
mod tests;
