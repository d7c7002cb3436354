//! The best `k` of a stream of scores.

use std::cmp::Ordering;

/// A row of an index and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Row, from 0.
    pub row: u32,
    /// Inner product with the query.
    pub score: f32,
}

impl Neighbor {
    /// Better first: the higher score, and of equal scores the lower row.
    pub fn by_rank(&self, other: &Self) -> Ordering {
        other.score.partial_cmp(&self.score).unwrap_or(Ordering::Equal).then(self.row.cmp(&other.row))
    }
}

/// Scores filtered at once by [`TopK::push_block`].
const CHUNK: usize = 64;

/// Keeps the best `k` of the neighbours pushed; memory `2k` of them; NaN never ranks.
///
/// New ones gather behind the best until there are `k` of them, then one selection drops the worse half: constant
/// time each, and a threshold that lets whole blocks of scores be passed over.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    kept: Vec<Neighbor>,
    threshold: f32,
}

impl TopK {
    /// Keeps `k`.
    pub fn new(k: usize) -> Self {
        Self { k, kept: Vec::new(), threshold: if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY } }
    }

    /// Adds the scores of rows `first_row..`, all of them higher than any row pushed before.
    pub fn push_block(&mut self, first_row: u32, scores: &[f32]) {
        for (at, chunk) in scores.chunks(CHUNK).enumerate() {
            // Rows come in order, so a score equal to the threshold has lost already; without `k` there is no threshold.
            let threshold = self.threshold;
            let any = chunk.iter().fold(false, |any, &s| any | (s > threshold));
            if any || (self.kept.len() < self.k && threshold == f32::NEG_INFINITY) {
                self.push_chunk(first_row + (at * CHUNK) as u32, chunk);
            }
        }
    }

    fn push_chunk(&mut self, first_row: u32, scores: &[f32]) {
        for (row, &score) in (first_row..).zip(scores) {
            let open = self.kept.len() < self.k && self.threshold == f32::NEG_INFINITY;
            if score > self.threshold || (open && !score.is_nan()) {
                self.kept.push(Neighbor { row, score });
                if self.kept.len() >= 2 * self.k {
                    self.shrink();
                }
            }
        }
    }

    /// Drops all but the best `k`; their worst is the threshold from here on.
    fn shrink(&mut self) {
        if self.kept.len() > self.k {
            self.kept.select_nth_unstable_by(self.k - 1, Neighbor::by_rank);
            self.kept.truncate(self.k);
            self.threshold = self.kept[self.k - 1].score;
        }
    }

    /// Joins two that saw different rows, in any order.
    pub fn merge(&mut self, other: TopK) {
        self.kept.extend(other.kept);
        self.shrink();
    }

    /// The best `k`, best first.
    pub fn into_sorted(mut self) -> Vec<Neighbor> {
        self.kept.sort_unstable_by(Neighbor::by_rank);
        self.kept.truncate(self.k);
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(scores: &[f32], k: usize) -> Vec<Neighbor> {
        let all = scores.iter().enumerate().map(|(row, &score)| Neighbor { row: row as u32, score });
        let mut all: Vec<_> = all.filter(|n| !n.score.is_nan()).collect();
        all.sort_by(Neighbor::by_rank);
        all.truncate(k);
        all
    }

    proptest! {
        #[test]
        fn equals_a_full_sort(
            scores in proptest::collection::vec((-5i8..5).prop_map(f32::from), 0..400),
            k in 0usize..50,
            block in 1usize..100,
        ) {
            let mut top = TopK::new(k);
            for (i, scores) in scores.chunks(block).enumerate() {
                top.push_block((i * block) as u32, scores);
            }
            prop_assert_eq!(top.into_sorted(), naive(&scores, k));
        }

        #[test]
        fn two_halves_merge_into_the_whole(
            scores in proptest::collection::vec((-5i8..5).prop_map(f32::from), 0..400),
            k in 0usize..50,
        ) {
            let (mut even, mut odd) = (TopK::new(k), TopK::new(k));
            for (i, chunk) in scores.chunks(10).enumerate() {
                let half = if i % 2 == 0 { &mut even } else { &mut odd };
                half.push_block(i as u32 * 10, chunk);
            }
            odd.merge(even);
            prop_assert_eq!(odd.into_sorted(), naive(&scores, k));
        }
    }

    #[test]
    fn nan_never_ranks_and_minus_infinity_ranks_last() {
        let scores = [f32::NAN, f32::NEG_INFINITY, 1.0, f32::NAN];
        let mut top = TopK::new(4);
        top.push_block(0, &scores);
        assert_eq!(top.into_sorted(), naive(&scores, 4));
    }
}
