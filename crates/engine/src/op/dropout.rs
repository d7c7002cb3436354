//! Dropout keyed by sequence and position.

use crate::buffer::Buffer;
use crate::cuda;
use crate::packed::Packed;
use crate::parallel::{self, Shared};
use crate::random::{Dropout as Mask, Key};
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

struct Dropout {
    mask: Mask,
    packed: Packed,
}

impl Dropout {
    fn apply(&self, x: &Tensor) -> Storage {
        if let Some(gpu) = cuda::of(&[x]) {
            return cuda::op::dropout(gpu, x, &self.packed, self.mask);
        }
        let (_, width) = x.matrix();
        let mut out = Buffer::scratch(x.data().len());
        out.copy_from_slice(x.data());
        let shared = Shared::new(&mut out);
        parallel::for_each(self.packed.len(), |s| {
            let key = self.packed.key(self.mask.key, s);
            for (position, row) in self.packed.range(s).enumerate() {
                // SAFETY: rows of different sequences are disjoint.
                let row = unsafe { std::slice::from_raw_parts_mut(shared.at(row * width), width) };
                self.mask.apply(key.derive(position as u64), row);
            }
        });
        out.into()
    }
}

impl Backward for Dropout {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(Tensor::constant(self.apply(grad), grad.shape()))]
    }
}

/// Sets each element of `x: [tokens, n]` to zero with probability `rate` and scales the rest by 1/(1 − rate). The mask is a function
/// of `key`, the sequence's batch row, the position in the sequence and the column.
pub fn dropout(x: &Tensor, packed: &Packed, rate: f32, key: Key) -> Tensor {
    if rate == 0.0 {
        return x.clone();
    }
    let op = Dropout { mask: Mask { rate, key }, packed: packed.clone() };
    Tensor::result(op.apply(x), x.shape(), &[x], op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        let packed = Packed::new([2, 3], 0);
        gradients_match(&[random(1, &[5, 7])], |x| dropout(&x[0], &packed, 0.4, Key::new(3)));
    }

    #[test]
    fn a_sequence_has_the_same_mask_alone_as_in_its_batch() {
        let x = random(4, &[5, 9]);
        let whole = dropout(&x, &Packed::new([2, 3], 0), 0.5, Key::new(8));
        let part = Tensor::new(x.data()[18..].to_vec(), &[3, 9]);
        let alone = dropout(&part, &Packed::new([3], 1), 0.5, Key::new(8));
        assert_eq!(&whole.data()[18..], alone.data());
    }
}
