//! From a rough map between two sets of vectors to a better one, without labels.

use super::{Csls, Procrustes, apply_rotation};
use crate::{Error, Result, Vectors};

/// How a rough map is refined.
#[derive(Clone, Debug)]
pub struct RefineOptions {
    /// Rounds of pairs and map.
    pub rounds: usize,
    /// k of [`Csls`].
    pub neighbors: usize,
}

impl Default for RefineOptions {
    fn default() -> Self {
        Self { rounds: 5, neighbors: 10 }
    }
}

/// A refined map.
#[derive(Clone, Debug)]
pub struct Refined {
    /// W, row-major.
    pub rotation: Vec<f64>,
    /// [`Csls::mean_cosine`] under W.
    pub mean_cosine: f64,
    /// The same under the map that refinement began with.
    pub mean_cosine_before: f64,
    /// Pairs of every round.
    pub pairs: Vec<usize>,
}

/// Maps `source` by `start` (row-major), takes the mutual pairs of [`Csls`] for translations, solves [`Procrustes`] on them,
/// and so on; the best of all maps by [`Csls::mean_cosine`], the start included, is the result.
///
/// # Errors
/// [`Error::NoRotation`] where a round has no pair; more than `u32::MAX` vectors.
pub fn refine(source: &Vectors, target: &Vectors, start: Vec<f64>, options: &RefineOptions) -> Result<Refined> {
    let mut csls = Csls::new(mapped(source, &start), target.clone(), options.neighbors)?;
    let before = csls.mean_cosine()?;
    let mut best = Refined { rotation: start, mean_cosine: before, mean_cosine_before: before, pairs: Vec::new() };
    let mut pairs_by_round = Vec::new();
    for _ in 0..options.rounds {
        let pairs = csls.mutual_pairs()?;
        pairs_by_round.push(pairs.len());
        let rotation = solve(source, target, &pairs)?;
        csls = Csls::new(mapped(source, &rotation), target.clone(), options.neighbors)?;
        let mean_cosine = csls.mean_cosine()?;
        if mean_cosine > best.mean_cosine {
            best = Refined { rotation, mean_cosine, ..best };
        }
    }
    Ok(Refined { pairs: pairs_by_round, ..best })
}

fn solve(source: &Vectors, target: &Vectors, pairs: &[(u32, u32)]) -> Result<Vec<f64>> {
    let wide = |x: &[f32]| -> Vec<f64> { x.iter().copied().map(f64::from).collect() };
    let mut procrustes = Procrustes::new(source.dim());
    for &(i, j) in pairs {
        procrustes.push(&wide(source.row(i as usize)), &wide(target.row(j as usize)));
    }
    match pairs.is_empty() {
        true => Err(Error::NoRotation { pairs: 0 }),
        false => Ok(procrustes.solve()?.rotation),
    }
}

/// Every row of `vectors` under W (row-major).
fn mapped(vectors: &Vectors, w: &[f64]) -> Vectors {
    let w: Vec<f32> = w.iter().map(|w| *w as f32).collect();
    let mut mapped = vectors.clone();
    let dim = vectors.dim();
    for (i, to) in mapped.data_mut().chunks_exact_mut(dim.max(1)).enumerate() {
        apply_rotation(&w, vectors.row(i), to);
    }
    mapped
}
