//! Multiplication by a constant.

use crate::buffer::Buffer;
use crate::tensor::{Backward, Tensor};

struct Scale(f32);

impl Backward for Scale {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(times(grad, self.0))]
    }
}

fn times(x: &Tensor, factor: f32) -> Tensor {
    Tensor::new(Buffer::from(x.data().iter().map(|v| v * factor).collect::<Vec<f32>>()), x.shape())
}

/// `factor · x`.
pub fn scale(x: &Tensor, factor: f32) -> Tensor {
    let data = Buffer::from(x.data().iter().map(|v| v * factor).collect::<Vec<f32>>());
    Tensor::result(data, x.shape(), &[x], Scale(factor))
}

#[cfg(test)]
mod tests {
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[4, 3])], |x| super::scale(&x[0], -2.5));
    }
}
