//! Measures as values: one canonical name each, computed as trec_eval computes them.

use crate::DocId;
use crate::error::{Error, Result, snippet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The names that parse, as messages list them.
pub const KNOWN: &str = "nDCG, nDCG@k, RR, RR@k, R@k, AP, AP@k, P@k, Success@k, Judged@k, each but nDCG and Judged also with (rel=n) before the @";

/// A measure of one ranking against its judgements, written as in ir_measures: `nDCG@10`, `P(rel=2)@5`.
///
/// `k` cuts the ranking; `None` reads all of it. `rel` is the least grade that counts as relevant.
/// Documents without judgement count as not relevant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Normalised discounted cumulative gain: the gain is the grade, negative ones count 0, the
    /// discount is log2(rank + 1), the ideal ranks all judged documents.
    Ndcg {
        /// Ranks read.
        k: Option<usize>,
    },
    /// One over the rank of the first relevant document.
    Rr {
        /// Ranks read.
        k: Option<usize>,
        /// Least relevant grade.
        rel: i32,
    },
    /// Relevant documents found over all relevant ones.
    Recall {
        /// Ranks read.
        k: usize,
        /// Least relevant grade.
        rel: i32,
    },
    /// The mean, over all relevant documents, of the precision at the rank of each one found.
    Ap {
        /// Ranks read.
        k: Option<usize>,
        /// Least relevant grade.
        rel: i32,
    },
    /// Relevant documents found over `k`, also where fewer were retrieved.
    Precision {
        /// Ranks read.
        k: usize,
        /// Least relevant grade.
        rel: i32,
    },
    /// 1 where any relevant document is found, else 0.
    Success {
        /// Ranks read.
        k: usize,
        /// Least relevant grade.
        rel: i32,
    },
    /// Documents with a judgement of any grade over documents retrieved, both in the first `k`.
    Judged {
        /// Ranks read.
        k: usize,
    },
}

impl Measure {
    /// The value for one query: `ranking` best first, `judged` its grades. In 0 ..= 1.
    pub fn of(&self, ranking: &[(DocId, f32)], judged: &BTreeMap<DocId, i32>) -> f64 {
        let top = &ranking[..self.cutoff().unwrap_or(usize::MAX).min(ranking.len())];
        let grades: Vec<Option<i32>> = top.iter().map(|(doc, _)| judged.get(doc).copied()).collect();
        self.of_grades(&grades, judged)
    }

    /// As [`Measure::of`] for a ranking told by its documents' grades, best first, `None` where there is no judgement.
    pub fn of_grades(&self, grades: &[Option<i32>], judged: &BTreeMap<DocId, i32>) -> f64 {
        let top = &grades[..self.cutoff().unwrap_or(usize::MAX).min(grades.len())];
        let found = |rel: i32| top.iter().filter(|grade| grade.is_some_and(|g| g >= rel)).count();
        let all = |rel: i32| judged.values().filter(|&&g| g >= rel).count();
        match *self {
            Self::Ndcg { k } => {
                let ideal = ideal_gains(judged);
                ratio(
                    dcg(top.iter().map(|grade| grade.unwrap_or(0))),
                    dcg(ideal.into_iter().take(k.unwrap_or(usize::MAX))),
                )
            }
            Self::Rr { rel, .. } => {
                let first = top.iter().position(|grade| grade.is_some_and(|g| g >= rel));
                first.map_or(0.0, |i| 1.0 / (i + 1) as f64)
            }
            Self::Recall { rel, .. } => ratio(found(rel) as f64, all(rel) as f64),
            Self::Ap { rel, .. } => {
                let relevant = top.iter().map(|grade| grade.is_some_and(|g| g >= rel));
                ratio(precision_sum(relevant), all(rel) as f64)
            }
            Self::Precision { k, rel } => found(rel) as f64 / k as f64,
            Self::Success { rel, .. } => f64::from(found(rel) > 0),
            Self::Judged { .. } => ratio(found(i32::MIN) as f64, top.len() as f64),
        }
    }

    /// The number of ranks read; `None` for all.
    pub fn cutoff(&self) -> Option<usize> {
        match *self {
            Self::Ndcg { k } | Self::Rr { k, .. } | Self::Ap { k, .. } => k,
            Self::Recall { k, .. } | Self::Precision { k, .. } | Self::Success { k, .. } | Self::Judged { k } => {
                Some(k)
            }
        }
    }

    fn rel(&self) -> i32 {
        match *self {
            Self::Ndcg { .. } | Self::Judged { .. } => 1,
            Self::Rr { rel, .. } | Self::Recall { rel, .. } | Self::Ap { rel, .. } => rel,
            Self::Precision { rel, .. } | Self::Success { rel, .. } => rel,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Ndcg { .. } => "nDCG",
            Self::Rr { .. } => "RR",
            Self::Recall { .. } => "R",
            Self::Ap { .. } => "AP",
            Self::Precision { .. } => "P",
            Self::Success { .. } => "Success",
            Self::Judged { .. } => "Judged",
        }
    }
}

fn dcg(gains: impl Iterator<Item = i32>) -> f64 {
    gains
        .zip(2u64..)
        .filter(|(gain, _)| *gain > 0)
        .map(|(gain, i)| f64::from(gain) / (i as f64).log2())
        .fold(0.0, |sum, x| sum + x)
}

fn ideal_gains(judged: &BTreeMap<DocId, i32>) -> Vec<i32> {
    let mut gains: Vec<i32> = judged.values().copied().filter(|g| *g > 0).collect();
    gains.sort_unstable_by(|a, b| b.cmp(a));
    gains
}

fn precision_sum(relevant: impl Iterator<Item = bool>) -> f64 {
    let ranks = (1u64..).zip(relevant).filter(|(_, relevant)| *relevant).map(|(rank, _)| rank);
    (1u64..).zip(ranks).map(|(found, rank)| found as f64 / rank as f64).fold(0.0, |sum, x| sum + x)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name().to_owned();
        if self.rel() != 1 {
            text += &format!("(rel={})", self.rel());
        }
        if let Some(k) = self.cutoff() {
            text += &format!("@{k}");
        }
        f.pad(&text)
    }
}

impl FromStr for Measure {
    type Err = Error;

    /// Also takes the other names of the field: `MRR`, `MAP`, `NDCG`, `Recall`, `Precision`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason| Error::MeasureParameter { got: snippet(text), reason };
        let (head, k) = match text.trim().split_once('@') {
            None => (text.trim(), None),
            Some((head, k)) => (
                head,
                Some(parse_cutoff(k).ok_or_else(|| wrong("the part after @ must be a whole number of at least 1"))?),
            ),
        };
        let (name, parameters) = match head.split_once('(') {
            None => (head, None),
            Some((name, rest)) => (name, Some(rest)),
        };
        let rel = parameters
            .map(|p| parse_rel(p).ok_or_else(|| wrong("the only parameter is (rel=n) with n of at least 1")))
            .transpose()?;
        let needed = || k.ok_or_else(|| wrong("it needs a cutoff such as @10"));
        let grade = rel.unwrap_or(1);
        let measure = match name {
            "nDCG" | "NDCG" => Self::Ndcg { k },
            "RR" | "MRR" => Self::Rr { k, rel: grade },
            "R" | "Recall" => Self::Recall { k: needed()?, rel: grade },
            "AP" | "MAP" => Self::Ap { k, rel: grade },
            "P" | "Precision" => Self::Precision { k: needed()?, rel: grade },
            "Success" => Self::Success { k: needed()?, rel: grade },
            "Judged" => Self::Judged { k: needed()? },
            _ => return Err(Error::MeasureName { got: snippet(text) }),
        };
        match (measure, rel) {
            (Self::Ndcg { .. } | Self::Judged { .. }, Some(_)) => {
                Err(wrong("it reads every grade and takes no (rel=n)"))
            }
            _ => Ok(measure),
        }
    }
}

fn parse_cutoff(text: &str) -> Option<usize> {
    text.parse().ok().filter(|k| *k > 0)
}

fn parse_rel(text: &str) -> Option<i32> {
    let value = text.strip_suffix(')')?.trim().strip_prefix("rel")?.trim_start().strip_prefix('=')?;
    value.trim().parse().ok().filter(|rel| *rel > 0)
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_relevant_found_is_zero_without_a_sign() {
        let judged = BTreeMap::from([("d1".to_string(), 1)]);
        for name in ["nDCG@10", "AP", "RR@10", "R@10"] {
            let measure: Measure = name.parse().unwrap();
            assert_eq!(measure.of(&[("d3".to_string(), 0.5)], &judged).to_bits(), 0, "{name}");
        }
    }

    #[test]
    fn canonical_names_parse_and_print_as_themselves() {
        for name in [
            "nDCG@10",
            "nDCG",
            "RR@100",
            "RR",
            "R@100",
            "AP@20",
            "AP",
            "AP(rel=3)",
            "P(rel=2)@5",
            "Success@5",
            "Judged@10",
            "R(rel=2)@1000",
        ] {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn other_names_become_canonical() {
        for (given, name) in [
            ("MRR@100", "RR@100"),
            ("Recall@5", "R@5"),
            ("MAP", "AP"),
            ("P( rel = 1 )@5", "P@5"),
            (" NDCG@10 ", "nDCG@10"),
        ] {
            assert_eq!(given.parse::<Measure>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn wrong_names_say_what_is_right() {
        let cases = [
            ("ndgc@10", "known are nDCG"),
            ("", "known are"),
            ("R", "needs a cutoff"),
            ("P@0", "at least 1"),
            ("RR@x", "at least 1"),
            ("nDCG(rel=2)@10", "takes no"),
            ("P(rel=0)@5", "(rel=n)"),
            ("P(rel=2@5", "(rel=n)"),
            ("R@-1", "at least 1"),
        ];
        for (given, cure) in cases {
            let error = given.parse::<Measure>().unwrap_err().to_string();
            assert!(error.contains(cure), "{given:?}: {error}");
        }
    }
}
