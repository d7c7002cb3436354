//! A round: what the last model finds in every language trains the next one from M₀.

use super::config::{LanguageConfig, SelfTrainConfig, pairs};
use super::generation::{Generation, train};
use super::steps::{Steps, read_json, write_json};
use crate::cmd::mine::pairs::pairs as mine_pairs;
use crate::cmd::mine::sources::Sources;
use crate::cmd::{encode, index};
use crate::exit::Fault;
use crate::model::{CalibrationOptions, Model, ModelOptions};
use crate::texts::Texts;
use crate::words;
use isogloss_dense::Side;
use isogloss_dense::calibration::Missing;
use isogloss_engine::DeviceChoice;
use isogloss_train::{DataConfig, DevSet, EvaluateConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the rounds are judged by.
pub const MEASURE: &str = "nDCG@10";

/// What one language has to search in.
pub struct Places<'a> {
    /// The language.
    pub language: &'a LanguageConfig,
    /// Its index of words.
    pub words: PathBuf,
    /// The vectors of its corpus.
    pub vectors: PathBuf,
}

/// One round.
pub struct Round<'a> {
    /// What was asked for.
    pub config: &'a SelfTrainConfig,
    /// Its number, from 1.
    pub number: usize,
    /// The run file.
    pub file: &'a Path,
}

impl Round<'_> {
    /// The name of something of the round.
    pub fn name(&self, rest: &str) -> String {
        format!("round-{}/{rest}", self.number)
    }

    /// Does it with the model in `last`; returns the folder of the next.
    ///
    /// # Errors
    /// What any step fails with; or nothing was mined in any language.
    pub fn run(&self, steps: &mut Steps, last: &Path) -> anyhow::Result<PathBuf> {
        let model = load(&last.to_string_lossy())?;
        let mut places = Vec::new();
        let mut mined = Vec::new();
        for language in &self.config.language {
            let of = self.places(steps, &model, language)?;
            let rows = self.mine(steps, last, &of)?;
            mined.extend(unless_empty(&rows)?);
            places.push(of);
        }
        if mined.is_empty() {
            let cure = "loosen [mine] (top, lead, round_trip), or give other queries";
            return Err(Fault::new(self.file, format!("no pair was mined in any language; {cure}")).into());
        }
        let mut generated = Vec::new();
        if let Some(config) = &self.config.generate {
            let generation = Generation { round: self, config };
            let generator = generation.generator(steps, &mined)?;
            for of in &places {
                let rows = generation.rows(steps, &generator, &model, of)?;
                let lang = of.language.lang;
                if generation.are_enough(&steps.path(&self.name(&lang.to_string())))? {
                    generated.extend(unless_empty(&rows)?);
                } else {
                    let least = config.min_kept;
                    eprintln!(
                        "{lang}: fewer than {least} written queries were kept; they are left out of the training"
                    );
                }
            }
        }
        let config = self.config.training(&steps.path(&self.name("retriever")), &mined, &generated);
        train(steps, &self.name("retriever"), config)
    }

    fn places<'a>(&self, steps: &mut Steps, model: &Model, language: &'a LanguageConfig) -> anyhow::Result<Places<'a>> {
        let lang = language.lang;
        let words = steps.step(&format!("words/{lang}"), |out| {
            crate::files::remove(out)?;
            index::words::index(&language.corpus(), &language.profile()?, out).map(drop)
        })?;
        let vectors = steps.step(&self.name(&format!("{lang}/vectors")), |out| {
            let texts = Texts::new(vec![language.corpus()], Side::Doc, None).for_model(model);
            encode::shards(model, texts, out, &model.encode_options(Side::Doc)).map(drop)
        })?;
        Ok(Places { language, words, vectors })
    }

    fn mine(&self, steps: &mut Steps, model: &Path, of: &Places<'_>) -> anyhow::Result<PathBuf> {
        let Places { language, words, vectors } = of;
        let name = self.name(&format!("{}/mined.jsonl", language.lang));
        steps.step(&name, |out| {
            let sources = Sources {
                corpus: language.corpus(),
                queries: language.queries(),
                words: words::Options { bm25: Some(words.clone()), k1: self.config.bm25.k1, b: self.config.bm25.b },
                vectors: Some(vectors.clone()),
                model: Some(model.to_string_lossy().into_owned()),
                query_vectors: None,
                options: as_it_is(),
                calibration: uncalibrated(),
                out: out.to_owned(),
            };
            mine_pairs(&sources, &self.config.mine, language.qrels.as_deref()).map(drop)
        })
    }
}

/// The measure of the model in `folder` on every development set, each written as `round-N/LANG/dev.json`.
///
/// # Errors
/// A set or the model cannot be read.
pub fn judge(
    steps: &mut Steps,
    config: &SelfTrainConfig,
    round: usize,
    folder: &Path,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut values = BTreeMap::new();
    for language in &config.language {
        let Some(dev) = &language.dev else { continue };
        let path = steps.step(&format!("round-{round}/{}/dev.json", language.lang), |out| {
            let set = DevSet::load(&EvaluateConfig {
                every: 1,
                corpus: Some(dev.corpus.clone()),
                queries: Some(dev.queries.clone()),
                qrels: Some(dev.qrels.clone()),
                parallel: None,
                measure: Some(MEASURE.into()),
                patience: None,
                keep_best: false,
            })?;
            let value = set.score(&load(&folder.to_string_lossy())?.encoder)?;
            write_json(out, &json!({ MEASURE: value }))
        })?;
        let value = read_json(&path)?[MEASURE].as_f64();
        values.insert(language.lang.to_string(), value.ok_or_else(|| damaged(&path))?);
    }
    Ok(values)
}

fn damaged(path: &Path) -> Fault {
    Fault::new(path, "is damaged; delete it, and it is made again")
}

/// What `mine pairs` reported beside its rows.
///
/// # Errors
/// The report cannot be read.
pub fn mined_report(rows: &Path) -> anyhow::Result<Value> {
    Ok(read_json(&rows.with_extension("jsonl.report.json"))?["found"]["langs"].take())
}

/// A model, its calibration left aside: fits of M₀'s vectors say nothing of later models'.
///
/// # Errors
/// As [`Model::load`].
pub fn load(name: &str) -> anyhow::Result<Model> {
    Model::load_calibrated(name, &as_it_is().overrides(), &uncalibrated())
}

fn as_it_is() -> ModelOptions {
    ModelOptions { pooling: None, normalize: None, max_tokens: None, precision: None, device: DeviceChoice::default() }
}

fn uncalibrated() -> CalibrationOptions {
    CalibrationOptions { uncalibrated: true, calibration_missing: Missing::Error }
}

/// The rows as data to train on, if there are any.
fn unless_empty(rows: &Path) -> anyhow::Result<Option<DataConfig>> {
    let bytes = fs::metadata(rows).map_err(|e| isogloss_ir::Error::io(rows, e))?.len();
    Ok((bytes > 0).then(|| pairs(rows)))
}
