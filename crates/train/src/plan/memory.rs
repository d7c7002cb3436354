//! What a run needs in memory, by the shapes of what the engine keeps: an estimate.

use isogloss_model::{ArchitectureConfig, BertConfig, FeedForward, ModernBertConfig, Mt5Config};
use serde::Serialize;

use super::TaskPlan;
use crate::config::RunConfig;
use crate::trainable::Trainable;

/// Bytes of a number.
const F32: u64 = 4;
/// Arrays of the size of a loss's similarities that exist at once: as a product, scaled, and the gradients of both.
const COPIES: u64 = 4;

/// What a task needs memory for beside weights and activations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// Most similarities, or logits, of a batch's loss.
    pub similarities: usize,
    /// Bytes kept between batches: a teacher, banks.
    pub held: usize,
    /// Bytes of gradients that exist beside the sum that they are added to.
    pub gradients: usize,
}

/// Bytes that a run needs. An estimate: measured peaks of whole runs lie within a quarter of `total` (docs/run-files.md). What the recipes' own heads do with a batch,
/// the tokenizer, buffers of the matrix product and the encoding of a development set are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// The weights, of the model and the recipes.
    pub weights: u64,
    /// Their gradients, and those still to be added.
    pub gradients: u64,
    /// AdamW's two moments.
    pub moments: u64,
    /// What recipes hold beside: a teacher, banks.
    pub held: u64,
    /// The texts of all data sets.
    pub texts: u64,
    /// What the backward pass needs of the tokens encoded at once, in the largest batch drawn.
    pub activations: u64,
    /// The same, if no batch were encoded in chunks.
    pub activations_without_chunks: u64,
    /// Of it, what a token costs.
    pub activations_per_token: u64,
    /// The loss's similarities and their gradients.
    pub similarities: u64,
    /// All of it.
    pub total: u64,
}

impl Memory {
    /// For a run of these tasks, with so many backward walks to a step; `own` is the number of the recipes' own weights.
    pub(super) fn new(
        config: &RunConfig,
        model: &impl Trainable,
        own: usize,
        tasks: &[TaskPlan],
        walks: f64,
    ) -> Memory {
        let parameters = model.parameters();
        let weights = F32 * (parameters.iter().map(|(_, t)| t.elements()).sum::<usize>() + own) as u64;
        let largest = F32 * parameters.iter().map(|(_, t)| t.elements()).max().unwrap_or(0) as u64;
        let chunked = tasks.iter().any(|task| task.data.drawn.tokens_at_once < task.data.drawn.tokens.largest);
        let another = if chunked || walks > 1.0 { largest } else { 0 };
        let most = |of: fn(&TaskPlan) -> usize| tasks.iter().map(of).max().unwrap_or(0) as u64;
        let cost = model.activations(config.model.dropout);
        let pooled = 4 * cost.text as u64 * most(|task| task.data.drawn.texts.largest);
        let memory = Memory {
            weights,
            gradients: weights + another + most(|task| task.data.needs.gradients),
            moments: 2 * weights,
            held: tasks.iter().map(|task| task.data.needs.held as u64).sum(),
            texts: tasks.iter().flat_map(|task| &task.data.sets).map(|set| set.bytes as u64).sum(),
            activations: F32 * (cost.per_token() * most(|task| task.data.drawn.tokens_at_once) + pooled),
            activations_without_chunks: F32 * (cost.per_token() * most(|task| task.data.drawn.tokens.largest) + pooled),
            activations_per_token: F32 * cost.per_token(),
            similarities: COPIES * F32 * most(|task| task.data.needs.similarities),
            total: 0,
        };
        let Memory { weights, gradients, moments, held, texts, activations, similarities, .. } = memory;
        Memory { total: weights + gradients + moments + held + texts + activations + similarities, ..memory }
    }
}

/// Numbers that the engine keeps of a token: results of operations, all of which the record holds until the backward walk has passed, and what
/// operations save for it (`engine::op`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Activations {
    /// Kept until the backward walk.
    kept: usize,
    /// Gradients, and operands packed for the matrix product, in the most costly step of the walk.
    walking: usize,
    /// Width of what a text becomes.
    text: usize,
}

impl Activations {
    /// Of an encoder whose embeddings have `dim` elements.
    pub(crate) fn of(architecture: &ArchitectureConfig, dim: usize, dropout: bool) -> Activations {
        let of_token = match architecture {
            ArchitectureConfig::Bert(config) => Activations::of_bert(config, dropout),
            ArchitectureConfig::ModernBert(config) => Activations::of_modern_bert(config, dropout),
            ArchitectureConfig::Static(_) => Activations { kept: 1, ..Activations::default() },
        };
        Activations { text: dim, ..of_token }
    }

    /// Of an encoder–decoder. Tokens of targets, which are few, count as those of sources.
    pub(crate) fn of_mt5(config: &Mt5Config, dropout: bool) -> Activations {
        let (d, inner, f) = (config.d_model, config.inner(), config.d_ff);
        let dropped = |width: usize| if dropout && config.dropout > 0.0 { width } else { 0 };
        let wide = if config.feed_forward == FeedForward::GatedGelu { 3 * f } else { 2 * f };
        // Norm; query, key and value; attention and its normalisers; output; sum.
        let attention = d + 1 + 3 * inner + inner + config.heads + d + dropped(d) + d;
        // Norm; both halves of the gate and its result, or both sides of the activation; output; sum.
        let feed_forward = d + 1 + wide + dropped(f) + d + dropped(d) + d;
        // Words and the last norm; keys and values for every layer of the decoder.
        let rest = 2 * d + 1 + 2 * dropped(d) + config.decoder_layers * 2 * inner;
        Activations { kept: rest + config.layers * (attention + feed_forward), walking: wide + 2 * f + 3 * d, text: 0 }
    }

    fn per_token(&self) -> u64 {
        (self.kept + self.walking) as u64
    }

    fn of_bert(config: &BertConfig, dropout: bool) -> Activations {
        let (h, f) = (config.hidden_size, config.intermediate_size);
        let dropped = if dropout && config.hidden_dropout > 0.0 { h } else { 0 };
        // Query, key and value; attention and its normalisers; output; sum and norm, twice; both sides of GELU; output.
        let attention = 3 * h + h + config.heads + h + dropped + 2 * h + 2;
        let feed_forward = 2 * f + h + dropped + 2 * h + 2;
        let embedding = 2 * h + dropped + 2;
        Activations { kept: embedding + config.layers * (attention + feed_forward), walking: 3 * f + 3 * h, text: 0 }
    }

    fn of_modern_bert(config: &ModernBertConfig, dropout: bool) -> Activations {
        let (h, f) = (config.hidden_size, config.intermediate_size);
        let dropped = |rate: f64, width: usize| if dropout && rate > 0.0 { width } else { 0 };
        // Norm; query, key and value, as they are and rotated; attention; output; sum.
        let attention = h + 2 + 6 * h + h + config.heads + h + dropped(config.attention_dropout, h) + h;
        // Norm; both halves of the gate; its result; output; sum.
        let feed_forward = h + 2 + 2 * f + f + dropped(config.mlp_dropout, f) + h + h;
        let embedding = 3 * h + 4 + dropped(config.embedding_dropout, h);
        Activations { kept: embedding + config.layers() * (attention + feed_forward), walking: 5 * f + 3 * h, text: 0 }
    }
}
