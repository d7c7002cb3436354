//! The tasks of a run: a recipe, what it is trained on, and its part in every step.

use std::path::PathBuf;

use isogloss_ir::Lang;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::recipes::RecipeConfig;

/// A recipe with its data, one of several in a run.
///
/// Tasks without a share take part in every step; of those with shares, each batch draws one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// What its terms are called in the log; the recipe's name if not given.
    pub name: Option<String>,
    /// The loss is multiplied by it.
    #[serde(default = "one")]
    pub weight: f32,
    /// Share of the batches, relative to the other tasks that have one.
    pub share: Option<f64>,
    /// The training method.
    pub recipe: RecipeConfig,
    /// What it is trained on.
    pub data: Vec<DataConfig>,
    /// How examples make batches; the run's `[batch]` if not given.
    pub batch: Option<BatchConfig>,
    /// The loss is taken at several lengths of the embeddings.
    pub matryoshka: Option<MatryoshkaConfig>,
}

fn one() -> f32 {
    1.0
}

/// What a data set of a recipe with several sources is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Texts without translation.
    Text,
}

/// One data set.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// File or folder.
    pub path: PathBuf,
    /// Its format; found out from the content if not given. `parallel` reads translation pairs.
    pub format: Option<String>,
    /// `text` for the texts without translation of a recipe that also reads pairs.
    pub role: Option<Role>,
    /// Split of a BEIR folder's qrels.
    pub split: Option<String>,
    /// Language of texts (of queries, of the sources of pairs) that name none.
    pub lang: Option<String>,
    /// Language of passages, of the targets of pairs, that name none.
    pub doc_lang: Option<String>,
    /// Share of the examples relative to other data sets; proportional to size if no data set has one.
    pub weight: Option<f64>,
    /// Only the first so many rows.
    pub limit: Option<usize>,
    /// Only these languages, of either side of a pair or of the query.
    pub languages: Option<Vec<String>>,
}

impl DataConfig {
    /// The declared languages of queries and passages.
    ///
    /// # Errors
    /// One is no language code.
    pub fn langs(&self) -> Result<(Option<Lang>, Option<Lang>)> {
        let parse = |lang: &Option<String>| lang.as_deref().map(str::parse::<Lang>).transpose();
        Ok((parse(&self.lang)?, parse(&self.doc_lang)?))
    }
}

/// How examples make batches.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Examples per batch.
    pub rows: usize,
    /// Most tokens per batch; a batch that would exceed them has fewer rows.
    pub tokens: Option<usize>,
    /// Batches of more tokens are encoded in chunks of at most so many (gradient caching): same gradient, bounded memory.
    pub chunk_tokens: Option<usize>,
    /// Batches per optimiser step; a matter of the run, not of a task.
    pub accumulate: usize,
    /// Whether a batch may hold one data set only.
    pub one_dataset: bool,
    /// Whether a batch may hold one language only.
    pub one_language: bool,
    /// Language shares are p ∝ n^(1/temperature) within a data set.
    pub language_temperature: f64,
    /// Whether a batch may not hold the same text twice.
    pub unique_texts: bool,
}

impl Default for BatchConfig {
    fn default() -> BatchConfig {
        BatchConfig {
            rows: 64,
            tokens: None,
            chunk_tokens: None,
            accumulate: 1,
            one_dataset: false,
            one_language: false,
            language_temperature: 1.0,
            unique_texts: true,
        }
    }
}

/// Lengths at which the loss is taken (Kusupati et al. 2022).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MatryoshkaConfig {
    /// Leading dimensions of the embeddings.
    pub dims: Vec<usize>,
    /// Weight of each; all 1 if not given.
    pub weights: Option<Vec<f32>>,
}

/// Refuses a value that is not positive.
pub(crate) fn positive(key: &str, ok: bool) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::value(key, "must be positive")) }
}

impl TaskConfig {
    /// What its terms are called in the log.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.recipe.name())
    }

    /// Refuses what no data could mend. `at` is where the task stands in the run file.
    pub(super) fn check(&self, at: &str, batch: &BatchConfig) -> Result<()> {
        let key = |key: &str| format!("{at}{key}");
        batch.check(&key("batch"))?;
        positive(&key("weight"), self.weight.is_finite() && self.weight > 0.0)?;
        positive(&key("share"), self.share.is_none_or(|s| s.is_finite() && s > 0.0))?;
        if let Some(matryoshka) = &self.matryoshka {
            matryoshka.check(&key("matryoshka"))?;
        }
        self.check_data(&key("data"))?;
        self.recipe.check(&key("recipe"), self)
    }

    fn check_data(&self, key: &str) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::value(key, format!("is empty; add a [[{key}]] section with a path")));
        }
        if self.data.iter().any(|d| d.weight.is_some_and(|w| w.is_nan() || w <= 0.0)) {
            return Err(Error::value(&format!("{key}.weight"), "must be positive"));
        }
        for set in &self.data {
            set.langs()?;
        }
        let (some, all) = (self.data.iter().any(|d| d.weight.is_some()), self.data.iter().all(|d| d.weight.is_some()));
        if some && !all {
            let problem = "is given for some data sets only; give it for all or none";
            return Err(Error::value(&format!("{key}.weight"), problem));
        }
        Ok(())
    }
}

impl BatchConfig {
    fn check(&self, at: &str) -> Result<()> {
        let key = |key: &str| format!("{at}.{key}");
        positive(&key("rows"), self.rows > 0)?;
        positive(&key("accumulate"), self.accumulate > 0)?;
        positive(&key("tokens"), self.tokens != Some(0))?;
        positive(&key("chunk_tokens"), self.chunk_tokens != Some(0))?;
        positive(&key("language_temperature"), self.language_temperature > 0.0)
    }
}

impl MatryoshkaConfig {
    fn check(&self, at: &str) -> Result<()> {
        positive(&format!("{at}.dims"), !self.dims.is_empty() && self.dims.iter().all(|d| *d > 0))?;
        let Some(weights) = &self.weights else { return Ok(()) };
        positive(&format!("{at}.weights"), weights.iter().all(|w| w.is_finite() && *w > 0.0))?;
        match weights.len() == self.dims.len() {
            true => Ok(()),
            false => Err(Error::value(&format!("{at}.weights"), "has another length than dims; give one per length")),
        }
    }
}
