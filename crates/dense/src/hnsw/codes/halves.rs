//! Rows in f16: twice the bytes of the upper plane, and no rescoring.

use super::Codes;
use crate::dtype::push_f16;
use crate::hnsw::kernel::{Isa, LINE, Table, dot_f16};

/// Rows in memory, as they are written.
#[derive(Debug, Default)]
pub(crate) struct HalvesRows {
    pub(crate) bytes: Vec<u8>,
}

impl HalvesRows {
    /// Bytes of a row of `dim` components.
    pub(crate) fn stride(dim: usize) -> usize {
        (2 * dim).next_multiple_of(LINE)
    }

    /// Adds a row; a component beyond f16's range becomes its largest finite number.
    pub(crate) fn push(&mut self, row: &[f32]) {
        let end = self.bytes.len() + Self::stride(row.len());
        push_f16(row, &mut self.bytes);
        self.bytes.resize(end, 0);
    }
}

/// Stored rows.
#[derive(Clone, Copy)]
pub(crate) struct Halves<'a> {
    pub(crate) isa: Isa,
    pub(crate) rows: Table<'a>,
}

impl Halves<'_> {
    /// A query with zeros up to a row's whole length.
    pub(crate) fn padded(vector: &[f32]) -> Vec<f32> {
        let mut query = vector.to_vec();
        query.resize(HalvesRows::stride(vector.len()) / 2, 0.0);
        query
    }
}

impl Codes for Halves<'_> {
    type Query = Vec<f32>;

    fn query(&self, vector: &[f32]) -> Vec<f32> {
        Self::padded(vector)
    }

    #[inline]
    fn scores(&self, query: &Vec<f32>, rows: &[u32], out: &mut [f32]) {
        dot_f16(self.isa, self.rows, query, rows, out);
    }

    fn exact_scores(&self, query: &Vec<f32>, rows: &[u32], out: &mut [f32]) {
        self.scores(query, rows, out);
    }

    #[inline(always)]
    fn prefetch(&self, row: u32) {
        self.rows.prefetch(row);
    }
}
