//! The rules of mining negatives, every number of them an option.

use crate::error::{Error, Result};
use crate::lists::Langs;
use crate::named::named;
use isogloss_ir::Lang;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a candidate's score must stay below the positive's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Margin {
    /// By so much.
    pub absolute: Option<f32>,
    /// By so much of the positive's absolute value: 0.05 keeps up to 95 % of a positive score (NV-Retriever's rule).
    pub relative: Option<f32>,
}

impl Margin {
    /// Whether `score` stays below `positive` by both.
    pub fn keeps(&self, score: f32, positive: f32) -> bool {
        let below = |margin: f32| f64::from(score) <= f64::from(positive) - f64::from(margin);
        self.absolute.is_none_or(below) && self.relative.is_none_or(|share| below(share * positive.abs()))
    }
}

/// What a list gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ListRules {
    /// The first rank, from 1; what stands before it is dropped whatever the other list says.
    pub first: usize,
    /// The last rank.
    pub last: usize,
    /// How far below the positive.
    pub margin: Margin,
}

/// What a reranker's scores forbid. Documents without a score pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RerankerRules {
    /// How far below the positive.
    pub margin: Margin,
    /// The highest score of a negative.
    pub most: Option<f32>,
}

/// Which positive's score counts, where a query has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositiveScore {
    /// The lowest: the strictest.
    Min,
    /// The highest.
    Max,
    /// Their mean.
    Mean,
}

impl PositiveScore {
    const NAMES: [(Self, &str); 3] = [(Self::Min, "min"), (Self::Max, "max"), (Self::Mean, "mean")];

    /// Of some scores; `None` of none.
    pub fn of(self, scores: &[f32]) -> Option<f32> {
        let scores = scores.iter().copied();
        match self {
            Self::Min => scores.reduce(f32::min),
            Self::Max => scores.reduce(f32::max),
            Self::Mean => {
                let n = scores.len();
                (n > 0).then(|| (scores.map(f64::from).sum::<f64>() / n as f64) as f32)
            }
        }
    }
}

/// Which candidates are taken of those that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// The best ranked, by the better of their ranks.
    Hardest,
    /// Any, drawn from the seed and the query's id.
    Random,
}

impl Pick {
    const NAMES: [(Self, &str); 2] = [(Self::Hardest, "hardest"), (Self::Random, "random")];
}

named!(PositiveScore, "min, max, mean");
named!(Pick, "hardest, random");

/// The rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NegativesOptions {
    /// Negatives of a query, at most.
    pub negatives: usize,
    /// What BM25 gives, and what vectors give.
    pub lists: [ListRules; 2],
    /// Which positive's score margins are measured from.
    pub positive_score: PositiveScore,
    /// The least grade that makes a judged document a positive.
    pub min_grade: i32,
    /// Documents of which languages are searched.
    pub langs: Langs,
    /// Negatives of a query in one language, at most.
    pub per_lang: Option<usize>,
    /// The same for single languages, over `per_lang`.
    pub quotas: BTreeMap<Lang, usize>,
    /// Similarity to a positive, 0 to 1, from which a text is its near-duplicate.
    pub near_duplicate: f64,
    /// What a reranker's scores forbid.
    pub reranker: RerankerRules,
    /// Which candidates are taken.
    pub pick: Pick,
    /// Where random numbers come from.
    pub seed: u64,
    /// Likely false negatives shown in the report.
    pub suspects: usize,
}

impl Default for NegativesOptions {
    fn default() -> Self {
        let list = ListRules { first: 1, last: 100, margin: Margin::default() };
        let relative = Margin { relative: Some(0.05), absolute: None };
        Self {
            negatives: 8,
            lists: [list, ListRules { margin: relative, ..list }],
            positive_score: PositiveScore::Min,
            min_grade: 1,
            langs: Langs::Any,
            per_lang: None,
            quotas: BTreeMap::new(),
            near_duplicate: 0.8,
            reranker: RerankerRules::default(),
            pick: Pick::Hardest,
            seed: 1,
            suspects: 20,
        }
    }
}

impl NegativesOptions {
    /// Ranks looked at in any of the lists there are.
    pub(super) fn depth(&self, are: [bool; 2]) -> usize {
        (0..2).filter(|at| are[*at]).map(|at| self.lists[at].last).max().unwrap_or(0)
    }

    /// How many negatives a query may have in a language.
    pub(super) fn quota(&self, lang: Option<Lang>) -> usize {
        let own = lang.and_then(|lang| self.quotas.get(&lang).or_else(|| self.quotas.get(&lang.primary())));
        own.copied().or(self.per_lang).unwrap_or(usize::MAX)
    }

    /// Whether they can be followed with the lists there `are` and with a reranker or without.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn check(&self, are: [bool; 2], reranked: bool) -> Result<()> {
        let bad = |key, got: String, range| Err(Error::Option { key, got, range });
        if are == [false, false] {
            return bad("the lists", "none".into(), "an index of words, vectors or both; give --bm25, or --vectors");
        }
        for (at, key) in [(0, "BM25's ranks"), (1, "the vectors' ranks")] {
            let ListRules { first, last, .. } = self.lists[at];
            if first == 0 || first > last {
                return bad(key, format!("{first}-{last}"), "a first rank of at least 1 and a last one not before it");
            }
        }
        let margins = [self.lists[0].margin, self.lists[1].margin, self.reranker.margin];
        let given = margins.iter().flat_map(|margin| [margin.absolute, margin.relative]).chain([self.reranker.most]);
        if let Some(number) = given.flatten().find(|number| !number.is_finite()) {
            return bad("a margin", number.to_string(), "a finite number");
        }
        if !(self.near_duplicate > 0.0 && self.near_duplicate <= 1.0) {
            return bad("the similarity of near-duplicates", self.near_duplicate.to_string(), "above 0 and at most 1");
        }
        if self.reranker != RerankerRules::default() && !reranked {
            return bad("the reranker's rules", "given".into(), "given with its scores; give --reranker");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_measured_from_the_positive() {
        let margin = |absolute, relative| Margin { absolute, relative };
        assert!(margin(None, None).keeps(9.0, 1.0));
        assert!(margin(Some(0.5), None).keeps(1.5, 2.0) && !margin(Some(0.5), None).keeps(1.6, 2.0));
        assert!(margin(None, Some(0.25)).keeps(1.5, 2.0) && !margin(None, Some(0.25)).keeps(1.6, 2.0));
        // Below a negative score still means lower.
        assert!(margin(None, Some(0.5)).keeps(-3.0, -2.0) && !margin(None, Some(0.5)).keeps(-2.5, -2.0));
        assert_eq!(PositiveScore::Mean.of(&[1.0, 2.0]), Some(1.5));
        assert_eq!((PositiveScore::Min.of(&[1.0, 2.0]), PositiveScore::Max.of(&[])), (Some(1.0), None));
    }

    #[test]
    fn options_out_of_range_are_named() {
        let with = |change: &dyn Fn(&mut NegativesOptions)| {
            let mut options = NegativesOptions::default();
            change(&mut options);
            options.check([true, true], false).map_or_else(|e| e.to_string(), |()| String::new())
        };
        assert_eq!(with(&|_| ()), "");
        assert!(with(&|o| o.lists[0].first = 101).contains("BM25's ranks = 101-100"));
        assert!(with(&|o| o.lists[1].first = 0).contains("the vectors' ranks"));
        assert!(with(&|o| o.near_duplicate = 1.5).contains("1.5"));
        assert!(with(&|o| o.reranker.most = Some(0.5)).contains("--reranker"));
        assert!(with(&|o| o.lists[1].margin.absolute = Some(f32::NAN)).contains("finite"));
        assert!(NegativesOptions::default().check([false; 2], false).is_err());
    }

    #[test]
    fn a_quota_is_a_languages_own_or_that_of_all() {
        let quotas = [("pt".parse().unwrap(), 1)].into();
        let options = NegativesOptions { quotas, per_lang: Some(3), ..NegativesOptions::default() };
        let of = |code: &str| options.quota(code.parse().ok());
        assert_eq!((of("pt-BR"), of("fi"), of("?")), (1, 3, 3));
    }
}
