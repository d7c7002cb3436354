//! Several runs into one: by ranks, or by scores brought to one scale.

mod fit;
mod weights;

pub use fit::{Fit, FitOptions, LangFit, fit};
pub use weights::Weights;

use crate::error::{Error, Result};
use crate::{DocId, QueryId, Run};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// How lists of scored documents become one.
#[derive(Debug, Clone, PartialEq)]
pub enum Fusion {
    /// Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): the sum of `1 / (k + rank)` over the lists that hold a
    /// document, ranks from 1.
    Reciprocal {
        /// How little the first ranks stand out; 60 in the paper.
        k: f64,
    },
    /// The weighted sum of scores on one scale; a document that a list lacks has the list's lowest score, 0 in an empty list.
    Weighted {
        /// What brings scores to one scale.
        scale: Scale,
        /// A weight for each list.
        weights: Vec<f64>,
    },
}

/// What brings the scores of a list to one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// `(s - min) / (max - min)`; all 0.5 where all are equal.
    MinMax,
    /// `(s - mean) / deviation`, the population's; all 0 where all are equal.
    ZScore,
    /// Mr. TyDi's: `(s - (max + min) / 2) / (max - min)`; all 0 where all are equal.
    Centred,
    /// The scores as they are.
    Raw,
}

impl Fusion {
    /// A first and a second list, weighted `1 - alpha` and `alpha`.
    pub fn convex(scale: Scale, alpha: f64) -> Self {
        Self::Weighted { scale, weights: vec![1.0 - alpha, alpha] }
    }

    /// A first and a second list by one weight: [`Fusion::mr_tydi`] for centred scores, else [`Fusion::convex`].
    pub fn of_two(scale: Scale, alpha: f64) -> Self {
        if scale == Scale::Centred { Self::mr_tydi(alpha) } else { Self::convex(scale, alpha) }
    }

    /// The hybrid of Mr. TyDi (Zhang et al. 2021): sparse scores plus `alpha` times dense ones, both centred.
    pub fn mr_tydi(alpha: f64) -> Self {
        Self::Weighted { scale: Scale::Centred, weights: vec![1.0, alpha] }
    }
}

impl Scale {
    const NAMES: [(Self, &str); 4] =
        [(Self::MinMax, "minmax"), (Self::ZScore, "zscore"), (Self::Centred, "mrtydi"), (Self::Raw, "sum")];

    fn apply(self, list: &[(DocId, f64)]) -> Vec<f64> {
        let scores = || list.iter().map(|(_, score)| *score);
        let (low, high) = (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
        if self == Self::Raw {
            return scores().collect();
        }
        if low >= high {
            return vec![if self == Self::MinMax { 0.5 } else { 0.0 }; list.len()];
        }
        let (middle, width) = match self {
            Self::MinMax | Self::Raw => (low, high - low),
            Self::Centred => ((high + low) / 2.0, high - low),
            Self::ZScore => {
                let n = list.len() as f64;
                let mean = scores().sum::<f64>() / n;
                (mean, (scores().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt())
            }
        };
        scores().map(|score| (score - middle) / width).collect()
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(scale, _)| scale == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Scale {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(scale, _)| *scale);
        found.ok_or_else(|| Error::FusionName {
            got: crate::error::snippet(name),
            known: "rrf, minmax, zscore, mrtydi, sum",
        })
    }
}

/// Fuses the lists of one query, in any order, no document twice in a list; best first, of equal scores the smaller id first.
///
/// For ranks, too, equal scores give the better rank to the smaller id.
///
/// # Errors
/// Another number of weights than of lists.
pub fn fuse_lists(lists: &[Vec<(DocId, f64)>], fusion: &Fusion) -> Result<Vec<(DocId, f64)>> {
    let fused = match fusion {
        Fusion::Reciprocal { k } => reciprocal(lists, *k),
        Fusion::Weighted { scale, weights } if weights.len() == lists.len() => weighted(lists, *scale, weights),
        Fusion::Weighted { weights, .. } => {
            return Err(Error::Weights { weights: weights.len(), lists: lists.len() });
        }
    };
    let mut fused: Vec<(DocId, f64)> = fused.into_iter().map(|(doc, score)| (doc.clone(), score)).collect();
    fused.sort_by(best_first);
    Ok(fused)
}

/// Fuses runs query by query, keeping the best `k` documents of each; a query that a run lacks is an empty list of it.
///
/// # Errors
/// Another number of weights than of runs.
pub fn fuse(runs: &[Run], fusion: &Fusion, k: usize) -> Result<Run> {
    fuse_by(runs, |_| fusion.clone(), k)
}

/// As [`fuse`], each query as `fusion` says.
///
/// # Errors
/// Another number of weights than of runs.
pub fn fuse_by(runs: &[Run], fusion: impl Fn(&str) -> Fusion, k: usize) -> Result<Run> {
    let queries: BTreeSet<&QueryId> = runs.iter().flat_map(|run| run.iter().map(|(query, _)| query)).collect();
    let mut fused = Run::new();
    for query in queries {
        let list = |run: &Run| {
            let hits = run.get(query).unwrap_or_default();
            hits.iter().map(|(doc, score)| (doc.clone(), f64::from(*score))).collect::<Vec<_>>()
        };
        let lists: Vec<_> = runs.iter().map(list).collect();
        let best = fuse_lists(&lists, &fusion(query))?.into_iter().take(k);
        fused.insert(query.clone(), best.map(|(doc, score)| (doc, score as f32)).collect())?;
    }
    Ok(fused)
}

fn reciprocal(lists: &[Vec<(DocId, f64)>], k: f64) -> BTreeMap<&DocId, f64> {
    let mut fused = BTreeMap::new();
    for list in lists {
        let mut ranked: Vec<&(DocId, f64)> = list.iter().collect();
        ranked.sort_by(|a, b| best_first(a, b));
        for ((doc, _), rank) in ranked.into_iter().zip(1u32..) {
            *fused.entry(doc).or_insert(0.0) += 1.0 / (k + f64::from(rank));
        }
    }
    fused
}

fn weighted<'a>(lists: &'a [Vec<(DocId, f64)>], scale: Scale, weights: &[f64]) -> BTreeMap<&'a DocId, f64> {
    let mut fused: BTreeMap<&DocId, f64> = lists.iter().flatten().map(|(doc, _)| (doc, 0.0)).collect();
    for (list, weight) in lists.iter().zip(weights) {
        let scaled: BTreeMap<&DocId, f64> = list.iter().map(|(doc, _)| doc).zip(scale.apply(list)).collect();
        let lowest = scaled.values().copied().reduce(f64::min).unwrap_or(0.0);
        for (doc, score) in &mut fused {
            *score += weight * scaled.get(doc).copied().unwrap_or(lowest);
        }
    }
    fused
}

fn best_first(a: &(DocId, f64), b: &(DocId, f64)) -> Ordering {
    b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then_with(|| a.0.cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scores: &[(&str, f64)]) -> Vec<(DocId, f64)> {
        scores.iter().map(|(doc, score)| ((*doc).to_owned(), *score)).collect()
    }

    #[test]
    fn empty_and_constant_lists_are_defined() {
        let lists = [list(&[("b", 7.0), ("a", 7.0)]), Vec::new()];
        let convex = fuse_lists(&lists, &Fusion::convex(Scale::MinMax, 0.25)).unwrap();
        assert_eq!(convex, list(&[("a", 0.375), ("b", 0.375)]));
        let ranks = fuse_lists(&lists, &Fusion::Reciprocal { k: 60.0 }).unwrap();
        assert_eq!(ranks, list(&[("a", 1.0 / 61.0), ("b", 1.0 / 62.0)]));
        assert!(fuse_lists(&[Vec::new(), Vec::new()], &Fusion::mr_tydi(0.5)).unwrap().is_empty());
        let sum = fuse_lists(&lists, &Fusion::of_two(Scale::Raw, 0.5)).unwrap();
        assert_eq!(sum, list(&[("a", 3.5), ("b", 3.5)]));
    }

    #[test]
    fn runs_fuse_query_by_query() {
        let (mut a, mut b) = (Run::new(), Run::new());
        a.insert("q", vec![("x".into(), 2.0), ("y".into(), 1.0)]).unwrap();
        b.insert("q", vec![("y".into(), 9.0), ("z".into(), 8.0)]).unwrap();
        b.insert("p", vec![("z".into(), 8.0)]).unwrap();
        let fused = fuse(&[a.clone(), b.clone()], &Fusion::Reciprocal { k: 60.0 }, 2).unwrap();
        let docs: Vec<&str> = fused.get("q").unwrap().iter().map(|(doc, _)| doc.as_str()).collect();
        assert_eq!((docs, fused.len()), (vec!["y", "x"], 2));
        let error = fuse(&[a, b], &Fusion::Weighted { scale: Scale::MinMax, weights: vec![1.0] }, 2).unwrap_err();
        assert!(error.to_string().contains("1 weight"), "{error}");
        assert!("product".parse::<Scale>().unwrap_err().to_string().contains("rrf"));
    }
}
