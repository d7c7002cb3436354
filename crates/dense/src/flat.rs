//! Exact search: every row against every query, in blocks of matrix products.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Neighbor, Result, TopK, VectorStore, Vectors, VectorsView};

/// Finds the rows with the highest inner product.
pub trait Index: Send + Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of a row.
    fn dim(&self) -> usize;

    /// For each query its best `k` rows, best first, of equal scores the lower row; fewer where the index has fewer.
    ///
    /// # Panics
    /// Where the queries have another length than the rows.
    fn search(&self, queries: VectorsView<'_>, k: usize) -> Vec<Vec<Neighbor>> {
        self.search_among(queries, k, None)
    }

    /// As [`Index::search`], among the rows that `among` holds true for alone; all where it is `None`.
    ///
    /// # Panics
    /// As [`Index::search`]; where `among` has not a value for every row.
    fn search_among(&self, queries: VectorsView<'_>, k: usize, among: Option<&[bool]>) -> Vec<Vec<Neighbor>>;
}

/// Rows of one matrix product: they stay in the second-level cache while all queries pass.
pub(crate) const BLOCK_ROWS: usize = 512;

/// Queries of one matrix product.
pub(crate) const BLOCK_QUERIES: usize = 256;

/// Queries that pass over the rows together, at most.
const BATCH_QUERIES: usize = 4096;

/// Bytes of neighbours that one thread keeps, about.
const KEPT_BYTES: usize = 4 << 20;

/// The exact index: no build, `O(rows · dim)` a query; the same result whatever the number of threads.
///
/// Memory beyond the rows: a few MiB a thread.
pub struct Flat {
    rows: Rows,
    blocks: Vec<Block>,
}

enum Rows {
    Memory(Vectors),
    Store(Arc<VectorStore>),
}

/// Rows `start..end` of `shard`, the first of them being `first_row` of the index.
#[derive(Clone, Copy)]
struct Block {
    shard: usize,
    start: usize,
    end: usize,
    first_row: u32,
}

impl Flat {
    /// Searches a directory of vectors where it lies.
    pub fn new(store: Arc<VectorStore>) -> Self {
        let lengths: Vec<usize> = store.shards().iter().map(|s| s.len()).collect();
        Self { rows: Rows::Store(store), blocks: blocks(&lengths) }
    }

    /// Searches vectors in memory.
    ///
    /// # Errors
    /// More than `u32::MAX` rows.
    pub fn from_vectors(vectors: Vectors) -> Result<Self> {
        if vectors.len() > u32::MAX as usize {
            return Err(crate::Error::TooManyRows { path: "memory".into(), rows: vectors.len() as u64 });
        }
        let blocks = blocks(&[vectors.len()]);
        Ok(Self { rows: Rows::Memory(vectors), blocks })
    }

    fn block<'a>(&'a self, block: Block, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        match &self.rows {
            Rows::Memory(vectors) => vectors.view().rows(block.start, block.end).data(),
            Rows::Store(store) => store.shards()[block.shard].rows(block.start, block.end, scratch),
        }
    }

    fn search_batch(&self, queries: VectorsView<'_>, k: usize, among: Option<&[bool]>) -> Vec<Vec<Neighbor>> {
        let next = AtomicUsize::new(0);
        let threads = rayon::current_num_threads().min(self.blocks.len()).max(1);
        let mut found: Vec<Vec<TopK>> = (0..threads).map(|_| Vec::new()).collect();
        rayon::scope(|scope| {
            for mine in &mut found {
                scope.spawn(|_| *mine = self.scan(queries, k, among, &next));
            }
        });
        let mut found = found.into_iter();
        let mut best = found.next().unwrap_or_default();
        for other in found {
            best.iter_mut().zip(other).for_each(|(a, b)| a.merge(b));
        }
        best.into_iter().map(TopK::into_sorted).collect()
    }

    /// One thread's part: blocks in rising order as long as there are any.
    fn scan(&self, queries: VectorsView<'_>, k: usize, among: Option<&[bool]>, next: &AtomicUsize) -> Vec<TopK> {
        let mut best = vec![TopK::new(k); queries.len()];
        let (mut widened, mut scores) = (Vec::new(), Vec::new());
        while let Some(&block) = self.blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let out = left_out(block, among);
            if out.len() == block.end - block.start {
                continue;
            }
            let rows = VectorsView::new(self.dim(), self.block(block, &mut widened));
            for first in (0..queries.len()).step_by(BLOCK_QUERIES) {
                let some = queries.rows(first, queries.len().min(first + BLOCK_QUERIES));
                multiply(rows, some, &mut scores);
                for (scores, best) in scores.chunks_exact_mut(rows.len()).zip(&mut best[first..]) {
                    // What is not a number never ranks.
                    out.iter().for_each(|row| scores[*row] = f32::NAN);
                    best.push_block(block.first_row, scores);
                }
            }
        }
        best
    }
}

impl Index for Flat {
    fn len(&self) -> usize {
        match &self.rows {
            Rows::Memory(vectors) => vectors.len(),
            Rows::Store(store) => store.rows(),
        }
    }

    fn dim(&self) -> usize {
        match &self.rows {
            Rows::Memory(vectors) => vectors.dim(),
            Rows::Store(store) => store.dim(),
        }
    }

    fn search_among(&self, queries: VectorsView<'_>, k: usize, among: Option<&[bool]>) -> Vec<Vec<Neighbor>> {
        assert!(
            queries.is_empty() || queries.dim() == self.dim(),
            "queries of {}, rows of {}",
            queries.dim(),
            self.dim()
        );
        assert!(among.is_none_or(|among| among.len() == self.len()), "a value for every row");
        let k = k.min(self.len());
        let batch = (KEPT_BYTES / (2 * k.max(1) * size_of::<Neighbor>())).clamp(16, BATCH_QUERIES);
        let batches = (0..queries.len()).step_by(batch);
        let part = |from: usize| queries.rows(from, queries.len().min(from + batch));
        batches.flat_map(|from| self.search_batch(part(from), k, among)).collect()
    }
}

/// The rows of a block, counted from its first, that are not searched.
fn left_out(block: Block, among: Option<&[bool]>) -> Vec<usize> {
    let Some(among) = among else { return Vec::new() };
    let first = block.first_row as usize;
    let rows = &among[first..first + block.end - block.start];
    rows.iter().enumerate().filter(|(_, among)| !**among).map(|(row, _)| row).collect()
}

fn blocks(shards: &[usize]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut first_row = 0;
    for (shard, &rows) in shards.iter().enumerate() {
        for start in (0..rows).step_by(BLOCK_ROWS) {
            let end = rows.min(start + BLOCK_ROWS);
            blocks.push(Block { shard, start, end, first_row });
            first_row += (end - start) as u32;
        }
    }
    blocks
}

/// `scores[q · rows + r] = queries[q] · rows[r]`.
pub(crate) fn multiply(rows: VectorsView<'_>, queries: VectorsView<'_>, scores: &mut Vec<f32>) {
    let (m, n, k) = (rows.len(), queries.len(), rows.dim());
    assert_eq!(k, queries.dim());
    scores.resize(m * n, 0.0);
    // SAFETY: column-major scores are m × n with stride m and hold m·n numbers; rows (m × k, stride k) and queries
    // (n × k, read as k × n) hold m·k and n·k numbers by VectorsView's invariant; scores are borrowed mutably, so
    // nothing overlaps.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            scores.as_mut_ptr(),
            m as isize,
            1,
            false,
            rows.data().as_ptr(),
            1,
            k as isize,
            queries.data().as_ptr(),
            k as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn integers(rows: usize, dim: usize, seed: u64) -> Vectors {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % 7) as f32 - 3.0
        };
        Vectors::new(dim, (0..rows * dim).map(|_| next()).collect()).unwrap()
    }

    /// Small integers: every order of summation gives the same score, and ties abound.
    fn naive(rows: &Vectors, queries: &Vectors, k: usize) -> Vec<Vec<Neighbor>> {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let one = |q: usize| {
            let all = (0..rows.len()).map(|r| Neighbor { row: r as u32, score: dot(rows.row(r), queries.row(q)) });
            let mut all: Vec<_> = all.collect();
            all.sort_by(Neighbor::by_rank);
            all.truncate(k);
            all
        };
        (0..queries.len()).map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn equals_the_naive_search(rows in 0usize..1500, n in 0usize..20, dim in 1usize..40, k in 0usize..30, seed: u64) {
            let (rows, queries) = (integers(rows, dim, seed), integers(n, dim, seed ^ 1));
            let flat = Flat::from_vectors(rows.clone()).unwrap();
            prop_assert_eq!(flat.search(queries.view(), k), naive(&rows, &queries, k));
        }
    }

    #[test]
    fn rows_that_are_left_out_are_not_found() {
        let (rows, queries) = (integers(2000, 9, 3), integers(30, 9, 4));
        let among: Vec<bool> = (0..2000).map(|row| row % 3 == 0 && !(512..1024).contains(&row)).collect();
        let flat = Flat::from_vectors(rows.clone()).unwrap();
        for (query, got) in flat.search_among(queries.view(), 25, Some(&among)).into_iter().enumerate() {
            let all = naive(&rows, &Vectors::new(9, queries.row(query).to_vec()).unwrap(), 2000).remove(0);
            let want: Vec<_> = all.into_iter().filter(|n| among[n.row as usize]).take(25).collect();
            assert_eq!(got, want);
        }
        let none = flat.search_among(queries.view(), 5, Some(&[false; 2000]));
        assert!(none.len() == 30 && none.iter().all(Vec::is_empty));
    }

    #[test]
    fn any_number_of_threads_finds_the_same() {
        let mut rows = integers(6000, 33, 5);
        rows.data_mut().iter_mut().enumerate().for_each(|(i, x)| *x += (i % 97) as f32 * 1e-3);
        let queries = integers(300, 33, 6);
        let flat = Flat::from_vectors(rows).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| flat.search(queries.view(), 10))
        };
        let one = with(1);
        assert_eq!(one, with(3));
        assert_eq!(one, with(7));
    }

    #[test]
    fn a_k_too_large_for_one_batch_gives_all_rows() {
        let (rows, queries) = (integers(20_000, 2, 7), integers(40, 2, 8));
        let flat = Flat::from_vectors(rows.clone()).unwrap();
        let found = flat.search(queries.view(), 1_000_000);
        assert_eq!(found[39], naive(&rows, &queries, 20_000)[39]);
    }
}
