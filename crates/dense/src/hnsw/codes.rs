//! How the rows of an index are stored, and what a query scores with them.

mod binary;
mod bytes;
mod halves;

pub(crate) use binary::{Binary, BinaryRows, centre_of};
pub(crate) use bytes::{Bytes, BytesQuery, BytesRows};
pub(crate) use halves::{Halves, HalvesRows};

/// Rows that queries can be scored with.
pub(crate) trait Codes: Sync {
    /// A query, as the kernels want it.
    type Query: Send;

    /// Prepares a query of as many numbers as a row has.
    fn query(&self, vector: &[f32]) -> Self::Query;

    /// The score of each of `rows` by what a search reads on its way, to `out`.
    fn scores(&self, query: &Self::Query, rows: &[u32], out: &mut [f32]);

    /// The score of each of `rows` by all that is stored of it, to `out`.
    fn exact_scores(&self, query: &Self::Query, rows: &[u32], out: &mut [f32]);

    /// Asks for a row ahead of its use.
    fn prefetch(&self, row: u32);
}
