//! Mean of all elements.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct Mean;

impl Backward for Mean {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let n = inputs[0].data().len();
        vec![Some(Tensor::new(vec![grad.item() / n as f32; n], inputs[0].shape()))]
    }
}

/// Mean of all elements → scalar.
///
/// # Panics
/// If there is none.
pub fn mean(x: &Tensor) -> Tensor {
    assert!(x.elements() > 0, "mean of {:?}", x.shape());
    if let Some(gpu) = cuda::of(&[x]) {
        return cuda::op::mean(gpu, x);
    }
    let sum: f64 = x.data().iter().map(|x| f64::from(*x)).sum();
    Tensor::result(Buffer::from(vec![(sum / x.data().len() as f64) as f32]), &[], &[x], Mean)
}

#[cfg(test)]
mod tests {
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[4, 3])], |x| super::mean(&x[0]));
    }
}
