//! Affine maps.

use super::elementwise::{activate, activation_backward};
use super::reduce::column_sums;
use crate::cuda::matmul::Product;
use crate::cuda::{Gpu, Memory, demand, operand_of};
use crate::op::Activation;
use crate::precision::Precision;
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

struct Linear {
    gpu: &'static Gpu,
    activation: Activation,
    /// Whether factors, results and their gradients are bf16; the gradients of weights are not.
    bf16: bool,
    /// What the activation was applied to, `[tokens, n]`; empty for the identity.
    before: Option<Memory>,
}

/// `c[m, n] = op(a)·op(b) + bias`; factors with `true` lie transposed. A sum over nothing is the bias, or 0. The result and the bias are bf16
/// if `c_bf16`.
///
/// # Safety
/// The matrices have the sizes `(m, n, k)`.
unsafe fn multiply(
    gpu: &'static Gpu,
    (m, n, k): (usize, usize, usize),
    (a, a_transposed): (&Memory, bool),
    (b, b_transposed): (&Memory, bool),
    bf16: bool,
    bias: Option<&Memory>,
    (c, c_bf16): (&Memory, bool),
) {
    if k == 0 {
        gpu.clear(c);
        for row in 0..bias.map_or(0, |_| m) {
            let bias = bias.expect("rows are counted for a bias alone");
            gpu.copy(bias, 0, c, row * bias.bytes(), bias.bytes());
        }
        return;
    }
    let (a, b, c, bias) = (a.address(), b.address(), c.address(), bias.map(Memory::address));
    let product = Product { m, n, k, a, a_transposed, b, b_transposed, bf16, c_bf16, bias, c, add: false };
    // SAFETY: the caller's contract; pieces of memory begin at multiples of 512.
    demand(unsafe { gpu.products().multiply(product) });
}

impl Backward for Linear {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (gpu, bf16) = (self.gpu, self.bf16);
        let (x, weight) = (&inputs[0], &inputs[1]);
        let ((n, k), (t, _)) = (weight.matrix(), x.matrix());
        let before = self.before.as_ref();
        let activated = before.map(|before| activation_backward(gpu, self.activation, (before, bf16), grad));
        let grad = activated.as_ref().unwrap_or(grad);
        let dy = operand_of(gpu, grad, bf16);
        // dX[t, k] = dY[t, n]·W[n, k] and dW[n, k] = dY[t, n]ᵀ·X[t, k].
        let dx = || {
            let (dx, weight) = (gpu.elements(t * k, bf16), operand_of(gpu, weight, bf16));
            // SAFETY: the sizes are those of the tensors.
            unsafe { multiply(gpu, (t, k, n), (&dy, false), (&weight, false), bf16, None, (&dx, bf16)) }
            Tensor::constant(Storage::on_gpu(dx, bf16), x.shape())
        };
        let dw = || {
            let (dw, x) = (gpu.scratch::<f32>(n * k), operand_of(gpu, x, bf16));
            // SAFETY: as above.
            unsafe { multiply(gpu, (n, k, t), (&dy, true), (&x, false), bf16, None, (&dw, false)) }
            Tensor::constant(dw, weight.shape())
        };
        let mut grads = vec![x.needs_grad().then(dx), weight.needs_grad().then(dw)];
        if let Some(bias) = inputs.get(2) {
            let sums = || Tensor::constant(column_sums(gpu, (&dy, bf16), t, n), &[n]);
            grads.push(bias.needs_grad().then(sums));
        }
        grads
    }
}

/// `activation(x · weightᵀ + bias)`.
pub(crate) fn linear(
    gpu: &'static Gpu,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
) -> Tensor {
    let ((t, k), (n, _)) = (x.matrix(), weight.matrix());
    let mut inputs = vec![x, weight];
    inputs.extend(bias);
    let recording = Tensor::recording(&inputs);
    let precision = if recording { weight.precision().with_gradient() } else { weight.precision() };
    assert!(precision != Precision::Int8, "int8 products are the CPU's; models on a GPU are refused them");
    let bf16 = precision == Precision::Bf16;
    let out = gpu.elements(t * n, bf16);
    let (a, b) = (operand_of(gpu, x, bf16), operand_of(gpu, weight, bf16));
    let shift = bias.map(|bias| operand_of(gpu, bias, bf16));
    // SAFETY: x is [t, k], the weight [n, k], the bias [n].
    unsafe { multiply(gpu, (t, n, k), (&a, false), (&b, true), bf16, shift.as_deref(), (&out, bf16)) }
    let (out, before) = match activation {
        Activation::Identity => (out, None),
        _ if recording => {
            let activated = gpu.elements(t * n, bf16);
            activate(gpu, activation, &activated, &out, bf16, t * n);
            (activated, Some(out))
        }
        _ => {
            activate(gpu, activation, &out, &out, bf16, t * n);
            (out, None)
        }
    };
    let op = Linear { gpu, activation, bf16, before };
    Tensor::result(Storage::on_gpu(out, bf16), &[t, n], &inputs, op).with_computed_in(precision)
}
