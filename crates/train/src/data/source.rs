//! Examples of one kind with the order in which they are drawn.

use std::path::PathBuf;

use isogloss_engine::Key;

use super::{Sampled, TrainingData};
use crate::batch;
use crate::config::BatchConfig;
use crate::error::Result;
use crate::plan::{self, SetPlan};
use crate::recipe::Part;
use crate::sampler::{Sampler, SamplerState};
use crate::trainable::Trainable;

/// Data sets that batches are drawn from.
pub struct Source<E> {
    data: TrainingData<E>,
    sampler: Sampler,
    batch: BatchConfig,
    tally: Tally,
}

/// What a source has given since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Rows.
    pub rows: usize,
    /// Rows put back because a text of theirs was in the batch already.
    pub repeated: usize,
}

impl<E: Sampled + Clone> Source<E> {
    /// A source at its beginning.
    pub fn new(data: TrainingData<E>, batch: BatchConfig, key: Key) -> Source<E> {
        Source { sampler: Sampler::new(key, data.streams.clone(), None), data, batch, tally: Tally::default() }
    }

    /// The examples of the next batch. `texts` lists what may not occur twice in it, `tokens` counts a text's.
    pub fn next<'a>(&'a mut self, texts: impl Fn(&'a E) -> Vec<&'a str>, tokens: impl Fn(&str) -> usize) -> Vec<E> {
        let count = |batch: &[&'a E]| batch.iter().map(|e| texts(e).iter().map(|t| tokens(t)).sum()).collect();
        let (picked, repeated) = batch::fill(&mut self.sampler, &self.data, &self.batch, &texts, count);
        self.tally.rows += picked.len();
        self.tally.repeated += repeated;
        picked.into_iter().cloned().collect()
    }

    /// What it has given so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Its data sets by language; the rows that a batch holds of each are its share of `rows`, all that a batch takes from this source.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn plan<'a>(
        &'a self,
        model: &impl Trainable,
        parts: impl Fn(&'a E) -> Vec<Part<'a>>,
        rows: f64,
    ) -> Result<Vec<SetPlan>> {
        let all: f64 = self.data.streams.iter().map(|stream| stream.weight).sum();
        let plan = |(number, (path, examples)): (usize, (&PathBuf, &'a Vec<E>))| {
            let own = self.data.streams.iter().filter(|stream| stream.dataset == number);
            let share = own.map(|stream| stream.weight).sum::<f64>() / all;
            let (langs, bytes) = plan::count(model, examples, &parts)?;
            let (path, rows_per_batch) = (path.clone(), rows * share);
            Ok(SetPlan { path, rows: examples.len(), rows_per_batch, passes: 0.0, langs, bytes })
        };
        self.data.paths.iter().zip(&self.data.sets).enumerate().map(plan).collect()
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
