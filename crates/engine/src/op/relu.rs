//! Rectified linear unit.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct Relu;

impl Backward for Relu {
    fn backward(&self, _: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        if let Some(gpu) = cuda::of(&[output, grad]) {
            return vec![Some(cuda::op::relu_backward(gpu, output, grad))];
        }
        let slope = |(y, d): (&f32, &f32)| if *y > 0.0 { *d } else { 0.0 };
        let data: Vec<f32> = output.data().iter().zip(grad.data()).map(slope).collect();
        vec![Some(Tensor::new(data, grad.shape()))]
    }
}

/// `max(x, 0)`.
pub fn relu(x: &Tensor) -> Tensor {
    if let Some(gpu) = cuda::of(&[x]) {
        return Tensor::result(cuda::op::relu(gpu, x), x.shape(), &[x], Relu);
    }
    let data: Vec<f32> = x.data().iter().map(|x| x.max(0.0)).collect();
    Tensor::result(Buffer::from(data), x.shape(), &[x], Relu)
}

#[cfg(test)]
mod tests {
    use crate::check::gradients_match;
    use crate::tensor::Tensor;

    #[test]
    fn gradient_away_from_the_corner() {
        gradients_match(&[Tensor::parameter(vec![0.5, -0.5, 2.0, -3.0], &[2, 2])], |x| super::relu(&x[0]));
    }

    #[test]
    fn zero_passes_no_gradient() {
        let x = Tensor::parameter(vec![0.0, 1.0], &[2]);
        let mut gradients = crate::Gradients::default();
        super::relu(&x).backward_from(Tensor::new(vec![3.0, 3.0], &[2]), &mut gradients);
        assert_eq!(gradients.get(&x).unwrap().data(), &[0.0, 3.0]);
    }
}
