//! LA-MIR (Hu et al. 2023, arXiv 2210.06633): semantic contrast over parallel pairs, language contrast between pairs and text that has no
//! translation (docs/methods/la_mir.md). Its third loss, over labelled examples, is another recipe of the same run.

use isogloss_dense::Side;
use isogloss_engine::{Key, Tensor};
use isogloss_ir::{Lang, Pair};
use isogloss_model::BiEncoder;
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, Role, TaskConfig, positive};
use crate::data::{Sampled, Text, load};
use crate::error::{Error, Result};
use crate::loss::{Language, Loss, Reduction, Semantic, Similarity, language, semantic};
use crate::recipe::{Group, Part, Recipe};

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaMirConfig {
    /// Weight of the semantic loss; 0 leaves it out.
    pub semantic_weight: f32,
    /// Weight of the language loss; 0 leaves it out.
    pub language_weight: f32,
    /// Similarities of the semantic loss are divided by it.
    pub semantic_temperature: f32,
    /// Similarities of the language loss are divided by it.
    pub language_temperature: f32,
    /// Which candidates the semantic loss tells a translation from.
    pub variant: Semantic,
    /// Comparison of two embeddings.
    pub similarity: Similarity,
    /// Mean or sum over the combinations of the language loss.
    pub reduction: Reduction,
    /// Texts without translation per batch.
    pub texts: usize,
    /// Tokens of such a text: consecutive sentences of a document are packed up to it.
    pub unit_tokens: usize,
}

impl Default for LaMirConfig {
    fn default() -> LaMirConfig {
        LaMirConfig {
            semantic_weight: 1.0,
            language_weight: 0.1,
            semantic_temperature: 0.05,
            language_temperature: 0.05,
            variant: Semantic::Symmetric,
            similarity: Similarity::Cosine,
            reduction: Reduction::Mean,
            texts: 64,
            unit_tokens: 64,
        }
    }
}

impl LaMirConfig {
    pub(super) fn check(&self, at: &str, task: &TaskConfig) -> Result<()> {
        let key = |key: &str| format!("{at}.{key}");
        for (name, weight) in [("semantic_weight", self.semantic_weight), ("language_weight", self.language_weight)] {
            if !weight.is_finite() || weight < 0.0 {
                return Err(Error::value(&key(name), "must be 0 or positive"));
            }
        }
        positive(&key("semantic_temperature"), self.semantic_temperature > 0.0)?;
        positive(&key("language_temperature"), self.language_temperature > 0.0)?;
        positive(&key("texts"), self.texts > 0)?;
        positive(&key("unit_tokens"), self.unit_tokens > 0)?;
        if self.semantic_weight == 0.0 && self.language_weight == 0.0 {
            return Err(Error::value(at, "has both weights 0 and nothing to train; raise semantic_weight"));
        }
        let texts = task.data.iter().filter(|set| set.role == Some(Role::Text)).count();
        match (texts, task.data.len() - texts) {
            (_, 0) => Err(Error::value(at, "has no parallel pairs; add a data set without role = \"text\"")),
            (0, _) if self.language_weight > 0.0 => Err(Error::value(
                &key("language_weight"),
                "needs text without translation; add a data set with role = \"text\", or set the weight to 0",
            )),
            (1.., _) if self.language_weight == 0.0 => Err(Error::value(
                &key("language_weight"),
                "is 0, so data sets with role = \"text\" would go unused; raise it, or take them out",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a run needs another loss beside it: the language loss has nothing that keeps texts apart, and alone it collapses.
    pub(super) fn collapses_alone(&self) -> bool {
        self.semantic_weight == 0.0
    }
}

/// What a batch is made of: first pairs, then texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaMirExample {
    /// A text and its translation.
    Pair(Pair),
    /// A text without translation.
    Text(String, Option<Lang>),
}

/// Translation pairs of a data set.
///
/// # Errors
/// A file is unreadable or malformed.
pub(super) fn pairs(config: &DataConfig) -> Result<Vec<LaMirExample>> {
    Ok(load::pairs(config)?.into_iter().map(LaMirExample::Pair).collect())
}

/// Texts of a data set.
///
/// # Errors
/// A file is unreadable or malformed.
pub(super) fn texts(config: &DataConfig, model: &BiEncoder, unit_tokens: usize) -> Result<Vec<LaMirExample>> {
    let texts = load::texts(config, model, unit_tokens)?;
    Ok(texts.into_iter().map(|Text { text, lang }| LaMirExample::Text(text, lang)).collect())
}

impl Sampled for LaMirExample {
    fn language(&self) -> Option<&Lang> {
        match self {
            LaMirExample::Pair(pair) => pair.language(),
            LaMirExample::Text(_, lang) => lang.as_ref(),
        }
    }
}

/// The recipe.
pub struct LaMir {
    config: LaMirConfig,
}

impl LaMir {
    /// The recipe with the given options.
    pub fn new(config: LaMirConfig) -> LaMir {
        LaMir { config }
    }
}

impl Recipe<3> for LaMir {
    type Example = LaMirExample;

    fn groups<'a>(&self, batch: &'a [LaMirExample], _key: Key) -> [Group<'a>; 3] {
        let (mut english, mut translation, mut text) = (Vec::new(), Vec::new(), Vec::new());
        for example in batch {
            match example {
                LaMirExample::Pair(pair) => {
                    english.push(pair.src.as_str());
                    translation.push(pair.tgt.as_str());
                }
                LaMirExample::Text(sentence, _) => text.push(sentence.as_str()),
            }
        }
        [english, translation, text].map(|texts| Group { texts, side: Side::Doc })
    }

    fn loss(&mut self, _batch: &[LaMirExample], _key: Key, [english, translation, text]: [Tensor; 3]) -> Loss {
        let LaMirConfig { semantic_weight, language_weight, .. } = self.config;
        let mut parts = Vec::new();
        if semantic_weight > 0.0 {
            let LaMirConfig { variant, similarity, semantic_temperature, .. } = self.config;
            parts.push((semantic_weight, semantic(&english, &translation, variant, similarity, semantic_temperature)));
        }
        if language_weight > 0.0 {
            let options = Language {
                similarity: self.config.similarity,
                temperature: self.config.language_temperature,
                combinations: None,
                reduction: self.config.reduction,
            };
            parts.push((language_weight, language(&text, &english, &translation, options)));
        }
        Loss::sum(parts)
    }

    fn parts<'a>(&self, example: &'a LaMirExample) -> Vec<Part<'a>> {
        let part = |text: &'a String, lang: &'a Option<Lang>| Part { text, side: Side::Doc, lang: lang.as_ref() };
        match example {
            LaMirExample::Pair(pair) => vec![part(&pair.src, &pair.src_lang), part(&pair.tgt, &pair.tgt_lang)],
            LaMirExample::Text(text, lang) => vec![part(text, lang)],
        }
    }

    fn similarities(&self, [english, translation, text]: [usize; 3]) -> usize {
        let semantic = match self.config.variant {
            Semantic::OneWay => english * translation,
            Semantic::Symmetric => 2 * english * translation,
            Semantic::Simclr => (english + translation).pow(2),
        };
        semantic + text * english
    }

    fn texts<'a>(&self, example: &'a LaMirExample) -> Vec<&'a str> {
        match example {
            LaMirExample::Pair(pair) => vec![&pair.src, &pair.tgt],
            LaMirExample::Text(text, _) => vec![text],
        }
    }
}
