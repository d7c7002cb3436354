//! L2 normalisation of rows.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::tensor::{Backward, Tensor};

/// Norms below this are taken as this, as in PyTorch's `normalize`.
const SMALLEST_NORM: f32 = 1e-12;

struct Normalize {
    norms: Vec<f32>,
}

impl Backward for Normalize {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (_, n) = output.matrix();
        let mut out = Buffer::scratch(grad.data().len());
        out.copy_from_slice(grad.data());
        for (r, dx) in out.chunks_exact_mut(n).enumerate() {
            let y = &output.data()[r * n..(r + 1) * n];
            // SAFETY: rows of n elements.
            unsafe {
                if self.norms[r] > SMALLEST_NORM {
                    let inner = rows::dot(isa, n, y.as_ptr(), dx.as_ptr());
                    rows::axpy(isa, n, dx.as_mut_ptr(), -inner, y.as_ptr());
                }
                rows::scale(isa, n, dx.as_mut_ptr(), 1.0 / self.norms[r]);
            }
        }
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// `x / max(‖x‖₂, 1e-12)` of every row of `x: [m, n]`.
pub fn l2_normalize(x: &Tensor) -> Tensor {
    let isa = Isa::current();
    if let Some(gpu) = cuda::of(&[x]) {
        return cuda::op::l2_normalize(gpu, x);
    }
    let (m, n) = x.matrix();
    let mut out = Buffer::scratch(m * n);
    out.copy_from_slice(x.data());
    let mut norms = Vec::with_capacity(m);
    for row in out.chunks_exact_mut(n.max(1)) {
        // SAFETY: a row of n elements.
        unsafe {
            let norm = rows::dot(isa, n, row.as_ptr(), row.as_ptr()).sqrt().max(SMALLEST_NORM);
            rows::scale(isa, n, row.as_mut_ptr(), 1.0 / norm);
            norms.push(norm);
        }
    }
    Tensor::result(out, x.shape(), &[x], Normalize { norms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[4, 21])], |x| l2_normalize(&x[0]));
    }

    #[test]
    fn a_zero_row_stays_zero() {
        assert_eq!(l2_normalize(&Tensor::new(vec![0.0; 6], &[2, 3])).data(), &[0.0; 6]);
    }
}
