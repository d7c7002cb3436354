//! Batch normalisation.

use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::op::ColumnStatistics;
use crate::tensor::{Backward, Tensor};

struct BatchNorm {
    gpu: &'static Gpu,
    /// `(x − mean) / √(variance + eps)`.
    normalized: Memory,
    /// `1 / √(variance + eps)` of every column.
    inverse: Memory,
    own_statistics: bool,
}

impl Backward for BatchNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (gpu, (m, n)) = (self.gpu, grad.matrix());
        let [dx, dgamma, dbeta] = [m * n, n, n].map(|size| gpu.scratch::<f32>(size));
        let (gamma, dy) = (operand(gpu, &inputs[1]), operand(gpu, grad));
        // SAFETY: matrices are [m, n], the rest [n].
        unsafe {
            launch!(
                gpu,
                batch_norm::batch_norm_backward,
                Geometry::columns(n, 1),
                &dx,
                &dgamma,
                &dbeta,
                &self.normalized,
                &self.inverse,
                &gamma,
                &dy,
                self.own_statistics,
                m,
                n,
            )
        }
        vec![
            Some(Tensor::constant(dx, grad.shape())),
            Some(Tensor::constant(dgamma, &[n])),
            Some(Tensor::constant(dbeta, &[n])),
        ]
    }
}

/// Mean and biased variance of every column.
pub(crate) fn column_statistics(gpu: &'static Gpu, x: &Tensor) -> ColumnStatistics {
    let (m, n) = x.matrix();
    let (mean, variance, from) = (gpu.scratch::<f32>(n), gpu.scratch::<f32>(n), operand(gpu, x));
    // SAFETY: x is [m, n], the statistics [n].
    unsafe { launch!(gpu, batch_norm::column_statistics, Geometry::columns(n, 1), &mean, &variance, &from, m, n) }
    ColumnStatistics { mean: Tensor::constant(mean, &[n]), variance: Tensor::constant(variance, &[n]) }
}

/// `(x − mean) / √(variance + eps) · gamma + beta`; the gradient flows through the statistics if they are those of `x`.
pub(crate) fn batch_norm(
    gpu: &'static Gpu,
    x: &Tensor,
    [mean, variance]: [&Tensor; 2],
    [gamma, beta]: [&Tensor; 2],
    eps: f32,
    own_statistics: bool,
) -> Tensor {
    let (m, n) = x.matrix();
    let [out, normalized, inverse] = [m * n, m * n, n].map(|size| gpu.scratch::<f32>(size));
    let (mean, variance) = (operand(gpu, mean), operand(gpu, variance));
    let (from, scale, shift) = (operand(gpu, x), operand(gpu, gamma), operand(gpu, beta));
    // SAFETY: matrices are [m, n], the rest [n].
    unsafe {
        launch!(
            gpu,
            batch_norm::batch_norm,
            Geometry::each(m * n),
            &out,
            &normalized,
            &inverse,
            &from,
            &mean,
            &variance,
            &scale,
            &shift,
            eps,
            m,
            n,
        )
    }
    Tensor::result(out, x.shape(), &[x, gamma, beta], BatchNorm { gpu, normalized, inverse, own_statistics })
}
