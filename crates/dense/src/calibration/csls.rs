//! Nearest neighbours across two sets of vectors without hubs (Conneau and others 2018).

use crate::calibration::normalize;
use crate::{Flat, Index, Result, Vectors};

/// Neighbours of the fast search that are scored anew beyond those asked for, so that its rounding decides nothing.
const SPARE: usize = 8;

/// Vectors that search together.
const BATCH: usize = 4096;

/// `csls(x, y) = 2 cos(x, y) − r(x) − r(y)`, where r is the mean cosine of the k nearest on the other side: whoever is near
/// to everybody is near to nobody.
///
/// The matrix of all pairs is never made: memory is that of the vectors and a few neighbours of each. Neighbours are
/// found by matrix products in f32, their scores are sums in f64.
pub struct Csls {
    source: Vectors,
    target: Vectors,
    r_source: Vec<f64>,
    r_target: Vec<f64>,
}

impl Csls {
    /// Brings both sets to length 1 and finds the `k` nearest of each (all, where there are fewer).
    ///
    /// # Errors
    /// More than `u32::MAX` vectors.
    ///
    /// # Panics
    /// Where the two have vectors of different lengths.
    pub fn new(mut source: Vectors, mut target: Vectors, k: usize) -> Result<Self> {
        assert_eq!(source.dim(), target.dim(), "vectors of different lengths");
        let dim = source.dim();
        for vectors in [&mut source, &mut target] {
            vectors.data_mut().chunks_exact_mut(dim.max(1)).for_each(normalize);
        }
        let r_source = nearness(&source, &target, k)?;
        let r_target = nearness(&target, &source, k)?;
        Ok(Self { source, target, r_source, r_target })
    }

    /// The cosine of a source and a target.
    pub fn cosine(&self, source: usize, target: usize) -> f64 {
        cosine(self.source.row(source), self.target.row(target))
    }

    /// The score of a source and a target.
    pub fn score(&self, source: usize, target: usize) -> f64 {
        2.0 * self.cosine(source, target) - self.r_source[source] - self.r_target[target]
    }

    /// r of every source.
    pub fn r_source(&self) -> &[f64] {
        &self.r_source
    }

    /// r of every target.
    pub fn r_target(&self) -> &[f64] {
        &self.r_target
    }

    /// The best `n` targets of every source, best first; of equal scores the lower row.
    ///
    /// # Errors
    /// More than `u32::MAX` vectors.
    pub fn top(&self, n: usize) -> Result<Vec<Vec<u32>>> {
        best(&self.source, &self.target, &self.r_target, n)
    }

    /// The best target of every source.
    ///
    /// # Errors
    /// As [`Csls::top`].
    pub fn nearest(&self) -> Result<Vec<u32>> {
        Ok(first(self.top(1)?))
    }

    /// The best source of every target.
    ///
    /// # Errors
    /// As [`Csls::top`].
    pub fn nearest_backward(&self) -> Result<Vec<u32>> {
        Ok(first(best(&self.target, &self.source, &self.r_source, 1)?))
    }

    /// Pairs (source, target) of which each is the other's best, by source.
    ///
    /// # Errors
    /// As [`Csls::top`].
    pub fn mutual_pairs(&self) -> Result<Vec<(u32, u32)>> {
        let (forth, back) = (self.nearest()?, self.nearest_backward()?);
        let mutual = |(i, j): &(u32, u32)| back[*j as usize] == *i;
        Ok((0..).zip(forth).filter(mutual).collect())
    }

    /// The mean cosine of every source with its best target: how well two sets lie on each other, without labels.
    ///
    /// # Errors
    /// As [`Csls::top`].
    pub fn mean_cosine(&self) -> Result<f64> {
        let nearest = self.nearest()?;
        let sum: f64 = nearest.iter().enumerate().map(|(i, j)| self.cosine(i, *j as usize)).sum();
        Ok(sum / nearest.len().max(1) as f64)
    }
}

fn first(lists: Vec<Vec<u32>>) -> Vec<u32> {
    lists.into_iter().filter_map(|list| list.first().copied()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// r of every row of `from`: the mean cosine of its `k` nearest rows of `among`; 0 where there are none.
fn nearness(from: &Vectors, among: &Vectors, k: usize) -> Result<Vec<f64>> {
    let found = Flat::from_vectors(among.clone())?.search(from.view(), k);
    let mean = |(i, near): (usize, &Vec<crate::Neighbor>)| {
        let sum: f64 = near.iter().map(|n| cosine(from.row(i), among.row(n.row as usize))).sum();
        sum / near.len().max(1) as f64
    };
    Ok(found.iter().enumerate().map(mean).collect())
}

/// The best `n` rows of `among` for every row of `from`: by `2 cos − r`, which one inner product gives when every vector
/// gets a last component, 1 here and −r there.
fn best(from: &Vectors, among: &Vectors, r: &[f64], n: usize) -> Result<Vec<Vec<u32>>> {
    let dim = among.dim();
    let mut index = Vec::with_capacity(among.len() * (dim + 1));
    for (i, r) in r.iter().enumerate() {
        index.extend_from_slice(among.row(i));
        index.push(-*r as f32);
    }
    let index = Flat::from_vectors(Vectors::new(dim + 1, index)?)?;
    let mut lists = Vec::with_capacity(from.len());
    for start in (0..from.len()).step_by(BATCH) {
        let rows = start..from.len().min(start + BATCH);
        let queries = rows.clone().flat_map(|i| from.row(i).iter().map(|x| 2.0 * x).chain([1.0])).collect();
        let found = index.search(Vectors::new(dim + 1, queries)?.view(), n + SPARE);
        for (i, near) in rows.zip(found) {
            let score = |j: u32| 2.0 * cosine(from.row(i), among.row(j as usize)) - r[j as usize];
            let mut near: Vec<(f64, u32)> = near.iter().map(|found| (score(found.row), found.row)).collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            near.truncate(n);
            lists.push(near.into_iter().map(|(_, row)| row).collect());
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn random(rows: usize, dim: usize, seed: u64) -> Vectors {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) % 2000) as f32 / 1000.0 - 1.0
        };
        Vectors::new(dim, (0..rows * dim).map(|_| next()).collect()).unwrap()
    }

    /// Every pair, as the equation says.
    fn naive(source: &Vectors, target: &Vectors, k: usize) -> Vec<Vec<f64>> {
        let length = |x: &[f32]| cosine(x, x).sqrt();
        let cos = |i: usize, j: usize| {
            cosine(source.row(i), target.row(j)) / (length(source.row(i)) * length(target.row(j))).max(1e-300)
        };
        let mean = |mut near: Vec<f64>| {
            near.sort_by(|a, b| b.total_cmp(a));
            near.truncate(k);
            near.iter().sum::<f64>() / near.len() as f64
        };
        let (n, m) = (source.len(), target.len());
        let rs: Vec<f64> = (0..n).map(|i| mean((0..m).map(|j| cos(i, j)).collect())).collect();
        let rt: Vec<f64> = (0..m).map(|j| mean((0..n).map(|i| cos(i, j)).collect())).collect();
        (0..n).map(|i| (0..m).map(|j| 2.0 * cos(i, j) - rs[i] - rt[j]).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_the_matrix_of_all_pairs(n in 1usize..60, m in 1usize..700, dim in 1usize..20, k in 1usize..15, seed: u64) {
            let (source, target) = (random(n, dim, seed), random(m, dim, seed ^ 1));
            let want = naive(&source, &target, k);
            let csls = Csls::new(source, target, k).unwrap();
            for (i, best) in csls.nearest().unwrap().into_iter().enumerate() {
                prop_assert!(want[i].iter().all(|score| *score <= want[i][best as usize] + 2e-6));
                prop_assert!((csls.score(i, i % m) - want[i][i % m]).abs() < 2e-6);
            }
            for (j, best) in csls.nearest_backward().unwrap().into_iter().enumerate() {
                prop_assert!(want.iter().all(|row| row[j] <= want[best as usize][j] + 2e-6));
            }
        }
    }

    #[test]
    fn of_equal_targets_the_first_is_nearest() {
        let one = random(1, 9, 3);
        let mut target = random(600, 9, 4);
        for at in [77, 310, 599] {
            target.data_mut()[at * 9..(at + 1) * 9].copy_from_slice(one.data());
        }
        let csls = Csls::new(one, target, 4).unwrap();
        assert_eq!(csls.top(3).unwrap(), [[77, 310, 599]]);
        assert_eq!(csls.mutual_pairs().unwrap(), [(0, 77)]);
        assert!((csls.mean_cosine().unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn empty_sets_have_no_pairs() {
        let csls = Csls::new(Vectors::empty(3), random(4, 3, 1), 10).unwrap();
        assert!(csls.mutual_pairs().unwrap().is_empty() && csls.mean_cosine().unwrap() == 0.0);
    }
}
