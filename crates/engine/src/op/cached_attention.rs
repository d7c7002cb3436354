//! Attention of new tokens to keys and values that were kept, as generation makes it: forward only.

use std::cell::RefCell;

use crate::buffer::Buffer;
use crate::cpu::{Isa, lookup, rows};
use crate::parallel::{self, Shared};
use crate::tensor::Tensor;

/// Queries and heads that one task attends with.
const BLOCK: usize = 16;

thread_local! {
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// How new tokens attend to kept ones.
#[derive(Clone, Copy, Debug)]
pub struct CachedAttention<'a> {
    /// Number of heads; divides the width of queries.
    pub heads: usize,
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
    /// Added to the scores of every query: head `h` and the `j`-th of its rows at `h·stride + j`. With it all queries have as many rows.
    pub bias: Option<(&'a [f32], usize)>,
}

/// `softmax(scale·K·q + bias)·V` of every head of every query, over rows of `kv` of its own. No gradient is recorded.
///
/// # Shapes
/// `q: [m, ≥ hidden]`, a query being the first `hidden` elements of its row; `kv`: rows of `2·hidden`, key and value; `seen`: for each query the
/// rows that it sees → `[m, hidden]`.
///
/// # Panics
/// If the shapes do not fit, a row is outside `kv`, or a query sees nothing.
pub fn cached_attention(
    q: &Tensor,
    hidden: usize,
    kv: &[f32],
    seen: &[impl AsRef<[u32]> + Sync],
    options: CachedAttention,
) -> Tensor {
    let isa = Isa::current();
    let (m, stride) = q.matrix();
    let heads = options.heads;
    assert!(
        seen.len() == m && stride >= hidden && heads > 0 && hidden.is_multiple_of(heads),
        "cached_attention: shapes"
    );
    let most = kv.len() / (2 * hidden);
    for rows in seen.iter().map(AsRef::as_ref) {
        assert!(!rows.is_empty() && rows.iter().all(|row| (*row as usize) < most), "cached_attention: rows of {most}");
        let held = options.bias.map(|(bias, stride)| (heads - 1) * stride + rows.len() <= bias.len());
        assert!(held != Some(false), "cached_attention: bias of {} rows", rows.len());
    }
    let width = hidden / heads;
    let mut out = Buffer::scratch(m * hidden);
    let to = Shared::new(&mut out);
    parallel::blocks(m * heads, BLOCK, |start, end| {
        SCORES.with_borrow_mut(|scores| {
            for (r, h) in (start..end).map(|task| (task / heads, task % heads)) {
                let seen = seen[r].as_ref();
                scores.resize(scores.len().max(seen.len()), 0.0);
                let (n, scores, seen) = (seen.len(), scores.as_mut_ptr(), seen.as_ptr());
                let bias = options.bias.map_or(std::ptr::null(), |(bias, stride)| bias[h * stride..].as_ptr());
                let (keys, values) = (kv[h * width..].as_ptr(), kv[hidden + h * width..].as_ptr());
                let q = q.data()[r * stride + h * width..].as_ptr();
                // SAFETY: the rows were checked to lie in kv; a task owns its heads of its rows of the result.
                unsafe {
                    lookup::scores(isa, n, width, q, keys, 2 * hidden, seen, options.scale, bias, scores);
                    rows::softmax(isa, n, scores, 1.0);
                    lookup::mix(isa, n, width, scores, values, 2 * hidden, seen, to.at(r * hidden + h * width));
                }
            }
        });
    });
    Tensor::new(out, &[m, hidden])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::random;
    use crate::op::{Attention, cross_attention};
    use crate::{Packed, with_isa};

    #[test]
    fn it_equals_cross_attention_to_the_same_rows() {
        let (hidden, heads) = (2 * 37, 2);
        let (q, kv) = (random(1, &[3, hidden]), random(2, &[9, 2 * hidden]));
        let seen = [vec![4u32, 1], vec![0], vec![8, 2, 3, 5, 6, 7]];
        let gathered: Vec<f32> = seen
            .iter()
            .flatten()
            .flat_map(|row| kv.data()[*row as usize * 2 * hidden..][..2 * hidden].to_vec())
            .collect();
        let gathered = Tensor::new(gathered, &[9, 2 * hidden]);
        let options = Attention { heads, scale: Some(0.3), ..Default::default() };
        for isa in Isa::available() {
            let (expected, got) = with_isa(isa, || {
                let (queries, keys) = (Packed::new([1, 1, 1], 0), Packed::new([2, 1, 6], 0));
                let expected = cross_attention(&q, &gathered, &queries, &keys, options);
                let options = CachedAttention { heads, scale: 0.3, bias: None };
                (expected, cached_attention(&q, hidden, kv.data(), &seen, options))
            });
            for (a, b) in expected.data().iter().zip(got.data()) {
                assert!((a - b).abs() < 1e-5, "{isa}: {a} {b}");
            }
        }
    }

    #[test]
    fn a_bias_is_added_to_the_scores_and_more_columns_than_queries_are_passed_over() {
        let q = Tensor::new(vec![1.0, 0.0, 9.0, 9.0], &[1, 4]);
        // Two heads of one element, two rows: key, key, value, value.
        let kv = [2.0, 5.0, 1.0, 10.0, 3.0, 7.0, 0.0, 20.0];
        let bias = [0.5, -0.5, 1.0f32, 0.0, 1.0, 1.0];
        let options = CachedAttention { heads: 2, scale: 1.0, bias: Some((&bias, 3)) };
        let out = cached_attention(&q, 2, &kv, &[[0, 1]], options);
        // Scores 2.5 and 2.5 of the first head, 0 and 1 of the second.
        let e = std::f32::consts::E;
        let expected = [0.5, (10.0 + 20.0 * e) / (1.0 + e)];
        for (a, b) in expected.iter().zip(out.data()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
