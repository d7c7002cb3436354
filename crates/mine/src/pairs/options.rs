//! The rules of mining pairs, every number of them an option.

use crate::error::{Error, Result};
use crate::lists::Langs;
use crate::named::named;
use serde::{Deserialize, Serialize};

/// Which lists have to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// Words and vectors.
    Both,
    /// Words alone, for comparison.
    Bm25,
    /// Vectors alone, for comparison.
    Dense,
}

impl Agreement {
    const NAMES: [(Self, &str); 3] = [(Self::Both, "both"), (Self::Bm25, "bm25"), (Self::Dense, "dense")];

    /// Whether words are used, and whether vectors are.
    pub fn uses(self) -> [bool; 2] {
        [self != Self::Dense, self != Self::Bm25]
    }
}

named!(Agreement, "both, bm25, dense");

/// The rules. The numbers are ours, the paper's are not published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairsOptions {
    /// Which lists have to agree.
    pub lists: Agreement,
    /// Documents of each list that are fused.
    pub depth: usize,
    /// The weight of the vectors' list.
    pub alpha: f64,
    /// The last rank of a positive, in each list.
    pub top: usize,
    /// How far the positive's fused score is ahead of the next.
    pub lead: f64,
    /// The last rank at which the positive finds its query back; 0 for no such rule.
    pub round_trip: usize,
    /// Hard negatives of a query, at most.
    pub negatives: usize,
    /// The last rank of a hard negative in the list that has it.
    pub negatives_top: usize,
    /// The rank up to which the other list does not have it.
    pub negatives_beyond: usize,
    /// Similarity to the positive, 0 to 1, from which a text is its near-duplicate and no negative.
    pub near_duplicate: f64,
    /// Documents of which languages are searched.
    pub langs: Langs,
    /// Pairs of each language shown in the report: those with the smallest lead.
    pub samples: usize,
}

impl Default for PairsOptions {
    fn default() -> Self {
        Self {
            lists: Agreement::Both,
            depth: 100,
            alpha: 0.8,
            top: 3,
            lead: 0.1,
            round_trip: 10,
            negatives: 8,
            negatives_top: 30,
            negatives_beyond: 100,
            near_duplicate: 0.8,
            langs: Langs::Same,
            samples: 5,
        }
    }
}

impl PairsOptions {
    /// Whether they can be followed with the lists there `are`.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn check(&self, are: [bool; 2]) -> Result<()> {
        let bad = |key, got: String, range| Err(Error::Option { key, got, range });
        let uses = self.lists.uses();
        if (0..2).any(|at| uses[at] && !are[at]) {
            let range = "of lists that are given; give --bm25 and --vectors, or name the one that is there by --lists";
            return bad("the agreement", self.lists.to_string(), range);
        }
        for (key, number) in [("the fused depth", self.depth), ("the top of a list", self.top)] {
            if number == 0 {
                return bad(key, "0".into(), "at least 1");
            }
        }
        if !self.alpha.is_finite() || !self.lead.is_finite() {
            return bad("alpha or lead", format!("{}, {}", self.alpha, self.lead), "finite numbers");
        }
        if self.negatives > 0 && self.negatives_top > self.negatives_beyond {
            let got = format!("{} beside {}", self.negatives_top, self.negatives_beyond);
            return bad("the ranks of negatives", got, "a last rank in one list that is not beyond that of the other");
        }
        if !(self.near_duplicate > 0.0 && self.near_duplicate <= 1.0) {
            return bad("the similarity of near-duplicates", self.near_duplicate.to_string(), "above 0 and at most 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_named() {
        let told = |change: &dyn Fn(&mut PairsOptions), are| {
            let mut options = PairsOptions::default();
            change(&mut options);
            options.check(are).map_or_else(|e| e.to_string(), |()| String::new())
        };
        assert_eq!(told(&|_| (), [true; 2]), "");
        assert_eq!(told(&|o| o.lists = Agreement::Dense, [false, true]), "");
        assert!(told(&|_| (), [true, false]).contains("the agreement = both"));
        assert!(told(&|o| o.top = 0, [true; 2]).contains("the top of a list = 0"));
        assert!(told(&|o| o.negatives_top = 200, [true; 2]).contains("200 beside 100"));
        assert!(told(&|o| o.lead = f64::NAN, [true; 2]).contains("finite"));
        assert!(told(&|o| o.near_duplicate = 0.0, [true; 2]).contains("above 0"));
    }
}
