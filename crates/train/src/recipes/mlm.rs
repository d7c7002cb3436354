//! Masked-language training (Devlin et al. 2019): a backbone learns from plain text to fill in what was masked (docs/methods/mlm.md).

use std::collections::BTreeMap;
use std::ops::Range;

use isogloss_dense::Side;
use isogloss_engine::{Gradients, Key, Packed, Tensor, op};
use isogloss_model::{BiEncoder, MaskedLmHead, TokenIds};
use serde::{Deserialize, Serialize};

use crate::config::positive;
use crate::data::{Sampled, Source, Text};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::loss::masked_lm;
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
pub struct MlmConfig {
    /// Share of the tokens to be predicted.
    pub masked: f32,
    /// Share of those that become the mask token.
    pub mask_token: f32,
    /// Share of those that become a random token; the rest stay as they are.
    pub random_token: f32,
    /// Tokens of a unit of text: consecutive sentences of a document are packed up to it. The model's limit if not given.
    pub unit_tokens: Option<usize>,
}

impl Default for MlmConfig {
    fn default() -> MlmConfig {
        MlmConfig { masked: 0.15, mask_token: 0.8, random_token: 0.1, unit_tokens: None }
    }
}

impl MlmConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        positive(&format!("{at}.unit_tokens"), self.unit_tokens != Some(0))?;
        if !(self.masked > 0.0 && self.masked < 1.0) {
            return Err(Error::value(&format!("{at}.masked"), "must be between 0 and 1"));
        }
        let (mask, random) = (self.mask_token, self.random_token);
        match mask >= 0.0 && random >= 0.0 && mask + random <= 1.0 {
            true => Ok(()),
            false => Err(Error::value(
                &format!("{at}.mask_token"),
                "and random_token must not be negative, and their sum at most 1",
            )),
        }
    }
}

/// The recipe with its text. It sees tokens, not embeddings, so it is a task of its own.
pub struct Mlm {
    config: MlmConfig,
    head: MaskedLmHead,
    source: Source<Text>,
    mask_id: u32,
    /// Ids that stand for text: those that are masked, and those that a random token is drawn from.
    words: Vec<u32>,
    is_word: Vec<bool>,
}

/// A batch with some of its tokens hidden.
struct Masked {
    sequences: Vec<TokenIds>,
    /// Of every sequence the masked positions and what stood there.
    labels: Vec<Vec<(usize, u32)>>,
}

impl Mlm {
    /// The task of a model; `key` is that of a fresh head.
    ///
    /// # Errors
    /// The model has no context to learn from, or its tokenizer no mask token.
    pub fn new(config: MlmConfig, model: &BiEncoder, source: Source<Text>, key: Key) -> Result<Mlm> {
        let Some(head) = model.masked_lm_head(key)? else {
            let problem = "mlm trains a transformer; a static table has no context to fill a mask from";
            return Err(Error::value("recipe.name", problem));
        };
        let tokenizer = model.tokenizer();
        let special = tokenizer.special();
        let special = [special.pad, special.cls, special.sep, special.mask, special.unk];
        let is_word = |id: u32| !special.contains(&Some(id)) && tokenizer.token(id).is_some();
        let is_word: Vec<bool> = (0..model.word_table().matrix().0 as u32).map(is_word).collect();
        let words = (0..is_word.len() as u32).filter(|id| is_word[*id as usize]).collect();
        Ok(Mlm { mask_id: tokenizer.mask_id()?, config, head, source, words, is_word })
    }

    /// The next batch, and its tokens.
    fn draw(&mut self, model: &BiEncoder) -> Result<(Vec<Text>, Vec<TokenIds>)> {
        let texts = self.source.next(|text| vec![text.text.as_str()], |text| model.count_tokens(text));
        let sequences = model.tokenize(&texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>(), Side::Doc)?;
        Ok((texts, sequences))
    }

    fn mask(&self, mut sequences: Vec<TokenIds>, key: Key) -> Masked {
        let labels =
            sequences.iter_mut().enumerate().map(|(row, sequence)| self.hide(sequence, key.derive(row as u64)));
        Masked { labels: labels.collect(), sequences }
    }

    /// Masks a sequence in place; returns the positions to be predicted and what stood there.
    fn hide(&self, sequence: &mut TokenIds, key: Key) -> Vec<(usize, u32)> {
        let (chosen, fate, draw) = (key.derive(0), key.derive(1), key.derive(2));
        let mut labels = Vec::new();
        for (position, id) in sequence.ids.iter_mut().enumerate() {
            let at = position as u64;
            if !self.is_word[*id as usize] || chosen.uniform(at) >= self.config.masked {
                continue;
            }
            labels.push((position, *id));
            let fate = fate.uniform(at);
            if fate < self.config.mask_token {
                *id = self.mask_id;
            } else if fate < self.config.mask_token + self.config.random_token {
                *id = self.words[draw.below(at, self.words.len())];
            }
        }
        labels
    }

    /// The mean loss over the labels of some sequences, and their number.
    fn loss(
        &self,
        model: &BiEncoder,
        batch: &Masked,
        rows: Range<usize>,
        dropout: Option<Key>,
    ) -> Option<(Tensor, usize)> {
        let sequences = &batch.sequences[rows.clone()];
        let packed = Packed::new(sequences.iter().map(|s| s.ids.len()), rows.start as u64);
        let (mut positions, mut labels, mut start) = (Vec::new(), Vec::new(), 0);
        for (sequence, hidden) in sequences.iter().zip(&batch.labels[rows]) {
            positions.extend(hidden.iter().map(|(position, _)| start + position));
            labels.extend(hidden.iter().map(|(_, id)| Some(*id as usize)));
            start += sequence.ids.len();
        }
        if labels.is_empty() {
            return None;
        }
        let states = op::gather_rows(&model.hidden_states(sequences, &packed, dropout), &positions);
        let states = self.head.forward(&states);
        let loss = masked_lm(&states, &labels, model.word_table(), Some(self.head.bias()));
        Some((loss.total, labels.len()))
    }
}

/// What may be encoded of a text: itself.
fn parts(text: &Text) -> Vec<Part<'_>> {
    vec![Part { text: &text.text, side: Side::Doc, lang: text.lang.as_ref() }]
}

impl Task for Mlm {
    fn accumulate(&mut self, model: &BiEncoder, options: StepOptions, gradients: &mut Gradients) -> Result<BatchLog> {
        let (texts, sequences) = self.draw(model)?;
        let batch = self.mask(sequences, options.key.derive(0));
        let dropout = options.dropout.then(|| options.key.derive(u64::MAX));
        let all: usize = batch.labels.iter().map(Vec::len).sum();
        let mut loss = Figure::default();
        let share = Share::of(&batch.sequences, &options, |row| !batch.labels[row].is_empty());
        for rows in share.chunks {
            if let Some((part, labels)) = self.loss(model, &batch, rows, dropout) {
                let of_all = share.weight * labels as f32 / all as f32;
                op::scale(&part, options.weight * of_all).backward(gradients);
                loss.add(f64::from(of_all), &part);
            }
        }
        let loss = loss.over(options.world)?;
        let tokens = batch.sequences.iter().map(|s| s.ids.len()).sum();
        Ok(BatchLog { terms: vec![("mlm".into(), loss.clone())], loss, rows: texts.len(), tokens })
    }

    fn warm_up(&mut self, _model: &BiEncoder, _options: StepOptions) -> Result<()> {
        Ok(())
    }

    fn plan(&mut self, model: &BiEncoder, options: &PlanOptions) -> Result<DataPlan> {
        let mut sample = Sample::default();
        let before = self.source.tally();
        for _ in 0..options.batches {
            let (texts, sequences) = self.draw(model)?;
            sample.add(texts.iter().map(Sampled::language), &sequences, options.chunk_tokens);
        }
        let after = self.source.tally();
        let rows = (after.rows - before.rows) as f64 / options.batches as f64;
        let sets = self.source.plan(model, parts, rows)?;
        let (words, hidden) = model.word_table().matrix();
        let drawn = sample.finish(after.repeated - before.repeated);
        let labels = (drawn.tokens_at_once as f32 * self.config.masked) as usize;
        // The loss takes the word table's gradient along, and scales a copy of it.
        let gradients = 2 * words * hidden * size_of::<f32>();
        let needs = Needs { similarities: LOGITS.min(labels * words), held: 0, gradients };
        Ok(DataPlan { sets, drawn, needs })
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.head.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.head.parameters_mut()
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
