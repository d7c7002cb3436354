//! Buckets of relative positions (Raffel et al. 2020, T5): exact near by, logarithmic further away.

/// How distances from a token to another fall into the buckets of a table of learned biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativePositions {
    /// Rows of the table.
    pub buckets: usize,
    /// Distance from which on all fall into the last bucket.
    pub max_distance: usize,
    /// Whether tokens before and after have buckets of their own, half of them each; else all tokens after share the bucket of distance 0.
    pub bidirectional: bool,
}

impl RelativePositions {
    /// The bucket of a token `distance` after (if negative, before) the token that looks at it.
    ///
    /// # Panics
    /// If there are fewer than 4 buckets (2 in one direction).
    pub fn bucket(&self, distance: i64) -> usize {
        let (buckets, after) = match self.bidirectional {
            true => (self.buckets / 2, if distance > 0 { self.buckets / 2 } else { 0 }),
            false => (self.buckets, 0),
        };
        let away = if self.bidirectional { distance.unsigned_abs() } else { distance.min(0).unsigned_abs() } as usize;
        let exact = buckets / 2;
        assert!(exact > 0, "{} buckets of relative positions are too few", self.buckets);
        if away < exact {
            return after + away;
        }
        // In single precision, as the models were trained.
        let whole = (self.max_distance as f64 / exact as f64).ln() as f32;
        let share = (away as f32 / exact as f32).ln() / whole * (buckets - exact) as f32;
        after + (exact + share as usize).min(buckets - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_in_both_directions() {
        let positions = RelativePositions { buckets: 8, max_distance: 20, bidirectional: true };
        // 2 exact, then 2 + ⌊2·ln(d/2)/ln 10⌋, at most 3; tokens after have 4 more.
        let expected =
            [(0, 0), (-1, 1), (-2, 2), (-6, 2), (-7, 3), (-500, 3), (1, 5), (2, 6), (6, 6), (7, 7), (500, 7)];
        for (distance, bucket) in expected {
            assert_eq!(positions.bucket(distance), bucket, "{distance}");
        }
    }

    #[test]
    fn buckets_of_what_came_before() {
        let positions = RelativePositions { buckets: 32, max_distance: 128, bidirectional: false };
        // 16 exact, then 16 + ⌊16·ln(d/16)/ln 8⌋, at most 31.
        let expected = [(5, 0), (0, 0), (-1, 1), (-15, 15), (-16, 16), (-18, 16), (-19, 17), (-32, 21), (-112, 30)];
        for (distance, bucket) in expected.into_iter().chain([(-113, 31), (-128, 31), (-100_000, 31)]) {
            assert_eq!(positions.bucket(distance), bucket, "{distance}");
        }
    }
}
