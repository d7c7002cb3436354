//! One vector per sequence from its token vectors.

use crate::buffer::Buffer;
use crate::cuda;
use crate::packed::Packed;
use crate::tensor::{Backward, Tensor};

/// Which token vectors make the vector of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first.
    Cls,
    /// The mean of all.
    Mean,
    /// The last.
    Last,
}

struct Pool {
    packed: Packed,
    pooling: Pooling,
    skip: Vec<usize>,
}

impl Pool {
    /// The token rows that count for sequence `s`, and each one's weight.
    fn taken(&self, s: usize) -> (std::ops::Range<usize>, f32) {
        let range = self.packed.range(s);
        let range = match self.pooling {
            Pooling::Cls => range.start..(range.start + 1).min(range.end),
            Pooling::Last => range.end.saturating_sub(1).max(range.start)..range.end,
            Pooling::Mean => (range.start + self.skip.get(s).copied().unwrap_or(0)).min(range.end)..range.end,
        };
        let weight = 1.0 / range.len().max(1) as f32;
        (range, weight)
    }
}

impl Backward for Pool {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (_, h) = inputs[0].matrix();
        let mut out = Buffer::zeros(inputs[0].data().len());
        for s in 0..self.packed.len() {
            let (range, weight) = self.taken(s);
            for row in out[range.start * h..range.end * h].chunks_exact_mut(h) {
                for (x, d) in row.iter_mut().zip(&grad.data()[s * h..(s + 1) * h]) {
                    *x = weight * d;
                }
            }
        }
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// Pools token vectors; `skip[s]` leading tokens of sequence `s` are left out of a mean (none if `skip` is empty).
/// A sequence without tokens gives zeros.
///
/// # Shapes
/// `x: [tokens, h]` → `[sequences, h]`.
pub fn pool(x: &Tensor, packed: &Packed, pooling: Pooling, skip: &[usize]) -> Tensor {
    let (t, h) = x.matrix();
    assert_eq!(t, packed.tokens(), "pool: rows and tokens");
    let op = Pool { packed: packed.clone(), pooling, skip: skip.to_vec() };
    if let Some(gpu) = cuda::of(&[x]) {
        let ranges = (0..packed.len()).map(|s| op.taken(s).0).collect();
        return cuda::op::pool(gpu, x, packed, ranges);
    }
    let mut out = Buffer::zeros(packed.len() * h);
    for (s, to) in out.chunks_exact_mut(h).enumerate() {
        let (range, weight) = op.taken(s);
        for row in x.data()[range.start * h..range.end * h].chunks_exact(h) {
            for (sum, v) in to.iter_mut().zip(row) {
                *sum += v;
            }
        }
        to.iter_mut().for_each(|v| *v *= weight);
    }
    Tensor::result(out, &[packed.len(), h], &[x], op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients_of_every_pooling() {
        let packed = Packed::new([3, 1, 4], 0);
        for pooling in [Pooling::Cls, Pooling::Mean, Pooling::Last] {
            gradients_match(&[random(1, &[8, 5])], |x| pool(&x[0], &packed, pooling, &[]));
        }
        gradients_match(&[random(1, &[8, 5])], |x| pool(&x[0], &packed, Pooling::Mean, &[2, 0, 1]));
    }
}
