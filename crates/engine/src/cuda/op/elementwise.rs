//! Operations on every element alone. Those of one input keep the type of its elements.

use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand, operand_of, stored};
use crate::op::Activation;
use crate::packed::Packed;
use crate::random::Dropout;
use crate::storage::Storage;
use crate::tensor::{DType, Tensor};

/// `out = a + b` of `n` elements, each with whether it is bf16; `out` may be `a`.
fn add(gpu: &'static Gpu, (out, narrow): (&Memory, bool), a: (&Memory, bool), b: (&Memory, bool), n: usize) {
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::add, Geometry::vectors(n), out, narrow, a.0, a.1, b.0, b.1, n as i64) }
}

/// `a + b`, in bf16 if `narrow`.
fn sum_of(gpu: &'static Gpu, a: &Tensor, b: &Tensor, narrow: bool) -> Storage {
    let out = gpu.elements(a.elements(), narrow);
    let ((x, x_narrow), (y, y_narrow)) = (stored(gpu, a), stored(gpu, b));
    add(gpu, (&out, narrow), (&x, x_narrow), (&y, y_narrow), a.elements());
    Storage::on_gpu(out, narrow)
}

/// `a + b`, in bf16 where both are.
pub(crate) fn sum(gpu: &'static Gpu, a: &Tensor, b: &Tensor) -> Storage {
    sum_of(gpu, a, b, a.dtype() == DType::Bf16 && b.dtype() == DType::Bf16)
}

/// Adds `n` elements of `b` to those of `a`, all in f32.
pub(super) fn add_in_place(gpu: &'static Gpu, a: &Memory, b: &Memory, n: usize) {
    add(gpu, (a, false), (a, false), (b, false), n);
}

/// `a + b` of the given type, in the memory of `a` where it has that type and nobody else holds it.
pub(crate) fn add_to(gpu: &'static Gpu, mut a: Tensor, b: &Tensor, dtype: DType) -> Tensor {
    let (n, narrow) = (a.elements(), dtype == DType::Bf16);
    if a.dtype() == dtype
        && let Some(to) = a.memory_mut()
    {
        let (from, from_narrow) = stored(gpu, b);
        add(gpu, (to, narrow), (to, narrow), (&from, from_narrow), n);
        return a;
    }
    Tensor::constant(sum_of(gpu, &a, b, narrow), a.shape())
}

/// `factor · x`.
pub(crate) fn scaled(gpu: &'static Gpu, x: &Tensor, factor: f32) -> Memory {
    let n = x.elements();
    let out = gpu.scratch::<f32>(n);
    let from = operand(gpu, x);
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::scale, Geometry::vectors(n), &out, &from, factor, n as i64) }
    out
}

/// `by · x` for a scalar `by`.
pub(super) fn scaled_by(gpu: &'static Gpu, x: &Memory, by: &Tensor, shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let out = gpu.scratch::<f32>(n);
    let by = operand(gpu, by);
    // SAFETY: n elements each, one of the scalar.
    unsafe { launch!(gpu, elementwise::scale_by, Geometry::vectors(n), &out, x, &by, 1f32, n as i64) }
    Tensor::constant(out, shape)
}

/// `n` elements as bf16.
pub(crate) fn rounded(gpu: &'static Gpu, x: &Memory, n: usize) -> Memory {
    let out = gpu.scratch::<u16>(n);
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::round_bf16, Geometry::vectors(n), &out, x, n as i64) }
    out
}

/// `n` elements in bf16 as f32.
pub(crate) fn widened(gpu: &'static Gpu, x: &Memory, n: usize) -> Memory {
    let out = gpu.scratch::<f32>(n);
    // SAFETY: n elements each.
    unsafe { launch!(gpu, elementwise::widen_bf16, Geometry::vectors(n), &out, x, n as i64) }
    out
}

/// The values of `x` in another type, or on the GPU where they are not.
pub(crate) fn converted(gpu: &'static Gpu, x: &Tensor, dtype: DType) -> Tensor {
    let (from, n) = (operand(gpu, x), x.elements());
    let to = match dtype {
        DType::Bf16 => Storage::on_gpu(rounded(gpu, &from, n), true),
        DType::F32 => from.into_memory().into(),
    };
    Tensor::constant(to, x.shape())
}

/// An activation of `n` elements, bf16 if `narrow`; `out` may be `x`.
pub(super) fn activate(gpu: &'static Gpu, activation: Activation, out: &Memory, x: &Memory, narrow: bool, n: usize) {
    let (each, n) = (Geometry::vectors(n), n as i64);
    // SAFETY: n elements each.
    unsafe {
        match activation {
            Activation::Identity => {}
            Activation::Gelu => launch!(gpu, elementwise::gelu, each, out, x, narrow, n),
            Activation::GeluTanh => launch!(gpu, elementwise::gelu_tanh, each, out, x, narrow, n),
            Activation::Tanh => launch!(gpu, elementwise::tanh_forward, each, out, x, narrow, n),
            Activation::Relu => launch!(gpu, elementwise::relu, each, out, x, narrow, n),
        }
    }
}

/// The gradient at `x`, bf16 if `narrow`, which an activation other than the identity was applied to.
pub(super) fn activation_backward(
    gpu: &'static Gpu,
    activation: Activation,
    (x, narrow): (&Memory, bool),
    grad: &Tensor,
) -> Tensor {
    let elements = grad.elements();
    let out = gpu.elements(elements, narrow);
    let (each, n, dy) = (Geometry::vectors(elements), elements as i64, operand_of(gpu, grad, narrow));
    // SAFETY: n elements each.
    unsafe {
        match activation {
            Activation::Identity => unreachable!("the identity keeps nothing"),
            Activation::Gelu => launch!(gpu, elementwise::gelu_backward, each, &out, x, &dy, narrow, n),
            Activation::GeluTanh => launch!(gpu, elementwise::gelu_tanh_backward, each, &out, x, &dy, narrow, n),
            Activation::Tanh => launch!(gpu, elementwise::tanh_backward, each, &out, x, &dy, narrow, n),
            Activation::Relu => launch!(gpu, elementwise::relu_backward, each, &out, x, &dy, narrow, n),
        }
    }
    Tensor::constant(Storage::on_gpu(out, narrow), grad.shape())
}

/// `max(x, 0)`.
pub(crate) fn relu(gpu: &'static Gpu, x: &Tensor) -> Storage {
    let (from, narrow) = stored(gpu, x);
    let out = gpu.elements(x.elements(), narrow);
    activate(gpu, Activation::Relu, &out, &from, narrow, x.elements());
    Storage::on_gpu(out, narrow)
}

/// The gradient before [`relu`], from its result, which is positive where its input is.
pub(crate) fn relu_backward(gpu: &'static Gpu, output: &Tensor, grad: &Tensor) -> Tensor {
    let (from, narrow) = stored(gpu, output);
    activation_backward(gpu, Activation::Relu, (&from, narrow), grad)
}

/// `gelu(first half) · second half` of every row.
pub(crate) fn geglu(gpu: &'static Gpu, x: &Tensor, (t, n): (usize, usize), tanh: bool) -> Storage {
    let (from, narrow) = stored(gpu, x);
    let out = gpu.elements(t * n, narrow);
    // SAFETY: x is [t, 2n], the result [t, n].
    unsafe { launch!(gpu, elementwise::geglu, Geometry::warps(t), &out, &from, narrow, t, n, tanh) }
    Storage::on_gpu(out, narrow)
}

/// The gradient before [`geglu`].
pub(crate) fn geglu_backward(gpu: &'static Gpu, x: &Tensor, grad: &Tensor, tanh: bool) -> Tensor {
    let (t, n) = grad.matrix();
    let (from, narrow) = stored(gpu, x);
    let (out, dy) = (gpu.elements(2 * t * n, narrow), operand_of(gpu, grad, narrow));
    // SAFETY: x and the result are [t, 2n], the gradient [t, n].
    unsafe { launch!(gpu, elementwise::geglu_backward, Geometry::warps(t), &out, &from, &dy, narrow, t, n, tanh) }
    Tensor::constant(Storage::on_gpu(out, narrow), x.shape())
}

/// `x` under the mask of its sequences and positions.
pub(crate) fn dropout(gpu: &'static Gpu, x: &Tensor, packed: &Packed, mask: Dropout) -> Storage {
    let (tokens, width) = x.matrix();
    let ((from, narrow), layout) = (stored(gpu, x), packed.on_gpu(gpu));
    let out = gpu.elements(x.elements(), narrow);
    let (key, threshold, keep) = (mask.key.number(), mask.threshold(), mask.keep());
    // SAFETY: both matrices are [tokens, width]; the layout is that of the tokens.
    unsafe {
        launch!(
            gpu,
            elementwise::dropout,
            Geometry::warps(if width == 0 { 0 } else { tokens }),
            &out,
            &from,
            narrow,
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
    Storage::on_gpu(out, narrow)
}
