//! Root-mean-square normalisation.

use super::launch;
use super::layer_norm::{NormResults, rounds, rows_of_blocks};
use super::reduce::column_sums;
use crate::cuda::{Geometry, Gpu, Memory, operand, stored};
use crate::tensor::{Backward, Tensor};

struct RmsNorm {
    gpu: &'static Gpu,
    /// `1/√(mean(x²) + eps)` of every row.
    inverses: Memory,
}

impl Backward for RmsNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (t, n) = grad.matrix();
        let ((x, x_narrow), (dy, dy_narrow)) = (stored(gpu, &inputs[0]), stored(gpu, grad));
        let (gamma, (rows, blocks)) = (operand(gpu, &inputs[1]), rows_of_blocks(t));
        let (dx, partial) = (NormResults::new(gpu, t * n, x_narrow, false), gpu.scratch::<f32>(blocks * n));
        // SAFETY: matrices are [t, n], gamma [n], inverses [t], the partial sums [blocks, n].
        unsafe {
            launch!(
                gpu,
                rows::rms_norm_backward,
                Geometry::blocks(blocks),
                dx.exact.as_ref(),
                dx.rounded.as_ref(),
                &partial,
                &x,
                x_narrow,
                &self.inverses,
                &gamma,
                &dy,
                dy_narrow,
                t,
                n,
                rows,
            )
        }
        let dgamma = Tensor::constant(column_sums(gpu, (&partial, false), blocks, n), &[n]);
        vec![Some(Tensor::constant(dx.into_storage(), grad.shape())), Some(dgamma)]
    }
}

/// `x / √(mean(x²) + eps) · gamma` of every row. Where gamma's precision is bf16 the result comes with its elements in bf16, and `for_products`
/// with nothing else.
pub(crate) fn rms_norm(gpu: &'static Gpu, x: &Tensor, gamma: &Tensor, eps: f32, for_products: bool) -> Tensor {
    let (t, n) = x.matrix();
    let (out, inverses) = (NormResults::new(gpu, t * n, rounds(gamma), !for_products), gpu.scratch::<f32>(t));
    let ((from, narrow), scale) = (stored(gpu, x), operand(gpu, gamma));
    // SAFETY: matrices are [t, n], gamma [n], inverses [t].
    unsafe {
        launch!(
            gpu,
            rows::rms_norm,
            Geometry::warps(t),
            out.exact.as_ref(),
            out.rounded.as_ref(),
            &inverses,
            &from,
            narrow,
            &scale,
            eps,
            t,
            n,
        )
    }
    Tensor::result(out.into_storage(), x.shape(), &[x, gamma], RmsNorm { gpu, inverses })
}
