//! Gated GELU.

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

struct Geglu {
    tanh: bool,
}

impl Backward for Geglu {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        if let Some(gpu) = cuda::of(&[&inputs[0], grad]) {
            return vec![Some(cuda::op::geglu_backward(gpu, &inputs[0], grad, self.tanh))];
        }
        let isa = Isa::current();
        let (t, n) = grad.matrix();
        let mut out = Buffer::scratch(2 * t * n);
        let shared = Shared::new(&mut out);
        let (x, dy) = (inputs[0].data(), grad.data());
        parallel::blocks(t, 16, |start, end| {
            for r in start..end {
                let (x, dy) = (x[2 * r * n..].as_ptr(), dy[r * n..].as_ptr());
                // SAFETY: row r is this task's.
                unsafe { rows::geglu_backward(isa, n, self.tanh, x, dy, shared.at(2 * r * n)) }
            }
        });
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// `gelu(first half) · second half` of every row, the GELU exact or by its tanh approximation.
///
/// # Shapes
/// `x: [t, 2n]` → `[t, n]`.
///
/// # Panics
/// If `gelu` is another function.
pub fn geglu(x: &Tensor, gelu: Activation) -> Tensor {
    assert!(matches!(gelu, Activation::Gelu | Activation::GeluTanh), "geglu: {gelu:?} is no GELU");
    let isa = Isa::current();
    let tanh = gelu == Activation::GeluTanh;
    let (t, double) = x.matrix();
    let n = double / 2;
    if let Some(gpu) = cuda::of(&[x]) {
        return Tensor::result(cuda::op::geglu(gpu, x, (t, n), tanh), &[t, n], &[x], Geglu { tanh });
    }
    let mut out = Buffer::scratch(t * n);
    let shared = Shared::new(&mut out);
    parallel::blocks(t, 16, |start, end| {
        for r in start..end {
            // SAFETY: row r is this task's.
            unsafe { rows::geglu(isa, n, tanh, x.data()[2 * r * n..].as_ptr(), shared.at(r * n)) }
        }
    });
    Tensor::result(out, &[t, n], &[x], Geglu { tanh })
}

#[cfg(test)]
mod tests {
    use super::Activation;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient_of_both_forms() {
        for gelu in [Activation::Gelu, Activation::GeluTanh] {
            gradients_match(&[random(1, &[3, 26])], |x| super::geglu(&x[0], gelu));
        }
    }
}
