//! Vectors in the plane of their two principal components, and how far languages tell them apart.

use isogloss_dense::Vectors;
use isogloss_ir::Lang;
use std::collections::BTreeMap;

/// Rounds of the iteration: it ends sooner where nothing moves any more.
const ROUNDS: usize = 500;

/// Points in the plane, and what they say of the whole space.
pub struct Projection {
    /// A point a vector, in units of the vectors.
    pub points: Vec<[f64; 2]>,
    /// The share of the variance along each of the two axes.
    pub explained: [f64; 2],
    /// The share of the variance, of all dimensions, that lies between the languages' means: 0 where they coincide.
    pub between_langs: f64,
}

impl Projection {
    /// Projects `vectors`, vector `i` being in language `langs[i]`, by orthogonal iteration on their covariance.
    ///
    /// The direction of an axis is such that its largest coordinate is above 0.
    pub fn new(vectors: &Vectors, langs: &[Lang]) -> Self {
        let rows = centred(vectors);
        let whole: f64 = rows.iter().flatten().map(|x| x * x).sum();
        let mut axes = start(vectors.dim());
        for _ in 0..ROUNDS {
            let next = orthonormal(axes.each_ref().map(|axis| covariance_times(&rows, axis)));
            let moved = next.iter().zip(&axes).map(|(a, b)| 1.0 - dot(a, b).abs()).fold(0.0, f64::max);
            axes = next;
            if moved < 1e-12 {
                break;
            }
        }
        let axes = axes.map(signed);
        let points: Vec<[f64; 2]> = rows.iter().map(|row| axes.each_ref().map(|axis| dot(row, axis))).collect();
        let along = |at: usize| points.iter().map(|point| point[at] * point[at]).sum::<f64>();
        let share = |part: f64| if whole > 0.0 { part / whole } else { 0.0 };
        Self { explained: [share(along(0)), share(along(1))], between_langs: share(between(&rows, langs)), points }
    }
}

fn centred(vectors: &Vectors) -> Vec<Vec<f64>> {
    let n = vectors.len().max(1) as f64;
    let mut mean = vec![0.0; vectors.dim()];
    for row in 0..vectors.len() {
        mean.iter_mut().zip(vectors.row(row)).for_each(|(mean, x)| *mean += f64::from(*x) / n);
    }
    let of_row = |row: usize| vectors.row(row).iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect();
    (0..vectors.len()).map(of_row).collect()
}

/// Two directions that no vector is likely to be orthogonal to.
fn start(dim: usize) -> [Vec<f64>; 2] {
    let axis = |step: f64| (0..dim).map(|i| (1.0 + i as f64 * step).sin()).collect();
    orthonormal([axis(0.7), axis(1.9)])
}

fn covariance_times(rows: &[Vec<f64>], axis: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; axis.len()];
    for row in rows {
        let along = dot(row, axis);
        product.iter_mut().zip(row).for_each(|(sum, x)| *sum += along * x);
    }
    product
}

fn orthonormal([mut a, mut b]: [Vec<f64>; 2]) -> [Vec<f64>; 2] {
    normalize(&mut a);
    let along = dot(&a, &b);
    b.iter_mut().zip(&a).for_each(|(b, a)| *b -= along * a);
    normalize(&mut b);
    [a, b]
}

fn normalize(axis: &mut [f64]) {
    let norm = dot(axis, axis).sqrt();
    if norm > 0.0 {
        axis.iter_mut().for_each(|x| *x /= norm);
    }
}

fn signed(mut axis: Vec<f64>) -> Vec<f64> {
    let largest = axis.iter().copied().fold(0.0, |most: f64, x| if x.abs() > most.abs() { x } else { most });
    if largest < 0.0 {
        axis.iter_mut().for_each(|x| *x = -*x);
    }
    axis
}

/// The squared lengths of the languages' means, each times its number of vectors.
fn between(rows: &[Vec<f64>], langs: &[Lang]) -> f64 {
    let mut sums: BTreeMap<Lang, (usize, Vec<f64>)> = BTreeMap::new();
    for (row, lang) in rows.iter().zip(langs) {
        let (n, sum) = sums.entry(*lang).or_insert_with(|| (0, vec![0.0; row.len()]));
        *n += 1;
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    sums.values().map(|(n, sum)| dot(sum, sum) / *n as f64).sum()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn langs(of: &[&str]) -> Vec<Lang> {
        of.iter().map(|lang| lang.parse().unwrap()).collect()
    }

    #[test]
    fn axes_are_those_of_the_largest_variance() {
        // Along (3, 4, 0) / 5 by ±2, along (4, -3, 0) / 5 by ±1, along the third axis by ±0.1.
        let mut data = Vec::new();
        for (a, b, c) in [(2.0, 1.0, 0.1), (2.0, -1.0, -0.1), (-2.0, 1.0, -0.1), (-2.0, -1.0, 0.1)] {
            data.extend([0.6 * a + 0.8 * b + 5.0, 0.8 * a - 0.6 * b, c].map(|x: f64| x as f32));
        }
        let found = Projection::new(&Vectors::new(3, data).unwrap(), &langs(&["fi", "sw", "fi", "sw"]));
        for (point, expected) in found.points.iter().zip([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]]) {
            assert!(point.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-5), "{point:?} {expected:?}");
        }
        assert!((found.explained[0] - 16.0 / 20.04).abs() < 1e-5 && (found.explained[1] - 4.0 / 20.04).abs() < 1e-5);
        // The languages' means differ along the second axis alone.
        assert!((found.between_langs - 4.0 / 20.04).abs() < 1e-5, "{}", found.between_langs);
    }

    #[test]
    fn what_has_no_spread_is_in_one_point() {
        let found = Projection::new(&Vectors::new(2, vec![1.0; 6]).unwrap(), &langs(&["fi", "fi", "sw"]));
        assert_eq!((found.points, found.explained, found.between_langs), (vec![[0.0; 2]; 3], [0.0; 2], 0.0));
    }
}
