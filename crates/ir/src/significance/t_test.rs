//! The paired t-test (Student 1908).

use super::effect::{mean, standard_deviation};
use super::student::student_two_sided;
use serde::Serialize;

/// What [`paired_t_test`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TTest {
    /// Mean over its standard error; `None` where the differences have no spread.
    pub t: Option<f64>,
    /// Degrees of freedom: one fewer than the differences.
    pub df: usize,
    /// Two-sided. Without spread: 1 where the mean is 0 or there are fewer than two differences, else 0.
    pub p: f64,
}

/// Whether the mean of `differences` is 0, supposing that it is normally distributed.
pub fn paired_t_test(differences: &[f64]) -> TTest {
    let df = differences.len().saturating_sub(1);
    let mean = mean(differences);
    match standard_deviation(differences) {
        None => TTest { t: None, df, p: 1.0 },
        Some(0.0) => TTest { t: None, df, p: f64::from(mean == 0.0) },
        Some(deviation) => {
            let t = mean / (deviation / (differences.len() as f64).sqrt());
            TTest { t: Some(t), df, p: student_two_sided(t, df as f64) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_spread_it_is_defined() {
        assert_eq!(paired_t_test(&[]), TTest { t: None, df: 0, p: 1.0 });
        assert_eq!(paired_t_test(&[0.7]), TTest { t: None, df: 0, p: 1.0 });
        assert_eq!(paired_t_test(&[0.0; 5]), TTest { t: None, df: 4, p: 1.0 });
        assert_eq!(paired_t_test(&[0.1; 5]), TTest { t: None, df: 4, p: 0.0 });
    }

    proptest! {
        #[test]
        fn p_is_a_share_and_signs_do_not_matter(differences in prop::collection::vec(-1.0f64..=1.0, 0..40)) {
            let test = paired_t_test(&differences);
            prop_assert!((0.0..=1.0).contains(&test.p) && test.t.is_none_or(f64::is_finite), "{test:?}");
            let other: Vec<f64> = differences.iter().map(|d| -d).collect();
            prop_assert_eq!(paired_t_test(&other).p, test.p);
        }
    }
}
