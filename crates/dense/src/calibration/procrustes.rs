//! Orthogonal maps between two sets of vectors (Schönemann 1966).

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::{Error, Result};

/// Pairs gathered before one matrix product.
const BLOCK: usize = 256;

/// Gathers `M = Σ y xᵀ` over pairs, in the memory of a matrix; its polar factor is the orthogonal W with the least
/// `Σ |W x − y|²`.
pub struct Procrustes {
    dim: usize,
    pairs: usize,
    x: Vec<f64>,
    y: Vec<f64>,
    sum: Mat<f64>,
}

/// The best orthogonal map.
#[derive(Clone, Debug)]
pub struct Solution {
    /// W, row-major, `dim × dim`: `W x` lies near `y`.
    pub rotation: Vec<f64>,
    /// Singular values of M, falling. W is unique where none is 0.
    pub singular_values: Vec<f64>,
}

impl Procrustes {
    /// Of no pair yet.
    pub fn new(dim: usize) -> Self {
        Self { dim, pairs: 0, x: Vec::new(), y: Vec::new(), sum: Mat::zeros(dim, dim) }
    }

    /// Takes one pair in: `x` is to be mapped onto `y`.
    ///
    /// # Panics
    /// Where either has another length.
    pub fn push(&mut self, x: &[f64], y: &[f64]) {
        assert_eq!((x.len(), y.len()), (self.dim, self.dim), "a vector of another length");
        self.x.extend_from_slice(x);
        self.y.extend_from_slice(y);
        self.pairs += 1;
        if self.x.len() == BLOCK * self.dim {
            self.add();
        }
    }

    /// Pairs taken in.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Adds what was gathered.
    fn add(&mut self) {
        let rows = self.x.len() / self.dim.max(1);
        let x = MatRef::from_row_major_slice(&self.x, rows, self.dim);
        let y = MatRef::from_row_major_slice(&self.y, rows, self.dim);
        matmul(self.sum.as_mut(), Accum::Add, y.transpose(), x, 1.0, Par::Seq);
        self.x.clear();
        self.y.clear();
    }

    /// `W = U Vᵀ`, where `M = U S Vᵀ`. Time `O(dim³)`: below a second for 1024 numbers.
    ///
    /// # Errors
    /// [`Error::NoRotation`] where there is no pair or a number is not finite.
    pub fn solve(mut self) -> Result<Solution> {
        self.add();
        let (pairs, dim) = (self.pairs, self.dim);
        let finite = self.sum.col_iter().all(|column| column.iter().all(|x| x.is_finite()));
        let svd = (pairs > 0 && finite).then(|| self.sum.svd().ok()).flatten();
        let svd = svd.ok_or(Error::NoRotation { pairs })?;
        let rotation = svd.U() * svd.V().transpose();
        let singular_values = svd.S().column_vector().iter().copied().collect();
        Ok(Solution { rotation: row_major(rotation.as_ref(), dim), singular_values })
    }
}

fn row_major(matrix: MatRef<'_, f64>, dim: usize) -> Vec<f64> {
    (0..dim * dim).map(|at| matrix[(at / dim, at % dim)]).collect()
}

/// One step of a drifting `W` (row-major, `dim × dim`) back to an orthogonal matrix: `(1 + β) W − β (W Wᵀ) W`.
pub fn orthogonalize(w: &[f64], dim: usize, beta: f64) -> Vec<f64> {
    let w = MatRef::from_row_major_slice(w, dim, dim);
    let mut square = Mat::zeros(dim, dim);
    matmul(square.as_mut(), Accum::Replace, w, w.transpose(), 1.0, Par::Seq);
    let mut step = w * faer::Scale(1.0 + beta);
    matmul(step.as_mut(), Accum::Add, square.as_ref(), w, -beta, Par::Seq);
    row_major(step.as_ref(), dim)
}

/// Partial sums of a product: their order is fixed, and each is a lane.
const LANES: usize = 16;

/// `to = W x`, with W row-major.
///
/// # Panics
/// Where W is not `to.len() × x.len()`.
pub fn apply_rotation(w: &[f32], x: &[f32], to: &mut [f32]) {
    assert_eq!(w.len(), x.len() * to.len(), "a matrix of another shape");
    for (to, w) in to.iter_mut().zip(w.chunks_exact(x.len().max(1))) {
        let mut sums = [0.0f32; LANES];
        let (ws, xs) = (w.chunks_exact(LANES), x.chunks_exact(LANES));
        let rest: f32 = ws.remainder().iter().zip(xs.remainder()).map(|(w, x)| w * x).sum();
        for (w, x) in ws.zip(xs) {
            (0..LANES).for_each(|i| sums[i] += w[i] * x[i]);
        }
        *to = sums.iter().sum::<f32>() + rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_turn_is_found_from_many_pairs() {
        let (sin, cos) = (0.6, 0.8);
        let mut procrustes = Procrustes::new(2);
        for i in 0..1000 {
            let x = [f64::from(i % 7) - 3.0, f64::from(i % 5) - 2.0];
            procrustes.push(&x, &[cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]]);
        }
        assert_eq!(procrustes.pairs(), 1000);
        let found = procrustes.solve().unwrap();
        for (got, want) in found.rotation.iter().zip([cos, -sin, sin, cos]) {
            assert!((got - want).abs() < 1e-12, "{:?}", found.rotation);
        }
        assert!(found.singular_values[0] >= found.singular_values[1] && found.singular_values[1] > 0.0);
    }

    #[test]
    fn what_has_no_pairs_has_no_rotation() {
        assert!(matches!(Procrustes::new(3).solve(), Err(Error::NoRotation { pairs: 0 })));
        let mut broken = Procrustes::new(1);
        broken.push(&[f64::INFINITY], &[1.0]);
        assert!(broken.solve().is_err());
    }

    #[test]
    fn a_drifting_matrix_comes_back() {
        let mut w = vec![0.9, 0.1, -0.05, 1.1];
        (0..2000).for_each(|_| w = orthogonalize(&w, 2, 0.01));
        let product = |i: usize, j: usize| w[2 * i] * w[2 * j] + w[2 * i + 1] * w[2 * j + 1];
        assert!((product(0, 0) - 1.0).abs() < 1e-9 && product(0, 1).abs() < 1e-9 && (product(1, 1) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn products_of_any_length_equal_the_definition() {
        for dim in [0, 1, 5, 16, 33] {
            let w: Vec<f32> = (0..dim * dim).map(|i| (i % 11) as f32 - 5.0).collect();
            let x: Vec<f32> = (0..dim).map(|i| (i % 3) as f32 - 1.0).collect();
            let mut to = vec![9.0; dim];
            apply_rotation(&w, &x, &mut to);
            for (i, y) in to.iter().enumerate() {
                assert_eq!(*y, (0..dim).map(|j| w[i * dim + j] * x[j]).sum::<f32>());
            }
        }
    }
}
