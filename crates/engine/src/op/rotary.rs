//! Rotary position embedding of queries and keys (Su et al. 2021), in the half-split layout of Hugging Face models.

use crate::buffer::Buffer;
use crate::cuda;
use crate::packed::Packed;
use crate::parallel::{self, Shared};
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

struct Rotary {
    packed: Packed,
    heads: usize,
    theta: f64,
}

impl Rotary {
    /// Rotates queries and keys of `x: [tokens, 3·hidden]` by their position, or back by it.
    fn rotate(&self, x: &Tensor, back: bool) -> Storage {
        let (_, three) = x.matrix();
        let hidden = three / 3;
        let width = hidden / self.heads;
        let half = width / 2;
        let longest = (0..self.packed.len()).map(|s| self.packed.range(s).len()).max().unwrap_or(0);
        if let Some(gpu) = cuda::of(&[x]) {
            let angles = self.angles(longest, half, false);
            return cuda::op::rotate(gpu, x, &self.packed, self.heads, &angles, back);
        }
        let angles = self.angles(longest, half, back);
        let mut out = Buffer::scratch(x.data().len());
        out.copy_from_slice(x.data());
        let shared = Shared::new(&mut out);
        parallel::for_each(self.packed.len(), |s| {
            for (position, row) in self.packed.range(s).enumerate() {
                // SAFETY: rows of different sequences are disjoint.
                let row = unsafe { std::slice::from_raw_parts_mut(shared.at(row * three), 2 * hidden) };
                let angles = &angles[position * half..(position + 1) * half];
                for head in row.chunks_exact_mut(width) {
                    let (first, second) = head.split_at_mut(half);
                    for ((a, b), (sin, cos)) in first.iter_mut().zip(second).zip(angles) {
                        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                    }
                }
            }
        });
        out.into()
    }

    /// Sine and cosine of every position's angles.
    fn angles(&self, positions: usize, half: usize, back: bool) -> Vec<(f32, f32)> {
        let sign = if back { -1.0 } else { 1.0 };
        let mut angles = Vec::with_capacity(positions * half);
        for position in 0..positions {
            for i in 0..half {
                let angle = sign * position as f64 * self.theta.powf(-(i as f64) / half as f64);
                angles.push((angle.sin() as f32, angle.cos() as f32));
            }
        }
        angles
    }
}

impl Backward for Rotary {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(Tensor::constant(self.rotate(grad, true), grad.shape()))]
    }
}

/// Rotates the query and key of every head of `qkv: [tokens, 3·hidden]` by `position · theta^(−2i/width)`; values stay.
///
/// # Panics
/// If the head width is odd.
pub fn rotary(qkv: &Tensor, packed: &Packed, heads: usize, theta: f64) -> Tensor {
    let (t, three) = qkv.matrix();
    assert_eq!(t, packed.tokens(), "rotary: rows and tokens");
    assert!((three / 3 / heads).is_multiple_of(2), "rotary: odd head width");
    let op = Rotary { packed: packed.clone(), heads, theta };
    Tensor::result(op.rotate(qkv, false), qkv.shape(), &[qkv], op).with_computed_in(qkv.computed_in())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        let packed = Packed::new([3, 2], 0);
        gradients_match(&[random(1, &[5, 24])], |x| rotary(&x[0], &packed, 2, 100.0));
    }
}
