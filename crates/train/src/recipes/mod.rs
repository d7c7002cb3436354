//! The training methods, one file each.

mod ccp;
mod ccp_monitor;
mod clear;
mod contrastive;
mod distill;
mod la_mir;
mod matryoshka;
mod mlm;
mod query_generation;

use isogloss_engine::Key;
use isogloss_model::{BiEncoder, Seq2Seq};
use serde::{Deserialize, Serialize};

use crate::config::{BatchConfig, DataConfig, Role, RunConfig, TaskConfig};
use crate::data::{Sampled, Source, TrainingData, load};
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::task::{EmbeddingTask, Task};

pub use ccp::{Ccp, CcpConfig};
pub use clear::{Clear, ClearConfig};
pub use contrastive::{Contrastive, ContrastiveConfig};
pub use distill::{Distill, DistillConfig, Follow};
pub use la_mir::{LaMir, LaMirConfig, LaMirExample};
pub use matryoshka::Matryoshka;
pub use mlm::{Mlm, MlmConfig};
pub use query_generation::{QueryGeneration, QueryGenerationConfig};

/// A recipe of a run file, by name, with its options.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum RecipeConfig {
    /// InfoNCE over labelled examples and translation pairs.
    Contrastive(ContrastiveConfig),
    /// Semantic and language contrast.
    LaMir(LaMirConfig),
    /// Reverse training through English passages.
    Clear(ClearConfig),
    /// Contrastive context prediction.
    Ccp(CcpConfig),
    /// Masked-language training.
    Mlm(MlmConfig),
    /// A teacher's embeddings.
    Distill(DistillConfig),
    /// Queries written for passages.
    QueryGeneration(QueryGenerationConfig),
}

impl RecipeConfig {
    /// Its name in run files.
    pub fn name(&self) -> &'static str {
        match self {
            RecipeConfig::Contrastive(_) => "contrastive",
            RecipeConfig::LaMir(_) => "la_mir",
            RecipeConfig::Clear(_) => "clear",
            RecipeConfig::Ccp(_) => "ccp",
            RecipeConfig::Mlm(_) => "mlm",
            RecipeConfig::Distill(_) => "distill",
            RecipeConfig::QueryGeneration(_) => "query_generation",
        }
    }

    /// Refuses options that no data could mend; `at` is where the recipe stands in the run file.
    pub(crate) fn check(&self, at: &str, task: &TaskConfig) -> Result<()> {
        let is_la_mir = matches!(self, RecipeConfig::LaMir(_));
        if !is_la_mir && task.data.iter().any(|set| set.role.is_some()) {
            return Err(Error::value("data.role", format!("is for la_mir; take it out of {}'s data", self.name())));
        }
        let without_lengths = match self {
            RecipeConfig::Ccp(_) | RecipeConfig::Mlm(_) => Some("has a head of fixed width"),
            RecipeConfig::QueryGeneration(_) => Some("has no embeddings"),
            _ => None,
        };
        if let Some(reason) = without_lengths.filter(|_| task.matryoshka.is_some()) {
            let problem = format!("does not go with {}, which {reason}; take it out", self.name());
            return Err(Error::value("matryoshka", problem));
        }
        match self {
            RecipeConfig::Contrastive(c) => c.check(at),
            RecipeConfig::LaMir(c) => c.check(at, task),
            RecipeConfig::Clear(c) => c.check(at),
            RecipeConfig::Ccp(c) => c.check(at),
            RecipeConfig::Mlm(c) => c.check(at),
            RecipeConfig::Distill(c) => c.check(at),
            RecipeConfig::QueryGeneration(c) => c.check(at),
        }
    }
}

/// Refuses recipes that cannot be trained without others.
pub(crate) fn check_together(tasks: &[&TaskConfig]) -> Result<()> {
    let collapses =
        |task: &&TaskConfig| matches!(&task.recipe, RecipeConfig::LaMir(config) if config.collapses_alone());
    match tasks.iter().all(|task| collapses(task) || matches!(task.recipe, RecipeConfig::Mlm(_))) {
        true if tasks.iter().any(collapses) => Err(Error::value(
            "recipe.semantic_weight",
            "is 0, and the language loss alone pulls all texts together; raise it, or add a [[task]] with another recipe",
        )),
        _ => Ok(()),
    }
}

/// Whether the tasks train an encoder–decoder, not an encoder.
///
/// # Errors
/// Some do and some do not.
pub(crate) fn generates(tasks: &[TaskConfig]) -> Result<bool> {
    let generator = |task: &&TaskConfig| matches!(task.recipe, RecipeConfig::QueryGeneration(_));
    match tasks.iter().filter(generator).count() {
        0 => Ok(false),
        n if n == tasks.len() => Ok(true),
        _ => Err(Error::value("task", NOT_TOGETHER)),
    }
}

/// Why a recipe cannot train a model of the other kind.
const NOT_TOGETHER: &str =
    "query_generation trains an encoder–decoder, the other recipes an encoder; give them runs of their own";

/// The task of a run's recipe for an encoder–decoder, its data read.
///
/// # Errors
/// As [`task`].
pub(crate) fn generator_task(run: &RunConfig, config: &TaskConfig, key: Key) -> Result<Box<dyn Task<Seq2Seq>>> {
    let RecipeConfig::QueryGeneration(c) = &config.recipe else {
        return Err(Error::value("recipe.name", NOT_TOGETHER));
    };
    let sets: Vec<&DataConfig> = config.data.iter().collect();
    let source = source(&sets, run.batch_of(config), key, |set| query_generation::examples(set, c))?;
    Ok(Box::new(QueryGeneration::new(c.clone(), source)))
}

/// The task of a run's recipe, its data read. `key` is the task's own.
///
/// # Errors
/// A data set cannot be read or does not fit the recipe.
pub(crate) fn task(run: &RunConfig, config: &TaskConfig, model: &BiEncoder, key: Key) -> Result<Box<dyn Task>> {
    fits(config, model.layout().dim())?;
    let batch = run.batch_of(config);
    let sets: Vec<&DataConfig> = config.data.iter().collect();
    let weights = key.derive(1);
    match &config.recipe {
        RecipeConfig::Contrastive(c) => {
            embedding(config, Contrastive::new(c.clone()), vec![source(&sets, batch, key, load::examples)?])
        }
        RecipeConfig::LaMir(c) => {
            let (texts, pairs) = sets.into_iter().partition::<Vec<_>, _>(|set| set.role == Some(Role::Text));
            let mut sources = vec![source(&pairs, batch, key, la_mir::pairs)?];
            if !texts.is_empty() {
                let batch = BatchConfig { rows: c.texts, ..batch.clone() };
                let read = |set: &DataConfig| la_mir::texts(set, model, c.unit_tokens);
                sources.push(source(&texts, &batch, key.derive(2), read)?);
            }
            embedding(config, LaMir::new(c.clone()), sources)
        }
        RecipeConfig::Clear(c) => {
            embedding(config, Clear::new(c.clone()), vec![source(&sets, batch, key, load::clear_rows)?])
        }
        RecipeConfig::Ccp(c) => {
            let batch = BatchConfig { one_language: true, ..batch.clone() };
            let read = |set: &DataConfig| load::places(set, model, c.unit_tokens);
            embedding(config, Ccp::new(c.clone(), model, weights), vec![source(&sets, &batch, key, read)?])
        }
        RecipeConfig::Mlm(c) => {
            let most = model.layout().max_tokens.unwrap_or(usize::MAX);
            let read = |set: &DataConfig| load::texts(set, model, c.unit_tokens.unwrap_or(most));
            Ok(Box::new(Mlm::new(c.clone(), model, source(&sets, batch, key, read)?, weights)?))
        }
        RecipeConfig::Distill(c) => {
            let recipe = Distill::new(c.clone(), model.layout().dim(), weights)?.with_teacher_on(model.device())?;
            embedding(config, recipe, vec![source(&sets, batch, key, load::pairs)?])
        }
        RecipeConfig::QueryGeneration(_) => Err(Error::value("recipe.name", NOT_TOGETHER)),
    }
}

/// Refuses lengths that the embedding does not have.
fn fits(config: &TaskConfig, dim: usize) -> Result<()> {
    match config.matryoshka.iter().flat_map(|matryoshka| &matryoshka.dims).find(|length| **length > dim) {
        Some(length) => Err(Error::value(
            "matryoshka.dims",
            format!("has {length}, but embeddings have {dim} dimensions; lower it"),
        )),
        None => Ok(()),
    }
}

fn source<E: Sampled + Clone>(
    sets: &[&DataConfig],
    batch: &BatchConfig,
    key: Key,
    read: impl Fn(&DataConfig) -> Result<Vec<E>>,
) -> Result<Source<E>> {
    Ok(Source::new(TrainingData::load(sets, batch, read)?, batch.clone(), key))
}

/// The task of a recipe over embeddings, at several lengths of them if the run asks for it.
fn embedding<R, const GROUPS: usize>(
    config: &TaskConfig,
    recipe: R,
    sources: Vec<Source<R::Example>>,
) -> Result<Box<dyn Task>>
where
    R: Recipe<GROUPS> + 'static,
    R::Example: Sampled + Clone,
{
    Ok(match &config.matryoshka {
        Some(dims) => Box::new(EmbeddingTask::new(Matryoshka::new(recipe, dims), sources)),
        None => Box::new(EmbeddingTask::new(recipe, sources)),
    })
}
