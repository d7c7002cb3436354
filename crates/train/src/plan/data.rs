//! The data of a task by language, and what its batches hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use isogloss_ir::Lang;
use isogloss_model::TokenIds;
use rayon::prelude::*;
use serde::Serialize;

use super::Needs;
use crate::data::Sampled;
use crate::error::Result;
use crate::recipe::Part;
use crate::step::chunks;
use crate::trainable::Trainable;

/// Texts tokenized at a time.
const BLOCK: usize = 8192;

/// Rows and texts of a language in a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LangPlan {
    /// Rows that are sampled as of the language.
    pub rows: usize,
    /// Texts in it, those of rows sampled as of another language too; a text counts as often as it occurs.
    pub texts: usize,
    /// Their tokens as they would be encoded: with prompt and special tokens, cut to the model's limit.
    pub tokens: usize,
    /// How many of the texts are cut.
    pub cut: usize,
}

/// What a data set gives.
#[derive(Clone, Debug, Serialize)]
pub struct SetPlan {
    /// As the run file names it.
    pub path: PathBuf,
    /// Rows, after `languages` and `limit`.
    pub rows: usize,
    /// Rows of it that a batch is expected to hold.
    pub rows_per_batch: f64,
    /// How often the run is expected to go over it.
    pub passes: f64,
    /// By language code; `und` where none is known.
    pub langs: BTreeMap<String, LangPlan>,
    /// Bytes of its texts in memory.
    #[serde(skip)]
    pub(crate) bytes: usize,
}

/// Mean and largest of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// The largest.
    pub largest: usize,
}

impl Spread {
    fn of(numbers: &[usize]) -> Spread {
        let mean = numbers.iter().sum::<usize>() as f64 / numbers.len().max(1) as f64;
        Spread { mean, largest: numbers.iter().copied().max().unwrap_or(0) }
    }
}

/// What batches hold, from a sample of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Drawn {
    /// Batches drawn.
    pub batches: usize,
    /// Rows of a batch.
    pub rows: Spread,
    /// Texts that a batch encodes.
    pub texts: Spread,
    /// Tokens of a batch, as encoded.
    pub tokens: Spread,
    /// Most tokens that are encoded at once: those of a chunk, or of the batch.
    pub tokens_at_once: usize,
    /// Rows put back, for the next batch, because one of their texts was in the batch already.
    pub repeated: usize,
    /// Share of every language in the rows drawn.
    pub langs: BTreeMap<String, f64>,
}

/// What a task would train on.
#[derive(Clone, Debug, Serialize)]
pub struct DataPlan {
    /// Its data sets.
    pub sets: Vec<SetPlan>,
    /// Batches drawn from them.
    pub drawn: Drawn,
    /// What it needs memory for beside weights and activations.
    #[serde(skip)]
    pub(crate) needs: Needs,
}

/// The code of a language, or that of none.
pub(crate) fn lang_name(lang: Option<&Lang>) -> String {
    lang.map_or("und".into(), Lang::to_string)
}

/// Rows and texts of a data set by language, and the bytes of its texts.
///
/// # Errors
/// The tokenizer fails.
pub(crate) fn count<'a, E: Sampled>(
    model: &impl Trainable,
    examples: &'a [E],
    parts: impl Fn(&'a E) -> Vec<Part<'a>>,
) -> Result<(BTreeMap<String, LangPlan>, usize)> {
    let mut langs: BTreeMap<String, LangPlan> = BTreeMap::new();
    for example in examples {
        langs.entry(lang_name(example.language())).or_default().rows += 1;
    }
    let most = model.text_limit();
    let (mut held, mut bytes) = (Vec::new(), 0);
    let mut empty = |held: &mut Vec<Part>| -> Result<()> {
        for (part, tokens) in held.iter().zip(lengths(model, held)?) {
            let lang = langs.entry(lang_name(part.lang)).or_default();
            lang.texts += 1;
            lang.tokens += tokens.min(most);
            lang.cut += usize::from(tokens > most);
        }
        held.clear();
        Ok(())
    };
    for example in examples {
        let parts = parts(example);
        bytes += parts.iter().map(|part| part.text.len() + size_of::<String>()).sum::<usize>();
        held.extend(parts);
        if held.len() >= BLOCK {
            empty(&mut held)?;
        }
    }
    empty(&mut held)?;
    Ok((langs, bytes))
}

/// Tokens of every text with its prompt and the special tokens, not cut.
fn lengths(model: &impl Trainable, parts: &[Part]) -> Result<Vec<usize>> {
    parts.par_iter().map(|part| model.part_tokens(part)).collect()
}

/// The batches drawn so far.
#[derive(Default)]
pub(crate) struct Sample {
    rows: Vec<usize>,
    texts: Vec<usize>,
    tokens: Vec<usize>,
    at_once: usize,
    langs: BTreeMap<String, usize>,
}

impl Sample {
    /// Takes note of a batch: the languages of its rows, and what it encodes.
    pub fn add<'a>(
        &mut self,
        langs: impl Iterator<Item = Option<&'a Lang>>,
        sequences: &[TokenIds],
        chunk_tokens: Option<usize>,
    ) {
        let mut rows = 0;
        for lang in langs {
            *self.langs.entry(lang_name(lang)).or_default() += 1;
            rows += 1;
        }
        self.rows.push(rows);
        let tokens = |sequences: &[TokenIds]| -> usize { sequences.iter().map(|s| s.ids.len()).sum() };
        self.texts.push(sequences.len());
        self.tokens.push(tokens(sequences));
        let at_once = chunks(sequences, chunk_tokens).into_iter().map(|rows| tokens(&sequences[rows])).max();
        self.at_once = self.at_once.max(at_once.unwrap_or(0));
    }

    /// What the batches hold, with the rows that were put back while they were drawn.
    pub fn finish(self, repeated: usize) -> Drawn {
        let all: usize = self.rows.iter().sum();
        Drawn {
            batches: self.rows.len(),
            rows: Spread::of(&self.rows),
            texts: Spread::of(&self.texts),
            tokens: Spread::of(&self.tokens),
            tokens_at_once: self.at_once,
            repeated,
            langs: self.langs.into_iter().map(|(lang, rows)| (lang, rows as f64 / all.max(1) as f64)).collect(),
        }
    }
}
