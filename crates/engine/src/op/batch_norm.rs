//! Batch normalisation (Ioffe and Szegedy 2015), by the statistics of the rows themselves or by given ones.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

/// Mean and variance of every column, where the columns are; constants.
#[derive(Clone, Debug)]
pub struct ColumnStatistics {
    /// Means, `[n]`.
    pub mean: Tensor,
    /// Variances, `[n]`.
    pub variance: Tensor,
}

impl ColumnStatistics {
    /// Mean 0 and variance 1 of `n` columns.
    pub fn standard(n: usize) -> ColumnStatistics {
        ColumnStatistics { mean: Tensor::new(vec![0.0; n], &[n]), variance: Tensor::new(vec![1.0; n], &[n]) }
    }

    /// Mean and biased variance (the sum of squares divided by the number of rows) of `x: [m, n]`.
    fn of(x: &Tensor) -> ColumnStatistics {
        if let Some(gpu) = cuda::of(&[x]) {
            return cuda::op::column_statistics(gpu, x);
        }
        let (m, n) = x.matrix();
        let mut mean = vec![0f64; n];
        for row in x.data().chunks_exact(n) {
            mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x) / m as f64);
        }
        let mut variance = vec![0f64; n];
        for row in x.data().chunks_exact(n) {
            let squares = row.iter().zip(&mean).map(|(x, mean)| (f64::from(*x) - mean).powi(2) / m as f64);
            variance.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        }
        let narrow = |values: Vec<f64>| Tensor::new(values.into_iter().map(|x| x as f32).collect::<Vec<_>>(), &[n]);
        ColumnStatistics { mean: narrow(mean), variance: narrow(variance) }
    }
}

struct BatchNorm {
    /// `(x − mean) / √(variance + eps)`.
    normalized: Buffer,
    /// `1 / √(variance + eps)` of every column.
    inverse: Vec<f32>,
    /// Whether the statistics are those of the rows, so that the gradient flows through them.
    own_statistics: bool,
}

impl Backward for BatchNorm {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (m, n) = grad.matrix();
        let gamma = inputs[1].data();
        let (mut dgamma, mut dbeta) = (vec![0f64; n], vec![0f64; n]);
        for (dy, y) in grad.data().chunks_exact(n).zip(self.normalized.chunks_exact(n)) {
            for j in 0..n {
                dgamma[j] += f64::from(dy[j]) * f64::from(y[j]);
                dbeta[j] += f64::from(dy[j]);
            }
        }
        let share = if self.own_statistics { 1.0 / m as f64 } else { 0.0 };
        let mut dx = Buffer::scratch(m * n);
        for (row, (dy, y)) in grad.data().chunks_exact(n).zip(self.normalized.chunks_exact(n)).enumerate() {
            for j in 0..n {
                let centred = f64::from(dy[j]) - share * (dbeta[j] + f64::from(y[j]) * dgamma[j]);
                dx[row * n + j] = (f64::from(gamma[j] * self.inverse[j]) * centred) as f32;
            }
        }
        let parameter = |d: Vec<f64>| Some(Tensor::new(d.into_iter().map(|x| x as f32).collect::<Vec<_>>(), &[n]));
        vec![Some(Tensor::new(dx, grad.shape())), parameter(dgamma), parameter(dbeta)]
    }
}

fn normalize(
    x: &Tensor,
    statistics: &ColumnStatistics,
    [gamma, beta]: [&Tensor; 2],
    eps: f32,
    own_statistics: bool,
) -> Tensor {
    let (m, n) = x.matrix();
    assert!(m > 0 && gamma.elements() == n && beta.elements() == n, "batch_norm: {:?}", x.shape());
    let (mean, variance) = (&statistics.mean, &statistics.variance);
    assert!(mean.shape() == [n] && variance.shape() == [n], "batch_norm: statistics of other columns");
    if let Some(gpu) = cuda::of(&[x, gamma, beta]) {
        return cuda::op::batch_norm(gpu, x, [mean, variance], [gamma, beta], eps, own_statistics);
    }
    let mean = mean.data();
    let inverse: Vec<f32> = variance.data().iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
    let (mut normalized, mut out) = (Buffer::scratch(m * n), Buffer::scratch(m * n));
    for (at, x) in x.data().iter().enumerate() {
        let j = at % n;
        normalized[at] = (x - mean[j]) * inverse[j];
        out[at] = normalized[at] * gamma.data()[j] + beta.data()[j];
    }
    Tensor::result(out, x.shape(), &[x, gamma, beta], BatchNorm { normalized, inverse, own_statistics })
}

/// `(x − mean) / √(variance + eps) · gamma + beta` by the mean and biased variance of the rows of `x`, which are returned too; the
/// gradient flows through them.
///
/// # Shapes
/// `x: [m, n]`, `gamma`, `beta`: `[n]` → `[m, n]`.
///
/// # Panics
/// If the shapes do not fit or there is no row.
pub fn batch_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f32) -> (Tensor, ColumnStatistics) {
    let statistics = ColumnStatistics::of(x);
    (normalize(x, &statistics, [gamma, beta], eps, true), statistics)
}

/// As [`batch_norm`], by given statistics, which are constants.
///
/// # Panics
/// If the shapes do not fit or there is no row.
pub fn batch_norm_by(x: &Tensor, statistics: &ColumnStatistics, gamma: &Tensor, beta: &Tensor, eps: f32) -> Tensor {
    normalize(x, statistics, [gamma, beta], eps, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    fn inputs(rows: usize) -> [Tensor; 3] {
        [random(1, &[rows, 3]), random(2, &[3]), random(3, &[3])]
    }

    #[test]
    fn gradients_by_own_and_by_given_statistics() {
        gradients_match(&inputs(5), |x| batch_norm(&x[0], &x[1], &x[2], 1e-5).0);
        let columns = |values: [f32; 3]| Tensor::new(values.to_vec(), &[3]);
        let given = ColumnStatistics { mean: columns([0.3, -1.0, 0.0]), variance: columns([0.5, 2.0, 1.0]) };
        gradients_match(&inputs(5), |x| batch_norm_by(&x[0], &given, &x[1], &x[2], 1e-5));
    }

    #[test]
    fn columns_come_out_with_mean_zero_and_variance_one() {
        let x = random(4, &[50, 2]);
        let (ones, zeros) = (Tensor::new(vec![1.0; 2], &[2]), Tensor::new(vec![0.0; 2], &[2]));
        let after = ColumnStatistics::of(&batch_norm(&x, &ones, &zeros, 0.0).0);
        assert!(after.mean.data().iter().all(|m| m.abs() < 1e-6));
        assert!(after.variance.data().iter().all(|v| (v - 1.0).abs() < 1e-5));
    }

    #[test]
    fn one_row_gives_beta_and_passes_no_gradient_back() {
        let [x, gamma, beta] = inputs(1);
        let (y, statistics) = batch_norm(&x, &gamma, &beta, 1e-5);
        assert_eq!((y.data(), statistics.variance.data()), (beta.data(), &[0.0; 3][..]));
        let mut gradients = crate::Gradients::default();
        y.backward_from(Tensor::new(vec![1.0; 3], &[1, 3]), &mut gradients);
        assert_eq!(gradients.get(&x).unwrap().data(), &[0.0; 3]);
    }
}
