//! Multiplication by a constant.

use crate::buffer::Buffer;
use crate::cuda;
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

struct Scale(f32);

impl Backward for Scale {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(Tensor::constant(times(grad, self.0), grad.shape()))]
    }
}

fn times(x: &Tensor, factor: f32) -> Storage {
    match cuda::of(&[x]) {
        Some(gpu) => cuda::op::scaled(gpu, x, factor).into(),
        None => Buffer::from(x.data().iter().map(|v| v * factor).collect::<Vec<f32>>()).into(),
    }
}

/// `factor · x`.
pub fn scale(x: &Tensor, factor: f32) -> Tensor {
    Tensor::result(times(x, factor), x.shape(), &[x], Scale(factor))
}

#[cfg(test)]
mod tests {
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[4, 3])], |x| super::scale(&x[0], -2.5));
    }
}
