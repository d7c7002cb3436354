//! Every row of one side against every row of the other, in blocks: memory does not grow with the product of both.

use super::column_top::ColumnTop;
use super::rows::Rows;
use crate::flat::{BLOCK_QUERIES, BLOCK_ROWS, multiply};
use crate::{Neighbor, TopK};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering as Order};

/// The nearest of every row on the other side, nearest first, of equal cosines the lower row.
pub(super) type Near = Vec<Vec<(u32, f64)>>;

/// Some rows of `x`, each with its nearest.
type Rowed = Vec<(usize, Vec<(u32, f64)>)>;

/// For each row of `x` its `k` nearest of `y`, and for each of `y` its `k` nearest of `x`: every product is computed once
/// and serves both.
///
/// Neighbours are found in f32; their cosines are computed anew in f64, by which they are ordered.
pub(super) fn nearest(x: &Rows<'_>, y: &Rows<'_>, k: usize) -> [Near; 2] {
    let next = AtomicUsize::new(0);
    let blocks = x.len().div_ceil(BLOCK_QUERIES);
    let found = Mutex::new((vec![Vec::new(); x.len()], None::<ColumnTop>));
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(blocks) {
            scope.spawn(|_| {
                let (of_x, of_y) = scan(x, y, k, &next, blocks);
                let mut found = found.lock().expect("no thread panics with it");
                for (row, near) in of_x {
                    found.0[row] = near;
                }
                match &mut found.1 {
                    Some(all) => all.merge(&of_y),
                    none => *none = Some(of_y),
                }
            });
        }
    });
    let (of_x, of_y) = found.into_inner().expect("no thread panics with it");
    let of_y = of_y.expect("no side is empty");
    let of_y = (0..y.len()).into_par_iter().map(|row| in_f64(y, row, x, of_y.of(row))).collect();
    [of_x, of_y]
}

/// One thread's part: blocks of `x` in rising order as long as there are any, all of `y` for each.
fn scan(x: &Rows<'_>, y: &Rows<'_>, k: usize, next: &AtomicUsize, blocks: usize) -> (Rowed, ColumnTop) {
    let (mut of_x, mut of_y) = (Vec::new(), ColumnTop::new(y.len(), k.min(x.len())));
    let (mut of_some, mut of_part, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let block = next.fetch_add(1, Order::Relaxed);
        if block >= blocks {
            return (of_x, of_y);
        }
        let first = block * BLOCK_QUERIES;
        let some = x.block(first, x.len().min(first + BLOCK_QUERIES), &mut of_some);
        let mut best = vec![TopK::new(k.min(y.len())); some.len()];
        for start in (0..y.len()).step_by(BLOCK_ROWS) {
            let part = y.block(start, y.len().min(start + BLOCK_ROWS), &mut of_part);
            multiply(part, some, &mut scores);
            for (at, (best, scores)) in best.iter_mut().zip(scores.chunks_exact(part.len())).enumerate() {
                best.push_block(start as u32, scores);
                of_y.push((first + at) as u32, start, scores);
            }
        }
        for (row, best) in (first..).zip(best) {
            of_x.push((row, in_f64(x, row, y, best.into_sorted().into_iter())));
        }
    }
}

/// For each row of `x` the row of `y` with the highest `score(x, y, cosine)`, of equal scores the lowest.
pub(super) fn best(x: &Rows<'_>, y: &Rows<'_>, score: impl Fn(usize, usize, f64) -> f64 + Sync) -> Vec<u32> {
    let of_block = |first: usize| {
        let (mut of_some, mut of_part, mut cosines) = (Vec::new(), Vec::new(), Vec::new());
        let some = x.block(first, x.len().min(first + BLOCK_QUERIES), &mut of_some);
        let mut best = vec![(0u32, f64::NEG_INFINITY); some.len()];
        for start in (0..y.len()).step_by(BLOCK_ROWS) {
            let part = y.block(start, y.len().min(start + BLOCK_ROWS), &mut of_part);
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
    let blocks = (0..x.len().div_ceil(BLOCK_QUERIES)).into_par_iter().map(|at| at * BLOCK_QUERIES);
    blocks.flat_map_iter(of_block).collect()
}

/// The inner product, summed in f64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// The cosine of a row of `x` with one of `y`, summed in f64.
pub(super) fn cosine(x: &Rows<'_>, row: usize, y: &Rows<'_>, other: usize) -> f64 {
    let (mut of_x, mut of_y) = (Vec::new(), Vec::new());
    dot(x.block(row, row + 1, &mut of_x).data(), y.block(other, other + 1, &mut of_y).data())
}

fn in_f64(x: &Rows<'_>, row: usize, y: &Rows<'_>, found: impl Iterator<Item = Neighbor>) -> Vec<(u32, f64)> {
    let mut found: Vec<(u32, f64)> = found.map(|n| (n.row, cosine(x, row, y, n.row as usize))).collect();
    found.sort_by(|a, b| descending(a.1, b.1).then(a.0.cmp(&b.0)));
    found
}

/// The higher first; 0 and -0 are equal.
pub(super) fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}
