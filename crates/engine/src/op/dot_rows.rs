//! Inner products of rows with rows of their own.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

/// Rows that one task takes.
const ROW_BLOCK: usize = 64;

struct DotRows;

impl Backward for DotRows {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (a, b) = (&inputs[0], &inputs[1]);
        let ((m, n), (_, c)) = (a.matrix(), grad.matrix());
        let (mut da, mut db) = (Buffer::zeros(a.data().len()), Buffer::zeros(b.data().len()));
        let (da_at, db_at) = (Shared::new(&mut da), Shared::new(&mut db));
        parallel::blocks(m, ROW_BLOCK, |start, end| {
            for at in start * c..end * c {
                let (row, slope) = (at / c, grad.data()[at]);
                // SAFETY: row `row` of da and its rows of db are this task's.
                unsafe {
                    rows::axpy(isa, n, da_at.at(row * n), slope, b.data()[at * n..].as_ptr());
                    rows::axpy(isa, n, db_at.at(at * n), slope, a.data()[row * n..].as_ptr());
                }
            }
        });
        vec![Some(Tensor::new(da, a.shape())), Some(Tensor::new(db, b.shape()))]
    }
}

/// `y[i, j] = a_i · b_{i·c + j}`: every row of `a` with the `c` rows of `b` that are its own.
///
/// # Shapes
/// `a: [m, n]`, `b: [m·c, n]` → `[m, c]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn dot_rows(a: &Tensor, b: &Tensor) -> Tensor {
    let isa = Isa::current();
    let ((m, n), (all, width)) = (a.matrix(), b.matrix());
    assert!(n == width && m > 0 && all.is_multiple_of(m), "dot_rows: {:?} with {:?}", a.shape(), b.shape());
    let c = all / m;
    if let Some(gpu) = cuda::of(&[a, b]) {
        return cuda::op::dot_rows(gpu, a, b, c);
    }
    let mut out = Buffer::scratch(all);
    let to = Shared::new(&mut out);
    parallel::blocks(m, ROW_BLOCK, |start, end| {
        for at in start * c..end * c {
            // SAFETY: elements of different rows are disjoint.
            unsafe { *to.at(at) = rows::dot(isa, n, a.data()[at / c * n..].as_ptr(), b.data()[at * n..].as_ptr()) }
        }
    });
    Tensor::result(out, &[m, c], &[a, b], DotRows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients_with_one_and_with_several_rows_each() {
        gradients_match(&[random(1, &[3, 19]), random(2, &[3, 19])], |x| dot_rows(&x[0], &x[1]));
        gradients_match(&[random(1, &[2, 5]), random(2, &[6, 5])], |x| dot_rows(&x[0], &x[1]));
    }
}
