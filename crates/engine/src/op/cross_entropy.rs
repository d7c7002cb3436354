//! Mean cross-entropy over a large vocabulary, of the rows that have a label.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::tensor::{Backward, Tensor};

/// Columns whose exponentials are summed in single precision; the sums of segments are joined in double.
const SEGMENT: usize = 4096;

/// Logits are taken as no further than this below their row's highest: e⁻⁶⁰ adds nothing to a sum, and products of subnormal numbers take
/// processors a hundred times as long.
const LOWEST: f32 = -60.0;

struct CrossEntropy {
    /// `softmax − one-hot`, divided by the number of labels.
    slope: Buffer,
}

impl Backward for CrossEntropy {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let factor = grad.item();
        let data: Vec<f32> = self.slope.iter().map(|x| x * factor).collect();
        vec![Some(Tensor::new(data, inputs[0].shape()))]
    }
}

/// Turns a row of logits into `(softmax − target)·factor`, the target giving every column `smoothing / n` and the label the rest; returns
/// the cross-entropy of the two.
pub(super) fn row_slope(isa: Isa, logits: &mut [f32], label: usize, factor: f32, smoothing: f32) -> f64 {
    let top = logits.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let smooth = f64::from(smoothing);
    let mut gold = (1.0 - smooth) * f64::from(logits[label] - top);
    if smoothing > 0.0 {
        gold += smooth * (logits.iter().map(|x| f64::from(*x)).sum::<f64>() / logits.len() as f64 - f64::from(top));
    }
    // Shifted by the highest, normalisers of segments are near 0, where f32 is exact.
    logits.iter_mut().for_each(|x| *x = (*x - top).max(LOWEST));
    let log_sums: Vec<f64> = logits
        .chunks_mut(SEGMENT)
        // SAFETY: a segment of that many elements.
        .map(|segment| f64::from(unsafe { rows::softmax(isa, segment.len(), segment.as_mut_ptr(), 1.0) }))
        .collect();
    let highest = log_sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = highest + log_sums.iter().map(|x| (x - highest).exp()).sum::<f64>().ln();
    for (segment, part) in logits.chunks_mut(SEGMENT).zip(log_sums) {
        // SAFETY: as above.
        unsafe { rows::scale(isa, segment.len(), segment.as_mut_ptr(), factor * (part - log_sum).exp() as f32) }
    }
    if smoothing > 0.0 {
        let share = factor * smoothing / logits.len() as f32;
        logits.iter_mut().for_each(|x| *x -= share);
    }
    logits[label] -= factor * (1.0 - smoothing);
    log_sum - gold
}

/// `−Σ_i log softmax(logits_i)[labels[i]] / labels`, over the rows that have a label; 0 if none has.
///
/// # Shapes
/// `logits: [m, n]`, `labels`: m, each below n → scalar.
///
/// # Panics
/// If the sizes differ or a label is not below n.
pub fn cross_entropy(logits: &Tensor, labels: &[Option<usize>]) -> Tensor {
    let isa = Isa::current();
    let (m, n) = logits.matrix();
    assert!(labels.len() == m && labels.iter().flatten().all(|l| *l < n), "cross_entropy: labels of {m} rows of {n}");
    if let Some(gpu) = cuda::of(&[logits]) {
        let labels: Vec<i32> = labels.iter().map(|label| label.map_or(-1, |label| label as i32)).collect();
        return cuda::op::cross_entropy(gpu, logits, &labels, None);
    }
    let count = labels.iter().flatten().count().max(1);
    let mut slope = Buffer::zeros(m * n);
    let rows = slope.par_chunks_mut(n.max(1)).zip(logits.data().par_chunks(n.max(1))).zip(labels);
    let losses: Vec<f64> = rows
        .map(|((slope, x), label)| {
            let Some(label) = label else { return 0.0 };
            slope.copy_from_slice(x);
            row_slope(isa, slope, *label, 1.0 / count as f32, 0.0)
        })
        .collect();
    let value = Buffer::from(vec![(losses.iter().sum::<f64>() / count as f64) as f32]);
    Tensor::result(value, &[], &[logits], CrossEntropy { slope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};
    use crate::{Gradients, with_isa};

    #[test]
    fn gradient_with_rows_left_out() {
        gradients_match(&[random(1, &[4, 5])], |x| cross_entropy(&x[0], &[Some(2), None, Some(0), Some(4)]));
    }

    #[test]
    fn many_columns_equal_the_definition() {
        let logits = random(5, &[2, 3 * SEGMENT + 7]);
        let n = 3 * SEGMENT + 7;
        let labels = [Some(1), Some(n - 1)];
        let expected: f64 = (0..2)
            .map(|r| {
                let x = &logits.data()[r * n..(r + 1) * n];
                x.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln() - f64::from(x[labels[r].unwrap()])
            })
            .sum();
        for isa in Isa::available() {
            let loss = with_isa(isa, || cross_entropy(&logits, &labels));
            assert!((f64::from(loss.item()) - expected / 2.0).abs() < 1e-5, "{isa}: {} {expected}", loss.item());
            let mut gradients = Gradients::default();
            loss.backward(&mut gradients);
            let sum: f64 = gradients.get(&logits).unwrap().data().iter().map(|x| f64::from(*x)).sum();
            assert!(sum.abs() < 1e-6, "{isa}: slopes of a row sum to zero, not {sum:e}");
        }
    }

    #[test]
    fn a_label_far_below_the_highest_logit_costs_what_it_lies_below() {
        let logits = Tensor::parameter(vec![1e4, -1e4, 0.0], &[1, 3]);
        let loss = cross_entropy(&logits, &[Some(1)]);
        let mut gradients = Gradients::default();
        loss.backward(&mut gradients);
        let slope = gradients.get(&logits).unwrap().data();
        assert_eq!((loss.item(), slope[0], slope[1]), (2e4, 1.0, -1.0));
        assert!(slope[2].is_normal() && slope[2] < 1e-20);
    }

    #[test]
    fn without_labels_the_loss_is_zero() {
        let logits = random(1, &[2, 3]);
        let loss = cross_entropy(&logits, &[None, None]);
        let mut gradients = Gradients::default();
        loss.backward(&mut gradients);
        assert_eq!((loss.item(), gradients.get(&logits).unwrap().data()), (0.0, &[0.0; 6][..]));
    }
}
