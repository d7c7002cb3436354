//! A recipe of a run together with its data: what the trainer sees of it.

use std::collections::{BTreeMap, BTreeSet};

use isogloss_engine::{Gradients, Tensor};
use isogloss_model::BiEncoder;
use serde::{Deserialize, Serialize};

use crate::data::{Sampled, Source, Tally};
use crate::error::Result;
use crate::figure::Figure;
use crate::plan::{DataPlan, Needs, PlanOptions, Sample, SetPlan};
use crate::recipe::{Recipe, RecipeState};
use crate::sampler::SamplerState;
use crate::step::{self, StepOptions, TokenBatch};

/// What came of one batch.
pub struct BatchLog {
    /// The loss, unweighted.
    pub loss: Figure,
    /// Every term of it by name.
    pub terms: Vec<(String, Figure)>,
    /// Examples.
    pub rows: usize,
    /// Tokens encoded.
    pub tokens: usize,
}

/// What a checkpoint stores of a task beside its weights and tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Position in each of its sources.
    pub samplers: Vec<SamplerState>,
    /// The recipe's whole numbers.
    pub counts: BTreeMap<String, u64>,
}

/// A recipe with its data; `M` is the kind of model that it trains.
pub trait Task<M = BiEncoder> {
    /// Draws a batch and adds its weighted gradient to `gradients`; on several GPUs this one's part of it, which the sum over all makes whole.
    ///
    /// # Errors
    /// The tokenizer fails.
    fn accumulate(&mut self, model: &M, options: StepOptions, gradients: &mut Gradients) -> Result<BatchLog>;

    /// Shows the recipe the batches that it wants to see before training begins.
    ///
    /// # Errors
    /// The tokenizer fails.
    fn warm_up(&mut self, model: &M, options: StepOptions) -> Result<()>;

    /// What it would train on; draws batches as training would, and counts all data.
    ///
    /// # Errors
    /// The tokenizer fails.
    fn plan(&mut self, model: &M, options: &PlanOptions) -> Result<DataPlan>;

    /// Weights of its own.
    fn parameters(&self) -> Vec<(String, &Tensor)>;

    /// Weights of its own, to change.
    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)>;

    /// Passes over the stream that has been walked most.
    fn epochs(&self) -> f64;

    /// What a checkpoint stores, apart from parameters; the tensors by name.
    fn state(&self) -> (TaskState, BTreeMap<String, Tensor>);

    /// Goes on from a stored state.
    ///
    /// # Errors
    /// It is not of this task.
    fn restore(&mut self, state: TaskState, tensors: BTreeMap<String, Tensor>) -> Result<()>;
}

/// A recipe that sees embeddings, with the sources whose examples, one after the other, make its batches.
pub struct EmbeddingTask<R: Recipe<GROUPS>, const GROUPS: usize> {
    recipe: R,
    sources: Vec<Source<R::Example>>,
}

impl<R, const GROUPS: usize> EmbeddingTask<R, GROUPS>
where
    R: Recipe<GROUPS>,
    R::Example: Sampled + Clone,
{
    /// A task at its beginning.
    pub fn new(recipe: R, sources: Vec<Source<R::Example>>) -> Self {
        EmbeddingTask { recipe, sources }
    }

    fn next_batch(&mut self, model: &BiEncoder) -> Vec<R::Example> {
        let recipe = &self.recipe;
        let parts = self.sources.iter_mut();
        parts.flat_map(|source| source.next(|e| recipe.texts(e), |text| model.count_tokens(text))).collect()
    }
}

impl<R, const GROUPS: usize> Task for EmbeddingTask<R, GROUPS>
where
    R: Recipe<GROUPS>,
    R::Example: Sampled + Clone,
{
    fn accumulate(&mut self, model: &BiEncoder, options: StepOptions, gradients: &mut Gradients) -> Result<BatchLog> {
        let batch = self.next_batch(model);
        let (loss, tokens) = step::accumulate(model, &mut self.recipe, &batch, options, gradients)?;
        let terms = loss.terms.into_iter().map(|(name, value)| (name.into_owned(), Figure::of(value))).collect();
        Ok(BatchLog { loss: Figure::of(loss.total), terms, rows: batch.len(), tokens })
    }

    fn warm_up(&mut self, model: &BiEncoder, options: StepOptions) -> Result<()> {
        for number in 0..self.recipe.warm_up_batches() {
            let batch = self.next_batch(model);
            let texts = TokenBatch::<GROUPS>::new(model, &self.recipe, &batch, options.key.derive(number as u64))?;
            let embeddings = texts.embeddings(model, &options)?;
            self.recipe.warm_up(embeddings);
        }
        Ok(())
    }

    fn plan(&mut self, model: &BiEncoder, options: &PlanOptions) -> Result<DataPlan> {
        let warm_up = if options.warm_up { self.recipe.warm_up_batches() } else { 0 };
        (0..warm_up).for_each(|_| drop(self.next_batch(model)));
        let before: Vec<Tally> = self.sources.iter().map(Source::tally).collect();
        let (mut sample, mut similarities) = (Sample::default(), 0);
        for n in 0..options.batches {
            let batch = self.next_batch(model);
            let texts = TokenBatch::<GROUPS>::new(model, &self.recipe, &batch, options.key(n))?;
            similarities = similarities.max(self.recipe.similarities(texts.sizes()));
            sample.add(batch.iter().map(Sampled::language), texts.sequences(), options.chunk_tokens);
        }
        let (mut sets, mut repeated) = (Vec::new(), 0);
        for (source, before) in self.sources.iter().zip(before) {
            let rows = (source.tally().rows - before.rows) as f64 / options.batches as f64;
            repeated += source.tally().repeated - before.repeated;
            sets.extend(source.plan(model, |e| self.recipe.parts(e), rows)?);
        }
        let langs: BTreeSet<&String> = sets.iter().flat_map(|set: &SetPlan| set.langs.keys()).collect();
        let held = self.recipe.held_bytes(sets.iter().map(|set| set.rows).sum(), langs.len());
        let needs = Needs { similarities, held, gradients: 0 };
        Ok(DataPlan { drawn: sample.finish(repeated), sets, needs })
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.recipe.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.recipe.parameters_mut()
    }

    fn epochs(&self) -> f64 {
        self.sources.iter().map(Source::epochs).fold(0.0, f64::max)
    }

    fn state(&self) -> (TaskState, BTreeMap<String, Tensor>) {
        let RecipeState { tensors, counts } = self.recipe.state();
        (TaskState { samplers: self.sources.iter().map(Source::state).collect(), counts }, tensors)
    }

    fn restore(&mut self, state: TaskState, tensors: BTreeMap<String, Tensor>) -> Result<()> {
        for (source, sampler) in self.sources.iter_mut().zip(state.samplers) {
            source.restore(sampler);
        }
        self.recipe.restore(RecipeState { tensors, counts: state.counts })
    }
}
