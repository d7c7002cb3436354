//! Joining rows.

use crate::cuda::{Gpu, operand};
use crate::tensor::{Backward, Tensor};

struct Concat(&'static Gpu);

impl Backward for Concat {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (gpu, dy) = (self.0, operand(self.0, grad));
        let mut start = 0;
        let mut part = |input: &Tensor| {
            let out = gpu.scratch::<f32>(input.elements());
            gpu.copy(&dy, start, &out, 0, out.bytes());
            start += out.bytes();
            Some(Tensor::constant(out, input.shape()))
        };
        inputs.iter().map(&mut part).collect()
    }
}

/// The rows of all parts, one below the other.
pub(crate) fn concat_rows(gpu: &'static Gpu, parts: &[&Tensor], (rows, n): (usize, usize)) -> Tensor {
    let out = gpu.scratch::<f32>(rows * n);
    let mut start = 0;
    for part in parts {
        let from = operand(gpu, part);
        gpu.copy(&from, 0, &out, start, from.bytes());
        start += from.bytes();
    }
    Tensor::result(out, &[rows, n], parts, Concat(gpu))
}
