//! Affine map with an optional activation.

use std::ptr;

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::cpu::gemm::{self, Product, View};
use crate::cpu::{Isa, multiply, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::precision::Precision;
use crate::product::{Factor, Panels, product, row_major, transposed};
use crate::tensor::{Backward, Tensor};

struct Linear {
    activation: Activation,
    precision: Precision,
    /// What the activation was applied to, `[tokens, n]`; empty for the identity.
    before: Option<Buffer>,
}

/// Sums over the rows of `x: [rows, n]`, added in row order whatever the number of cores.
pub(crate) fn column_sums(isa: Isa, x: &[f32], rows: usize, n: usize) -> Buffer {
    let mut sums = Buffer::zeros(n);
    let to = Shared::new(&mut sums);
    parallel::blocks(n, 64, |start, end| {
        // SAFETY: a task sums its own columns.
        unsafe { self::rows::column_sums(isa, rows, end - start, n, x.as_ptr().add(start), to.at(start)) }
    });
    sums
}

/// Columns of a weight's gradient that one task computes.
const GRADIENT_COLS: usize = 384;
/// Groups of tokens that it adds at a time: their part of X and the task's part of the gradient share the second-level cache.
const GRADIENT_DEPTH: usize = 192;

/// Rows of a weight's gradient that one task computes: many, since a task packs its part of X, but no core is left without work.
fn gradient_rows(n: usize, across: usize) -> usize {
    let wanted = 2 * rayon::current_num_threads();
    [384, 192, 96].into_iter().find(|rows| n.div_ceil(*rows) * across >= wanted).unwrap_or(48)
}

/// `weight` gradient of a linear map: `dW[n, k] = dYᵀ[n, t] · X[t, k]`, summed over blocks of tokens in order.
fn weight_gradient(isa: Isa, precision: Precision, dy: &[f32], x: &[f32], (t, n, k): (usize, usize, usize)) -> Buffer {
    let mut dw = Buffer::scratch(n * k);
    let to = Shared::new(&mut dw);
    let (dy, x) = (Factor::new(isa, precision, (t, n), dy), Factor::new(isa, precision, (t, k), x));
    let groups = t.div_ceil(precision.per_group());
    let across = k.div_ceil(GRADIENT_COLS);
    let rows = gradient_rows(n, across);
    let depth = groups.div_ceil(groups.div_ceil(GRADIENT_DEPTH).max(1)).max(1);
    parallel::for_each(n.div_ceil(rows) * across, |task| {
        let (i, j) = (task / across * rows, task % across * GRADIENT_COLS);
        let (m, width) = (rows.min(n - i), GRADIENT_COLS.min(k - j));
        let mut packed = Buffer::scratch(gemm::packed_len(isa.lanes(), depth, width));
        for start in (0..groups.max(1)).step_by(depth) {
            let tokens = depth.min(groups - start);
            let a = View { ptr: dy.as_ptr().wrapping_add(start * n + i), row: 1, col: n };
            let b = View { ptr: x.as_ptr().wrapping_add(start * k + j), row: k, col: 1 };
            // SAFETY: tasks write disjoint tiles of dW; the views cover `tokens` rows of dY and X.
            unsafe {
                gemm::pack_panels(isa, tokens, width, b, 0, gemm::panels(isa.lanes(), width), packed.as_mut_ptr());
                let (b, c) = (packed.as_ptr(), to.at(i * k + j));
                multiply::multiply(isa, precision, Product { m, n: width, k: tokens, a, b, c, ldc: k, add: start > 0 });
            }
        }
    });
    dw
}

/// `input` gradient of a linear map: `dX[t, k] = dY[t, n] · W[n, k]`.
fn input_gradient(
    isa: Isa,
    precision: Precision,
    dy: &[f32],
    weight: &[f32],
    (t, n, k): (usize, usize, usize),
) -> Buffer {
    let packed = Panels::new(isa, precision, (n, k), row_major(weight, k));
    let mut dx = Buffer::scratch(t * k);
    product(&packed, t, row_major(dy, n), &mut dx, |_, _| {});
    dx
}

impl Linear {
    /// Gradient at what the activation was applied to, if there is one.
    fn before_activation(&self, isa: Isa, grad: &Tensor) -> Option<Tensor> {
        let before = self.before.as_ref()?;
        let mut out = Buffer::scratch(before.len());
        let shared = Shared::new(&mut out);
        let dy = grad.data();
        parallel::blocks(before.len(), 1 << 14, |start, end| {
            // SAFETY: blocks are disjoint.
            unsafe {
                let (x, d, to) = (before[start..end].as_ptr(), dy[start..end].as_ptr(), shared.at(start));
                match self.activation {
                    Activation::Gelu => rows::gelu_backward(isa, end - start, x, d, to),
                    Activation::GeluTanh => rows::gelu_tanh_backward(isa, end - start, x, d, to),
                    Activation::Tanh => rows::tanh_backward(isa, end - start, x, d, to),
                    Activation::Relu => {
                        for i in 0..end - start {
                            *to.add(i) = if *x.add(i) > 0.0 { *d.add(i) } else { 0.0 };
                        }
                    }
                    Activation::Identity => unreachable!("the identity keeps nothing"),
                }
            }
        });
        Some(Tensor::new(out, grad.shape()))
    }
}

impl Backward for Linear {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (x, weight) = (&inputs[0], &inputs[1]);
        let (n, k) = weight.matrix();
        let t = x.data().len() / k.max(1);
        let activated = self.before_activation(isa, grad);
        let dy = activated.as_ref().unwrap_or(grad).data();
        let (precision, sizes) = (self.precision, (t, n, k));
        let dx = || Tensor::new(input_gradient(isa, precision, dy, weight.data(), sizes), x.shape());
        let dw = || Tensor::new(weight_gradient(isa, precision, dy, x.data(), sizes), weight.shape());
        let mut grads = vec![x.needs_grad().then(dx), weight.needs_grad().then(dw)];
        if let Some(bias) = inputs.get(2) {
            grads.push(bias.needs_grad().then(|| Tensor::new(column_sums(isa, dy, t, n), &[n])));
        }
        grads
    }
}

/// `activation(x · weightᵀ + bias)`, the product in the precision of the weight ([`Tensor::precision`]).
///
/// # Shapes
/// `x: [t, k]`, `weight: [n, k]`, `bias: [n]` → `[t, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Tensor {
    let isa = Isa::current();
    let (t, k) = x.matrix();
    let (n, inner) = weight.matrix();
    assert_eq!(k, inner, "linear: input {:?}, weight {:?}", x.shape(), weight.shape());
    let mut inputs = vec![x, weight];
    inputs.extend(bias);
    if let Some(gpu) = cuda::of(&inputs) {
        return cuda::op::linear(gpu, x, weight, bias, activation);
    }
    let recording = Tensor::recording(&inputs);
    let precision = if recording { weight.precision().with_gradient() } else { weight.precision() };
    let fresh;
    let packed = match (!recording).then(|| kept_panels(isa, weight)).flatten() {
        Some(kept) => kept,
        None => {
            fresh = Panels::new(isa, precision, (k, n), transposed(weight.data(), k));
            &fresh
        }
    };
    let mut out = Buffer::scratch(t * n);
    let mut before = (recording && activation != Activation::Identity).then(|| Buffer::scratch(t * n));
    let kept = before.as_mut().map(|b| Shared::new(b));
    product(packed, t, row_major(x.data(), k), &mut out, |start, block| {
        // SAFETY: the block is this task's; so are the same rows of what is kept.
        unsafe {
            let kept = kept.map_or(ptr::null_mut(), |kept| kept.at(start * n));
            finish(isa, precision, n, block, bias, kept, activation);
        }
    });
    Tensor::result(out, &[t, n], &inputs, Linear { activation, precision, before }).with_computed_in(precision)
}

/// The transpose of a weight `[n, k]` in panels that it keeps, in its own precision; `None` if it has others.
pub(super) fn kept_panels(isa: Isa, weight: &Tensor) -> Option<&Panels> {
    let (n, k) = weight.matrix();
    weight.panels(isa, || Panels::new(isa, weight.precision(), (k, n), transposed(weight.data(), k)))
}

/// Adds the bias to rows of `n` sums and applies the activation; sums with their bias are written to `kept`, unless it is null.
///
/// # Safety
/// `kept` is null or has room for the block, and no other task writes there.
pub(super) unsafe fn finish(
    isa: Isa,
    precision: Precision,
    n: usize,
    block: &mut [f32],
    bias: Option<&Tensor>,
    kept: *mut f32,
    activation: Activation,
) {
    let bias = bias.map_or(ptr::null(), |bias| bias.data().as_ptr());
    let near = precision != Precision::F32;
    // SAFETY: the contract; a bias has n elements.
    unsafe { rows::finish(isa, block.len() / n.max(1), n, block.as_mut_ptr(), bias, kept, activation, near) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};
    use crate::with_isa;

    #[test]
    fn gradients_of_every_activation() {
        let inputs = [random(1, &[5, 7]), random(2, &[9, 7]), random(3, &[9])];
        for activation in [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Tanh] {
            gradients_match(&inputs, |x| linear(&x[0], &x[1], Some(&x[2]), activation));
        }
    }

    #[test]
    fn relu_passes_the_gradient_of_positive_outputs_only() {
        let x = Tensor::parameter(vec![2.0, -3.0], &[2, 1]);
        let out = linear(&x, &Tensor::new(vec![1.0], &[1, 1]), None, Activation::Relu);
        let mut gradients = crate::Gradients::default();
        out.backward_from(Tensor::new(vec![5.0, 7.0], &[2, 1]), &mut gradients);
        assert_eq!((out.data(), gradients.get(&x).unwrap().data()), (&[2.0, 0.0][..], &[5.0, 0.0][..]));
    }

    #[test]
    fn products_of_every_size_equal_the_definition() {
        for isa in Isa::available() {
            for (m, n, k) in [(1, 1, 1), (3, 48, 5), (13, 49, 200), (70, 130, 33), (8, 16, 0), (129, 100, 401)] {
                let (a, b) = (random(1, &[m, k]), random(2, &[n, k]));
                let c = with_isa(isa, || linear(&a, &b, None, Activation::Identity));
                for (i, x) in c.data().iter().enumerate() {
                    let (r, s) = (i / n, i % n);
                    let expected: f64 =
                        (0..k).map(|p| f64::from(a.data()[r * k + p]) * f64::from(b.data()[s * k + p])).sum();
                    assert!((f64::from(*x) - expected).abs() < 2e-4, "{isa} {m}x{n}x{k} at {r},{s}: {x} {expected}");
                }
            }
        }
    }
}
