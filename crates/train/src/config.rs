//! The run file: everything a training run depends on. Unknown keys are refused.

use std::path::{Path, PathBuf};

use isogloss_engine::optim::AdamWConfig;
use isogloss_engine::schedule::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::recipes::RecipeConfig;

/// A whole training run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Directory of everything the run writes.
    pub out: PathBuf,
    /// Seed of weights, order, draws and dropout.
    #[serde(default)]
    pub seed: u64,
    /// What is trained.
    pub model: ModelConfig,
    /// How it is trained.
    pub recipe: RecipeConfig,
    /// What it is trained on.
    pub data: Vec<DataConfig>,
    /// How examples make batches.
    #[serde(default)]
    pub batch: BatchConfig,
    /// The optimiser.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Length of the run and course of the learning rate.
    pub schedule: ScheduleConfig,
    /// A development set to watch.
    pub evaluate: Option<EvaluateConfig>,
    /// What is kept while training.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
}

/// The model to start from: a folder or hub name, or a new one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A model folder, or the name of a model on the hub.
    pub path: Option<String>,
    /// A new model with random weights.
    pub new: Option<NewModelConfig>,
    /// Pooling, over what the folder says: cls, mean or last.
    pub pooling: Option<String>,
    /// Whether vectors are L2-normalised, over what the folder says.
    pub normalize: Option<bool>,
    /// Longest text in tokens, over what the folder says.
    pub max_tokens: Option<usize>,
    /// Text put before every query.
    pub query_prompt: Option<String>,
    /// Text put before every passage.
    pub passage_prompt: Option<String>,
    /// Whether dropout is on while training, at the rates of the model's config.json.
    #[serde(default = "yes")]
    pub dropout: bool,
}

fn yes() -> bool {
    true
}

/// Sizes of a new model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewModelConfig {
    /// Which kind.
    pub architecture: Architecture,
    /// Folder of its tokenizer, from `isogloss tokenizer train` or another model.
    pub tokenizer: PathBuf,
    /// Width of token vectors.
    pub hidden_size: usize,
    /// Layers of a transformer.
    #[serde(default)]
    pub layers: usize,
    /// Attention heads of a transformer.
    #[serde(default)]
    pub heads: usize,
    /// Feed-forward width of a transformer; four times the hidden size if not given.
    pub intermediate_size: Option<usize>,
    /// Longest text of a transformer, in tokens.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: usize,
}

fn default_max_tokens() -> usize {
    512
}

/// Kinds of new models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// A table of token vectors and their mean.
    Static,
    /// A transformer with RoBERTa's positions.
    XlmRoberta,
}

/// One data set.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// File or folder.
    pub path: PathBuf,
    /// Its format; found out from the content if not given. `parallel` reads translation pairs.
    pub format: Option<String>,
    /// Split of a BEIR folder's qrels.
    pub split: Option<String>,
    /// Share of the examples relative to other data sets; proportional to size if no data set has one.
    pub weight: Option<f64>,
    /// Only the first so many rows.
    pub limit: Option<usize>,
    /// Only these languages, of either side of a pair or of the query.
    pub languages: Option<Vec<String>>,
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
    /// Batches per optimiser step.
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

/// AdamW and clipping.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Highest learning rate.
    pub learning_rate: f32,
    /// Decay rate of the first moment.
    pub beta1: f32,
    /// Decay rate of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay; none on biases and norms.
    pub weight_decay: f32,
    /// Longest gradient; longer ones are scaled down to it. 0 for no clipping.
    pub clip: f32,
}

impl Default for OptimizerConfig {
    fn default() -> OptimizerConfig {
        let adamw = AdamWConfig::default();
        OptimizerConfig {
            learning_rate: 2e-5,
            beta1: adamw.beta1,
            beta2: adamw.beta2,
            eps: adamw.eps,
            weight_decay: adamw.weight_decay,
            clip: 1.0,
        }
    }
}

impl OptimizerConfig {
    /// The optimiser's part of it.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig { beta1: self.beta1, beta2: self.beta2, eps: self.eps, weight_decay: self.weight_decay }
    }
}

/// Length of the run and course of the learning rate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup: usize,
    /// How the rate falls afterwards: constant, linear or cosine.
    #[serde(default = "default_decay")]
    pub decay: String,
}

fn default_decay() -> String {
    "linear".into()
}

/// A development set and what is done with its measure.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Steps between evaluations.
    pub every: usize,
    /// Documents of a retrieval set.
    pub corpus: Option<PathBuf>,
    /// Queries of a retrieval set.
    pub queries: Option<PathBuf>,
    /// Judgements of a retrieval set.
    pub qrels: Option<PathBuf>,
    /// Parallel text: the measure is mean accuracy@1 of sentence retrieval, both ways.
    pub parallel: Option<PathBuf>,
    /// Measure of a retrieval set.
    #[serde(default = "default_measure")]
    pub measure: String,
    /// The run stops after so many evaluations without a new best.
    pub patience: Option<usize>,
    /// Whether the model of the best evaluation is the result, rather than the last one.
    #[serde(default = "yes")]
    pub keep_best: bool,
}

fn default_measure() -> String {
    "nDCG@10".into()
}

/// What is kept while training.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Steps between checkpoints; 0 for none.
    pub every: usize,
}

impl Default for CheckpointConfig {
    fn default() -> CheckpointConfig {
        CheckpointConfig { every: 500 }
    }
}

impl RunConfig {
    /// Reads a run file.
    ///
    /// # Errors
    /// It is unreadable, not TOML, has an unknown or missing key or a value out of range; the message has the line.
    pub fn read(path: &Path) -> Result<RunConfig> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let config: RunConfig = toml::from_str(&text).map_err(|e| {
            let start = e.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..start].matches('\n').count() + 1;
            Error::Config { path: path.to_path_buf(), line, problem: e.message().replace('\n', "; ") }
        })?;
        config.check()?;
        Ok(config)
    }

    /// The learning-rate schedule.
    ///
    /// # Errors
    /// The decay has an unknown name.
    pub fn schedule(&self) -> Result<Schedule> {
        let decay = match self.schedule.decay.as_str() {
            "constant" => Decay::Constant,
            "linear" => Decay::Linear,
            "cosine" => Decay::Cosine,
            other => {
                return Err(Error::value(
                    "schedule.decay",
                    format!("\"{other}\" is unknown; use constant, linear or cosine"),
                ));
            }
        };
        Ok(Schedule {
            peak: self.optimizer.learning_rate,
            warmup: self.schedule.warmup,
            steps: self.schedule.steps,
            decay,
        })
    }

    fn check(&self) -> Result<()> {
        self.schedule()?;
        let positive = |key: &str, ok: bool| if ok { Ok(()) } else { Err(Error::value(key, "must be positive")) };
        positive("schedule.steps", self.schedule.steps > 0)?;
        positive("batch.rows", self.batch.rows > 0)?;
        positive("batch.accumulate", self.batch.accumulate > 0)?;
        positive("batch.tokens", self.batch.tokens != Some(0))?;
        positive("batch.chunk_tokens", self.batch.chunk_tokens != Some(0))?;
        positive("batch.language_temperature", self.batch.language_temperature > 0.0)?;
        positive("optimizer.learning_rate", self.optimizer.learning_rate > 0.0)?;
        let RecipeConfig::Contrastive(contrastive) = &self.recipe;
        positive("recipe.temperature", contrastive.temperature > 0.0)?;
        if self.data.is_empty() {
            return Err(Error::value("data", "is empty; add a [[data]] section with a path"));
        }
        if self.data.iter().any(|d| d.weight.is_some_and(|w| w.is_nan() || w <= 0.0)) {
            return Err(Error::value("data.weight", "must be positive"));
        }
        let (some, all) = (self.data.iter().any(|d| d.weight.is_some()), self.data.iter().all(|d| d.weight.is_some()));
        if some && !all {
            return Err(Error::value("data.weight", "is given for some data sets only; give it for all or none"));
        }
        match (&self.model.path, &self.model.new) {
            (Some(_), Some(_)) => Err(Error::value("model", "has both path and new; keep one")),
            (None, None) => Err(Error::value("model", "needs path (a folder or hub name) or a [model.new] section")),
            _ => self.evaluate.as_ref().map_or(Ok(()), EvaluateConfig::check),
        }
    }
}

impl EvaluateConfig {
    fn check(&self) -> Result<()> {
        let retrieval = [&self.corpus, &self.queries, &self.qrels].map(Option::is_some);
        if self.every == 0 {
            return Err(Error::value("evaluate.every", "must be positive"));
        }
        match (retrieval, self.parallel.is_some()) {
            ([true, true, true], false) | ([false, false, false], true) => Ok(()),
            _ => Err(Error::value("evaluate", "needs corpus, queries and qrels together, or parallel alone")),
        }
    }
}
