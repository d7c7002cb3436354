//! Layer normalisation.

use super::launch;
use super::reduce::column_sums;
use crate::cuda::{Geometry, Gpu, Memory, Operand, operand, stored};
use crate::precision::Precision;
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

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
        let (x, x_narrow) = match &self.sum {
            Some(sum) => (Operand::There(sum), false),
            None => stored(gpu, &inputs[0]),
        };
        let (gamma, (dy, dy_narrow)) = (operand(gpu, &inputs[1]), stored(gpu, grad));
        let (rows, blocks) = rows_of_blocks(t);
        let partial = gpu.scratch::<f32>(blocks * 2 * n);
        let dx = NormResults::new(gpu, t * n, inputs[0].storage().narrow(), self.residual);
        // SAFETY: matrices are [t, n], gamma [n], statistics [t, 2], the partial sums [blocks, 2n].
        unsafe {
            launch!(
                gpu,
                rows::layer_norm_backward,
                Geometry::blocks(blocks),
                dx.exact.as_ref(),
                dx.rounded.as_ref(),
                &partial,
                &x,
                x_narrow,
                &self.statistics,
                &gamma,
                &dy,
                dy_narrow,
                t,
                n,
                rows,
            )
        }
        let sums = column_sums(gpu, (&partial, false), blocks, 2 * n);
        let part = |at: usize| {
            let part = gpu.scratch::<f32>(n);
            gpu.copy(&sums, at * n * size_of::<f32>(), &part, 0, n * size_of::<f32>());
            Some(Tensor::constant(part, &[n]))
        };
        let [at_x, at_residual] = dx.gradients(grad.shape());
        let mut grads = vec![Some(at_x), part(0)];
        if self.residual {
            grads.push(Some(at_residual));
        }
        if has_beta {
            grads.push(part(1));
        }
        grads
    }
}

/// What a norm or its gradient is written to: f32, bf16 or both.
pub(super) struct NormResults {
    pub exact: Option<Memory>,
    pub rounded: Option<Memory>,
}

impl NormResults {
    /// Memory for `n` elements: in bf16 if `rounded`, and in f32 if `exact` or there is none else.
    pub(super) fn new(gpu: &'static Gpu, n: usize, rounded: bool, exact: bool) -> NormResults {
        let exact = (exact || !rounded).then(|| gpu.scratch::<f32>(n));
        NormResults { exact, rounded: rounded.then(|| gpu.scratch::<u16>(n)) }
    }

    /// The elements of one tensor: in f32 with the same in bf16 beside them, where there are both.
    pub(super) fn into_storage(self) -> Storage {
        match (self.exact, self.rounded) {
            (Some(exact), Some(rounded)) => Storage::with_rounded(exact, rounded),
            (Some(exact), None) => exact.into(),
            (None, rounded) => Storage::on_gpu(rounded.expect("one of them is made"), true),
        }
    }

    /// The gradients at both parts of a sum: the first in bf16 and the second in f32 where there are both.
    fn gradients(self, shape: &[usize]) -> [Tensor; 2] {
        match (self.exact, self.rounded) {
            (Some(exact), Some(rounded)) => {
                [Storage::on_gpu(rounded, true), exact.into()].map(|part| Tensor::constant(part, shape))
            }
            (exact, rounded) => {
                let both = Tensor::constant(NormResults { exact, rounded }.into_storage(), shape);
                [both.clone(), both]
            }
        }
    }
}

/// Rows that a block of a norm's backward pass takes, the fewer the fewer there are, and the blocks of `t` rows.
pub(super) fn rows_of_blocks(t: usize) -> (usize, usize) {
    let rows = (t / 512).next_multiple_of(8).clamp(8, 64);
    (rows, t.div_ceil(rows))
}

/// Whether results of norms with this scale are wanted in bf16: where the model's products are.
pub(super) fn rounds(gamma: &Tensor) -> bool {
    gamma.precision() == Precision::Bf16
}

/// `(s − mean(s)) / √(var(s) + eps) · gamma + beta` of every row of `s = x + residual`. Where gamma's precision is bf16 the result comes with its
/// elements in bf16, and `for_products` with nothing else.
pub(crate) fn layer_norm(
    gpu: &'static Gpu,
    x: &Tensor,
    residual: Option<&Tensor>,
    gamma: &Tensor,
    beta: Option<&Tensor>,
    eps: f32,
    for_products: bool,
) -> Tensor {
    let (t, n) = x.matrix();
    let mut inputs = vec![x, gamma];
    inputs.extend(residual);
    inputs.extend(beta);
    let kept = Tensor::recording(&inputs) && residual.is_some();
    let (out, statistics) = (NormResults::new(gpu, t * n, rounds(gamma), !for_products), gpu.scratch::<f32>(2 * t));
    let sum = kept.then(|| gpu.scratch::<f32>(t * n));
    let ((from, narrow), scale) = (stored(gpu, x), operand(gpu, gamma));
    let (more, shift) = (residual.map(|r| operand(gpu, r)), beta.map(|b| operand(gpu, b)));
    // SAFETY: matrices are [t, n], gamma and beta [n], statistics [t, 2].
    unsafe {
        launch!(
            gpu,
            rows::layer_norm,
            Geometry::warps(t),
            out.exact.as_ref(),
            out.rounded.as_ref(),
            sum.as_ref(),
            &statistics,
            &from,
            narrow,
            more.as_deref(),
            &scale,
            shift.as_deref(),
            eps,
            t,
            n,
        )
    }
    let op = LayerNorm { gpu, sum, statistics, residual: residual.is_some() };
    Tensor::result(out.into_storage(), x.shape(), &inputs, op)
}
