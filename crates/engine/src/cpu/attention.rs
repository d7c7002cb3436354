//! Self-attention of one head of one sequence, forward and backward, in blocks of query rows: the
//! probabilities of a block exist only while they are used, so memory grows with length, not with its square.

use super::gemm::{self, View};
use super::{Isa, rows};
use crate::buffer::Buffer;
use crate::random::{Dropout, Key};

/// Query rows handled at once.
const ROWS: usize = 64;

/// Where one head's rows lie: query, key and value at `head`, `hidden + head` and `2·hidden + head` of rows of `3·hidden`.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Tokens of the sequence.
    pub length: usize,
    /// Elements of a head.
    pub width: usize,
    /// Elements of all heads.
    pub hidden: usize,
    /// Keys further than this from the query are invisible.
    pub window: Option<usize>,
    /// Score factor, 1/√width.
    pub scale: f32,
    /// Dropout of the probabilities, keyed by sequence and head.
    pub dropout: Option<Dropout>,
}

/// Scratch memory of one task.
pub(crate) struct Scratch {
    keys: Buffer,
    values: Buffer,
    scores: Buffer,
    slopes: Buffer,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { keys: Buffer::zeros(0), values: Buffer::zeros(0), scores: Buffer::zeros(0), slopes: Buffer::zeros(0) }
    }
}

fn reserve(buffer: &mut Buffer, n: usize) -> *mut f32 {
    if buffer.len() < n {
        *buffer = Buffer::scratch(n);
    }
    buffer.as_mut_ptr()
}

impl Head {
    fn stride(&self) -> usize {
        3 * self.hidden
    }

    /// The keys that rows `start..end` can see.
    fn visible(&self, start: usize, end: usize) -> (usize, usize) {
        match self.window {
            Some(w) => (start.saturating_sub(w), (end + w).min(self.length)),
            None => (0, self.length),
        }
    }

    /// Sets what a row may not see to −∞.
    ///
    /// # Safety
    /// `scores` holds the rows `start..end` over the keys `lo..hi`.
    unsafe fn hide(&self, scores: *mut f32, (start, end): (usize, usize), (lo, hi): (usize, usize)) {
        let Some(w) = self.window else { return };
        for row in start..end {
            // SAFETY: one row of the block, by the contract.
            let row_scores = unsafe { std::slice::from_raw_parts_mut(scores.add((row - start) * (hi - lo)), hi - lo) };
            for (j, x) in row_scores.iter_mut().enumerate() {
                if (lo + j).abs_diff(row) > w {
                    *x = f32::NEG_INFINITY;
                }
            }
        }
    }

    fn row_key(dropout: Dropout, row: usize) -> Key {
        dropout.key.derive(row as u64)
    }
}

/// Packs `rows` of `B[k, n]` for [`gemm::gemm`].
///
/// # Safety
/// `view` addresses k × n elements.
unsafe fn pack(isa: Isa, k: usize, n: usize, view: View, to: &mut Buffer) -> *const f32 {
    let lanes = isa.lanes();
    let packed = reserve(to, gemm::packed_len(lanes, k, n));
    // SAFETY: the buffer has the packed length.
    unsafe { gemm::pack_panels(isa, k, n, view, 0, gemm::panels(lanes, n), packed) };
    packed
}

/// Writes `softmax(scale·QKᵀ)·V` of one head to `out` (rows of `hidden`) and the logarithm of each row's
/// normaliser to `log_sums` (stride `heads`).
///
/// # Safety
/// `qkv` points at the head's query in the sequence's first row, `out` likewise; no other task writes there.
pub(crate) unsafe fn forward(
    isa: Isa,
    head: &Head,
    qkv: *const f32,
    out: *mut f32,
    log_sums: *mut f32,
    heads: usize,
    scratch: &mut Scratch,
) {
    let (stride, width) = (head.stride(), head.width);
    let Scratch { keys, values, scores, .. } = scratch;
    let mut packed: Option<(usize, usize, *const f32, *const f32)> = None;
    let mut start = 0;
    while start < head.length {
        let end = (start + ROWS).min(head.length);
        let (lo, hi) = head.visible(start, end);
        let n = hi - lo;
        // SAFETY: rows start..end and lo..hi belong to the sequence; scratch is sized for the block.
        unsafe {
            let (k, v) = match packed {
                Some((a, b, k, v)) if (a, b) == (lo, hi) => (k, v),
                _ => {
                    let key = View { ptr: qkv.add(lo * stride + head.hidden), row: 1, col: stride };
                    let value = View { ptr: qkv.add(lo * stride + 2 * head.hidden), row: stride, col: 1 };
                    (pack(isa, width, n, key, keys), pack(isa, n, width, value, values))
                }
            };
            packed = Some((lo, hi, k, v));
            let s = reserve(scores, (end - start) * n);
            let q = View { ptr: qkv.add(start * stride), row: stride, col: 1 };
            gemm::gemm(isa, end - start, n, width, q, k, s, n, false);
            head.hide(s, (start, end), (lo, hi));
            for row in start..end {
                let p = s.add((row - start) * n);
                *log_sums.add(row * heads) = rows::softmax(isa, n, p, head.scale);
                if let Some(dropout) = head.dropout {
                    dropout.apply(Head::row_key(dropout, row), std::slice::from_raw_parts_mut(p, n));
                }
            }
            let p = View { ptr: s, row: n, col: 1 };
            gemm::gemm(isa, end - start, width, n, p, v, out.add(start * head.hidden), head.hidden, false);
        }
        start = end;
    }
}

/// Gradient of [`forward`] with respect to the head's query, key and value rows, overwriting `dqkv`.
///
/// # Safety
/// As [`forward`]; `out`, `d_out` are the result and its gradient, `log_sums` as written by it.
#[allow(clippy::too_many_arguments)]
pub(crate) unsafe fn backward(
    isa: Isa,
    head: &Head,
    qkv: *const f32,
    out: *const f32,
    d_out: *const f32,
    log_sums: *const f32,
    heads: usize,
    dqkv: *mut f32,
    scratch: &mut Scratch,
) {
    let (stride, width, hidden) = (head.stride(), head.width, head.hidden);
    let Scratch { keys, values, scores, slopes } = scratch;
    // SAFETY: every pointer below stays within the head's rows of the sequence or within sized scratch.
    unsafe {
        for row in 0..head.length {
            for part in [hidden, 2 * hidden] {
                std::slice::from_raw_parts_mut(dqkv.add(row * stride + part), width).fill(0.0);
            }
        }
        let mut start = 0;
        while start < head.length {
            let end = (start + ROWS).min(head.length);
            let (lo, hi) = head.visible(start, end);
            let (m, n) = (end - start, hi - lo);
            let q = View { ptr: qkv.add(start * stride), row: stride, col: 1 };
            let key = qkv.add(lo * stride + hidden);
            let value = qkv.add(lo * stride + 2 * hidden);
            let dy = View { ptr: d_out.add(start * hidden), row: hidden, col: 1 };
            let p = reserve(scores, m * n);
            let d = reserve(slopes, m * n);
            // Probabilities again, from the stored normalisers, and the gradient at them.
            let packed = pack(isa, width, n, View { ptr: key, row: 1, col: stride }, keys);
            gemm::gemm(isa, m, n, width, q, packed, p, n, false);
            let packed = pack(isa, width, n, View { ptr: value, row: 1, col: stride }, values);
            gemm::gemm(isa, m, n, width, dy, packed, d, n, false);
            head.hide(p, (start, end), (lo, hi));
            let mut dropped = Vec::new();
            for row in start..end {
                let (pr, dr) = (p.add((row - start) * n), d.add((row - start) * n));
                rows::softmax_replay(isa, n, pr, head.scale, *log_sums.add(row * heads));
                let inner = rows::dot(isa, width, out.add(row * hidden), d_out.add(row * hidden));
                if let Some(dropout) = head.dropout {
                    let key = Head::row_key(dropout, row);
                    let undropped = std::slice::from_raw_parts(pr, n);
                    let mut masked = undropped.to_vec();
                    dropout.apply(key, &mut masked);
                    dropout.apply(key, std::slice::from_raw_parts_mut(dr, n));
                    dropped.extend_from_slice(&masked);
                }
                rows::softmax_backward(isa, n, pr, dr, head.scale, inner);
            }
            let used = if dropped.is_empty() { p.cast_const() } else { dropped.as_ptr() };
            // dV += Pᵀ·dO, dK += dSᵀ·Q, dQ = dS·K
            let transposed = |ptr| View { ptr, row: 1, col: n };
            let packed = pack(isa, m, width, dy, keys);
            gemm::gemm(isa, n, width, m, transposed(used), packed, dqkv.add(lo * stride + 2 * hidden), stride, true);
            let packed = pack(isa, m, width, q, keys);
            gemm::gemm(isa, n, width, m, transposed(d), packed, dqkv.add(lo * stride + hidden), stride, true);
            let packed = pack(isa, n, width, View { ptr: key, row: stride, col: 1 }, keys);
            let ds = View { ptr: d, row: n, col: 1 };
            gemm::gemm(isa, m, width, n, ds, packed, dqkv.add(start * stride), stride, false);
            start = end;
        }
    }
}
