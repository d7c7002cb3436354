//! Operations on every element alone.

use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::op::Activation;
use crate::packed::Packed;
use crate::random::Dropout;
use crate::tensor::Tensor;

/// `a + b`.
pub(crate) fn sum(gpu: &'static Gpu, a: &Tensor, b: &Tensor) -> Memory {
    let n = a.elements();
    let out = gpu.scratch::<f32>(n);
    let (a, b) = (operand(gpu, a), operand(gpu, b));
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::add, Geometry::each(n), &out, &a, &b, n as i64) }
    out
}

/// Adds `n` elements of `b` to those of `a`.
pub(super) fn add_in_place(gpu: &'static Gpu, a: &Memory, b: &Memory, n: usize) {
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::add, Geometry::each(n), a, a, b, n as i64) }
}

/// `a + b`, in the memory of `a` where nobody else holds it.
pub(crate) fn add_to(gpu: &'static Gpu, mut a: Tensor, b: &Tensor) -> Tensor {
    let n = a.elements();
    match a.memory_mut() {
        Some(to) => {
            add_in_place(gpu, to, &operand(gpu, b), n);
            a
        }
        None => Tensor::constant(sum(gpu, &a, b), a.shape()),
    }
}

/// `factor · x`.
pub(crate) fn scaled(gpu: &'static Gpu, x: &Tensor, factor: f32) -> Memory {
    let n = x.elements();
    let out = gpu.scratch::<f32>(n);
    let from = operand(gpu, x);
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::scale, Geometry::each(n), &out, &from, factor, n as i64) }
    out
}

/// `by · x` for a scalar `by`.
pub(super) fn scaled_by(gpu: &'static Gpu, x: &Memory, by: &Tensor, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let out = gpu.scratch::<f32>(n);
    let by = operand(gpu, by);
    // SAFETY: n elements each, one of the scalar.
    unsafe { launch!(gpu, elementwise::scale_by, Geometry::each(n), &out, x, &by, 1f32, n as i64) }
    Tensor::constant(out, shape)
}

/// `x` as bf16.
pub(super) fn rounded(gpu: &'static Gpu, x: &Memory) -> Memory {
    let n = x.bytes() / size_of::<f32>();
    let out = gpu.scratch::<u16>(n);
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::round_bf16, Geometry::each(n), &out, x, n as i64) }
    out
}

/// An activation of `n` elements; `out` may be `x`.
pub(super) fn activate(gpu: &'static Gpu, activation: Activation, out: &Memory, x: &Memory, n: usize) {
    let (each, n) = (Geometry::each(n), n as i64);
    // SAFETY: n elements each.
    unsafe {
        match activation {
            Activation::Identity => {}
            Activation::Gelu => launch!(gpu, elementwise::gelu, each, out, x, n),
            Activation::GeluTanh => launch!(gpu, elementwise::gelu_tanh, each, out, x, n),
            Activation::Tanh => launch!(gpu, elementwise::tanh_forward, each, out, x, n),
            Activation::Relu => launch!(gpu, elementwise::relu, each, out, x, n),
        }
    }
}

/// The gradient at `x`, which an activation other than the identity was applied to.
pub(super) fn activation_backward(gpu: &'static Gpu, activation: Activation, x: &Memory, grad: &Tensor) -> Tensor {
    let elements = grad.elements();
    let out = gpu.scratch::<f32>(elements);
    let (each, n, dy) = (Geometry::each(elements), elements as i64, operand(gpu, grad));
    // SAFETY: n elements each.
    unsafe {
        match activation {
            Activation::Identity => unreachable!("the identity keeps nothing"),
            Activation::Gelu => launch!(gpu, elementwise::gelu_backward, each, &out, x, &dy, n),
            Activation::GeluTanh => launch!(gpu, elementwise::gelu_tanh_backward, each, &out, x, &dy, n),
            Activation::Tanh => launch!(gpu, elementwise::tanh_backward, each, &out, x, &dy, n),
            Activation::Relu => launch!(gpu, elementwise::relu_backward, each, &out, x, &dy, n),
        }
    }
    Tensor::constant(out, grad.shape())
}

/// `max(x, 0)`.
pub(crate) fn relu(gpu: &'static Gpu, x: &Tensor) -> Memory {
    let out = gpu.scratch::<f32>(x.elements());
    activate(gpu, Activation::Relu, &out, &operand(gpu, x), x.elements());
    out
}

/// The gradient before [`relu`], from its result, which is positive where its input is.
pub(crate) fn relu_backward(gpu: &'static Gpu, output: &Tensor, grad: &Tensor) -> Tensor {
    activation_backward(gpu, Activation::Relu, &operand(gpu, output), grad)
}

/// `gelu(first half) · second half` of every row.
pub(crate) fn geglu(gpu: &'static Gpu, x: &Tensor, (t, n): (usize, usize), tanh: bool) -> Memory {
    let out = gpu.scratch::<f32>(t * n);
    let from = operand(gpu, x);
    // SAFETY: x is [t, 2n], the result [t, n].
    unsafe { launch!(gpu, elementwise::geglu, Geometry::each(t * n), &out, &from, t as i64, n, tanh) }
    out
}

/// The gradient before [`geglu`].
pub(crate) fn geglu_backward(gpu: &'static Gpu, x: &Tensor, grad: &Tensor, tanh: bool) -> Tensor {
    let (t, n) = grad.matrix();
    let out = gpu.scratch::<f32>(2 * t * n);
    let (from, dy) = (operand(gpu, x), operand(gpu, grad));
    // SAFETY: x and the result are [t, 2n], the gradient [t, n].
    unsafe { launch!(gpu, elementwise::geglu_backward, Geometry::each(t * n), &out, &from, &dy, t as i64, n, tanh) }
    Tensor::constant(out, x.shape())
}

/// `x` under the mask of its sequences and positions.
pub(crate) fn dropout(gpu: &'static Gpu, x: &Tensor, packed: &Packed, mask: Dropout) -> Memory {
    let (tokens, width) = x.matrix();
    let out = gpu.scratch::<f32>(x.elements());
    let (from, layout) = (operand(gpu, x), packed.on_gpu(gpu));
    let geometry = Geometry::blocks(if width == 0 { 0 } else { tokens });
    let (key, threshold, keep) = (mask.key.number(), mask.threshold(), mask.keep());
    // SAFETY: both matrices are [tokens, width]; the layout is that of the tokens.
    unsafe {
        launch!(
            gpu,
            elementwise::dropout,
            geometry,
            &out,
            &from,
            &layout.rows,
            &layout.offsets,
            &layout.sequence,
            key,
            threshold,
            keep,
            tokens,
            width,
        )
    }
    out
}
