//! Rows that are stored alike. One of them is in the graph and stands for all: many equal rows would link to nothing but each other.

use rayon::prelude::*;
use xxhash_rust::xxh3::Xxh3;

use super::codes::BytesRows;

/// For every row with twins, which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Twins {
    /// The rows in the graph that have twins, rising.
    pub(crate) first: Vec<u32>,
    /// Where the twins of each end in `others`.
    pub(crate) ends: Vec<u32>,
    /// The twins, by the row that stands for them, then rising.
    pub(crate) others: Vec<u32>,
}

impl Twins {
    /// Finds them; of equal rows, the lowest stands for the others.
    pub(crate) fn find(rows: &BytesRows) -> Self {
        let mut hashed: Vec<(u128, u32)> =
            (0..rows.scales.len() as u32).into_par_iter().map(|row| (hash(rows, row as usize), row)).collect();
        hashed.par_sort_unstable();
        let groups = hashed.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
        let mut groups: Vec<Vec<u32>> = groups.map(|group| group.iter().map(|(_, row)| *row).collect()).collect();
        groups.sort_unstable();
        let mut twins = Self::default();
        for group in groups {
            twins.first.push(group[0]);
            twins.others.extend_from_slice(&group[1..]);
            twins.ends.push(twins.others.len() as u32);
        }
        twins
    }
}

fn hash(rows: &BytesRows, row: usize) -> u128 {
    let plane = row * rows.stride..(row + 1) * rows.stride;
    let mut hash = Xxh3::new();
    hash.update(&rows.scales[row].to_le_bytes());
    hash.update(&rows.high[plane.clone()]);
    hash.update(&rows.low[plane]);
    hash.digest128()
}

/// [`Twins`], borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwinsView<'a> {
    pub(crate) first: &'a [u32],
    pub(crate) ends: &'a [u32],
    pub(crate) others: &'a [u32],
}

impl<'a> TwinsView<'a> {
    /// The twins of `row`.
    #[inline]
    pub(crate) fn of(&self, row: u32) -> &'a [u32] {
        let Ok(at) = self.first.binary_search(&row) else { return &[] };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        self.others.get(start..self.ends[at] as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_found_whatever_lies_between() {
        let mut rows = BytesRows::new(2);
        for row in [[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.001]] {
            rows.push(&row);
        }
        let twins = Twins::find(&rows);
        let view = TwinsView { first: &twins.first, ends: &twins.ends, others: &twins.others };
        let of = |row| view.of(row).to_vec();
        assert_eq!((of(0), of(1), of(2), of(3), of(6)), (vec![2, 5], vec![4], vec![], vec![], vec![]));
        assert_eq!(Twins::find(&BytesRows::new(3)), Twins::default());
    }
}
