//! Root-mean-square normalisation.

use super::launch;
use super::reduce::column_sums;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::tensor::{Backward, Tensor};

/// Rows whose part of the parameter's gradient is summed first.
const GROUP: usize = 64;

struct RmsNorm {
    gpu: &'static Gpu,
    /// `1/√(mean(x²) + eps)` of every row.
    inverses: Memory,
}

impl Backward for RmsNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (t, n) = grad.matrix();
        let (x, gamma, dy) = (operand(gpu, &inputs[0]), operand(gpu, &inputs[1]), operand(gpu, grad));
        let groups = t.div_ceil(GROUP);
        let (dx, partial) = (gpu.scratch::<f32>(t * n), gpu.scratch::<f32>(groups * n));
        let (rows, columns) = (Geometry::warps(t), Geometry::columns(n, groups));
        // SAFETY: matrices are [t, n], gamma [n], inverses [t], the partial sums [groups, n].
        unsafe {
            launch!(gpu, rows::rms_norm_backward, rows, &dx, &x, &self.inverses, &gamma, &dy, t, n);
            launch!(gpu, rows::rms_norm_parameters, columns, &partial, &x, &self.inverses, &dy, t, n, GROUP);
        }
        let dgamma = Tensor::constant(column_sums(gpu, &partial, groups, n), &[n]);
        vec![Some(Tensor::constant(dx, grad.shape())), Some(dgamma)]
    }
}

/// `x / √(mean(x²) + eps) · gamma` of every row.
pub(crate) fn rms_norm(gpu: &'static Gpu, x: &Tensor, gamma: &Tensor, eps: f32) -> Tensor {
    let (t, n) = x.matrix();
    let (out, inverses) = (gpu.scratch::<f32>(t * n), gpu.scratch::<f32>(t));
    let (from, scale) = (operand(gpu, x), operand(gpu, gamma));
    // SAFETY: matrices are [t, n], gamma [n], inverses [t].
    unsafe { launch!(gpu, rows::rms_norm, Geometry::warps(t), &out, &inverses, &from, &scale, eps, t, n) }
    Tensor::result(out, x.shape(), &[x, gamma], RmsNorm { gpu, inverses })
}
