//! Layer normalisation.

use super::launch;
use super::reduce::column_sums;
use crate::cuda::{Geometry, Gpu, Memory, Operand, operand};
use crate::tensor::{Backward, Tensor};

/// Rows whose part of the parameters' gradients is summed first.
const GROUP: usize = 64;

struct LayerNorm {
    gpu: &'static Gpu,
    /// What was normalised, `[t, n]`; `None` when it is the input itself.
    sum: Option<Memory>,
    /// Mean and 1/σ of every row.
    statistics: Memory,
    residual: bool,
}

impl Backward for LayerNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (t, n) = grad.matrix();
        let has_beta = inputs.len() > 2 + usize::from(self.residual);
        let x = self.sum.as_ref().map_or_else(|| operand(gpu, &inputs[0]), Operand::There);
        let (gamma, dy) = (operand(gpu, &inputs[1]), operand(gpu, grad));
        let groups = t.div_ceil(GROUP);
        let (dx, partial) = (gpu.scratch::<f32>(t * n), gpu.scratch::<f32>(groups * 2 * n));
        // SAFETY: matrices are [t, n], gamma [n], statistics [t, 2], the partial sums [groups, 2n].
        unsafe {
            launch!(gpu, rows::layer_norm_backward, Geometry::warps(t), &dx, &x, &self.statistics, &gamma, &dy, t, n,);
            launch!(
                gpu,
                rows::layer_norm_parameters,
                Geometry::columns(n, groups),
                &partial,
                &x,
                &self.statistics,
                &dy,
                t,
                n,
                GROUP,
            );
        }
        let sums = column_sums(gpu, &partial, groups, 2 * n);
        let part = |at: usize| {
            let part = gpu.scratch::<f32>(n);
            gpu.copy(&sums, at * n * size_of::<f32>(), &part, 0, n * size_of::<f32>());
            Some(Tensor::constant(part, &[n]))
        };
        let dx = Tensor::constant(dx, grad.shape());
        let mut grads = vec![Some(dx.clone()), part(0)];
        if self.residual {
            grads.push(Some(dx));
        }
        if has_beta {
            grads.push(part(1));
        }
        grads
    }
}

/// `(s − mean(s)) / √(var(s) + eps) · gamma + beta` of every row of `s = x + residual`.
pub(crate) fn layer_norm(
    gpu: &'static Gpu,
    x: &Tensor,
    residual: Option<&Tensor>,
    gamma: &Tensor,
    beta: Option<&Tensor>,
    eps: f32,
) -> Tensor {
    let (t, n) = x.matrix();
    let mut inputs = vec![x, gamma];
    inputs.extend(residual);
    inputs.extend(beta);
    let kept = Tensor::recording(&inputs) && residual.is_some();
    let (out, statistics) = (gpu.scratch::<f32>(t * n), gpu.scratch::<f32>(2 * t));
    let sum = kept.then(|| gpu.scratch::<f32>(t * n));
    let (from, scale) = (operand(gpu, x), operand(gpu, gamma));
    let (more, shift) = (residual.map(|r| operand(gpu, r)), beta.map(|b| operand(gpu, b)));
    // SAFETY: matrices are [t, n], gamma and beta [n], statistics [t, 2].
    unsafe {
        launch!(
            gpu,
            rows::layer_norm,
            Geometry::warps(t),
            &out,
            sum.as_ref(),
            &statistics,
            &from,
            more.as_deref(),
            &scale,
            shift.as_deref(),
            eps,
            t,
            n,
        )
    }
    let op = LayerNorm { gpu, sum, statistics, residual: residual.is_some() };
    Tensor::result(out, x.shape(), &inputs, op)
}
