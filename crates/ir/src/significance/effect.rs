//! How large a difference is, and how small a one could have been seen.

use super::student::student_quantile;

/// The level and the power that [`detectable_difference`] speaks of.
const LEVEL: f64 = 0.05;
const POWER: f64 = 0.8;

/// The standard deviation of `differences` (n - 1 in the denominator); `None` for fewer than two, 0 where all are equal.
pub fn standard_deviation(differences: &[f64]) -> Option<f64> {
    let (first, n) = (differences.first()?, differences.len());
    if n < 2 {
        return None;
    }
    if differences.iter().all(|d| d == first) {
        return Some(0.0);
    }
    let mean = mean(differences);
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    Some((squares / (n - 1) as f64).sqrt())
}

/// Cohen's d_z: the mean difference over its standard deviation; 0 where nothing differs.
///
/// `None` for fewer than two differences, and where all are equal but not 0: no spread to measure it by.
pub fn effect_size(differences: &[f64]) -> Option<f64> {
    match (standard_deviation(differences)?, mean(differences)) {
        (0.0, 0.0) => Some(0.0),
        (0.0, _) => None,
        (deviation, mean) => Some(mean / deviation),
    }
}

/// The smallest mean difference that a two-sided paired t-test at 5 % would find four times out of five, with so many
/// queries and the spread observed: `(t(0.975) + t(0.8)) · sd / √n`, quantiles at n - 1 degrees of freedom (Bloom 1995).
///
/// `None` for fewer than two differences or none that differ from the others.
pub fn detectable_difference(differences: &[f64]) -> Option<f64> {
    let deviation = standard_deviation(differences).filter(|deviation| *deviation > 0.0)?;
    let (n, df) = (differences.len() as f64, (differences.len() - 1) as f64);
    Some((student_quantile(1.0 - LEVEL / 2.0, df) + student_quantile(POWER, df)) * deviation / n.sqrt())
}

/// The mean; 0 of nothing.
pub(super) fn mean(differences: &[f64]) -> f64 {
    match differences.len() {
        0 => 0.0,
        n => differences.iter().sum::<f64>() / n as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_spread_there_is_no_size_to_tell() {
        for (differences, size) in [
            (&[][..], None),
            (&[0.5], None),
            (&[0.1, 0.1, 0.1], None),
            (&[0.0, 0.0], Some(0.0)),
            (&[1.0, -1.0], Some(0.0)),
        ] {
            assert_eq!(effect_size(differences), size, "{differences:?}");
        }
        assert_eq!(detectable_difference(&[0.0, 0.0]), None);
        assert_eq!(standard_deviation(&[0.1, 0.1, 0.1]), Some(0.0));
    }

    #[test]
    fn four_times_the_queries_see_half_the_difference() {
        let pattern = |n: usize| -> Vec<f64> { (0..n).map(|i| if i % 2 == 0 { 0.1 } else { -0.1 }).collect() };
        let ratio = detectable_difference(&pattern(1000)).unwrap() / detectable_difference(&pattern(4000)).unwrap();
        assert!((ratio - 2.0).abs() < 0.01, "{ratio}");
    }
}
