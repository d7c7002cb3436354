//! Training of retrievers: recipes (which texts, which loss), and the one loop that runs them all.
//!
//! The line: [`RunConfig`] → a [`Task`] per [`Recipe`] with its [`TrainingData`] → [`Trainer`] → a model folder, a log and the resolved configuration.
#![forbid(unsafe_code)]

mod adversarial_map;
mod batch;
mod checkpoint;
mod config;
mod data;
mod dev;
mod error;
mod figure;
mod held_out;
mod language_probe;
pub mod loss;
mod memory_bank;
mod mixture;
mod plan;
mod projection_head;
mod recipe;
pub mod recipes;
mod run;
mod sampler;
mod share;
mod step;
mod task;
mod trainable;
mod trainer;

pub use adversarial_map::{AdversarialEpoch, AdversarialMap, AdversarialOptions, adversarial_map};
pub use config::{
    Architecture, BatchConfig, CheckpointConfig, DataConfig, EvaluateConfig, MatryoshkaConfig, ModelConfig,
    NewModelConfig, OptimizerConfig, Role, RunConfig, ScheduleConfig, TaskConfig, read_toml,
};
pub use data::{Place, Sampled, Source, Text, TrainingData};
pub use dev::{DevSet, Score};
pub use error::{Error, Result};
pub use figure::Figure;
pub use held_out::{HeldOut, Likelihood};
pub use memory_bank::{BankScope, MemoryBank};
pub use plan::{Activations, DataPlan, Drawn, LangPlan, Memory, Plan, PlanOptions, SetPlan, Spread, TaskPlan};
pub use projection_head::{Asymmetry, ProjectionHead, ProjectionHeadConfig, Statistics};
pub use recipe::{Group, Part, Recipe, RecipeState};
pub use run::{check_inputs, plan, start_model, train, train_in};
pub use sampler::{Pick, Sampler, SamplerState, Stream, language_weights};
pub use step::{StepOptions, TokenBatch, accumulate};
pub use task::{BatchLog, EmbeddingTask, Task, TaskState};
pub use trainable::Trainable;
pub use trainer::{Observer, Outcome, StepLog, Trainer};
