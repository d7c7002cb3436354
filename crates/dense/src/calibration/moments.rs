//! Mean and standard deviation of a stream of vectors.

/// Mean and sum of squared deviations of each component, in f64 and bounded memory (Welford 1962).
#[derive(Clone, Debug)]
pub struct Moments {
    count: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Of no vector yet.
    pub fn new(dim: usize) -> Self {
        Self { count: 0, mean: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    /// Takes one vector in.
    ///
    /// # Panics
    /// Where it has another length.
    pub fn push(&mut self, x: &[f32]) {
        assert_eq!(x.len(), self.mean.len(), "a vector of another length");
        self.count += 1;
        let share = 1.0 / self.count as f64;
        for ((x, mean), squares) in x.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let before = f64::from(*x) - *mean;
            *mean += before * share;
            *squares += before * (f64::from(*x) - *mean);
        }
    }

    /// Vectors taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// μ; zeros where there was no vector.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// σ of each component: of the population, `sqrt(Σ (x − μ)² / n)`.
    pub fn std(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| (squares / self.count.max(1) as f64).sqrt()).collect()
    }

    /// One σ for all components: the root of the mean squared deviation over vectors and components.
    pub fn scalar_std(&self) -> f64 {
        let numbers = self.count.max(1) as f64 * self.mean.len().max(1) as f64;
        (self.squares.iter().sum::<f64>() / numbers).sqrt()
    }

    /// `(x − μ)/σ` in f64; a component with σ = 0 is not divided.
    pub fn standardize(&self, x: &[f32]) -> Vec<f64> {
        let std = |squares: &f64| match (squares / self.count.max(1) as f64).sqrt() {
            0.0 => 1.0,
            std => std,
        };
        let parts = x.iter().zip(&self.mean).zip(&self.squares);
        parts.map(|((x, mean), squares)| (f64::from(*x) - mean) / std(squares)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_offset_does_not_swallow_the_deviation() {
        let mut moments = Moments::new(2);
        for i in 0..10_000 {
            // 16 bits apart from the offset: exact in f32.
            moments.push(&[1e6 + (i % 2) as f32, 3.0]);
        }
        assert_eq!(moments.count(), 10_000);
        assert!((moments.mean()[0] - 1_000_000.5).abs() < 1e-9 && moments.mean()[1] == 3.0);
        assert!((moments.std()[0] - 0.5).abs() < 1e-9 && moments.std()[1] == 0.0);
        assert!((moments.scalar_std() - 0.125f64.sqrt()).abs() < 1e-9);
        assert_eq!(moments.standardize(&[1e6, 5.0])[1], 2.0);
    }

    #[test]
    fn no_vector_has_no_deviation() {
        assert_eq!((Moments::new(1).std(), Moments::new(0).scalar_std()), (vec![0.0], 0.0));
    }
}
