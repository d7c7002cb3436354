//! Sums: of all elements, and of columns.

use super::elementwise::scaled_by;
use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::tensor::{Backward, Tensor};

/// Elements that a block sums before more blocks are made.
const PER_BLOCK: usize = 4096;
/// Rows whose columns are summed together at first.
const GROUP: usize = 128;

/// Blocks of a sum over `n` elements.
fn blocks(n: usize) -> usize {
    n.div_ceil(PER_BLOCK).min(1024)
}

/// `factor · Σ partial` as a scalar, from the sums of `n` blocks.
pub(super) fn total(gpu: &'static Gpu, partial: &Memory, n: usize, factor: f64) -> Memory {
    let out = gpu.scratch::<f32>(1);
    // SAFETY: n sums, one result.
    unsafe { launch!(gpu, reduce::total, Geometry::blocks(1), &out, partial, n, factor) }
    out
}

/// Sums over the rows of `x: [rows, n]`, in f32 or, if `narrow`, bf16, in an order that depends on the shape alone.
pub(super) fn column_sums(gpu: &'static Gpu, (x, narrow): (&Memory, bool), rows: usize, n: usize) -> Memory {
    if rows == 0 {
        return gpu.zeros::<f32>(n);
    }
    let groups = rows.div_ceil(GROUP);
    let out = gpu.scratch::<f32>(groups * n);
    let geometry = Geometry::columns(n.div_ceil(8), groups);
    // SAFETY: x is [rows, n], the result [groups, n].
    unsafe { launch!(gpu, reduce::column_sums, geometry, &out, x, narrow, rows, n, GROUP) }
    if groups == 1 {
        return out;
    }
    column_sums(gpu, (&out, false), groups, n)
}

/// Slopes of a scalar at each input, made along with it.
pub(super) struct Slopes(pub Vec<Memory>);

impl Backward for Slopes {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let at = |(slope, input): (&Memory, &Tensor)| Some(scaled_by(slope.gpu(), slope, grad, input.shape()));
        self.0.iter().zip(inputs).map(at).collect()
    }
}

struct Mean;

impl Backward for Mean {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = crate::cuda::of(&[output]).expect("the mean was taken there");
        let n = inputs[0].elements();
        let (out, by) = (gpu.scratch::<f32>(n), operand(gpu, grad));
        // SAFETY: n elements, one of the scalar.
        unsafe { launch!(gpu, elementwise::fill_by, Geometry::each(n), &out, &by, 1.0 / n as f32, n as i64) }
        vec![Some(Tensor::constant(out, inputs[0].shape()))]
    }
}

/// Mean of all elements.
pub(crate) fn mean(gpu: &'static Gpu, x: &Tensor) -> Tensor {
    let n = x.elements();
    let (partial, from) = (gpu.scratch::<f64>(blocks(n)), operand(gpu, x));
    // SAFETY: n elements, a sum for every block.
    unsafe { launch!(gpu, reduce::sum, Geometry::blocks(blocks(n)), &partial, &from, n as i64) }
    Tensor::result(total(gpu, &partial, blocks(n), 1.0 / n as f64), &[], &[x], Mean)
}

struct SquaredError;

impl Backward for SquaredError {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = crate::cuda::of(&[output]).expect("the error was taken there");
        let n = inputs[0].elements();
        let (da, db) = (gpu.scratch::<f32>(n), gpu.scratch::<f32>(n));
        let (a, b, by) = (operand(gpu, &inputs[0]), operand(gpu, &inputs[1]), operand(gpu, grad));
        let factor = 2.0 / n as f32;
        // SAFETY: n elements each, one of the scalar.
        unsafe { launch!(gpu, elementwise::difference_by, Geometry::each(n), &da, &db, &a, &b, &by, factor, n as i64) }
        [da, db].into_iter().map(|d| Some(Tensor::constant(d, inputs[0].shape()))).collect()
    }
}

/// `mean (a − b)²`.
pub(crate) fn squared_error(gpu: &'static Gpu, a: &Tensor, b: &Tensor) -> Tensor {
    let n = a.elements();
    let (partial, x, y) = (gpu.scratch::<f64>(blocks(n)), operand(gpu, a), operand(gpu, b));
    // SAFETY: n elements each, a sum for every block.
    unsafe { launch!(gpu, reduce::squared_error, Geometry::blocks(blocks(n)), &partial, &x, &y, n as i64) }
    Tensor::result(total(gpu, &partial, blocks(n), 1.0 / n as f64), &[], &[a, b], SquaredError)
}

/// `Σ ln cosh x`.
pub(crate) fn log_cosh(gpu: &'static Gpu, x: &Tensor) -> Tensor {
    let n = x.elements();
    let (partial, slope, from) = (gpu.scratch::<f64>(blocks(n)), gpu.scratch::<f32>(n), operand(gpu, x));
    // SAFETY: n elements each, a sum for every block.
    unsafe { launch!(gpu, reduce::log_cosh, Geometry::blocks(blocks(n)), &partial, &slope, &from, n as i64) }
    Tensor::result(total(gpu, &partial, blocks(n), 1.0), &[], &[x], Slopes(vec![slope]))
}
