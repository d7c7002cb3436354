//! Examples of one kind with the order in which they are drawn.

use isogloss_engine::Key;

use super::{Sampled, TrainingData};
use crate::batch;
use crate::config::BatchConfig;
use crate::sampler::{Sampler, SamplerState};

/// Data sets that batches are drawn from.
pub struct Source<E> {
    data: TrainingData<E>,
    sampler: Sampler,
    batch: BatchConfig,
}

impl<E: Sampled + Clone> Source<E> {
    /// A source at its beginning.
    pub fn new(data: TrainingData<E>, batch: BatchConfig, key: Key) -> Source<E> {
        Source { sampler: Sampler::new(key, data.streams.clone(), None), data, batch }
    }

    /// The examples of the next batch. `texts` lists what may not occur twice in it, `tokens` counts a text's.
    pub fn next<'a>(&'a mut self, texts: impl Fn(&'a E) -> Vec<&'a str>, tokens: impl Fn(&str) -> usize) -> Vec<E> {
        let count = |batch: &[&'a E]| batch.iter().map(|e| texts(e).iter().map(|t| tokens(t)).sum()).collect();
        let picked = batch::fill(&mut self.sampler, &self.data, &self.batch, &texts, count);
        picked.into_iter().cloned().collect()
    }

    /// Passes over the stream that has been walked most.
    pub fn epochs(&self) -> f64 {
        self.sampler.epochs()
    }

    /// What a checkpoint stores.
    pub fn state(&self) -> SamplerState {
        self.sampler.state().clone()
    }

    /// Goes to where a checkpoint was written.
    pub fn restore(&mut self, state: SamplerState) {
        self.sampler.restore(state);
    }
}
