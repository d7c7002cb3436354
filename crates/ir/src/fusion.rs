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
        /// For the first lists the number of documents that they were to hold, where those that a shorter one lacks are known
        /// to have scored 0: it is taken as filled up with them. `None`, and nothing, leave a list as it is.
        filled: Vec<Option<usize>>,
    },
}

/// What a document that a list lacks has scored there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Floor {
    /// Nobody knows: the lowest score of the list stands for it, as published.
    #[default]
    Lowest,
    /// 0 where the list ended before its depth, as BM25's do when no other document has a word of the query: a list of one
    /// hit then says that it is better than all others, where by itself it is a list of equals.
    Zero,
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
        Self::weighted(scale, vec![1.0 - alpha, alpha])
    }

    /// A first and a second list by one weight: [`Fusion::mr_tydi`] for centred scores, else [`Fusion::convex`].
    pub fn of_two(scale: Scale, alpha: f64) -> Self {
        if scale == Scale::Centred { Self::mr_tydi(alpha) } else { Self::convex(scale, alpha) }
    }

    /// The hybrid of Mr. TyDi (Zhang et al. 2021): sparse scores plus `alpha` times dense ones, both centred.
    pub fn mr_tydi(alpha: f64) -> Self {
        Self::weighted(Scale::Centred, vec![1.0, alpha])
    }

    /// Lists by a weight for each, as they are.
    pub fn weighted(scale: Scale, weights: Vec<f64>) -> Self {
        Self::Weighted { scale, weights, filled: Vec::new() }
    }

    /// With lists filled up to a depth ([`Fusion::Weighted`]); ranks stay as they are.
    pub fn filled(self, depths: &[Option<usize>]) -> Self {
        match self {
            Self::Weighted { scale, weights, .. } => Self::Weighted { scale, weights, filled: depths.to_vec() },
            ranks => ranks,
        }
    }
}

impl Scale {
    const NAMES: [(Self, &str); 4] =
        [(Self::MinMax, "minmax"), (Self::ZScore, "zscore"), (Self::Centred, "mrtydi"), (Self::Raw, "sum")];

    /// What brings the scores of a list to the scale, with `zeros` documents beside it that scored 0.
    fn line(self, list: &[(DocId, f64)], zeros: usize) -> Line {
        let scores = || list.iter().map(|(_, score)| *score);
        let unnamed = (zeros > 0).then_some(0.0);
        let all = || scores().chain(unnamed);
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let (middle, width) = match self {
            Self::Raw => (0.0, 1.0),
            _ if low >= high => {
                let constant = if self == Self::MinMax { 0.5 } else { 0.0 };
                return Line { middle: low, width: f64::INFINITY, offset: constant };
            }
            Self::MinMax => (low, high - low),
            Self::Centred => ((high + low) / 2.0, high - low),
            Self::ZScore => {
                let n = (list.len() + zeros) as f64;
                let mean = scores().sum::<f64>() / n;
                let squares = scores().map(|score| (score - mean).powi(2)).sum::<f64>();
                (mean, ((squares + zeros as f64 * mean.powi(2)) / n).sqrt())
            }
        };
        Line { middle, width, offset: 0.0 }
    }
}

/// A score on a scale: `offset + (score - middle) / width`.
struct Line {
    middle: f64,
    width: f64,
    offset: f64,
}

impl Line {
    fn at(&self, score: f64) -> f64 {
        self.offset + (score - self.middle) / self.width
    }
}

impl Floor {
    const NAMES: [(Self, &str); 2] = [(Self::Lowest, "lowest"), (Self::Zero, "zero")];

    /// To what depth lists are filled ([`Fusion::Weighted`]) that were to hold `depths` documents; lists without a floor of
    /// their own have the lowest score.
    pub fn filled(floors: &[Self], depths: &[usize]) -> Vec<Option<usize>> {
        floors.iter().zip(depths).map(|(floor, depth)| (*floor == Self::Zero).then_some(*depth)).collect()
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(floor, _)| floor == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Floor {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(floor, _)| *floor);
        found.ok_or_else(|| Error::FloorName { got: crate::error::snippet(name) })
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
        Fusion::Weighted { scale, weights, filled } if weights.len() == lists.len() => {
            weighted(lists, *scale, weights, filled)
        }
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

fn weighted<'a>(
    lists: &'a [Vec<(DocId, f64)>],
    scale: Scale,
    weights: &[f64],
    filled: &[Option<usize>],
) -> BTreeMap<&'a DocId, f64> {
    let mut fused: BTreeMap<&DocId, f64> = lists.iter().flatten().map(|(doc, _)| (doc, 0.0)).collect();
    let filled = filled.iter().copied().chain(std::iter::repeat(None));
    for ((list, weight), depth) in lists.iter().zip(weights).zip(filled) {
        let Some(lowest) = list.iter().map(|(_, score)| *score).reduce(f64::min) else { continue };
        let zeros = depth.map_or(0, |depth| depth.saturating_sub(list.len()));
        let line = scale.line(list, zeros);
        let scores: BTreeMap<&DocId, f64> = list.iter().map(|(doc, score)| (doc, *score)).collect();
        let floor = if zeros > 0 { 0.0 } else { lowest };
        for (doc, score) in &mut fused {
            *score += weight * line.at(scores.get(doc).copied().unwrap_or(floor));
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
    fn a_list_that_ended_early_is_one_filled_up_with_documents_that_scored_0() {
        let (short, dense) = (list(&[("a", 4.0), ("b", 2.0)]), list(&[("a", 0.5), ("b", 0.75), ("c", 1.0)]));
        let spelled_out: Vec<(DocId, f64)> = short.iter().cloned().chain(list(&[("c", 0.0), ("z", 0.0)])).collect();
        for scale in [Scale::MinMax, Scale::ZScore, Scale::Centred, Scale::Raw] {
            let fusion = Fusion::of_two(scale, 0.25);
            let filled = fuse_lists(&[short.clone(), dense.clone()], &fusion.clone().filled(&[Some(4)])).unwrap();
            let mut want = fuse_lists(&[spelled_out.clone(), dense.clone()], &fusion).unwrap();
            want.retain(|(doc, _)| doc != "z");
            assert_eq!(filled.len(), 3);
            for (got, want) in filled.iter().zip(&want) {
                assert!(got.0 == want.0 && (got.1 - want.1).abs() < 1e-12, "{scale} {filled:?} {want:?}");
            }
            // A list that reached its depth is left as it is, and so is an empty one.
            let whole = |lists: &[Vec<(DocId, f64)>], depth| {
                let (plain, filled) = (fusion.clone(), fusion.clone().filled(&[Some(depth), None]));
                assert_eq!(fuse_lists(lists, &filled).unwrap(), fuse_lists(lists, &plain).unwrap(), "{scale}");
            };
            whole(&[short.clone(), dense.clone()], 2);
            whole(&[Vec::new(), dense.clone()], 9);
        }
        // One hit, the surest of all, is a list of equals unless it is known that all others scored 0.
        let lists = [list(&[("b", 9.0)]), list(&[("a", 0.8), ("b", 0.7), ("c", 0.1)])];
        let first = |fusion: Fusion| fuse_lists(&lists, &fusion).unwrap()[0].0.clone();
        let convex = Fusion::convex(Scale::MinMax, 0.5);
        assert_eq!([first(convex.clone()), first(convex.filled(&[Some(100)]))], ["a", "b"]);
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
        let error = fuse(&[a, b], &Fusion::weighted(Scale::MinMax, vec![1.0]), 2).unwrap_err();
        assert!(error.to_string().contains("1 weight"), "{error}");
        assert!("product".parse::<Scale>().unwrap_err().to_string().contains("rrf"));
        assert!("low".parse::<Floor>().unwrap_err().to_string().contains("lowest, zero"));
        let floors: Vec<Floor> = ["zero", "lowest"].iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(Floor::filled(&floors, &[7, 8, 9]), [Some(7), None]);
        assert_eq!(floors[0].to_string(), "zero");
    }
}
