//! Mean of table rows per sequence: the whole forward pass of a static embedding model.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::packed::Packed;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

struct EmbeddingBag {
    ids: Vec<u32>,
    packed: Packed,
}

impl Backward for EmbeddingBag {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (_, d) = inputs[0].matrix();
        let mut out = Buffer::zeros(inputs[0].data().len());
        let shared = Shared::new(&mut out);
        let dy = grad.data();
        parallel::blocks(d, 64, |start, end| {
            for s in 0..self.packed.len() {
                let range = self.packed.range(s);
                let share = 1.0 / range.len().max(1) as f32;
                for &id in &self.ids[range] {
                    // SAFETY: a task owns its columns of every row; ids were checked by the forward pass.
                    unsafe {
                        let to = shared.at(id as usize * d + start);
                        rows::axpy(isa, end - start, to, share, dy[s * d + start..].as_ptr());
                    }
                }
            }
        });
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// Mean of `table[ids]` over each sequence; an empty sequence gives zeros.
///
/// # Shapes
/// `table: [v, d]`, one id per token of `packed` → `[sequences, d]`.
///
/// # Panics
/// If the number of ids is not the number of tokens or an id is not below `v`.
pub fn embedding_bag(table: &Tensor, ids: &[u32], packed: &Packed) -> Tensor {
    let isa = Isa::current();
    let (v, d) = table.matrix();
    assert_eq!(ids.len(), packed.tokens(), "one id per token");
    assert!(ids.iter().all(|id| (*id as usize) < v), "embedding_bag: an id is outside the table of {v} rows");
    if let Some(gpu) = cuda::of(&[table]) {
        return cuda::op::bag(gpu, table, ids, packed);
    }
    let mut out = Buffer::zeros(packed.len() * d);
    let shared = Shared::new(&mut out);
    parallel::blocks(packed.len(), 64, |start, end| {
        for s in start..end {
            let range = packed.range(s);
            let share = 1.0 / range.len().max(1) as f32;
            // SAFETY: row s is this task's.
            let to = unsafe { shared.at(s * d) };
            for &id in &ids[range] {
                // SAFETY: as above; the table row is in bounds.
                unsafe { rows::add_assign(isa, d, to, table.data()[id as usize * d..][..d].as_ptr()) }
            }
            // SAFETY: as above.
            unsafe { rows::scale(isa, d, to, share) }
        }
    });
    let op = EmbeddingBag { ids: ids.to_vec(), packed: packed.clone() };
    Tensor::result(out, &[packed.len(), d], &[table], op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient_with_an_empty_sequence() {
        let packed = Packed::new([3, 0, 2], 0);
        gradients_match(&[random(1, &[6, 5])], |x| embedding_bag(&x[0], &[1, 5, 1, 0, 3], &packed));
    }
}
