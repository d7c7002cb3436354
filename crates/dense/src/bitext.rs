//! Translation retrieval: each text should be nearest to its own translation.

mod column_top;
mod margin;
mod mine;
mod rows;
mod scan;

pub use margin::Margin;
pub use mine::{Mined, Strategy};

use crate::{Error, Flat, Index, Result, VectorStore, Vectors, VectorsView};
use rows::Rows;

/// Texts of two languages as rows of length one, and what lies near each on the other side.
///
/// Memory: `k` neighbours a row (and `8k + 4` bytes a row of the second side for each thread); never a score for every
/// pair. The same on any number of threads.
pub struct Bitext<'a> {
    x: Rows<'a>,
    y: Rows<'a>,
    /// For each `x` its `k` nearest `y`, and the other way round.
    near: [Vec<Vec<(u32, f64)>>; 2],
    /// The mean cosine of each `x`, and of each `y`, with those.
    means: [Vec<f64>; 2],
}

impl<'a> Bitext<'a> {
    /// Finds the `k` nearest of every row on the other side (all of them where there are fewer): O(x · y · dim). Rows are
    /// L2-normalised already.
    ///
    /// # Errors
    /// A side without rows or with more than `u32::MAX`, rows of different lengths, or a `k` of 0.
    pub fn new(x: VectorsView<'a>, y: VectorsView<'a>, k: usize) -> Result<Self> {
        Self::of(Rows::View(x), Rows::View(y), k)
    }

    /// As [`Bitext::new`] for vectors on disk of any stored type, which are read where they lie and divided by their lengths.
    ///
    /// # Errors
    /// As [`Bitext::new`].
    pub fn of_stores(x: &'a VectorStore, y: &'a VectorStore, k: usize) -> Result<Self> {
        Self::of(Rows::of_store(x), Rows::of_store(y), k)
    }

    fn of(x: Rows<'a>, y: Rows<'a>, k: usize) -> Result<Self> {
        for (rows, side) in [(&x, "the first side"), (&y, "the second side")] {
            if rows.len() == 0 {
                return Err(Error::NoRows { side });
            }
            if rows.len() > u32::MAX as usize {
                return Err(Error::TooManyRows { path: side.into(), rows: rows.len() as u64 });
            }
        }
        if x.dim() != y.dim() {
            let (left, right) = (x.dim(), y.dim());
            return Err(Error::Mismatch { what: "dim", left, left_of: "one side", right, right_of: "the other" });
        }
        if k == 0 {
            return Err(Error::Option { key: "k", got: 0, range: "at least 1" });
        }
        let near = scan::nearest(&x, &y, k);
        let mean = |near: &Vec<(u32, f64)>| near.iter().map(|(_, cosine)| cosine).sum::<f64>() / near.len() as f64;
        let means = [0, 1].map(|side| near[side].iter().map(mean).collect());
        Ok(Self { x, y, near, means })
    }

    /// For each `x` its nearest `y`, of equal cosines the lowest.
    pub fn nearest(&self) -> Vec<u32> {
        self.near[0].iter().map(|near| near[0].0).collect()
    }

    /// For each `y` its nearest `x`.
    pub fn nearest_back(&self) -> Vec<u32> {
        self.near[1].iter().map(|near| near[0].0).collect()
    }

    /// The margin of a pair.
    pub fn margin(&self, margin: Margin, x: usize, y: usize) -> f64 {
        margin.score(scan::cosine(&self.x, x, &self.y, y), self.means[0][x], self.means[1][y])
    }

    /// For each `x` the best-scored of its `k` nearest `y`, of equal scores the nearer: the answers that xSIM counts
    /// (LASER; Heffernan, Çelebi and Schwenk 2022). By [`Margin::Absolute`] that is the nearest.
    pub fn rescored(&self, margin: Margin) -> Vec<u32> {
        self.rescored_side(0, |x, y, cosine| margin.score(cosine, self.means[0][x], self.means[1][y]))
    }

    /// As [`Bitext::rescored`], for each `y`.
    pub fn rescored_back(&self, margin: Margin) -> Vec<u32> {
        self.rescored_side(1, |y, x, cosine| margin.score(cosine, self.means[0][x], self.means[1][y]))
    }

    /// For each `x` the best-scored of all `y`, of equal scores the lowest: O(x · y · dim).
    pub fn best_of_all(&self, margin: Margin) -> Vec<u32> {
        scan::best(&self.x, &self.y, |x, y, cosine| margin.score(cosine, self.means[0][x], self.means[1][y]))
    }

    fn rescored_side(&self, side: usize, score: impl Fn(usize, usize, f64) -> f64) -> Vec<u32> {
        let best = |(at, near): (usize, &Vec<(u32, f64)>)| {
            let scored = near.iter().map(|(row, cosine)| (*row, score(at, *row as usize, *cosine)));
            scored.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(row, _)| row)
        };
        self.near[side].iter().enumerate().map(best).collect()
    }
}

/// The share of rows that found the row of their own number; 0 for none. The xSIM error is 1 less this.
pub fn accuracy(found: &[u32]) -> f64 {
    let right = found.iter().zip(0u32..).filter(|(found, row)| **found == *row).count();
    right as f64 / found.len().max(1) as f64
}

/// Divides every row by its length; a row of zeros stays.
pub fn l2_normalize(vectors: &mut Vectors) {
    let dim = vectors.dim().max(1);
    for row in vectors.data_mut().chunks_exact_mut(dim) {
        let length = scan::dot(row, row).sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
    }
}

/// Accuracy@1 of `a` → `b` and of `b` → `a`, where row `i` of one is the translation of row `i` of the other and both are
/// L2-normalised; of equal scores the lower row wins. In 0..=1; 0 for no rows.
///
/// # Errors
/// More than `u32::MAX` rows.
///
/// # Panics
/// Where the two differ in number or length of rows.
pub fn translation_accuracy(a: &Vectors, b: &Vectors) -> Result<(f64, f64)> {
    assert_eq!((a.len(), a.dim()), (b.len(), b.dim()), "translations come in pairs");
    Ok((hits(a, b)?, hits(b, a)?))
}

fn hits(queries: &Vectors, docs: &Vectors) -> Result<f64> {
    let found = Flat::from_vectors(docs.clone())?.search(queries.view(), 1);
    let right = found.iter().enumerate().filter(|(i, top)| top.first().is_some_and(|n| n.row as usize == *i)).count();
    Ok(right as f64 / queries.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::{Strategy, *};
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn counts_both_directions_and_gives_ties_to_the_lower_row() {
        let a = Vectors::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]).unwrap();
        let b = Vectors::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let (forth, back) = translation_accuracy(&a, &b).unwrap();
        assert!((forth - 2.0 / 3.0).abs() < 1e-12 && (back - 2.0 / 3.0).abs() < 1e-12, "{forth} {back}");
    }

    /// Small integers: every order of summation gives the same cosine, and ties abound.
    fn integers(rows: usize, dim: usize, seed: u64) -> Vectors {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % 5) as f32 - 2.0
        };
        Vectors::new(dim, (0..rows * dim).map(|_| next()).collect()).unwrap()
    }

    /// Every pair's margin and the order of each row's candidates, by the definition.
    struct Naive {
        margins: Vec<Vec<f64>>,
        near: Vec<Vec<usize>>,
    }

    fn naive(x: &Vectors, y: &Vectors, k: usize, margin: Margin) -> Naive {
        let cos = |i: usize, j: usize| scan::dot(x.row(i), y.row(j));
        let order = |all: Vec<f64>| {
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_by(|a, b| scan::descending(all[*a], all[*b]));
            order.truncate(k);
            let mean = order.iter().map(|at| all[*at]).sum::<f64>() / order.len() as f64;
            (order, mean)
        };
        let of_x: Vec<_> = (0..x.len()).map(|i| order((0..y.len()).map(|j| cos(i, j)).collect())).collect();
        let of_y: Vec<_> = (0..y.len()).map(|j| order((0..x.len()).map(|i| cos(i, j)).collect())).collect();
        let score = |i: usize, j: usize| margin.score(cos(i, j), of_x[i].1, of_y[j].1);
        let margins = (0..x.len()).map(|i| (0..y.len()).map(|j| score(i, j)).collect()).collect();
        Naive { margins, near: of_x.into_iter().map(|(near, _)| near).collect() }
    }

    fn first_best(candidates: impl Iterator<Item = usize>, scores: &[f64]) -> u32 {
        candidates.reduce(|best, j| if scores[j] > scores[best] { j } else { best }).unwrap() as u32
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn blocks_give_what_the_definition_gives(n in 1usize..600, m in 1usize..600, dim in 1usize..6, k in 1usize..6, seed: u64) {
            let (x, y) = (integers(n, dim, seed), integers(m, dim, seed ^ 1));
            let bitext = Bitext::new(x.view(), y.view(), k).unwrap();
            for margin in [Margin::Absolute, Margin::Distance] {
                let naive = naive(&x, &y, k, margin);
                let rescored: Vec<u32> =
                    naive.near.iter().zip(&naive.margins).map(|(near, scores)| first_best(near.iter().copied(), scores)).collect();
                prop_assert_eq!(bitext.rescored(margin), rescored);
                let of_all: Vec<u32> = naive.margins.iter().map(|scores| first_best(0..m, scores)).collect();
                prop_assert_eq!(bitext.best_of_all(margin), of_all);
            }
            let mined = bitext.mine(Margin::Ratio, Strategy::Max);
            let distinct = |rows: Vec<u32>| rows.iter().collect::<std::collections::BTreeSet<_>>().len();
            prop_assert_eq!(distinct(mined.iter().map(|pair| pair.x).collect()), mined.len());
            prop_assert_eq!(distinct(mined.iter().map(|pair| pair.y).collect()), mined.len());
            prop_assert!(mined.is_sorted_by(|a, b| a.score >= b.score) && !mined.is_empty());
        }
    }

    #[test]
    fn strategies_take_what_their_names_say() {
        let (x, y) = (integers(90, 4, 7), integers(70, 4, 8));
        let bitext = Bitext::new(x.view(), y.view(), 4).unwrap();
        let pairs = |strategy| -> std::collections::BTreeSet<(u32, u32)> {
            let mined = bitext.mine(Margin::Distance, strategy);
            assert!(mined.is_sorted_by(|a, b| a.score >= b.score), "{strategy}");
            mined.iter().map(|pair| (pair.x, pair.y)).collect()
        };
        let forth: std::collections::BTreeSet<_> = (0..).zip(bitext.rescored(Margin::Distance)).collect();
        let back: std::collections::BTreeSet<_> = bitext.rescored_back(Margin::Distance).into_iter().zip(0..).collect();
        assert_eq!(pairs(Strategy::Forward), forth);
        assert_eq!(pairs(Strategy::Backward), back);
        assert_eq!(pairs(Strategy::Intersection), forth.intersection(&back).copied().collect());
        assert!(pairs(Strategy::Max).iter().all(|pair| forth.contains(pair) || back.contains(pair)));
        assert!("best".parse::<Strategy>().unwrap_err().to_string().contains("intersection"));
    }

    #[test]
    fn stores_of_any_type_are_mined_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let (mut x, mut y) = (integers(300, 24, 9), integers(260, 24, 10));
        let write = |vectors: &Vectors, name: &str, dtype| {
            let encoder = Given(vectors.clone());
            let texts = (0..vectors.len()).map(|row| Ok::<_, Error>((row.to_string(), row.to_string())));
            let options = crate::EncodeOptions { dtype, rows_per_shard: 70, ..Default::default() };
            crate::encode_to_shards(&encoder, texts, &folder.path().join(name), &options, |_| ()).unwrap();
            VectorStore::open(&folder.path().join(name)).unwrap()
        };
        let stores = [crate::Dtype::F32, crate::Dtype::Int8]
            .map(|dtype| [write(&x, &format!("x{dtype}"), dtype), write(&y, &format!("y{dtype}"), dtype)]);
        l2_normalize(&mut x);
        l2_normalize(&mut y);
        let memory = Bitext::new(x.view(), y.view(), 4).unwrap().mine(Margin::Ratio, Strategy::Max);
        let [exact, small] =
            stores.each_ref().map(|[x, y]| Bitext::of_stores(x, y, 4).unwrap().mine(Margin::Ratio, Strategy::Max));
        for mined in [&exact, &small] {
            let same = mined.iter().filter(|a| memory.iter().any(|b| (a.x, a.y) == (b.x, b.y))).count();
            assert!(same * 10 >= memory.len() * 9, "{same} of {}", memory.len());
        }
        assert!(exact.iter().zip(&memory).all(|(a, b)| (a.score - b.score).abs() < 1e-5));
        assert!(small.iter().zip(&memory).all(|(a, b)| (a.score - b.score).abs() < 0.02));
    }

    /// Gives the row whose number a text is.
    struct Given(Vectors);

    impl crate::Encoder for Given {
        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn encode(&self, texts: &[&str], _: crate::Side) -> std::result::Result<Vectors, crate::EncoderError> {
            let mut rows = Vectors::empty(self.dim());
            texts.iter().for_each(|text| rows.push(self.0.row(text.parse().unwrap())));
            Ok(rows)
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same() {
        let (mut x, y) = (integers(700, 33, 5), integers(900, 33, 6));
        l2_normalize(&mut x);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let bitext = Bitext::new(x.view(), y.view(), 4).unwrap();
                (bitext.best_of_all(Margin::Ratio), bitext.mine(Margin::Ratio, Strategy::Max))
            })
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn rows_get_length_one_and_zeros_stay() {
        let mut vectors = Vectors::new(2, vec![3.0, 4.0, 0.0, 0.0]).unwrap();
        l2_normalize(&mut vectors);
        assert_eq!(vectors.data(), [0.6, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let rows = |n: usize, dim: usize| Vectors::new(dim, vec![1.0; n * dim]).unwrap();
        let error = |x: &Vectors, y: &Vectors, k| Bitext::new(x.view(), y.view(), k).err().unwrap().to_string();
        assert!(error(&rows(2, 3), &Vectors::empty(3), 4).contains("the second side has no rows"));
        assert!(error(&rows(2, 3), &rows(2, 4), 4).contains("dim: 3"));
        assert!(error(&rows(2, 3), &rows(2, 3), 0).contains("k = 0"));
        assert!("cosine".parse::<Margin>().unwrap_err().to_string().contains("absolute, distance, ratio"));
    }
}
