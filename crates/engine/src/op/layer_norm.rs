//! Layer normalisation, of a sum if there is a residual.

use std::ptr;

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

/// Rows that one task normalises; the partial sums of the parameters' gradients are per block, added in order.
pub(super) const ROW_BLOCK: usize = 64;

struct LayerNorm {
    /// What was normalised, `[t, n]`; `None` when it is the input itself.
    sum: Option<Buffer>,
    /// Mean and 1/σ of every row.
    statistics: Buffer,
    residual: bool,
}

impl Backward for LayerNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let gamma = &inputs[1];
        let beta = inputs.get(2 + usize::from(self.residual));
        let n = gamma.data().len();
        let x: &[f32] = self.sum.as_deref().unwrap_or(inputs[0].data());
        let t = x.len() / n;
        let mut dx = Buffer::scratch(x.len());
        let count = t.div_ceil(ROW_BLOCK);
        let mut partial = Buffer::zeros(count * 2 * n);
        let (dx_at, partial_at, dy) = (Shared::new(&mut dx), Shared::new(&mut partial), grad.data());
        parallel::blocks(t, ROW_BLOCK, |start, end| {
            // SAFETY: a task owns its rows and its block of partial sums.
            unsafe {
                let dgamma = partial_at.at(start / ROW_BLOCK * 2 * n);
                for r in start..end {
                    let (mean, rstd) = (self.statistics[2 * r], self.statistics[2 * r + 1]);
                    let (xr, dr) = (x[r * n..].as_ptr(), dy[r * n..].as_ptr());
                    let dbeta = dgamma.add(n);
                    rows::layer_norm_backward(
                        isa,
                        n,
                        xr,
                        gamma.data().as_ptr(),
                        mean,
                        rstd,
                        dr,
                        dx_at.at(r * n),
                        dgamma,
                        dbeta,
                    );
                }
            }
        });
        let mut sums = column_totals(&partial, count, 2 * n);
        let dbeta = sums.split_off(n);
        let dx = Tensor::new(dx, grad.shape());
        let mut grads = vec![Some(dx.clone()), Some(Tensor::new(sums, &[n]))];
        if self.residual {
            grads.push(Some(dx));
        }
        if beta.is_some() {
            grads.push(Some(Tensor::new(dbeta, &[n])));
        }
        grads
    }
}

/// Sums over the rows of `x: [rows, n]`, in row order.
pub(super) fn column_totals(x: &[f32], rows: usize, n: usize) -> Vec<f32> {
    let mut totals = vec![0.0; n];
    for row in x.chunks_exact(n).take(rows) {
        for (sum, v) in totals.iter_mut().zip(row) {
            *sum += v;
        }
    }
    totals
}

/// `(s − mean(s)) / √(var(s) + eps) · gamma + beta` of every row of `s = x + residual`.
///
/// # Shapes
/// `x`, `residual`: `[t, n]`, `gamma`, `beta`: `[n]` → `[t, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn layer_norm(x: &Tensor, residual: Option<&Tensor>, gamma: &Tensor, beta: Option<&Tensor>, eps: f32) -> Tensor {
    normalize(x, residual, gamma, beta, eps, false)
}

/// [`layer_norm`] without a residual, of which nothing but products in the precision of `gamma` is made: on a GPU the result is held in that precision.
///
/// # Panics
/// If the shapes do not fit.
pub fn layer_norm_for_products(x: &Tensor, gamma: &Tensor, beta: Option<&Tensor>, eps: f32) -> Tensor {
    normalize(x, None, gamma, beta, eps, true)
}

fn normalize(
    x: &Tensor,
    residual: Option<&Tensor>,
    gamma: &Tensor,
    beta: Option<&Tensor>,
    eps: f32,
    for_products: bool,
) -> Tensor {
    let isa = Isa::current();
    let (t, n) = x.matrix();
    assert_eq!(n, gamma.elements(), "layer_norm: input {:?}, gamma {:?}", x.shape(), gamma.shape());
    assert!(residual.is_none_or(|r| r.shape() == x.shape()), "layer_norm: residual of another shape");
    let mut inputs = vec![x, gamma];
    inputs.extend(residual);
    inputs.extend(beta);
    if let Some(gpu) = cuda::of(&inputs) {
        return cuda::op::layer_norm(gpu, x, residual, gamma, beta, eps, for_products);
    }
    let recording = Tensor::recording(&inputs);
    let mut out = Buffer::scratch(t * n);
    let mut sum = (recording && residual.is_some()).then(|| Buffer::scratch(t * n));
    let mut statistics = Buffer::scratch(2 * t);
    let kept = sum.as_mut().map(|s| Shared::new(s));
    let (out_at, statistics_at) = (Shared::new(&mut out), Shared::new(&mut statistics));
    let beta_data = beta.map(|b| b.data());
    parallel::blocks(t, ROW_BLOCK, |start, end| {
        for r in start..end {
            // SAFETY: row r of every buffer is this task's.
            unsafe {
                let y = out_at.at(r * n);
                let sum = kept.map_or(y, |k| k.at(r * n));
                let added = residual.map_or(ptr::null(), |added| added.data()[r * n..].as_ptr());
                let beta = beta_data.map_or(ptr::null(), <[f32]>::as_ptr);
                let (from, gamma) = (x.data()[r * n..].as_ptr(), gamma.data().as_ptr());
                let (mean, rstd) = rows::layer_norm(isa, n, from, added, sum, gamma, beta, eps, y);
                *statistics_at.at(2 * r) = mean;
                *statistics_at.at(2 * r + 1) = rstd;
            }
        }
    });
    let op = LayerNorm { sum, statistics, residual: residual.is_some() };
    Tensor::result(out, x.shape(), &inputs, op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients_with_and_without_residual_and_beta() {
        let inputs = [random(1, &[4, 19]), random(2, &[19]), random(3, &[4, 19]), random(4, &[19])];
        gradients_match(&inputs, |x| layer_norm(&x[0], Some(&x[2]), &x[1], Some(&x[3]), 1e-5));
        gradients_match(&inputs[..2], |x| layer_norm(&x[0], None, &x[1], None, 1e-5));
    }
}
