//! Queries written for passages: the generator's training, what it writes, what is kept, and the rows that are trained on.

use super::config::GenerateConfig;
use super::round::{Places, Round};
use super::steps::{Steps, write_json};
use crate::cmd::filter::rules::{Generated, Rules};
use crate::cmd::filter::{filter, passages};
use crate::cmd::generate::Request;
use crate::cmd::search::{bm25, ranked};
use crate::cmd::train::{is_finished, of_run_file, train as train_run};
use crate::input::Input;
use crate::model::Model;
use crate::progress::Progress;
use crate::run_out::TAG;
use crate::words;
use isogloss_dense::{Flat, Searcher, Text, VectorStore};
use isogloss_ir::{AtomicFile, Error, Fusion, Query, ReadOptions, Run, fuse, read_docs, read_queries, write_atomic};
use isogloss_lexical::Searcher as Words;
use isogloss_train::{DataConfig, RunConfig};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Queries put to words and vectors together.
const BLOCK: usize = 4096;

/// The generation of a round.
pub struct Generation<'a> {
    /// The round.
    pub round: &'a Round<'a>,
    /// How it is done.
    pub config: &'a GenerateConfig,
}

/// Trains the run of `config` as the step `name`, `name.toml` being its run file; returns the model's folder.
///
/// # Errors
/// As [`isogloss_train::train`].
pub fn train(steps: &mut Steps, name: &str, config: RunConfig) -> anyhow::Result<PathBuf> {
    let file =
        steps.step(&format!("{name}.toml"), |out| Ok(write_atomic(out, toml::to_string(&config)?.as_bytes())?))?;
    steps.step(&format!("{name}/model"), |_| {
        config.check().map_err(|error| of_run_file(error, &file))?;
        match is_finished(&config)? {
            true => Ok(()),
            false => train_run(config, true, &file).map(drop),
        }
    })
}

impl Generation<'_> {
    /// The folder of the generator: the one that is given, or one trained on labels and on what this round mined.
    ///
    /// # Errors
    /// As [`train`].
    pub fn generator(&self, steps: &mut Steps, mined: &[DataConfig]) -> anyhow::Result<String> {
        let name = self.round.name("generator");
        Ok(match self.config.training(self.round.config, &steps.path(&name), mined) {
            Some(config) => train(steps, &name, config)?.to_string_lossy().into_owned(),
            None => self.config.trained.clone().expect("checked: a generator is given or trained"),
        })
    }

    /// Writes queries for passages of a language, keeps the good ones, and returns the file of what is trained on.
    ///
    /// # Errors
    /// What any step fails with.
    pub fn rows(&self, steps: &mut Steps, generator: &str, model: &Model, of: &Places<'_>) -> anyhow::Result<PathBuf> {
        let lang = of.language.lang;
        let name = |rest: &str| self.round.name(&format!("{lang}/{rest}"));
        let sample = steps.step(&format!("passages/{lang}.jsonl"), |out| self.sample(&of.language.corpus(), out))?;
        let generated = steps.step(&name("generated.jsonl"), |out| {
            let options = self.config.options(self.round.config.seed.wrapping_add(self.round.number as u64));
            let inputs = [Input { path: sample.clone(), lang: Some(lang) }];
            let options = &options;
            Request { model: generator, inputs: &inputs, prompt: None, prompt_lang: None, max_tokens: None, options }
                .write(out)
        })?;
        let written = steps.step(&name("written"), |out| {
            let rules = Rules {
                chars: self.config.min_chars..=self.config.max_chars,
                check_language: self.config.check_language,
                seen: Some(Default::default()),
                copied: Some((self.config.max_copied, passages(&[Input::from(&*sample)])?)),
                found: None,
            };
            kept(&generated, rules, out)
        })?;
        let found =
            steps.step(&name("found.trec"), |out| self.search(&written.join("queries.jsonl"), model, of, out))?;
        let kept = steps.step(&name("kept"), |out| {
            let found = Some((Run::read(&found)?, self.config.top));
            let rules = Rules { chars: 0..=usize::MAX, check_language: false, seen: None, copied: None, found };
            kept(&written.join("queries.jsonl"), rules, out)
        })?;
        steps.step(&name("generated.train.jsonl"), |out| rows(&kept.join("queries.jsonl"), &sample, out))
    }

    /// Whether the written queries of a language that were kept in the folder of a round are enough to train on.
    ///
    /// # Errors
    /// The counts cannot be read.
    pub fn are_enough(&self, folder: &Path) -> anyhow::Result<bool> {
        Ok(survivors(folder)?["kept"].as_u64() >= Some(self.config.min_kept as u64))
    }

    /// Passages evenly out of the corpus.
    fn sample(&self, corpus: &Input, out: &Path) -> anyhow::Result<()> {
        let docs = || read_docs(&corpus.path, &ReadOptions { lang: corpus.lang });
        let all = docs()?.try_fold(0, |all, doc| doc.map(|_| all + 1))?;
        let taken = self.config.passages.min(all);
        let mut file = AtomicFile::create(out)?;
        for (at, doc) in docs()?.enumerate() {
            let doc = doc?;
            // As many of the first `at` documents as their part of all.
            if (at + 1) * taken / all > at * taken / all {
                let line = json!({"_id": doc.id, "title": doc.title, "text": doc.text, "lang": doc.lang});
                writeln!(file, "{line}").map_err(|e| Error::io(out, e))?;
            }
        }
        Ok(file.commit()?)
    }

    /// Puts queries to words and vectors, and writes the top of the fused lists.
    fn search(&self, queries: &Path, model: &Model, of: &Places<'_>, out: &Path) -> anyhow::Result<()> {
        let (bm25, mine) = (&self.round.config.bm25, &self.round.config.mine);
        let options = words::Options { bm25: None, k1: bm25.k1, b: bm25.b };
        let words = options.open(&of.words)?;
        let store = Arc::new(VectorStore::open(&of.vectors)?);
        let vectors = Searcher::new(model.encoder.clone(), Arc::new(Flat::new(store.clone())), store)?;
        let fusion = Fusion::mr_tydi(mine.alpha);
        let mut file = AtomicFile::create(out)?;
        let mut progress = Progress::new(None);
        let mut read = read_queries(queries, &ReadOptions { lang: Some(of.language.lang) })?;
        let mut done = 0;
        loop {
            let block = read.by_ref().take(BLOCK).collect::<isogloss_ir::Result<Vec<Query>>>()?;
            if block.is_empty() {
                return Ok(file.commit()?);
            }
            let lists = [by_words(&words, &block, mine.depth)?, by_vectors(&vectors, &block, mine.depth)?];
            fuse(&lists, &fusion, self.config.top)?.write_to(&mut file, TAG, out)?;
            done += block.len() as u64;
            progress.tell(done, || format!("{done} queries searched"));
        }
    }
}

fn by_words(words: &Words, queries: &[Query], depth: usize) -> anyhow::Result<Run> {
    bm25::ranked(words, queries, depth)
}

fn by_vectors(vectors: &Searcher, queries: &[Query], depth: usize) -> anyhow::Result<Run> {
    let texts = queries.iter().map(|query| Text { id: query.id.clone(), text: query.text.clone(), lang: query.lang });
    ranked(vectors, &texts.collect::<Vec<_>>(), depth)
}

/// Writes into the folder `out` the queries that pass, and how many fell to which rule.
fn kept(queries: &Path, rules: Rules, out: &Path) -> anyhow::Result<()> {
    crate::files::remove(out)?;
    crate::files::create_folder(out, |out| {
        let counts = filter(queries, rules, &out.join("queries.jsonl"))?;
        let counts = counts.into_values().next().unwrap_or_default();
        write_json(&out.join("counts.json"), &counts.to_json())
    })
}

/// Kept queries with their passages, as rows to train on.
fn rows(kept: &Path, sample: &Path, out: &Path) -> anyhow::Result<()> {
    let passages = passages(&[Input::from(sample)])?;
    let mut file = AtomicFile::create(out)?;
    for query in queries(kept)? {
        let Generated { id, text, doc, lang } = query;
        let passage = &passages[&doc];
        let row = json!({
            "id": id, "query": text, "lang": lang, "doc_lang": lang,
            "pos": [passage], "neg": [], "pos_id": [doc], "neg_id": [],
        });
        writeln!(file, "{row}").map_err(|e| Error::io(out, e))?;
    }
    Ok(file.commit()?)
}

/// The queries in a file of lines that were written here.
fn queries(path: &Path) -> anyhow::Result<Vec<Generated>> {
    let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// What became of a language's queries in the folder of a round: the counts of both filters as one.
///
/// # Errors
/// A file cannot be read.
pub fn survivors(folder: &Path) -> anyhow::Result<Value> {
    let counts = |name: &str| super::steps::read_json(&folder.join(name).join("counts.json"));
    let (mut all, found) = (counts("written")?, counts("kept")?);
    all["dropped"]["not found"] = found["dropped"]["not found"].clone();
    all["kept"] = found["kept"].clone();
    Ok(all)
}

/// Kept queries to read, evenly out of all, with their passages.
///
/// # Errors
/// A file cannot be read.
pub fn to_read(folder: &Path, sample: &Path, most: usize) -> anyhow::Result<Vec<[String; 2]>> {
    let (kept, passages) = (queries(&folder.join("kept/queries.jsonl"))?, passages(&[Input::from(sample)])?);
    let shown = most.min(kept.len());
    let pick = |i: usize| &kept[i * kept.len() / shown];
    Ok((0..shown).map(pick).map(|query| [query.text.clone(), passages[&query.doc].clone()]).collect())
}
