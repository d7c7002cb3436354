//! Attention of one head of one sequence to itself or another, forward and backward, in blocks of query rows: the
//! probabilities of a block exist only while they are used, so memory grows with length, not with its square.

use super::gemm::View;
use super::{Isa, rows};
use crate::buffer::Buffer;
use crate::precision::Precision;
use crate::random::{Dropout, Key};

mod products;

use products::{Products, reserve};

/// Query rows handled at once.
const ROWS: usize = 64;

/// One head of one sequence: its sizes, where its rows lie, and how it attends.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// Tokens that look.
    pub queries: usize,
    /// Tokens that are looked at.
    pub keys: usize,
    /// Elements of a head.
    pub width: usize,
    /// Elements from one row of queries to the next.
    pub query_stride: usize,
    /// Elements from one row of keys to the next; of values likewise.
    pub key_stride: usize,
    /// Elements from one row of the result to the next.
    pub out_stride: usize,
    /// Keys further than this from the query are invisible.
    pub window: Option<usize>,
    /// Whether keys after the query are invisible.
    pub causal: bool,
    /// Score factor.
    pub scale: f32,
    /// Added to scaled scores.
    pub bias: Option<Bias<'a>>,
    /// Dropout of the probabilities, keyed by sequence and head.
    pub dropout: Option<Dropout>,
    /// Format of the products, f32 or bf16.
    pub precision: Precision,
}

/// What is added to the score of query `i` and key `j`: `values[centre + j − i]`.
#[derive(Clone, Copy)]
pub(crate) struct Bias<'a> {
    pub values: &'a [f32],
    pub centre: usize,
}

/// Where a head's first query, key and value lie, or their gradients.
#[derive(Clone, Copy)]
pub(crate) struct Rows<P> {
    pub query: P,
    pub key: P,
    pub value: P,
}

/// Scratch memory of one task.
pub(crate) struct Scratch {
    keys: Buffer,
    values: Buffer,
    scores: Buffer,
    slopes: Buffer,
    rounded: Buffer,
}

impl Default for Scratch {
    fn default() -> Scratch {
        let [keys, values, scores, slopes, rounded] = std::array::from_fn(|_| Buffer::zeros(0));
        Scratch { keys, values, scores, slopes, rounded }
    }
}

#[cfg(test)]
impl Scratch {
    /// Elements held.
    pub(crate) fn elements(&self) -> usize {
        [&self.keys, &self.values, &self.scores, &self.slopes, &self.rounded].iter().map(|buffer| buffer.len()).sum()
    }
}

impl Head<'_> {
    /// The keys that rows `start..end` can see.
    fn visible(&self, start: usize, end: usize) -> (usize, usize) {
        let lo = self.window.map_or(0, |w| start.saturating_sub(w));
        let hi = self.window.map_or(self.keys, |w| (end + w).min(self.keys));
        (lo, if self.causal { hi.min(end) } else { hi })
    }

    /// Scales the scores and adds the bias, if there is one; returns the factor that is still to be applied.
    ///
    /// # Safety
    /// `scores` holds the rows `start..end` over the keys `lo..hi`.
    unsafe fn add_bias(
        &self,
        isa: Isa,
        scores: *mut f32,
        (start, end): (usize, usize),
        (lo, hi): (usize, usize),
    ) -> f32 {
        let Some(bias) = self.bias else { return self.scale };
        let n = hi - lo;
        for row in start..end {
            let added = &bias.values[bias.centre + lo - row..][..n];
            // SAFETY: one row of the block, by the contract.
            unsafe {
                let row_scores = scores.add((row - start) * n);
                if self.scale != 1.0 {
                    rows::scale(isa, n, row_scores, self.scale);
                }
                rows::add_assign(isa, n, row_scores, added.as_ptr());
            }
        }
        1.0
    }

    /// Sets what a row may not see to −∞.
    ///
    /// # Safety
    /// As [`Head::add_bias`].
    unsafe fn hide(&self, scores: *mut f32, (start, end): (usize, usize), (lo, hi): (usize, usize)) {
        if self.window.is_none() && !self.causal {
            return;
        }
        for row in start..end {
            // SAFETY: one row of the block, by the contract.
            let row_scores = unsafe { std::slice::from_raw_parts_mut(scores.add((row - start) * (hi - lo)), hi - lo) };
            for (j, x) in row_scores.iter_mut().enumerate() {
                let key = lo + j;
                if self.window.is_some_and(|w| key.abs_diff(row) > w) || self.causal && key > row {
                    *x = f32::NEG_INFINITY;
                }
            }
        }
    }

    fn row_key(dropout: Dropout, row: usize) -> Key {
        dropout.key.derive(row as u64)
    }
}

/// Writes `softmax(scale·QKᵀ + bias)·V` of one head to `out` and the logarithm of each row's normaliser to `log_sums` (stride `heads`).
///
/// # Safety
/// The pointers lie at the head's columns of the sequence's first rows; no other task writes where `out` and `log_sums` point.
pub(crate) unsafe fn forward(
    isa: Isa,
    head: &Head,
    from: Rows<*const f32>,
    out: *mut f32,
    log_sums: *mut f32,
    heads: usize,
    scratch: &mut Scratch,
) {
    let width = head.width;
    let Scratch { keys, values, scores, rounded, .. } = scratch;
    let mut products = Products { isa, precision: head.precision, rounded };
    let mut packed: Option<(usize, usize, *const f32, *const f32)> = None;
    let mut start = 0;
    while start < head.queries {
        let end = (start + ROWS).min(head.queries);
        let (lo, hi) = head.visible(start, end);
        let n = hi - lo;
        // SAFETY: rows start..end and lo..hi belong to the sequence; scratch is sized for the block.
        unsafe {
            let (k, v) = match packed {
                Some((a, b, k, v)) if (a, b) == (lo, hi) => (k, v),
                _ => {
                    let key = View { ptr: from.key.add(lo * head.key_stride), row: 1, col: head.key_stride };
                    let value = View { ptr: from.value.add(lo * head.key_stride), row: head.key_stride, col: 1 };
                    (products.pack((width, n), key, keys), products.pack((n, width), value, values))
                }
            };
            packed = Some((lo, hi, k, v));
            let s = reserve(scores, (end - start) * n);
            let q = View { ptr: from.query.add(start * head.query_stride), row: head.query_stride, col: 1 };
            products.multiply((end - start, n, width), q, k, (s, n), false);
            let scale = head.add_bias(isa, s, (start, end), (lo, hi));
            head.hide(s, (start, end), (lo, hi));
            let near = head.precision != Precision::F32;
            let mut inverses = [0f32; ROWS];
            for (row, inverse) in (start..end).zip(&mut inverses) {
                let p = s.add((row - start) * n);
                (*log_sums.add(row * heads), *inverse) = rows::softmax_numerators(isa, n, p, scale, near);
                if let Some(dropout) = head.dropout {
                    dropout.apply(Head::row_key(dropout, row), std::slice::from_raw_parts_mut(p, n));
                }
            }
            let p = View { ptr: s, row: n, col: 1 };
            let to = (out.add(start * head.out_stride), head.out_stride);
            products.multiply((end - start, width, n), p, v, to, false);
            for (row, inverse) in (start..end).zip(inverses) {
                rows::scale(isa, width, out.add(row * head.out_stride), inverse);
            }
        }
        start = end;
    }
}

/// Gradient of [`forward`] with respect to the head's query, key and value rows, overwriting `to`; that at the bias is added to `d_bias`.
///
/// # Safety
/// As [`forward`]; `d_out` is the gradient at the result, `log_sums` as written by it; `d_bias` has as many elements as the bias.
#[allow(clippy::too_many_arguments)]
pub(crate) unsafe fn backward(
    isa: Isa,
    head: &Head,
    from: Rows<*const f32>,
    d_out: *const f32,
    log_sums: *const f32,
    heads: usize,
    to: Rows<*mut f32>,
    d_bias: *mut f32,
    scratch: &mut Scratch,
) {
    let (width, query_stride, key_stride, out_stride) =
        (head.width, head.query_stride, head.key_stride, head.out_stride);
    let Scratch { keys, values, scores, slopes, rounded } = scratch;
    let mut products = Products { isa, precision: head.precision, rounded };
    // SAFETY: every pointer below stays within the head's rows of the sequence or within sized scratch.
    unsafe {
        for row in 0..head.keys {
            for part in [to.key, to.value] {
                std::slice::from_raw_parts_mut(part.add(row * key_stride), width).fill(0.0);
            }
        }
        let mut start = 0;
        while start < head.queries {
            let end = (start + ROWS).min(head.queries);
            let (lo, hi) = head.visible(start, end);
            let (m, n) = (end - start, hi - lo);
            let q = View { ptr: from.query.add(start * query_stride), row: query_stride, col: 1 };
            let key = from.key.add(lo * key_stride);
            let value = from.value.add(lo * key_stride);
            let dy = View { ptr: d_out.add(start * out_stride), row: out_stride, col: 1 };
            let p = reserve(scores, m * n);
            let d = reserve(slopes, m * n);
            // Probabilities again, from the stored normalisers, and the gradient at them.
            let packed = products.pack((width, n), View { ptr: key, row: 1, col: key_stride }, keys);
            products.multiply((m, n, width), q, packed, (p, n), false);
            let packed = products.pack((width, n), View { ptr: value, row: 1, col: key_stride }, values);
            products.multiply((m, n, width), dy, packed, (d, n), false);
            let scale = head.add_bias(isa, p, (start, end), (lo, hi));
            head.hide(p, (start, end), (lo, hi));
            let mut dropped = Vec::new();
            for row in start..end {
                let (pr, dr) = (p.add((row - start) * n), d.add((row - start) * n));
                rows::softmax_replay(isa, n, pr, scale, *log_sums.add(row * heads));
                if let Some(dropout) = head.dropout {
                    let key = Head::row_key(dropout, row);
                    let undropped = std::slice::from_raw_parts(pr, n);
                    let mut masked = undropped.to_vec();
                    dropout.apply(key, &mut masked);
                    dropout.apply(key, std::slice::from_raw_parts_mut(dr, n));
                    dropped.extend_from_slice(&masked);
                }
                // Of the products themselves, not ⟨out, d_out⟩: in bf16 that would be the product of other numbers, and not cancel.
                let inner = rows::dot(isa, n, pr, dr);
                rows::softmax_backward(isa, n, pr, dr, scale, inner);
                if let Some(bias) = head.bias {
                    rows::add_assign(isa, n, d_bias.add(bias.centre + lo - row), dr);
                    if head.scale != 1.0 {
                        rows::scale(isa, n, dr, head.scale);
                    }
                }
            }
            let used = if dropped.is_empty() { p.cast_const() } else { dropped.as_ptr() };
            // dV += Pᵀ·dO, dK += dSᵀ·Q, dQ = dS·K
            let transposed = |ptr| View { ptr, row: 1, col: n };
            let packed = products.pack((m, width), dy, keys);
            let to_value = (to.value.add(lo * key_stride), key_stride);
            products.multiply((n, width, m), transposed(used), packed, to_value, true);
            let packed = products.pack((m, width), q, keys);
            let to_key = (to.key.add(lo * key_stride), key_stride);
            products.multiply((n, width, m), transposed(d), packed, to_key, true);
            let packed = products.pack((n, width), View { ptr: key, row: key_stride, col: 1 }, keys);
            let ds = View { ptr: d, row: n, col: 1 };
            let to_query = (to.query.add(start * query_stride), query_stride);
            products.multiply((m, width, n), ds, packed, to_query, false);
            start = end;
        }
    }
}
