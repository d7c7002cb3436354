//! Query generation (Nogueira et al. 2019; for many languages Ren et al. 2022): an encoder–decoder learns to write the query that a passage answers
//! (docs/methods/query_generation.md).

use std::collections::BTreeMap;
use std::ops::Range;

use isogloss_dense::Side;
use isogloss_engine::{Gradients, Key, Tensor, op};
use isogloss_ir::Example;
use isogloss_model::{Seq2Seq, TokenIds, fill_prompt};
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, positive};
use crate::data::{Sampled, Source, load};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::plan::{DataPlan, Needs, PlanOptions, Sample};
use crate::recipe::Part;
use crate::share::Share;
use crate::step::StepOptions;
use crate::task::{BatchLog, Task, TaskState};

/// Logits that exist at once at most (`engine::op::projected_cross_entropy`).
const LOGITS: usize = 1 << 24;

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryGenerationConfig {
    /// Text before every passage; `{language}` in it stands for the English name of the query's language.
    pub prompt: String,
    /// Most tokens of a query, the one that ends it included.
    pub max_query_tokens: usize,
    /// Share of a token's target that all words have together.
    pub label_smoothing: f32,
}

impl Default for QueryGenerationConfig {
    fn default() -> QueryGenerationConfig {
        let prompt = "Generate a {language} question for this passage: ".to_string();
        QueryGenerationConfig { prompt, max_query_tokens: 32, label_smoothing: 0.0 }
    }
}

impl QueryGenerationConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        positive(&format!("{at}.max_query_tokens"), self.max_query_tokens > 0)?;
        match (0.0..1.0).contains(&self.label_smoothing) {
            true => Ok(()),
            false => Err(Error::value(&format!("{at}.label_smoothing"), "must be from 0 to below 1")),
        }
    }
}

/// Labelled examples whose queries have the language that the prompt asks for.
///
/// # Errors
/// A file is unreadable or malformed, or a query has no language although the prompt names it.
pub(super) fn examples(set: &DataConfig, config: &QueryGenerationConfig) -> Result<Vec<Example>> {
    match fill_prompt(&config.prompt, None) {
        Some(_) => load::examples(set),
        None => load::examples_with_lang(set),
    }
}

/// The recipe with its examples.
pub struct QueryGeneration {
    config: QueryGenerationConfig,
    source: Source<Example>,
}

/// A batch as tokens: every passage with the query to be written.
struct Batch {
    passages: Vec<TokenIds>,
    queries: Vec<Vec<u32>>,
}

impl QueryGeneration {
    /// The task with its data.
    pub fn new(config: QueryGenerationConfig, source: Source<Example>) -> QueryGeneration {
        QueryGeneration { config, source }
    }

    /// The next batch, one of the positives of every example drawn.
    fn draw(&mut self, model: &Seq2Seq, key: Key) -> Result<(Vec<Example>, Batch)> {
        let examples = self.source.next(texts, |text| model.count_tokens(text));
        let passage = |(row, example): (usize, &Example)| {
            let drawn = key.below(row as u64, example.positives.len());
            let prompt = fill_prompt(&self.config.prompt, example.lang).unwrap_or_default();
            format!("{prompt}{}", example.positives[drawn])
        };
        let passages: Vec<String> = examples.iter().enumerate().map(passage).collect();
        let passages = model.tokenize(&passages.iter().map(String::as_str).collect::<Vec<_>>())?;
        let queries: Vec<&str> = examples.iter().map(|example| example.query.as_str()).collect();
        let queries = model.tokenize_targets(&queries, self.config.max_query_tokens)?;
        Ok((examples, Batch { passages, queries }))
    }

    /// The mean loss of some rows, and the number of tokens that it is taken over.
    fn loss(&self, model: &Seq2Seq, batch: &Batch, rows: Range<usize>, dropout: Option<Key>) -> (Tensor, usize) {
        let (passages, queries) = (&batch.passages[rows.clone()], &batch.queries[rows.clone()]);
        let loss = model.loss(passages, queries, rows.start as u64, self.config.label_smoothing, dropout);
        (loss, queries.iter().map(Vec::len).sum())
    }
}

/// What may not be twice in a batch.
fn texts(example: &Example) -> Vec<&str> {
    std::iter::once(&example.query).chain(&example.positives).map(String::as_str).collect()
}

/// What may be encoded of an example.
fn parts(example: &Example) -> Vec<Part<'_>> {
    let passage = |text| Part { text, side: Side::Doc, lang: example.doc_lang.as_ref() };
    let query = Part { text: example.query.as_str(), side: Side::Query, lang: example.lang.as_ref() };
    std::iter::once(query).chain(example.positives.iter().map(|text| passage(text.as_str()))).collect()
}

impl Task<Seq2Seq> for QueryGeneration {
    fn accumulate(&mut self, model: &Seq2Seq, options: StepOptions, gradients: &mut Gradients) -> Result<BatchLog> {
        let (examples, batch) = self.draw(model, options.key.derive(0))?;
        let dropout = options.dropout.then(|| options.key.derive(u64::MAX));
        let all: usize = batch.queries.iter().map(Vec::len).sum();
        let mut loss = Figure::default();
        let share = Share::of(&batch.passages, &options, |row| !batch.queries[row].is_empty());
        for rows in share.chunks {
            let (part, labels) = self.loss(model, &batch, rows, dropout);
            let of_all = share.weight * labels as f32 / all as f32;
            op::scale(&part, options.weight * of_all).backward(gradients);
            loss.add(f64::from(of_all), &part);
        }
        let loss = loss.over(options.world)?;
        let tokens = all + batch.passages.iter().map(|passage| passage.ids.len()).sum::<usize>();
        Ok(BatchLog { terms: vec![("query".into(), loss.clone())], loss, rows: examples.len(), tokens })
    }

    fn warm_up(&mut self, _model: &Seq2Seq, _options: StepOptions) -> Result<()> {
        Ok(())
    }

    fn plan(&mut self, model: &Seq2Seq, options: &PlanOptions) -> Result<DataPlan> {
        let (mut sample, mut labels) = (Sample::default(), 0);
        let before = self.source.tally();
        for n in 0..options.batches {
            let (examples, batch) = self.draw(model, options.key(n).derive(0))?;
            sample.add(examples.iter().map(Sampled::language), &batch.passages, options.chunk_tokens);
            labels = labels.max(batch.queries.iter().map(Vec::len).sum());
        }
        let after = self.source.tally();
        let rows = (after.rows - before.rows) as f64 / options.batches as f64;
        let sets = self.source.plan(model, parts, rows)?;
        let (words, width) = model.model().output_table().matrix();
        let drawn = sample.finish(after.repeated - before.repeated);
        // The loss takes the gradient of the matrix of logits along, and scales a copy of it.
        let gradients = 2 * words * width * size_of::<f32>();
        let needs = Needs { similarities: LOGITS.min(labels * words), held: 0, gradients };
        Ok(DataPlan { sets, drawn, needs })
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        Vec::new()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        Vec::new()
    }

    fn epochs(&self) -> f64 {
        self.source.epochs()
    }

    fn state(&self) -> (TaskState, BTreeMap<String, Tensor>) {
        (TaskState { samplers: vec![self.source.state()], counts: BTreeMap::new() }, BTreeMap::new())
    }

    fn restore(&mut self, state: TaskState, _tensors: BTreeMap<String, Tensor>) -> Result<()> {
        state.samplers.into_iter().for_each(|sampler| self.source.restore(sampler));
        Ok(())
    }
}
