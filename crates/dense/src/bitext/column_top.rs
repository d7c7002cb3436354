//! The best few of every column of a stream of score blocks.

use crate::Neighbor;

/// Scores compared at once.
const CHUNK: usize = 64;

/// Keeps the best `k` of every column; memory `8k + 4` bytes a column. Of equal scores the lower row is better, NaN never
/// ranks.
#[derive(Clone)]
pub(super) struct ColumnTop {
    k: usize,
    /// Best first; a row of `u32::MAX` stands for none.
    kept: Vec<Neighbor>,
    /// The worst kept of every column.
    worst: Vec<f32>,
}

const NONE: Neighbor = Neighbor { row: u32::MAX, score: f32::NEG_INFINITY };

impl ColumnTop {
    pub(super) fn new(columns: usize, k: usize) -> Self {
        Self { k, kept: vec![NONE; columns * k], worst: vec![f32::NEG_INFINITY; columns] }
    }

    /// Adds the scores of `row` with the columns `first..`; rows come in rising order.
    pub(super) fn push(&mut self, row: u32, first: usize, scores: &[f32]) {
        for (at, chunk) in scores.chunks(CHUNK).enumerate() {
            let start = first + at * CHUNK;
            // Rows come in order, so a score equal to the worst has lost already.
            let worst = &self.worst[start..start + chunk.len()];
            if chunk.iter().zip(worst).fold(false, |any, (score, worst)| any | (score > worst)) {
                for (column, &score) in (start..).zip(chunk) {
                    if score > self.worst[column] {
                        self.insert(column, Neighbor { row, score });
                    }
                }
            }
        }
    }

    /// Joins what saw other rows of the same columns.
    pub(super) fn merge(&mut self, other: &Self) {
        for (column, theirs) in other.kept.chunks_exact(self.k).enumerate() {
            for neighbor in theirs.iter().filter(|neighbor| neighbor.row != NONE.row) {
                self.insert(column, *neighbor);
            }
        }
    }

    fn insert(&mut self, column: usize, new: Neighbor) {
        let kept = &mut self.kept[column * self.k..(column + 1) * self.k];
        let Some(place) = kept.iter().position(|old| new.by_rank(old).is_lt()) else { return };
        kept[place..].rotate_right(1);
        kept[place] = new;
        self.worst[column] = kept[self.k - 1].score;
    }

    /// The best of a column, best first.
    pub(super) fn of(&self, column: usize) -> impl Iterator<Item = Neighbor> + '_ {
        let kept = &self.kept[column * self.k..(column + 1) * self.k];
        kept.iter().copied().take_while(|neighbor| neighbor.row != NONE.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_full_sort_of_every_column(
            scores in proptest::collection::vec((-5i8..5).prop_map(f32::from), 1..600),
            columns in 1usize..100,
            k in 1usize..7,
            split in 0usize..20,
        ) {
            let rows: Vec<&[f32]> = scores.chunks_exact(columns).collect();
            let (mut one, mut other) = (ColumnTop::new(columns, k), ColumnTop::new(columns, k));
            for (row, scores) in rows.iter().enumerate() {
                let top = if row % 20 < split { &mut one } else { &mut other };
                let (head, tail) = scores.split_at(columns / 3);
                top.push(row as u32, 0, head);
                top.push(row as u32, head.len(), tail);
            }
            other.merge(&one);
            for column in 0..columns {
                let mut want: Vec<Neighbor> =
                    rows.iter().zip(0..).map(|(scores, row)| Neighbor { row, score: scores[column] }).collect();
                want.sort_by(Neighbor::by_rank);
                want.truncate(k);
                prop_assert_eq!(other.of(column).collect::<Vec<_>>(), want);
            }
        }
    }
}
