//! How much of the exact result an index finds, on rows of its own.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Hnsw;
use super::manifest::Recall;
use super::source::Source;
use crate::flat::multiply;
use crate::{Neighbor, TopK, Vectors, VectorsView};

/// Rows that are searched for.
const SAMPLE: usize = 200;

/// Neighbours asked for.
const K: usize = 10;

/// Where recall is measured.
const EFS: [usize; 5] = [16, 32, 64, 128, 256];

/// Searches for a sample of the rows, each without itself; nothing where there are no two rows.
pub(crate) fn measure(index: &Hnsw) -> Option<Recall> {
    let source = index.source();
    let rows = sample(index, source.len());
    let k = K.min(index.count().checked_sub(1)?);
    if k == 0 {
        return None;
    }
    let whole: Vec<f32> = rows.iter().flat_map(|row| index.store().row(*row as usize)).collect();
    let queries = VectorsView::new(index.store().dim(), &whole);
    let exact = exact(index, &source, &rows, k);
    let at = EFS.into_iter().filter(|ef| *ef >= k).map(|ef| {
        let found = index.search_with(queries, k + 1, ef, None);
        let parts = rows.par_iter().zip(exact.par_iter().zip(&found));
        let sum: f64 = parts.map(|(row, (exact, found))| part(&source, *row, exact, found)).sum();
        (ef, (sum / rows.len() as f64 * 1e4).round() / 1e4)
    });
    Some(Recall { sample: rows.len(), k, at: at.collect() })
}

/// Rows that are not deleted, by lot.
fn sample(index: &Hnsw, rows: usize) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..rows as u32).filter(|row| index.is_alive(*row)).collect();
    let lot = |row: &u32| xxh3_64_with_seed(&row.to_le_bytes(), 1);
    if rows.len() > SAMPLE {
        rows.select_nth_unstable_by_key(SAMPLE, lot);
        rows.truncate(SAMPLE);
    }
    rows.sort_unstable();
    rows
}

/// The exact best `k` of each of `rows`, itself left out.
fn exact(index: &Hnsw, source: &Source<'_>, rows: &[u32], k: usize) -> Vec<Vec<Neighbor>> {
    let dim = source.cut.dim;
    let queries: Vec<f32> = rows.iter().flat_map(|row| source.row(*row as usize)).collect();
    let queries = Vectors::new(dim, queries).expect("whole rows");
    let mut best = vec![TopK::new(k); rows.len()];
    source.blocks(|first, block| {
        let block = VectorsView::new(dim, block);
        let parts = best.par_chunks_mut(rows.len().div_ceil(rayon::current_num_threads())).enumerate();
        let size = rows.len().div_ceil(rayon::current_num_threads());
        parts.for_each(|(at, best)| {
            let from = at * size;
            let mut scores = Vec::new();
            multiply(block, queries.view().rows(from, from + best.len()), &mut scores);
            for (i, (best, scores)) in best.iter_mut().zip(scores.chunks_exact_mut(block.len())).enumerate() {
                for (at, score) in scores.iter_mut().enumerate() {
                    let row = (first + at) as u32;
                    if row == rows[from + i] || !index.is_alive(row) {
                        *score = f32::NAN;
                    }
                }
                best.push_block(first as u32, scores);
            }
        });
    });
    best.into_iter().map(TopK::into_sorted).collect()
}

/// The part of `exact` that was found, the query's own row aside. What scores as high as the last of them is as good.
fn part(source: &Source<'_>, query: u32, exact: &[Neighbor], found: &[Neighbor]) -> f64 {
    let Some(last) = exact.last() else { return 1.0 };
    let vector = source.row(query as usize);
    let score = |row: u32| source.row(row as usize).iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>();
    let least = last.score - 1e-6 * last.score.abs().max(1e-3);
    let others = found.iter().filter(|n| n.row != query).take(exact.len());
    others.filter(|n| score(n.row) >= least).count() as f64 / exact.len() as f64
}
