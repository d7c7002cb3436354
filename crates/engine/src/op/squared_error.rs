//! Mean squared error.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct SquaredError;

impl Backward for SquaredError {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let factor = 2.0 * grad.item() / a.data().len() as f32;
        let slope = |sign: f32| {
            let data: Vec<f32> = a.data().iter().zip(b.data()).map(|(x, y)| sign * factor * (x - y)).collect();
            Some(Tensor::new(data, a.shape()))
        };
        vec![slope(1.0), slope(-1.0)]
    }
}

/// `mean (a − b)²` over all elements → scalar.
///
/// # Panics
/// If the shapes differ or there is no element.
pub fn mean_squared_error(a: &Tensor, b: &Tensor) -> Tensor {
    assert!(a.shape() == b.shape() && a.elements() > 0, "mean_squared_error: {:?}, {:?}", a.shape(), b.shape());
    if let Some(gpu) = cuda::of(&[a, b]) {
        return cuda::op::squared_error(gpu, a, b);
    }
    let sum: f64 = a.data().iter().zip(b.data()).map(|(x, y)| f64::from(x - y).powi(2)).sum();
    let value = Buffer::from(vec![(sum / a.data().len() as f64) as f32]);
    Tensor::result(value, &[], &[a, b], SquaredError)
}

#[cfg(test)]
mod tests {
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients() {
        gradients_match(&[random(1, &[3, 5]), random(2, &[3, 5])], |x| super::mean_squared_error(&x[0], &x[1]));
    }
}
