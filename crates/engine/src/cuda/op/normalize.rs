//! L2 normalisation and inner products of rows.

use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::tensor::{Backward, Tensor};

struct Normalize {
    gpu: &'static Gpu,
    norms: Memory,
}

impl Backward for Normalize {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (m, n) = output.matrix();
        let (dx, y, dy) = (gpu.scratch::<f32>(m * n), operand(gpu, output), operand(gpu, grad));
        // SAFETY: matrices are [m, n], norms [m].
        unsafe { launch!(gpu, rows::l2_normalize_backward, Geometry::warps(m), &dx, &y, &self.norms, &dy, m, n) }
        vec![Some(Tensor::constant(dx, inputs[0].shape()))]
    }
}

/// `x / max(‖x‖₂, 1e-12)` of every row.
pub(crate) fn l2_normalize(gpu: &'static Gpu, x: &Tensor) -> Tensor {
    let (m, n) = x.matrix();
    let (out, norms, from) = (gpu.scratch::<f32>(m * n), gpu.scratch::<f32>(m), operand(gpu, x));
    // SAFETY: matrices are [m, n], norms [m].
    unsafe { launch!(gpu, rows::l2_normalize, Geometry::warps(m), &out, &norms, &from, m, n) }
    Tensor::result(out, x.shape(), &[x], Normalize { gpu, norms })
}

struct DotRows(&'static Gpu);

impl Backward for DotRows {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.0;
        let ((m, n), (_, c)) = (inputs[0].matrix(), grad.matrix());
        let (da, db) = (gpu.scratch::<f32>(m * n), gpu.scratch::<f32>(m * c * n));
        let (a, b, dy) = (operand(gpu, &inputs[0]), operand(gpu, &inputs[1]), operand(gpu, grad));
        // SAFETY: a is [m, n], b [m·c, n], the gradient [m, c].
        unsafe { launch!(gpu, rows::dot_rows_backward, Geometry::warps(m), &da, &db, &a, &b, &dy, m, c, n) }
        [da, db].into_iter().zip(inputs).map(|(d, input)| Some(Tensor::constant(d, input.shape()))).collect()
    }
}

/// Every row of `a: [m, n]` with the `c` rows of `b` that are its own.
pub(crate) fn dot_rows(gpu: &'static Gpu, a: &Tensor, b: &Tensor, c: usize) -> Tensor {
    let (m, n) = a.matrix();
    let (out, x, y) = (gpu.scratch::<f32>(m * c), operand(gpu, a), operand(gpu, b));
    // SAFETY: a is [m, n], b [m·c, n], the result [m, c].
    unsafe { launch!(gpu, rows::dot_rows, Geometry::warps(m * c), &out, &x, &y, m, c, n) }
    Tensor::result(out, &[m, c], &[a, b], DotRows(gpu))
}
