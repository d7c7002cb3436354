//! Mean Kullback–Leibler divergence between row-wise softmaxes.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct SoftmaxDivergence {
    /// Slopes at `p` and `q`, divided by the number of rows.
    slopes: [Buffer; 2],
}

impl Backward for SoftmaxDivergence {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let factor = grad.item();
        let at = |(slope, input): (&Buffer, &Tensor)| {
            let data: Vec<f32> = slope.iter().map(|x| x * factor).collect();
            Some(Tensor::new(data, input.shape()))
        };
        self.slopes.iter().zip(inputs).map(at).collect()
    }
}

/// `log softmax` of a row.
fn log_softmax(x: &[f32]) -> Vec<f64> {
    let top = x.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    let log_sum = x.iter().map(|x| f64::from(x - top).exp()).sum::<f64>().ln();
    x.iter().map(|x| f64::from(x - top) - log_sum).collect()
}

/// `mean_i KL(P_i ‖ Q_i)` with `P_i = softmax(p_i)`, `Q_i = softmax(q_i)`; differentiable in both.
///
/// # Shapes
/// `p`, `q`: `[m, n]` → scalar.
///
/// # Panics
/// If the shapes differ or there is no element.
pub fn softmax_divergence(p: &Tensor, q: &Tensor) -> Tensor {
    let (m, n) = p.matrix();
    assert!(m * n > 0 && q.matrix() == (m, n), "softmax_divergence: {:?} and {:?}", p.shape(), q.shape());
    if let Some(gpu) = cuda::of(&[p, q]) {
        return cuda::op::divergence(gpu, p, q);
    }
    let mut slopes = [Buffer::scratch(m * n), Buffer::scratch(m * n)];
    let [at_p, at_q] = &mut slopes;
    let logits = p.data().par_chunks(n).zip(q.data().par_chunks(n));
    let rows = at_p.par_chunks_mut(n).zip(at_q.par_chunks_mut(n)).zip(logits);
    let divergences: Vec<f64> = rows
        .map(|((at_p, at_q), (p, q))| {
            let (p, q) = (log_softmax(p), log_softmax(q));
            let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
            for (i, (p, q)) in p.iter().zip(&q).enumerate() {
                at_p[i] = (p.exp() * (p - q - divergence) / m as f64) as f32;
                at_q[i] = ((q.exp() - p.exp()) / m as f64) as f32;
            }
            divergence
        })
        .collect();
    let value = Buffer::from(vec![(divergences.iter().sum::<f64>() / m as f64) as f32]);
    Tensor::result(value, &[], &[p, q], SoftmaxDivergence { slopes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients() {
        gradients_match(&[random(1, &[3, 5]), random(2, &[3, 5])], |x| softmax_divergence(&x[0], &x[1]));
    }

    #[test]
    fn it_is_zero_between_equals_and_finite_between_opposites() {
        let p = Tensor::new(vec![1e4, -1e4, 0.0, 3.0], &[2, 2]);
        let q = Tensor::new(vec![-1e4, 1e4, 0.0, 3.0], &[2, 2]);
        assert_eq!(softmax_divergence(&p, &p).item(), 0.0);
        assert_eq!(softmax_divergence(&p, &q).item(), 1e4);
    }
}
