//! Bootstrap intervals of means: queries drawn with replacement, percentiles of the resampled means.

use crate::random::SplitMix;
use serde::{Deserialize, Serialize};

/// How intervals are drawn; the same values give the same interval on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    /// Of the generator.
    pub seed: u64,
    /// How many times the queries are drawn anew; 0 for no intervals.
    pub resamples: usize,
    /// The share of resampled means inside the interval, between 0 and 1.
    pub confidence: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { seed: 42, resamples: 1000, confidence: 0.95 }
    }
}

/// A lower and an upper bound.
pub type Interval = [f64; 2];

impl Bootstrap {
    /// One interval per measure for the mean over `rows` (a row per query, a column per measure).
    pub fn mean(&self, rows: &[&[f64]], columns: usize) -> Vec<Interval> {
        self.macro_mean(&[rows.to_vec()], columns)
    }

    /// One interval per measure for the mean of the groups' means; queries are drawn within their group.
    pub fn macro_mean(&self, groups: &[Vec<&[f64]>], columns: usize) -> Vec<Interval> {
        let groups: Vec<_> = groups.iter().filter(|rows| !rows.is_empty()).collect();
        if groups.is_empty() || self.resamples == 0 {
            return Vec::new();
        }
        let mut random = SplitMix(self.seed);
        let mut means = vec![Vec::with_capacity(self.resamples); columns];
        for _ in 0..self.resamples {
            let mut sums = vec![0.0; columns];
            for rows in &groups {
                let share = 1.0 / (rows.len() * groups.len()) as f64;
                for _ in 0..rows.len() {
                    let row = rows[random.below(rows.len())];
                    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * share);
                }
            }
            means.iter_mut().zip(sums).for_each(|(means, mean)| means.push(mean));
        }
        means.into_iter().map(|means| percentile_interval(means, self.confidence)).collect()
    }
}

/// The central interval that holds the share `confidence` of `means`, which must not be empty.
///
/// Percentiles are linear between order statistics, as numpy's default.
pub fn percentile_interval(mut means: Vec<f64>, confidence: f64) -> Interval {
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    [quantile(&means, tail), quantile(&means, 1.0 - tail)]
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_near_its_normal_approximation() {
        let values: Vec<[f64; 1]> = (0..400).map(|i| [f64::from(i % 2)]).collect();
        let rows: Vec<&[f64]> = values.iter().map(|v| v.as_slice()).collect();
        let [low, high] = Bootstrap::default().mean(&rows, 1)[0];
        assert!((low - 0.451).abs() < 0.01 && (high - 0.549).abs() < 0.01, "{low} {high}");
    }

    #[test]
    fn percentiles_lie_between_order_statistics() {
        assert_eq!(percentile_interval(vec![4.0, 0.0, 1.0, 2.0], 0.5), [0.75, 2.5]);
        assert_eq!(percentile_interval(vec![3.0], 0.95), [3.0, 3.0]);
    }

    #[test]
    fn groups_weigh_the_same() {
        let (one, zero) = ([1.0], [0.0]);
        let groups = [vec![&one[..]], vec![&zero[..]; 9], Vec::new()];
        assert_eq!(Bootstrap::default().macro_mean(&groups, 1), [[0.5, 0.5]]);
    }
}
