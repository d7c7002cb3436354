//! Rows of 16 bits a component in two planes of bytes: a search reads the upper plane alone, rescoring both.
//!
//! `x ≈ scale · (high + low / 254)` with `scale = max|x| / 127`, `high` and `low` in −127..=127: within `scale / 508`. Both are stored as
//! `128 + q`, which is how the kernels want rows: bytes without sign against bytes with one.

use super::Codes;
use crate::hnsw::kernel::{Isa, LINE, Table, dot_bytes};

/// How 0 is stored.
pub(crate) const ZERO: u8 = 128;

/// Steps of the lower plane in one of the upper.
const FINE: f32 = 254.0;

/// Rows in memory, as they are written.
#[derive(Debug, Default)]
pub(crate) struct BytesRows {
    pub(crate) stride: usize,
    pub(crate) high: Vec<u8>,
    pub(crate) low: Vec<u8>,
    pub(crate) scales: Vec<f32>,
}

impl BytesRows {
    /// None yet, of `dim` components.
    pub(crate) fn new(dim: usize) -> Self {
        Self { stride: dim.next_multiple_of(LINE), ..Self::default() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &[f32]) {
        let scale = scale_of(row);
        let start = self.high.len();
        self.high.resize(start + self.stride, ZERO);
        self.low.resize(start + self.stride, ZERO);
        let planes = self.high[start..].iter_mut().zip(&mut self.low[start..]);
        for ((high, low), &x) in planes.zip(row) {
            let (coarse, fine) = split(x, scale);
            (*high, *low) = ((coarse as u8) ^ ZERO, (fine as u8) ^ ZERO);
        }
        self.scales.push(scale);
    }
}

fn scale_of(row: &[f32]) -> f32 {
    row.iter().fold(0f32, |most, x| most.max(x.abs())) / 127.0
}

fn split(x: f32, scale: f32) -> (i8, i8) {
    if scale <= 0.0 {
        return (0, 0);
    }
    let steps = (x / scale).clamp(-127.0, 127.0);
    let high = steps.round();
    (high as i8, ((steps - high) * FINE).round().clamp(-127.0, 127.0) as i8)
}

/// Stored rows.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    pub(crate) isa: Isa,
    pub(crate) high: Table<'a>,
    pub(crate) low: Table<'a>,
    pub(crate) scales: &'a [f32],
}

/// Two planes of a query, and what the storage of rows as `128 + q` adds to their products.
#[derive(Debug, Default)]
pub(crate) struct BytesQuery {
    scale: f32,
    high: Vec<i8>,
    low: Vec<i8>,
    high_bias: i32,
    low_bias: i32,
}

fn bias(codes: &[i8]) -> i32 {
    i32::from(ZERO) * codes.iter().map(|q| i32::from(*q)).sum::<i32>()
}

impl Bytes<'_> {
    /// Makes `query` the upper plane of `row`.
    pub(crate) fn query_of_row(&self, row: u32, query: &mut BytesQuery) {
        query.high.clear();
        query.high.extend(self.high.row(row).iter().map(|b| (b ^ ZERO) as i8));
        query.high_bias = bias(&query.high);
        query.scale = self.scales[row as usize];
    }

    fn add_fine(&self, query: &BytesQuery, rows: &[u32], sums: &mut [i32], out: &mut [f32]) {
        let planes = [
            (self.high, &query.low, query.low_bias, FINE),
            (self.low, &query.high, query.high_bias, FINE),
            (self.low, &query.low, query.low_bias, FINE * FINE),
        ];
        for (table, plane, bias, steps) in planes {
            dot_bytes(self.isa, table, plane, rows, sums);
            for ((out, sum), &row) in out.iter_mut().zip(&*sums).zip(rows) {
                *out += query.scale * self.scales[row as usize] * ((sum - bias) as f32 / steps);
            }
        }
    }
}

impl Codes for Bytes<'_> {
    type Query = BytesQuery;

    fn query(&self, vector: &[f32]) -> BytesQuery {
        let scale = scale_of(vector);
        let length = vector.len().next_multiple_of(LINE);
        let (mut high, mut low): (Vec<i8>, Vec<i8>) = vector.iter().map(|x| split(*x, scale)).unzip();
        high.resize(length, 0);
        low.resize(length, 0);
        BytesQuery { scale, high_bias: bias(&high), low_bias: bias(&low), high, low }
    }

    #[inline]
    fn scores(&self, query: &BytesQuery, rows: &[u32], out: &mut [f32]) {
        dot_bytes(self.isa, self.high, &query.high, rows, bytemuck::cast_slice_mut(out));
        for (out, &row) in out.iter_mut().zip(rows) {
            let sum = out.to_bits() as i32 - query.high_bias;
            *out = query.scale * self.scales[row as usize] * sum as f32;
        }
    }

    fn exact_scores(&self, query: &BytesQuery, rows: &[u32], out: &mut [f32]) {
        rows.iter().for_each(|row| self.low.prefetch(*row));
        self.scores(query, rows, out);
        self.add_fine(query, rows, &mut vec![0; rows.len()], out);
    }

    #[inline(always)]
    fn prefetch(&self, row: u32) {
        self.high.prefetch(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_planes_give_the_inner_product_and_the_upper_one_comes_close(
            data in proptest::collection::vec(-1e2f32..1e2, 1..300), dim in 1usize..90,
        ) {
            let whole = data.len() / dim * dim;
            let mut rows = BytesRows::new(dim);
            data[..whole].chunks(dim).for_each(|row| rows.push(row));
            let (high, low) = (Table::new(&rows.high, rows.stride), Table::new(&rows.low, rows.stride));
            for isa in Isa::available() {
                let codes = Bytes { isa, high, low, scales: &rows.scales };
                let vector: Vec<f32> = data.iter().rev().copied().chain(std::iter::repeat(0.5)).take(dim).collect();
                let query = codes.query(&vector);
                let all: Vec<u32> = (0..(whole / dim) as u32).collect();
                let (mut near, mut exact) = (vec![0.0; all.len()], vec![0.0; all.len()]);
                codes.scores(&query, &all, &mut near);
                codes.exact_scores(&query, &all, &mut exact);
                for ((row, near), exact) in data[..whole].chunks(dim).zip(near).zip(exact) {
                    let want: f32 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
                    let size = dim as f32 * 1e4;
                    prop_assert!((near - want).abs() <= size / 100.0, "{} {}", near, want);
                    prop_assert!((exact - want).abs() <= size / 20_000.0, "{} {}", exact, want);
                }
            }
        }
    }

    #[test]
    fn a_row_of_zeros_scores_zero() {
        let mut rows = BytesRows::new(3);
        rows.push(&[0.0; 3]);
        let (high, low) = (Table::new(&rows.high, 64), Table::new(&rows.low, 64));
        let codes = Bytes { isa: Isa::widest(), high, low, scales: &rows.scales };
        let mut out = [1.0];
        codes.exact_scores(&codes.query(&[1.0, -2.0, 3.0]), &[0], &mut out);
        assert_eq!(out, [0.0]);
    }
}
