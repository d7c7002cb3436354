//! CLEAR (Lee et al. 2026, arXiv 2604.05821): English retrieval, its reverse through the passage to the question in another language, and
//! a divergence between the two (docs/methods/clear.md).

use isogloss_dense::Side;
use isogloss_engine::{Key, Tensor};
use isogloss_ir::{ClearExample, Lang};
use serde::{Deserialize, Serialize};

use crate::config::positive;
use crate::error::{Error, Result};
use crate::loss::{Clear as Options, Divergence, Loss, Slot, clear};
use crate::recipe::{Group, Part, Recipe};

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClearConfig {
    /// Weight of the reverse term, α.
    pub alpha: f32,
    /// Weight of the divergence, β.
    pub beta: f32,
    /// Whether there is a divergence; without it the forward term has weight 1 − α.
    pub kl: bool,
    /// Which way the divergence is taken.
    pub direction: Divergence,
    /// Cosines are multiplied by it.
    pub scale: f32,
    /// Most negative passages and negative queries used per row.
    pub negatives: usize,
}

impl Default for ClearConfig {
    fn default() -> ClearConfig {
        ClearConfig {
            alpha: 0.4,
            beta: 0.2,
            kl: true,
            direction: Divergence::ReverseToForward,
            scale: 20.0,
            negatives: 5,
        }
    }
}

impl ClearConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        let key = |key: &str| format!("{at}.{key}");
        positive(&key("scale"), self.scale > 0.0)?;
        let beta = if self.kl { self.beta } else { 0.0 };
        let fits = self.alpha >= 0.0 && self.beta >= 0.0 && self.alpha + beta <= 1.0;
        match fits {
            true => Ok(()),
            false => Err(Error::value(&key("alpha"), "and beta must not be negative, and their sum at most 1")),
        }
    }
}

/// The recipe.
pub struct Clear {
    config: ClearConfig,
}

impl Clear {
    /// The recipe with the given options.
    pub fn new(config: ClearConfig) -> Clear {
        Clear { config }
    }

    /// The slots in use of negatives and of negative queries.
    fn slots(&self, batch: &[ClearExample]) -> [Vec<Slot>; 2] {
        let counts = |negatives: fn(&ClearExample) -> &Vec<String>| -> Vec<usize> {
            batch.iter().map(|row| negatives(row).len().min(self.config.negatives)).collect()
        };
        [counts(|row| &row.negatives), counts(|row| &row.neg_queries)].map(|counts| Slot::role_major(&counts))
    }
}

impl Recipe<5> for Clear {
    type Example = ClearExample;

    fn groups<'a>(&self, batch: &'a [ClearExample], _key: Key) -> [Group<'a>; 5] {
        let [negatives, neg_queries] = self.slots(batch);
        let group = |texts: Vec<&'a str>, side| Group { texts, side };
        [
            group(batch.iter().map(|row| row.anchor.as_str()).collect(), Side::Query),
            group(batch.iter().map(|row| row.positive.as_str()).collect(), Side::Doc),
            group(negatives.iter().map(|at| batch[at.row].negatives[at.k].as_str()).collect(), Side::Doc),
            group(batch.iter().map(|row| row.cross_anchor.as_deref().unwrap_or_default()).collect(), Side::Query),
            group(neg_queries.iter().map(|at| batch[at.row].neg_queries[at.k].as_str()).collect(), Side::Query),
        ]
    }

    fn loss(&mut self, batch: &[ClearExample], _key: Key, embeddings: [Tensor; 5]) -> Loss {
        let [negatives, negative_queries] = self.slots(batch);
        let ClearConfig { alpha, beta, scale, .. } = self.config;
        let divergence = self.config.kl.then_some(self.config.direction);
        let [query, positive, negative, target_query, negative_query] = &embeddings;
        clear(
            [query, positive, negative, target_query, negative_query],
            Options { alpha, beta, scale, divergence, negatives: &negatives, negative_queries: &negative_queries },
        )
    }

    fn parts<'a>(&self, row: &'a ClearExample) -> Vec<Part<'a>> {
        let part =
            |side: Side, lang: &'a Option<Lang>| move |text: &'a String| Part { text, side, lang: lang.as_ref() };
        let negatives = row.negatives.iter().take(self.config.negatives);
        let neg_queries = row.neg_queries.iter().take(self.config.negatives);
        let english = std::iter::once(&row.anchor).map(part(Side::Query, &row.lang));
        let docs = std::iter::once(&row.positive).chain(negatives).map(part(Side::Doc, &row.lang));
        english
            .chain(docs)
            .chain(row.cross_anchor.iter().chain(neg_queries).map(part(Side::Query, &row.cross_lang)))
            .collect()
    }

    fn similarities(&self, [queries, positives, negatives, target_queries, negative_queries]: [usize; 5]) -> usize {
        queries * (positives + negatives) + positives * (target_queries + negative_queries)
    }

    /// All of them: as in the authors' code, a row is refused if any of its texts is in the batch already.
    fn texts<'a>(&self, row: &'a ClearExample) -> Vec<&'a str> {
        let ClearExample { anchor, positive, cross_anchor, negatives, neg_queries, .. } = row;
        let used = negatives.iter().take(self.config.negatives).chain(neg_queries.iter().take(self.config.negatives));
        [anchor, positive].into_iter().chain(cross_anchor).chain(used).map(String::as_str).collect()
    }
}
