//! Dense retrieval with labels: InfoNCE over in-batch and hard negatives (docs/methods/contrastive.md).

use isogloss_dense::Side;
use isogloss_engine::{Key, Tensor};
use isogloss_ir::Example;
use serde::{Deserialize, Serialize};

use crate::config::positive;
use crate::error::Result;
use crate::loss::{InfoNce, Loss, NegativeScope, Similarity, info_nce};
use crate::recipe::{Group, Part, Recipe};

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveConfig {
    /// Similarities are divided by it.
    pub temperature: f32,
    /// Comparison of two embeddings.
    pub similarity: Similarity,
    /// Whether half of the loss is passage → query.
    pub symmetric: bool,
    /// Hard negatives used per example, of those it has.
    pub negatives: usize,
    /// Whether a row sees its own hard negatives only.
    pub own_negatives: bool,
    /// Whether candidates with the text or id of one of a row's positives are left out of its denominator.
    pub mask_false_negatives: bool,
}

impl Default for ContrastiveConfig {
    fn default() -> ContrastiveConfig {
        ContrastiveConfig {
            temperature: 0.05,
            similarity: Similarity::Cosine,
            symmetric: false,
            negatives: 1,
            own_negatives: false,
            mask_false_negatives: true,
        }
    }
}

impl ContrastiveConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        positive(&format!("{at}.temperature"), self.temperature > 0.0)
    }
}

/// The recipe.
pub struct Contrastive {
    config: ContrastiveConfig,
}

/// The passages that a batch uses: one positive per row, some negatives.
struct Drawn {
    positive: Vec<usize>,
    negatives: Vec<Vec<usize>>,
}

impl Contrastive {
    /// The recipe with the given options.
    pub fn new(config: ContrastiveConfig) -> Contrastive {
        Contrastive { config }
    }

    fn draw(&self, batch: &[Example], key: Key) -> Drawn {
        let mut drawn = Drawn { positive: Vec::new(), negatives: Vec::new() };
        for (row, example) in batch.iter().enumerate() {
            let key = key.derive(row as u64);
            drawn.positive.push(key.below(0, example.positives.len()));
            let order = key.derive(1).permutation(example.negatives.len());
            drawn.negatives.push(order.iter().take(self.config.negatives).map(|i| *i as usize).collect());
        }
        drawn
    }

    /// `same[i·columns + j]`: candidate j (text and id) is one of row i's positives.
    fn matches(&self, batch: &[Example], candidates: &[(&str, Option<&String>)]) -> Vec<bool> {
        let is_positive = |example: &Example, (text, id): &(&str, Option<&String>)| {
            example.positives.iter().any(|p| p == text) || id.is_some_and(|id| example.ids.positives.contains(id))
        };
        batch.iter().flat_map(|example| candidates.iter().map(move |c| is_positive(example, c))).collect()
    }
}

impl Recipe<3> for Contrastive {
    type Example = Example;

    fn groups<'a>(&self, batch: &'a [Example], key: Key) -> [Group<'a>; 3] {
        let drawn = self.draw(batch, key);
        let queries = batch.iter().map(|e| e.query.as_str()).collect();
        let positives = batch.iter().zip(&drawn.positive).map(|(e, i)| e.positives[*i].as_str()).collect();
        let negatives =
            batch.iter().zip(&drawn.negatives).flat_map(|(e, at)| at.iter().map(|i| e.negatives[*i].as_str()));
        [
            Group { texts: queries, side: Side::Query },
            Group { texts: positives, side: Side::Doc },
            Group { texts: negatives.collect(), side: Side::Doc },
        ]
    }

    fn loss(&mut self, batch: &[Example], key: Key, [query, positive, negatives]: [Tensor; 3]) -> Loss {
        let drawn = self.draw(batch, key);
        let negative_rows: Vec<usize> = drawn.negatives.iter().map(Vec::len).collect();
        let masks = self.config.mask_false_negatives.then(|| {
            let positives: Vec<_> = batch
                .iter()
                .zip(&drawn.positive)
                .map(|(e, &i)| (e.positives[i].as_str(), e.ids.positives.get(i)))
                .collect();
            let negatives: Vec<_> = batch
                .iter()
                .zip(&drawn.negatives)
                .flat_map(|(e, at)| at.iter().map(|&i| (e.negatives[i].as_str(), e.ids.negatives.get(i))))
                .collect();
            (self.matches(batch, &positives), self.matches(batch, &negatives))
        });
        let options = InfoNce {
            similarity: self.config.similarity,
            temperature: self.config.temperature,
            symmetric: self.config.symmetric,
            negative_rows: &negative_rows,
            scope: if self.config.own_negatives { NegativeScope::Own } else { NegativeScope::Batch },
            same: masks.as_ref().map(|(same, _)| same.as_slice()),
            same_negative: masks.as_ref().map(|(_, same)| same.as_slice()),
        };
        info_nce(&query, &positive, Some(&negatives), options)
    }

    fn parts<'a>(&self, example: &'a Example) -> Vec<Part<'a>> {
        let doc = |text: &'a String| Part { text, side: Side::Doc, lang: example.doc_lang.as_ref() };
        let negatives = example.negatives.iter().filter(|_| self.config.negatives > 0);
        let query = Part { text: &example.query, side: Side::Query, lang: example.lang.as_ref() };
        std::iter::once(query).chain(example.positives.iter().chain(negatives).map(doc)).collect()
    }

    fn similarities(&self, [queries, positives, negatives]: [usize; 3]) -> usize {
        let back = if self.config.symmetric { queries * positives } else { 0 };
        queries * (positives + negatives) + back
    }

    fn texts<'a>(&self, example: &'a Example) -> Vec<&'a str> {
        std::iter::once(&example.query).chain(&example.positives).map(String::as_str).collect()
    }
}
