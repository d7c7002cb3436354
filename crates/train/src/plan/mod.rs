//! What a run would train on and what it would need, found out without training: `isogloss train --dry-run`.

use isogloss_engine::Key;
use serde::Serialize;

use crate::config::RunConfig;
use crate::error::Result;
use crate::mixture::Mixture;
use crate::task::Task;
use crate::trainable::Trainable;

mod data;
mod memory;

pub use data::{DataPlan, Drawn, LangPlan, SetPlan, Spread};
pub(crate) use data::{Sample, count};
pub use memory::Activations;
pub use memory::Memory;
pub(crate) use memory::Needs;

/// Batches that are drawn of every task to see what they hold.
const BATCHES: usize = 50;

/// How the batches of a task are drawn for its plan: as training would draw its first ones.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Batches to draw.
    pub batches: usize,
    /// Whether the batches that a recipe sees before the first step are still to come.
    pub warm_up: bool,
    /// As in [`crate::StepOptions`].
    pub chunk_tokens: Option<usize>,
    /// The run's key of steps, the first step to come, batches per step, and the number of the task.
    pub(crate) keys: (Key, usize, usize, usize),
}

impl PlanOptions {
    /// The key of the n-th batch in a run whose every step has a batch of the task.
    pub fn key(&self, n: usize) -> Key {
        let (key, step, rounds, task) = self.keys;
        key.derive((step + n / rounds) as u64).derive((n % rounds) as u64).derive(task as u64)
    }
}

/// What a run would train on.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Optimiser steps.
    pub steps: usize,
    /// Steps that a checkpoint has done already.
    pub done: usize,
    /// Rounds of batches per step.
    pub accumulate: usize,
    /// Weights of the model.
    pub model_parameters: usize,
    /// Weights of the recipes' own, which are thrown away after training.
    pub recipe_parameters: usize,
    /// Tokens of the whole run, expected from the batches drawn.
    pub tokens: f64,
    /// Every task, in the order of the run file.
    pub tasks: Vec<TaskPlan>,
    /// What the run needs, in bytes.
    pub memory: Memory,
}

/// What a task would train on.
#[derive(Clone, Debug, Serialize)]
pub struct TaskPlan {
    /// Its name in the log.
    pub name: String,
    /// Its recipe.
    pub recipe: &'static str,
    /// What its loss is multiplied by.
    pub weight: f32,
    /// Batches of it in the whole run; of tasks with shares, as many as are expected.
    pub batches: f64,
    /// Its data and the batches drawn from it.
    #[serde(flatten)]
    pub data: DataPlan,
}

impl Plan {
    /// The plan of a run that has `done` steps behind it. Batches are drawn from the tasks, which are of no further use to training.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub(crate) fn new<M: Trainable>(
        config: &RunConfig,
        model: &M,
        mut tasks: Vec<Box<dyn Task<M>>>,
        done: usize,
    ) -> Result<Plan> {
        let configs = config.tasks()?;
        let mixture = Mixture::new(&configs);
        let rounds = config.batch.accumulate;
        let mut plans = Vec::new();
        for (n, (task, of)) in tasks.iter_mut().zip(&configs).enumerate() {
            let batches = (config.schedule.steps * rounds) as f64 * mixture.frequency(n);
            let options = PlanOptions {
                batches: BATCHES.min(batches.ceil() as usize).max(1),
                warm_up: done == 0,
                chunk_tokens: mixture.chunk_tokens(n, config),
                keys: (Key::new(config.seed).derive(2), done, rounds, n),
            };
            let mut data = task.plan(model, &options)?;
            for set in &mut data.sets {
                set.passes = batches * set.rows_per_batch / set.rows as f64;
            }
            let (name, recipe) = (of.name().to_string(), of.recipe.name());
            plans.push(TaskPlan { name, recipe, weight: of.weight, batches, data });
        }
        let elements = |parameters: &[(String, &isogloss_engine::Tensor)]| -> usize {
            parameters.iter().map(|(_, tensor)| tensor.elements()).sum()
        };
        let own: Vec<_> = tasks.iter().flat_map(|task| task.parameters()).collect();
        let walks: f64 = (0..plans.len()).map(|n| mixture.frequency(n)).sum::<f64>() * rounds as f64;
        Ok(Plan {
            steps: config.schedule.steps,
            done,
            accumulate: rounds,
            model_parameters: elements(&model.parameters()),
            recipe_parameters: elements(&own),
            tokens: plans.iter().map(|task| task.batches * task.data.drawn.tokens.mean).sum(),
            memory: Memory::new(config, model, elements(&own), &plans, walks),
            tasks: plans,
        })
    }
}
