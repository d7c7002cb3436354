//! Elementwise sum.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

struct Add;

impl Backward for Add {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(grad.clone()), Some(grad.clone())]
    }
}

/// `a + b` of equal shapes.
///
/// # Panics
/// If the shapes differ.
pub fn add(a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "add of different shapes");
    if let Some(gpu) = cuda::of(&[a, b]) {
        return Tensor::result(cuda::op::sum(gpu, a, b), a.shape(), &[a, b], Add);
    }
    let isa = Isa::current();
    let mut out = Buffer::scratch(a.data().len());
    let shared = Shared::new(&mut out);
    let (x, y) = (a.data(), b.data());
    parallel::blocks(x.len(), 1 << 16, |start, end| {
        // SAFETY: blocks are disjoint.
        unsafe {
            let to = shared.at(start);
            std::ptr::copy_nonoverlapping(x[start..end].as_ptr(), to, end - start);
            rows::add_assign(isa, end - start, to, y[start..end].as_ptr());
        }
    });
    Tensor::result(out, a.shape(), &[a, b], Add)
}

#[cfg(test)]
mod tests {
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[3, 5]), random(2, &[3, 5])], |x| super::add(&x[0], &x[1]));
    }
}
