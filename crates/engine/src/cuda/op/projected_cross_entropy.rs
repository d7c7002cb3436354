//! Cross-entropy of a projection onto a vocabulary, block of rows by block.

use super::elementwise::{add_in_place, scaled_by};
use super::launch;
use super::reduce::{column_sums, total};
use crate::cuda::matmul::Product;
use crate::cuda::{Geometry, Gpu, Memory, demand, operand};
use crate::tensor::{Backward, Tensor};

/// Logits held at once, in f32 elements.
const LOGITS: usize = 1 << 28;
/// Blocks of rows are multiples of this, so that each begins where cuBLASLt wants matrices to.
const ROWS: usize = 64;

/// The gradients at the inputs, made with the loss; `None` where an input needs none.
struct ProjectedCrossEntropy(Vec<Option<Memory>>);

impl Backward for ProjectedCrossEntropy {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let scaled = |(slope, input): (&Option<Memory>, &Tensor)| {
            slope.as_ref().map(|slope| scaled_by(slope.gpu(), slope, grad, input.shape()))
        };
        self.0.iter().zip(inputs).map(scaled).collect()
    }
}

/// Mean cross-entropy of the softmaxes of `hidden · weightᵀ + bias` with smoothed targets.
pub(crate) fn projected_cross_entropy(
    gpu: &'static Gpu,
    inputs: &[&Tensor],
    targets: &[usize],
    smoothing: f32,
) -> Tensor {
    let ((m, d), (n, _)) = (inputs[0].matrix(), inputs[1].matrix());
    let block = (LOGITS / n.max(1) / ROWS * ROWS).clamp(ROWS, m.next_multiple_of(ROWS).max(ROWS));
    let held: Vec<_> = inputs.iter().map(|t| operand(gpu, t)).collect();
    let recording = Tensor::recording(inputs);
    let gradients: Vec<Option<Memory>> =
        inputs.iter().map(|t| (recording && t.needs_grad()).then(|| gpu.zeros::<f32>(t.elements()))).collect();
    let labels: Vec<i32> = targets.iter().map(|target| *target as i32).collect();
    let (labels, losses) = (gpu.upload(&labels), gpu.scratch::<f64>(m));
    let factor = 1.0 / m as f32;
    for start in (0..m).step_by(block) {
        let rows = block.min(m - start);
        let slope = gpu.scratch::<f32>(rows * n);
        let at = |memory: &Memory| memory.address() + (start * d * size_of::<f32>()) as u64;
        let (hidden, weight) = (at(&held[0]), held[1].address());
        let logits = Product {
            m: rows,
            n,
            k: d,
            a: hidden,
            a_transposed: false,
            b: weight,
            b_transposed: true,
            bf16: false,
            c_bf16: false,
            bias: held.get(2).map(|bias| bias.address()),
            c: slope.address(),
            add: false,
        };
        // SAFETY: hidden is [m, d] from the block's first row on, the weight [n, d], the bias [n], the result [rows, n].
        demand(unsafe { gpu.products().multiply(logits) });
        let (of_losses, of_labels) = (
            losses.address() + (start * size_of::<f64>()) as u64,
            labels.address() + (start * size_of::<i32>()) as u64,
        );
        // SAFETY: logits and slopes, in the same place, are [rows, n]; labels and losses begin at the block's first row.
        unsafe {
            launch!(
                gpu,
                cross_entropy::cross_entropy,
                Geometry::blocks(rows),
                &slope,
                of_losses,
                &slope,
                of_labels,
                0u64,
                factor,
                smoothing,
                rows,
                n,
            )
        }
        let product = Product { k: n, n: d, b_transposed: false, a: slope.address(), bias: None, ..logits };
        if let Some(sum) = &gradients[0] {
            // SAFETY: the slopes are [rows, n], the weight [n, d], the result [rows, d] from the block's first row on.
            demand(unsafe { gpu.products().multiply(Product { c: at(sum), ..product }) });
        }
        if let Some(sum) = &gradients[1] {
            let product =
                Product { m: n, k: rows, a_transposed: true, b: hidden, c: sum.address(), add: true, ..product };
            // SAFETY: the slopes are [rows, n], hidden [rows, d], the result [n, d].
            demand(unsafe { gpu.products().multiply(product) });
        }
        if let Some(Some(sum)) = gradients.get(2) {
            add_in_place(gpu, sum, &column_sums(gpu, (&slope, false), rows, n), n);
        }
    }
    let value = total(gpu, &losses, m, 1.0 / m.max(1) as f64);
    Tensor::result(value, &[], inputs, ProjectedCrossEntropy(gradients))
}
