//! Selecting columns.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct Gather {
    columns: Vec<usize>,
}

impl Backward for Gather {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (m, n) = inputs[0].matrix();
        let width = self.columns.len();
        let mut out = Buffer::zeros(m * n);
        for row in 0..m {
            for (d, &to) in grad.data()[row * width..].iter().zip(&self.columns) {
                out[row * n + to] += d;
            }
        }
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// The given columns of `x: [m, n]`, in that order; a column may repeat.
///
/// # Panics
/// If a column is not below `n`.
pub fn gather_columns(x: &Tensor, columns: &[usize]) -> Tensor {
    let (m, n) = x.matrix();
    assert!(columns.iter().all(|c| *c < n), "gather_columns: {columns:?} of {n}");
    if let Some(gpu) = cuda::of(&[x]) {
        return cuda::op::gather_columns(gpu, x, columns);
    }
    let data: Vec<f32> = (0..m).flat_map(|row| columns.iter().map(move |c| x.data()[row * n + c])).collect();
    Tensor::result(Buffer::from(data), &[m, columns.len()], &[x], Gather { columns: columns.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient_with_a_column_taken_twice() {
        gradients_match(&[random(1, &[3, 4])], |x| gather_columns(&x[0], &[2, 0, 2]));
    }

    #[test]
    fn columns_come_in_the_order_asked_for() {
        let x = Tensor::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
        assert_eq!(gather_columns(&x, &[2, 0]).data(), &[3.0, 1.0, 6.0, 4.0]);
        assert_eq!(gather_columns(&x, &[]).shape(), &[2, 0]);
    }
}
