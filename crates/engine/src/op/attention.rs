//! Multi-head self-attention over packed sequences.

use std::cell::RefCell;

use crate::buffer::Buffer;
use crate::cpu::Isa;
use crate::cpu::attention::{self as kernel, Head, Scratch};
use crate::packed::Packed;
use crate::parallel::{self, Shared};
use crate::random::{Dropout, Key};
use crate::tensor::{Backward, Tensor};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// How to attend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attention {
    /// Number of heads; divides the hidden size.
    pub heads: usize,
    /// A token sees tokens at most this far from it, on either side; all if `None`.
    pub window: Option<usize>,
    /// Rate and key of the dropout of attention probabilities.
    pub dropout: Option<(f32, Key)>,
}

struct Op {
    options: Attention,
    packed: Packed,
    /// Logarithm of each softmax's normaliser, `[tokens, heads]`.
    log_sums: Buffer,
}

impl Attention {
    /// Head `h` of sequence `s`, and the offset of its query in a row.
    fn head(&self, packed: &Packed, hidden: usize, s: usize, h: usize) -> Head {
        let width = hidden / self.heads;
        let dropout = self.dropout.filter(|(rate, _)| *rate > 0.0);
        Head {
            length: packed.range(s).len(),
            width,
            hidden,
            window: self.window,
            scale: 1.0 / (width as f32).sqrt(),
            dropout: dropout.map(|(rate, key)| Dropout { rate, key: packed.key(key, s).derive(h as u64) }),
        }
    }
}

impl Backward for Op {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let qkv = inputs[0].data();
        let (_, hidden) = output.matrix();
        let heads = self.options.heads;
        let mut dqkv = Buffer::scratch(qkv.len());
        let shared = Shared::new(&mut dqkv);
        parallel::for_each(self.packed.len() * heads, |task| {
            let (s, h) = (task / heads, task % heads);
            let head = self.options.head(&self.packed, hidden, s, h);
            let (first, at) = (self.packed.range(s).start, h * head.width);
            SCRATCH.with_borrow_mut(|scratch| {
                // SAFETY: a task owns its head's columns of its sequence's rows.
                unsafe {
                    kernel::backward(
                        isa,
                        &head,
                        qkv.as_ptr().add(first * 3 * hidden + at),
                        output.data().as_ptr().add(first * hidden + at),
                        grad.data().as_ptr().add(first * hidden + at),
                        self.log_sums.as_ptr().add(first * heads + h),
                        heads,
                        shared.at(first * 3 * hidden + at),
                        scratch,
                    );
                }
            });
        });
        vec![Some(Tensor::new(dqkv, inputs[0].shape()))]
    }
}

/// `softmax(QKᵀ/√width)·V` of every head of every sequence.
///
/// # Shapes
/// `qkv: [tokens, 3·hidden]`, rows of query, key, value, each `heads` times `hidden / heads` → `[tokens, hidden]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn attention(qkv: &Tensor, packed: &Packed, options: Attention) -> Tensor {
    let isa = Isa::current();
    let (t, three) = qkv.matrix();
    let (hidden, heads) = (three / 3, options.heads);
    assert_eq!((t, three), (packed.tokens(), 3 * hidden), "attention: qkv {:?}", qkv.shape());
    assert!(heads > 0 && hidden.is_multiple_of(heads), "attention: {heads} heads of {hidden}");
    let mut out = Buffer::scratch(t * hidden);
    let mut log_sums = Buffer::scratch(t * heads);
    let (out_at, sums_at) = (Shared::new(&mut out), Shared::new(&mut log_sums));
    parallel::for_each(packed.len() * heads, |task| {
        let (s, h) = (task / heads, task % heads);
        let head = options.head(packed, hidden, s, h);
        let (first, at) = (packed.range(s).start, h * head.width);
        SCRATCH.with_borrow_mut(|scratch| {
            // SAFETY: a task owns its head's columns of its sequence's rows.
            unsafe {
                let q = qkv.data().as_ptr().add(first * 3 * hidden + at);
                kernel::forward(
                    isa,
                    &head,
                    q,
                    out_at.at(first * hidden + at),
                    sums_at.at(first * heads + h),
                    heads,
                    scratch,
                );
            }
        });
    });
    Tensor::result(out, &[t, hidden], &[qkv], Op { options, packed: packed.clone(), log_sums })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients_plain_windowed_and_with_dropout() {
        let packed = Packed::new([3, 1, 6], 0);
        let inputs = [random(1, &[10, 12])];
        for (window, dropout) in
            [(None, None), (Some(1), None), (None, Some((0.3, Key::new(4)))), (Some(2), Some((0.2, Key::new(5))))]
        {
            gradients_match(&inputs, |x| attention(&x[0], &packed, Attention { heads: 2, window, dropout }));
        }
    }

    #[test]
    fn a_long_windowed_sequence_equals_the_definition() {
        let (length, width, window) = (200, 4, 9);
        let qkv = random(6, &[length, 3 * width]);
        let packed = Packed::new([length], 0);
        let out = attention(&qkv, &packed, Attention { heads: 1, window: Some(window), dropout: None });
        let at = |row: usize, part: usize, d: usize| f64::from(qkv.data()[row * 3 * width + part * width + d]);
        for row in [0, 63, 64, 100, 199] {
            let seen: Vec<usize> = (0..length).filter(|j| j.abs_diff(row) <= window).collect();
            let weight = |j: usize| ((0..width).map(|d| at(row, 0, d) * at(j, 1, d)).sum::<f64>() / 2.0).exp();
            let total: f64 = seen.iter().map(|&j| weight(j)).sum();
            for d in 0..width {
                let expected = seen.iter().map(|&j| weight(j) * at(j, 2, d)).sum::<f64>() / total;
                assert!((f64::from(out.data()[row * width + d]) - expected).abs() < 1e-5);
            }
        }
    }
}
