//! One side of a bitext: rows of length one, in memory or mapped from disk.

use crate::{VectorStore, VectorsView};
use rayon::prelude::*;

/// Rows read at once while lengths are measured.
const BLOCK: usize = 1024;
/// A row whose length is this near to one is taken as it is.
const NEAR_ONE: f64 = 1e-6;

/// Rows as the search reads them.
pub(super) enum Rows<'a> {
    /// In memory, of length one.
    View(VectorsView<'a>),
    /// On disk; each is multiplied by its factor, where there are any.
    Store(&'a VectorStore, Option<Vec<f32>>),
}

impl<'a> Rows<'a> {
    /// The rows of a store, each divided by its length; a row of zeros stays.
    pub(super) fn of_store(store: &'a VectorStore) -> Self {
        let blocks = store.rows().div_ceil(BLOCK);
        let of_block = |at: usize| {
            let mut scratch = Vec::new();
            let rows = store.rows_of(at * BLOCK, store.rows().min((at + 1) * BLOCK), &mut scratch);
            rows.chunks_exact(store.dim()).map(|row| super::scan::dot(row, row).sqrt()).collect::<Vec<f64>>()
        };
        let lengths: Vec<f64> = (0..blocks).into_par_iter().flat_map_iter(of_block).collect();
        let factor = |length: f64| if length > 0.0 { (1.0 / length) as f32 } else { 1.0 };
        let needed = lengths.iter().any(|length| (length - 1.0).abs() > NEAR_ONE);
        Self::Store(store, needed.then(|| lengths.into_iter().map(factor).collect()))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::View(view) => view.len(),
            Self::Store(store, _) => store.rows(),
        }
    }

    pub(super) fn dim(&self) -> usize {
        match self {
            Self::View(view) => view.dim(),
            Self::Store(store, _) => store.dim(),
        }
    }

    /// Rows `start..end`, in place where they lie there as they are used.
    pub(super) fn block<'b>(&'b self, start: usize, end: usize, scratch: &'b mut Vec<f32>) -> VectorsView<'b> {
        let (store, factors) = match self {
            Self::View(view) => return view.rows(start, end),
            Self::Store(store, None) => return VectorsView::new(store.dim(), store.rows_of(start, end, scratch)),
            Self::Store(store, Some(factors)) => (store, factors),
        };
        let mut widened = Vec::new();
        let rows = store.rows_of(start, end, &mut widened);
        scratch.clear();
        for (row, factor) in rows.chunks_exact(store.dim()).zip(&factors[start..end]) {
            scratch.extend(row.iter().map(|x| x * factor));
        }
        VectorsView::new(store.dim(), scratch)
    }
}
