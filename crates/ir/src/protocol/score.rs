//! What a retrieval protocol measures: the field's measures, and what a protocol defines anew.

use crate::{DocId, Measure};
use std::collections::BTreeMap;
use std::fmt;

/// A figure of one ranking against its judgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// As trec_eval computes it.
    Measure(Measure),
    /// LAReQA's mAP@k: precision at the rank of each relevant document found in the first `k`, summed and divided by the
    /// relevant documents there could be there: `min(relevant, k)`.
    TruncatedAp {
        /// Ranks read.
        k: usize,
    },
}

impl Score {
    /// The value for one query: `ranking` best first, `judged` its grades. In 0 ..= 1.
    pub fn of(&self, ranking: &[(DocId, f32)], judged: &BTreeMap<DocId, i32>) -> f64 {
        match self {
            Self::Measure(measure) => measure.of(ranking, judged),
            Self::TruncatedAp { k } => {
                let relevant = judged.values().filter(|grade| **grade > 0).count();
                let all = Measure::Ap { k: Some(*k), rel: 1 }.of(ranking, judged) * relevant as f64;
                if relevant == 0 { 0.0 } else { all / relevant.min(*k) as f64 }
            }
        }
    }

    /// The number of ranks read; `None` for all.
    pub fn cutoff(&self) -> Option<usize> {
        match self {
            Self::Measure(measure) => measure.cutoff(),
            Self::TruncatedAp { k } => Some(*k),
        }
    }

    pub(super) fn list(measures: &[&str]) -> Vec<Self> {
        measures.iter().filter_map(|name| name.parse().ok()).map(Self::Measure).collect()
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measure(measure) => measure.fmt(f),
            Self::TruncatedAp { k } => f.pad(&format!("mAP@{k}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_average_can_reach_one() {
        let judged = (0..4).map(|i| (format!("d{i}"), 1)).collect();
        let ranking = [("d0".to_owned(), 3.0), ("d1".to_owned(), 2.0), ("x".to_owned(), 1.0)];
        assert_eq!(Score::TruncatedAp { k: 2 }.of(&ranking, &judged), 1.0);
        assert_eq!(Score::TruncatedAp { k: 3 }.of(&ranking, &judged), 2.0 / 3.0);
        assert_eq!(Score::list(&["AP@2"])[0].of(&ranking, &judged), 0.5);
        assert_eq!(Score::TruncatedAp { k: 3 }.to_string(), "mAP@3");
    }
}
