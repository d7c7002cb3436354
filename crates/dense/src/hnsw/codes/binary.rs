//! Rows of one bit a component, the sign about the mean of all rows; queries keep eight. Rescored from f16.
//!
//! With `y = x − mean`, `q · x = q · mean + q · y`, and `q · y ≈ f · Σ ±q` with `f = |y|₂² / |y|₁`, which makes a row's product with itself exact
//! (the estimator of RaBitQ, Gao and Long, SIGMOD 2024, without its rotation).

use super::{Codes, Halves};
use crate::hnsw::kernel::{Isa, LINE, Table, dot_bits};

/// Rows in memory, as they are written.
#[derive(Debug, Default)]
pub(crate) struct BinaryRows {
    pub(crate) bits: Vec<u8>,
    pub(crate) factors: Vec<f32>,
}

impl BinaryRows {
    /// Bytes of a row of `dim` components.
    pub(crate) fn stride(dim: usize) -> usize {
        dim.div_ceil(8).next_multiple_of(LINE)
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &[f32], centre: &[f32]) {
        let start = self.bits.len();
        self.bits.resize(start + Self::stride(row.len()), 0);
        let (mut sum, mut squares) = (0f64, 0f64);
        for (j, (x, mean)) in row.iter().zip(centre).enumerate() {
            let y = f64::from(x - mean);
            self.bits[start + j / 8] |= u8::from(y > 0.0) << (j % 8);
            sum += y.abs();
            squares += y * y;
        }
        self.factors.push(if sum > 0.0 { (squares / sum) as f32 } else { 0.0 });
    }
}

/// The mean of rows, told one after the other, all of `dim` numbers.
pub(crate) fn centre_of(sums: &[f64], rows: usize) -> Vec<f32> {
    sums.iter().map(|sum| (sum / rows.max(1) as f64) as f32).collect()
}

/// Stored rows.
#[derive(Clone, Copy)]
pub(crate) struct Binary<'a> {
    pub(crate) bits: Table<'a>,
    pub(crate) factors: &'a [f32],
    pub(crate) centre: &'a [f32],
    pub(crate) exact: Halves<'a>,
}

/// A query in bytes for the bits, and in f32 for rescoring.
pub(crate) struct BinaryQuery {
    codes: Vec<i8>,
    scale: f32,
    sum: i32,
    centre: f32,
    exact: Vec<f32>,
}

impl Binary<'_> {
    fn isa(&self) -> Isa {
        self.exact.isa
    }
}

impl Codes for Binary<'_> {
    type Query = BinaryQuery;

    fn query(&self, vector: &[f32]) -> BinaryQuery {
        let largest = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let mut codes: Vec<i8> = vector.iter().map(|x| (x / scale).round() as i8).collect();
        codes.resize(8 * BinaryRows::stride(vector.len()), 0);
        let sum = codes.iter().map(|q| i32::from(*q)).sum();
        let centre = vector.iter().zip(self.centre).map(|(q, c)| q * c).sum();
        BinaryQuery { codes, scale, sum, centre, exact: Halves::padded(vector) }
    }

    #[inline]
    fn scores(&self, query: &BinaryQuery, rows: &[u32], out: &mut [f32]) {
        dot_bits(self.isa(), self.bits, &query.codes, rows, bytemuck::cast_slice_mut(out));
        for (out, &row) in out.iter_mut().zip(rows) {
            let signed = 2 * out.to_bits() as i32 - query.sum;
            *out = query.centre + query.scale * self.factors[row as usize] * signed as f32;
        }
    }

    fn exact_scores(&self, query: &BinaryQuery, rows: &[u32], out: &mut [f32]) {
        rows.iter().for_each(|row| self.exact.prefetch(*row));
        self.exact.scores(&query.exact, rows, out);
    }

    #[inline(always)]
    fn prefetch(&self, row: u32) {
        self.bits.prefetch(row);
    }
}
