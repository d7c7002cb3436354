//! The run file: everything a training run depends on. Unknown keys are refused.

use std::path::{Path, PathBuf};

use isogloss_engine::optim::AdamWConfig;
use isogloss_engine::schedule::{Decay, Schedule};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::recipes::RecipeConfig;

mod evaluate;
mod model;
mod task;

pub use evaluate::EvaluateConfig;
pub use model::{Architecture, ModelConfig, NewModelConfig};
pub(crate) use task::positive;
pub use task::{BatchConfig, DataConfig, MatryoshkaConfig, Role, TaskConfig};

fn yes() -> bool {
    true
}

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
    /// How it is trained, in a run of one recipe.
    pub recipe: Option<RecipeConfig>,
    /// What that recipe is trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataConfig>,
    /// The loss of that recipe is taken at several lengths of the embeddings.
    pub matryoshka: Option<MatryoshkaConfig>,
    /// Several recipes, each with its data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task: Vec<TaskConfig>,
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

/// Reads what a TOML file says.
///
/// # Errors
/// It is unreadable, not TOML, or has an unknown or missing key; the message has the line.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    toml::from_str(&text).map_err(|e| {
        let start = e.span().map_or(0, |span| span.start.min(text.len()));
        let line = text[..start].matches('\n').count() + 1;
        Error::Config { path: path.to_path_buf(), line, problem: e.message().replace('\n', "; ") }
    })
}

impl RunConfig {
    /// Reads a run file.
    ///
    /// # Errors
    /// It is unreadable, not TOML, has an unknown or missing key or a value out of range; the message has the line.
    pub fn read(path: &Path) -> Result<RunConfig> {
        let mut config: RunConfig = read_toml(path)?;
        config.check()?;
        let generates = config.generates()?;
        if let Some(evaluate) = &mut config.evaluate {
            evaluate.measure = Some(evaluate.measure(generates).to_string());
        }
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

    /// The tasks of the run: its only recipe, or every `[[task]]`; with where each stands in the run file.
    fn tasks_at(&self) -> Result<Vec<(String, TaskConfig)>> {
        match (&self.recipe, self.task.is_empty()) {
            (Some(recipe), true) => {
                let (data, matryoshka) = (self.data.clone(), self.matryoshka.clone());
                let recipe = recipe.clone();
                let only = TaskConfig { name: None, weight: 1.0, share: None, recipe, data, batch: None, matryoshka };
                Ok(vec![(String::new(), only)])
            }
            (None, false) if self.data.is_empty() && self.matryoshka.is_none() => {
                Ok(self.task.iter().map(|task| ("task.".to_string(), task.clone())).collect())
            }
            (None, true) => Err(Error::value("recipe", "is missing; add a [recipe] section with a name, or [[task]]")),
            _ => Err(Error::value("task", "stands beside recipe, data or matryoshka; move them into [[task]]")),
        }
    }

    /// The tasks of the run: its only recipe, or every `[[task]]`.
    ///
    /// # Errors
    /// There is neither, or there are both.
    pub fn tasks(&self) -> Result<Vec<TaskConfig>> {
        Ok(self.tasks_at()?.into_iter().map(|(_, task)| task).collect())
    }

    /// Whether the run trains an encoder–decoder, not an encoder.
    ///
    /// # Errors
    /// As [`RunConfig::tasks`]; or some tasks do and some do not.
    pub fn generates(&self) -> Result<bool> {
        crate::recipes::generates(&self.tasks()?)
    }

    /// How the examples of a task make batches.
    pub fn batch_of<'a>(&'a self, task: &'a TaskConfig) -> &'a BatchConfig {
        task.batch.as_ref().unwrap_or(&self.batch)
    }

    /// Refuses values out of their range and parts that do not go together.
    ///
    /// # Errors
    /// The first of them, with its key.
    pub fn check(&self) -> Result<()> {
        self.schedule()?;
        positive("schedule.steps", self.schedule.steps > 0)?;
        positive("optimizer.learning_rate", self.optimizer.learning_rate > 0.0)?;
        let tasks = self.tasks_at()?;
        for (at, task) in &tasks {
            task.check(at, self.batch_of(task))?;
        }
        if self.task.iter().any(|t| t.batch.as_ref().is_some_and(|b| b.accumulate != 1)) {
            return Err(Error::value("task.batch.accumulate", "is for the whole run; set it in [batch]"));
        }
        let tasks: Vec<&TaskConfig> = tasks.iter().map(|(_, task)| task).collect();
        crate::recipes::check_together(&tasks)?;
        let generates = self.generates()?;
        self.model.check(generates)?;
        self.evaluate.as_ref().map_or(Ok(()), |evaluate| evaluate.check(generates))
    }
}
