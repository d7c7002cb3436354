//! Root-mean-square normalisation (Zhang and Sennrich 2019), T5's layer norm: no mean is taken off, no bias added.

use super::layer_norm::{ROW_BLOCK, column_totals};
use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::tensor::{Backward, Tensor};

struct RmsNorm {
    /// `1/√(mean(x²) + eps)` of every row.
    inverses: Buffer,
}

impl Backward for RmsNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (x, gamma) = (inputs[0].data(), inputs[1].data());
        let n = gamma.len();
        let t = x.len() / n;
        let count = t.div_ceil(ROW_BLOCK);
        let (mut dx, mut partial) = (Buffer::scratch(x.len()), Buffer::zeros(count * n));
        let (dx_at, partial_at, dy) = (Shared::new(&mut dx), Shared::new(&mut partial), grad.data());
        parallel::blocks(t, ROW_BLOCK, |start, end| {
            for r in start..end {
                // SAFETY: a task owns its rows and its block of partial sums.
                unsafe {
                    let (to, dgamma) = (dx_at.at(r * n), partial_at.at(start / ROW_BLOCK * n));
                    let (x, dy) = (x[r * n..].as_ptr(), dy[r * n..].as_ptr());
                    rows::rms_norm_backward(isa, n, x, gamma.as_ptr(), self.inverses[r], dy, to, dgamma);
                }
            }
        });
        let dgamma = Tensor::new(column_totals(&partial, count, n), &[n]);
        vec![Some(Tensor::new(dx, grad.shape())), Some(dgamma)]
    }
}

/// `x / √(mean(x²) + eps) · gamma` of every row.
///
/// # Shapes
/// `x: [t, n]`, `gamma: [n]` → `[t, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn rms_norm(x: &Tensor, gamma: &Tensor, eps: f32) -> Tensor {
    normalize(x, gamma, eps, false)
}

/// [`rms_norm`], of which nothing but products in the precision of `gamma` is made: on a GPU the result is held in that precision.
///
/// # Panics
/// If the shapes do not fit.
pub fn rms_norm_for_products(x: &Tensor, gamma: &Tensor, eps: f32) -> Tensor {
    normalize(x, gamma, eps, true)
}

fn normalize(x: &Tensor, gamma: &Tensor, eps: f32, for_products: bool) -> Tensor {
    let isa = Isa::current();
    let (t, n) = x.matrix();
    assert_eq!(n, gamma.elements(), "rms_norm: input {:?}, gamma {:?}", x.shape(), gamma.shape());
    if let Some(gpu) = cuda::of(&[x, gamma]) {
        return cuda::op::rms_norm(gpu, x, gamma, eps, for_products);
    }
    let (mut out, mut inverses) = (Buffer::scratch(t * n), Buffer::scratch(t));
    let (out_at, inverses_at) = (Shared::new(&mut out), Shared::new(&mut inverses));
    parallel::blocks(t, ROW_BLOCK, |start, end| {
        for r in start..end {
            // SAFETY: row r of every buffer is this task's.
            unsafe {
                let from = x.data()[r * n..].as_ptr();
                *inverses_at.at(r) = rows::rms_norm(isa, n, from, gamma.data().as_ptr(), eps, out_at.at(r * n));
            }
        }
    });
    Tensor::result(out, x.shape(), &[x, gamma], RmsNorm { inverses })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};
    use crate::with_isa;

    #[test]
    fn gradients_of_input_and_scale() {
        gradients_match(&[random(1, &[4, 19]), random(2, &[19])], |x| rms_norm(&x[0], &x[1], 1e-6));
    }

    #[test]
    fn it_equals_the_definition() {
        let (x, gamma) = (random(1, &[3, 37]), random(2, &[37]));
        for isa in Isa::available() {
            let y = with_isa(isa, || rms_norm(&x, &gamma, 0.5));
            for (row, got) in x.data().chunks(37).zip(y.data().chunks(37)) {
                let square = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 37.0;
                for ((x, gamma), y) in row.iter().zip(gamma.data()).zip(got) {
                    let expected = f64::from(*x) / (square + 0.5).sqrt() * f64::from(*gamma);
                    assert!((f64::from(*y) - expected).abs() < 1e-6, "{isa}: {y} {expected}");
                }
            }
        }
    }
}
