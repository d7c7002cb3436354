//! Table look-up, summed over several tables (word, position, token type).

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

struct Embedding {
    ids: Vec<Vec<u32>>,
}

/// Adds row `r` of `grad` to row `ids[r]` of a zero table, in row order, split over the cores by columns.
fn scatter(grad: &Tensor, ids: &[u32], table: &Tensor) -> Tensor {
    let isa = Isa::current();
    let (_, d) = table.matrix();
    let mut out = Buffer::zeros(table.data().len());
    let shared = Shared::new(&mut out);
    let dy = grad.data();
    parallel::blocks(d, 64, |start, end| {
        for (r, &id) in ids.iter().enumerate() {
            // SAFETY: a task owns its columns of every row; ids were checked by the forward pass.
            unsafe {
                rows::add_assign(isa, end - start, shared.at(id as usize * d + start), dy[r * d + start..].as_ptr())
            }
        }
    });
    Tensor::new(out, table.shape())
}

impl Backward for Embedding {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        inputs.iter().zip(&self.ids).map(|(table, ids)| table.needs_grad().then(|| scatter(grad, ids, table))).collect()
    }
}

/// `Σ table[ids]` over the given tables.
///
/// # Shapes
/// tables `[v, d]` with as many ids each → `[ids, d]`.
///
/// # Panics
/// If there is no table, the widths or numbers of ids differ, or an id is not below `v`.
pub fn embedding(tables: &[(&Tensor, &[u32])]) -> Tensor {
    let isa = Isa::current();
    let (first, first_ids) = tables[0];
    let (_, d) = first.matrix();
    for (table, ids) in tables {
        let (v, width) = table.matrix();
        assert_eq!((width, ids.len()), (d, first_ids.len()), "embedding: tables or ids of different sizes");
        assert!(ids.iter().all(|id| (*id as usize) < v), "embedding: an id is outside the table of {v} rows");
    }
    let inputs: Vec<&Tensor> = tables.iter().map(|(table, _)| *table).collect();
    if let Some(gpu) = cuda::of(&inputs) {
        return cuda::op::embedding(gpu, tables);
    }
    let t = first_ids.len();
    let mut out = Buffer::scratch(t * d);
    let shared = Shared::new(&mut out);
    parallel::blocks(t, 256, |start, end| {
        for r in start..end {
            for (i, (table, ids)) in tables.iter().enumerate() {
                let row = table.data()[ids[r] as usize * d..][..d].as_ptr();
                // SAFETY: row r is this task's.
                unsafe {
                    let to = shared.at(r * d);
                    if i == 0 {
                        std::ptr::copy_nonoverlapping(row, to, d);
                    } else {
                        rows::add_assign(isa, d, to, row);
                    }
                }
            }
        }
    });
    Tensor::result(out, &[t, d], &inputs, Embedding { ids: tables.iter().map(|(_, ids)| ids.to_vec()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient_with_repeated_ids() {
        let tables = [random(1, &[6, 5]), random(2, &[3, 5])];
        gradients_match(&tables, |x| embedding(&[(&x[0], &[1, 5, 1, 0]), (&x[1], &[0, 1, 2, 2])]));
    }
}
