//! Cross-entropy of a projection onto a vocabulary, without ever holding the logits of all rows.

use std::ptr;

use rayon::prelude::*;

use super::cross_entropy::row_slope;
use super::linear::{column_sums, finish};
use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::cpu::gemm::View;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::parallel::Shared;
use crate::precision::Precision;
use crate::product::{Panels, product, row_major, transposed};
use crate::tensor::{Backward, Tensor};

/// Logits held at once, in f32 elements.
const LOGITS: usize = 1 << 24;
/// Rows of the weight whose gradient is added up together.
const STRIPE: usize = 2048;

fn pack(isa: Isa, sizes: (usize, usize), b: View) -> Panels {
    Panels::new(isa, Precision::F32, sizes, b)
}

/// The gradients at the inputs, made with the loss; `None` where an input needs none.
struct ProjectedCrossEntropy {
    gradients: Vec<Option<Tensor>>,
}

impl Backward for ProjectedCrossEntropy {
    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let factor = grad.item();
        let scaled = |t: &Tensor| match factor {
            1.0 => t.clone(),
            _ => Tensor::new(t.data().iter().map(|x| x * factor).collect::<Vec<f32>>(), t.shape()),
        };
        self.gradients.iter().map(|g| g.as_ref().map(scaled)).collect()
    }
}

/// The sums that blocks of rows add to.
struct Sums {
    hidden: Option<Buffer>,
    weight: Option<Buffer>,
    bias: Option<Buffer>,
}

/// `mean_i −log softmax(hidden_i · weightᵀ + bias)[targets[i]]`; 0 without rows. The gradients are taken along with the loss, block of rows by block, so
/// that at most 64 MiB of logits exist at a time (more where 16 rows have more). With `smoothing` ε (Szegedy et al. 2016) the target of a row is not its
/// label alone: every column has ε/n of it, the label 1 − ε more.
///
/// # Shapes
/// `hidden: [m, d]`, `weight: [n, d]`, `bias: [n]`, `targets`: m numbers below n → scalar.
///
/// # Panics
/// If the shapes do not fit.
pub fn projected_cross_entropy(
    hidden: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    targets: &[usize],
    smoothing: f32,
) -> Tensor {
    let rows_at_once = (LOGITS / weight.matrix().0.max(1)).clamp(16, 1024);
    in_blocks(hidden, weight, bias, targets, smoothing, rows_at_once)
}

fn in_blocks(
    hidden: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    targets: &[usize],
    smoothing: f32,
    block: usize,
) -> Tensor {
    let isa = Isa::current();
    let ((m, d), (n, inner)) = (hidden.matrix(), weight.matrix());
    assert!(d == inner && targets.len() == m, "projected_cross_entropy: {:?}, {:?}", hidden.shape(), weight.shape());
    assert!(targets.iter().all(|t| *t < n), "projected_cross_entropy: a target is not below {n}");
    let mut inputs = vec![hidden, weight];
    inputs.extend(bias);
    if let Some(gpu) = cuda::of(&inputs).filter(|_| d > 0) {
        return cuda::op::projected_cross_entropy(gpu, &inputs, targets, smoothing);
    }
    let wanted = |t: &Tensor| (Tensor::recording(&inputs) && t.needs_grad()).then(|| Buffer::zeros(t.data().len()));
    let mut sums = Sums { hidden: wanted(hidden), weight: wanted(weight), bias: bias.and_then(wanted) };
    let forward = pack(isa, (d, n), transposed(weight.data(), d));
    let back = sums.hidden.is_some().then(|| pack(isa, (n, d), row_major(weight.data(), d)));
    let mut loss = 0.0;
    for start in (0..m).step_by(block) {
        let rows = start..(start + block).min(m);
        let hidden = &hidden.data()[rows.start * d..rows.end * d];
        let mut slope = Buffer::scratch(rows.len() * n);
        product(&forward, rows.len(), row_major(hidden, d), &mut slope, |_, block| {
            // SAFETY: whole rows of n logits, which nothing is kept of.
            unsafe { finish(isa, Precision::F32, n, block, bias, ptr::null_mut(), Activation::Identity) }
        });
        let factor = 1.0 / m as f32;
        let losses: Vec<f64> = slope
            .par_chunks_mut(n)
            .zip(&targets[rows.clone()])
            .map(|(logits, target)| row_slope(isa, logits, *target, factor, smoothing))
            .collect();
        loss += losses.iter().sum::<f64>();
        sums.add(isa, rows.start, hidden, back.as_ref(), &slope, (rows.len(), n, d));
    }
    let value = Buffer::from(vec![(loss / m.max(1) as f64) as f32]);
    let tensor = |(sum, input): (Option<Buffer>, &&Tensor)| sum.map(|sum| Tensor::new(sum, input.shape()));
    let gradients = [sums.hidden, sums.weight, sums.bias].into_iter().zip(&inputs).map(tensor).collect();
    Tensor::result(value, &[], &inputs, ProjectedCrossEntropy { gradients })
}

impl Sums {
    /// Adds what a block of rows from `first` on contributes, given the slope at its logits.
    fn add(
        &mut self,
        isa: Isa,
        first: usize,
        hidden: &[f32],
        back: Option<&Panels>,
        slope: &[f32],
        (m, n, d): (usize, usize, usize),
    ) {
        if let (Some(sum), Some(weight)) = (&mut self.hidden, back) {
            let to = &mut sum[first * d..(first + m) * d];
            product(weight, m, row_major(slope, n), to, |_, _| {});
        }
        if let Some(sum) = &mut self.weight {
            let packed = pack(isa, (m, d), row_major(hidden, d));
            let mut stripe = Buffer::scratch(STRIPE.min(n) * d);
            for start in (0..n).step_by(STRIPE) {
                let size = STRIPE.min(n - start);
                let to = Shared::new(&mut sum[start * d..(start + size) * d]);
                let part = &mut stripe[..size * d];
                product(&packed, size, transposed(&slope[start..], n), part, |row, block| {
                    // SAFETY: blocks of rows are disjoint.
                    unsafe { rows::add_assign(isa, block.len(), to.at(row * d), block.as_ptr()) }
                });
            }
        }
        if let Some(sum) = &mut self.bias {
            let part = column_sums(isa, slope, m, n);
            // SAFETY: both have n elements.
            unsafe { rows::add_assign(isa, n, sum.as_mut_ptr(), part.as_ptr()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gradients;
    use crate::check::{gradients_match, random};
    use crate::op::{Activation, cross_entropy, linear, scale};

    #[test]
    fn gradients_with_and_without_bias_in_ragged_blocks() {
        let inputs = [random(1, &[5, 4]), random(2, &[7, 4]), random(3, &[7])];
        let targets = [3, 0, 6, 6, 1];
        gradients_match(&inputs, |x| in_blocks(&x[0], &x[1], Some(&x[2]), &targets, 0.0, 2));
        gradients_match(&inputs[..2], |x| projected_cross_entropy(&x[0], &x[1], None, &targets, 0.2));
    }

    #[test]
    fn it_equals_the_cross_entropy_of_all_logits() {
        let (m, n, d) = (37, STRIPE + 100, 9);
        let inputs = [random(1, &[m, d]), random(2, &[n, d]), random(3, &[n])];
        let targets: Vec<usize> = (0..m).map(|i| i * 53 % n).collect();
        let labels: Vec<Option<usize>> = targets.iter().copied().map(Some).collect();
        let logits = linear(&inputs[0], &inputs[1], Some(&inputs[2]), Activation::Identity);
        let whole = scale(&cross_entropy(&logits, &labels), 3.0);
        let blocked = scale(&in_blocks(&inputs[0], &inputs[1], Some(&inputs[2]), &targets, 0.0, 8), 3.0);
        assert!((whole.item() - blocked.item()).abs() < 1e-5);
        let (mut a, mut b) = (Gradients::default(), Gradients::default());
        whole.backward(&mut a);
        blocked.backward(&mut b);
        for input in &inputs {
            for (x, y) in a.get(input).unwrap().data().iter().zip(b.get(input).unwrap().data()) {
                assert!((x - y).abs() < 1e-6, "{x} {y}");
            }
        }
    }

    #[test]
    fn a_smoothed_target_costs_the_mean_over_all_columns_too() {
        let (hidden, weight) = (random(1, &[2, 4]), random(2, &[5, 4]));
        let loss = |targets: &[usize; 2], smoothing| {
            f64::from(projected_cross_entropy(&hidden, &weight, None, targets, smoothing).item())
        };
        let every: f64 = (0..5).map(|label| loss(&[label; 2], 0.0)).sum::<f64>() / 5.0;
        let expected = 0.9 * loss(&[3, 1], 0.0) + 0.1 * every;
        assert!((loss(&[3, 1], 0.1) - expected).abs() < 1e-6);
    }

    #[test]
    fn without_rows_the_loss_is_zero() {
        let hidden = Tensor::parameter(vec![], &[0, 4]);
        let loss = projected_cross_entropy(&hidden, &random(1, &[3, 4]), None, &[], 0.0);
        loss.backward(&mut Gradients::default());
        assert_eq!(loss.item(), 0.0);
    }
}
