//! Every row of one side against every row of the other, in blocks: memory does not grow with the product of both.

use crate::flat::{BLOCK_QUERIES, BLOCK_ROWS, multiply};
use crate::{Neighbor, TopK, VectorsView};
use rayon::prelude::*;
use std::cmp::Ordering;

/// For each row of `queries` its `k` nearest of `rows`, nearest first, of equal cosines the lower row.
///
/// Neighbours are found in f32; their cosines are computed anew in f64, by which they are ordered.
pub(super) fn nearest(queries: VectorsView<'_>, rows: VectorsView<'_>, k: usize) -> Vec<Vec<(u32, f64)>> {
    let of_block = |first: usize| {
        let some = block(queries, first, BLOCK_QUERIES);
        let mut best = vec![TopK::new(k); some.len()];
        let mut scores = Vec::new();
        for start in (0..rows.len()).step_by(BLOCK_ROWS) {
            let part = block(rows, start, BLOCK_ROWS);
            multiply(part, some, &mut scores);
            for (best, scores) in best.iter_mut().zip(scores.chunks_exact(part.len())) {
                best.push_block(start as u32, scores);
            }
        }
        let exact = move |(at, best): (usize, TopK)| in_f64(some.row(at), rows, best.into_sorted());
        best.into_iter().enumerate().map(exact).collect::<Vec<_>>()
    };
    blocks(queries).flat_map_iter(of_block).collect()
}

/// For each row of `queries` the row with the highest `score(query, row, cosine)`, of equal scores the lowest.
pub(super) fn best(
    queries: VectorsView<'_>,
    rows: VectorsView<'_>,
    score: impl Fn(usize, usize, f64) -> f64 + Sync,
) -> Vec<u32> {
    let of_block = |first: usize| {
        let some = block(queries, first, BLOCK_QUERIES);
        let mut best = vec![(0u32, f64::NEG_INFINITY); some.len()];
        let mut cosines = Vec::new();
        for start in (0..rows.len()).step_by(BLOCK_ROWS) {
            let part = block(rows, start, BLOCK_ROWS);
            multiply(part, some, &mut cosines);
            for (at, (best, cosines)) in best.iter_mut().zip(cosines.chunks_exact(part.len())).enumerate() {
                for (row, cosine) in (start..).zip(cosines) {
                    let score = score(first + at, row, f64::from(*cosine));
                    if score > best.1 {
                        *best = (row as u32, score);
                    }
                }
            }
        }
        best.into_iter().map(|(row, _)| row).collect::<Vec<_>>()
    };
    blocks(queries).flat_map_iter(of_block).collect()
}

/// The inner product, summed in f64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn blocks(queries: VectorsView<'_>) -> impl IndexedParallelIterator<Item = usize> {
    (0..queries.len().div_ceil(BLOCK_QUERIES)).into_par_iter().map(|at| at * BLOCK_QUERIES)
}

fn block(rows: VectorsView<'_>, start: usize, size: usize) -> VectorsView<'_> {
    rows.rows(start, rows.len().min(start + size))
}

fn in_f64(query: &[f32], rows: VectorsView<'_>, found: Vec<Neighbor>) -> Vec<(u32, f64)> {
    let mut found: Vec<(u32, f64)> = found.iter().map(|n| (n.row, dot(query, rows.row(n.row as usize)))).collect();
    found.sort_by(|a, b| descending(a.1, b.1).then(a.0.cmp(&b.0)));
    found
}

/// The higher first; 0 and -0 are equal.
pub(super) fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}
