//! Mean cross-entropy of row-wise softmax against one gold column per row.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct SoftmaxCrossEntropy {
    /// `softmax − one-hot`, divided by the number of rows.
    slope: Buffer,
}

impl Backward for SoftmaxCrossEntropy {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let factor = grad.item();
        let data: Vec<f32> = self.slope.iter().map(|x| x * factor).collect();
        vec![Some(Tensor::new(data, inputs[0].shape()))]
    }
}

/// `−mean_i log softmax(logits_i)[targets[i]]`. Where `excluded[i·n + j]`, column j is left out of row i's softmax.
///
/// # Shapes
/// `logits: [m, n]`, `targets: m` numbers below n, `excluded: m·n` or none → scalar.
///
/// # Panics
/// If the sizes differ, there is no row, or a row's target is excluded.
pub fn softmax_cross_entropy(logits: &Tensor, targets: &[usize], excluded: Option<&[bool]>) -> Tensor {
    let (m, n) = logits.matrix();
    assert!(m > 0 && targets.len() == m, "one target per row");
    assert!(excluded.is_none_or(|e| e.len() == m * n), "one exclusion per logit");
    if let Some(gpu) = cuda::of(&[logits]) {
        let out = |row: usize, target: usize| excluded.is_some_and(|e| e[row * n + target]);
        for (row, target) in targets.iter().enumerate() {
            assert!(*target < n && !out(row, *target), "the target of row {row} is excluded");
        }
        let labels: Vec<i32> = targets.iter().map(|target| *target as i32).collect();
        return cuda::op::cross_entropy(gpu, logits, &labels, excluded);
    }
    let mut slope = Buffer::scratch(m * n);
    let mut losses = vec![0f64; m];
    let rows = slope.par_chunks_mut(n).zip(&mut losses).zip(logits.data().par_chunks(n)).enumerate();
    rows.for_each(|(row, ((slope, loss), x))| {
        let target = targets[row];
        let out = |j: usize| excluded.is_some_and(|e| e[row * n + j]);
        assert!(!out(target), "the target of row {row} is excluded");
        let top = (0..n).filter(|j| !out(*j)).map(|j| x[j]).fold(f32::NEG_INFINITY, f32::max);
        let weight = |j: usize| if out(j) { 0.0 } else { f64::from(x[j] - top).exp() };
        let total: f64 = (0..n).map(weight).sum();
        *loss = total.ln() - f64::from(x[target] - top);
        for (j, s) in slope.iter_mut().enumerate() {
            let probability = weight(j) / total;
            *s = ((probability - f64::from(u8::from(j == target))) / m as f64) as f32;
        }
    });
    let loss: f64 = losses.iter().sum();
    let value = Buffer::from(vec![(loss / m as f64) as f32]);
    Tensor::result(value, &[], &[logits], SoftmaxCrossEntropy { slope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient_with_and_without_exclusions() {
        let logits = [random(1, &[3, 4])];
        gradients_match(&logits, |x| softmax_cross_entropy(&x[0], &[2, 0, 3], None));
        let excluded = [true, false, false, false, false, true, true, false, false, false, false, false];
        gradients_match(&logits, |x| softmax_cross_entropy(&x[0], &[2, 0, 3], Some(&excluded)));
    }
}
