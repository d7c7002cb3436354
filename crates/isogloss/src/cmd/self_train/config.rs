//! What a self-training is made of, as its TOML file says it.

use crate::exit::Fault;
use crate::input::Input;
use isogloss_ir::Lang;
use isogloss_lexical::{Bm25, Profile};
use isogloss_mine::pairs::PairsOptions;
use isogloss_model::{GenerateOptions, Sampling, Search};
use isogloss_train::recipes::{ContrastiveConfig, QueryGenerationConfig, RecipeConfig};
use isogloss_train::{
    BatchConfig, CheckpointConfig, DataConfig, ModelConfig, OptimizerConfig, RunConfig, ScheduleConfig, TaskConfig,
    check_inputs,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The whole file. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTrainConfig {
    /// Folder of everything that is written.
    pub out: PathBuf,
    /// Seed of training and drawing.
    #[serde(default)]
    pub seed: u64,
    /// M₀: a model folder, or the name of a model, trained on labels of one language or several.
    pub model: String,
    /// Rounds at most.
    #[serde(default = "rounds")]
    pub rounds: usize,
    /// The loop ends after a round that gained fewer points of nDCG@10 (of 100) on the development sets.
    #[serde(default = "min_gain")]
    pub min_gain: f64,
    /// Labelled examples.
    pub english: Vec<DataConfig>,
    /// Languages without labels.
    pub language: Vec<LanguageConfig>,
    /// How much the words' lists depend on repetition and length.
    #[serde(default)]
    pub bm25: Bm25Config,
    /// When the lists agree on a pair.
    #[serde(default)]
    pub mine: PairsOptions,
    /// Queries written for passages.
    pub generate: Option<GenerateConfig>,
    /// How pairs train the model.
    #[serde(default = "contrastive")]
    pub recipe: RecipeConfig,
    /// The parts of the three sources, of which every batch draws one; without it every step has a batch of each.
    pub shares: Option<Shares>,
    /// How examples make batches.
    #[serde(default)]
    pub batch: BatchConfig,
    /// The optimiser.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Length of a round's training and course of the learning rate.
    pub schedule: ScheduleConfig,
    /// What is kept while training.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
}

fn rounds() -> usize {
    3
}

fn min_gain() -> f64 {
    0.3
}

fn contrastive() -> RecipeConfig {
    RecipeConfig::Contrastive(ContrastiveConfig::default())
}

/// A language without labels.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageConfig {
    /// Its code, which is that of records that name none; its folder is named after it.
    pub lang: Lang,
    /// The passages.
    pub corpus: PathBuf,
    /// The queries, without answers.
    pub queries: PathBuf,
    /// Judgements to report the precision by; they decide nothing.
    pub qrels: Option<PathBuf>,
    /// How text becomes words, as in `isogloss index --analyzer`.
    #[serde(default = "auto")]
    pub analyzer: String,
    /// A development set, by which the rounds are judged.
    pub dev: Option<DevConfig>,
}

fn auto() -> String {
    "auto".into()
}

impl LanguageConfig {
    /// The passages, with their language.
    pub fn corpus(&self) -> Input {
        Input { path: self.corpus.clone(), lang: Some(self.lang) }
    }

    /// The queries, with their language.
    pub fn queries(&self) -> Input {
        Input { path: self.queries.clone(), lang: Some(self.lang) }
    }

    /// How text becomes words.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn profile(&self) -> isogloss_lexical::Result<Profile> {
        self.analyzer.parse()
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        let dev = self.dev.iter().flat_map(|dev| [&dev.corpus, &dev.queries, &dev.qrels]);
        [&self.corpus, &self.queries].into_iter().chain(&self.qrels).chain(dev).map(PathBuf::as_path)
    }
}

/// Judged queries of a language.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DevConfig {
    /// Documents.
    pub corpus: PathBuf,
    /// Queries.
    pub queries: PathBuf,
    /// Judgements.
    pub qrels: PathBuf,
}

/// BM25's parameters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bm25Config {
    /// How soon repetition stops counting.
    pub k1: f32,
    /// How much length counts.
    pub b: f32,
}

impl Default for Bm25Config {
    fn default() -> Self {
        let Bm25 { k1, b } = Bm25::default();
        Self { k1, b }
    }
}

/// Parts of the batches.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
    /// Of labelled examples.
    pub english: f64,
    /// Of mined pairs.
    pub mined: f64,
    /// Of written queries with their passages.
    pub generated: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { english: 1.0, mined: 1.0, generated: 1.0 }
    }
}

/// The generator, what it writes, and what of it is kept.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// A generator that is used as it is, in place of one trained in every round.
    pub trained: Option<String>,
    /// The encoder–decoder that every round trains from: a folder or name, or a new one.
    pub model: Option<ModelConfig>,
    /// Its recipe.
    #[serde(default = "query_generation")]
    pub recipe: RecipeConfig,
    /// How examples make batches.
    #[serde(default)]
    pub batch: BatchConfig,
    /// Its optimiser.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Length of its training.
    pub schedule: Option<ScheduleConfig>,
    /// What is kept while training it.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// Passages of each language that queries are written for, at most: evenly out of the corpus.
    #[serde(default = "passages")]
    pub passages: usize,
    /// Queries for each passage.
    #[serde(default = "queries")]
    pub queries: usize,
    /// Tokens are drawn from so many of the likeliest.
    #[serde(default = "top_k")]
    pub top_k: usize,
    /// Logits are divided by it.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Most tokens of a query.
    #[serde(default = "max_new_tokens")]
    pub max_new_tokens: usize,
    /// Fewest characters of a query that is kept.
    #[serde(default = "min_chars")]
    pub min_chars: usize,
    /// Most characters of it.
    #[serde(default = "max_chars")]
    pub max_chars: usize,
    /// Whether its language is looked at.
    #[serde(default = "yes")]
    pub check_language: bool,
    /// The largest part of it that may be copied from its passage.
    #[serde(default = "max_copied")]
    pub max_copied: f64,
    /// The last rank of its passage in the fused list.
    #[serde(default = "top")]
    pub top: usize,
    /// Fewest kept queries of a language that a round is trained on: fewer are left out of it, as every source has a batch in
    /// every step, and a handful of rows would be repeated in all of them.
    #[serde(default = "min_kept")]
    pub min_kept: usize,
}

fn query_generation() -> RecipeConfig {
    RecipeConfig::QueryGeneration(QueryGenerationConfig::default())
}

fn passages() -> usize {
    5000
}

fn queries() -> usize {
    10
}

fn top_k() -> usize {
    10
}

fn one() -> f32 {
    1.0
}

fn max_new_tokens() -> usize {
    32
}

fn min_chars() -> usize {
    4
}

fn max_chars() -> usize {
    200
}

fn yes() -> bool {
    true
}

fn max_copied() -> f64 {
    0.8
}

fn top() -> usize {
    3
}

fn min_kept() -> usize {
    100
}

impl SelfTrainConfig {
    /// Refuses values out of their range and parts that do not go together.
    ///
    /// # Errors
    /// The first of them, with its key and cure.
    pub fn check(&self) -> anyhow::Result<()> {
        let mut langs = BTreeSet::new();
        if let Some(twice) = self.language.iter().find(|language| !langs.insert(language.lang.to_string())) {
            let problem = format!("{} stands twice; join its corpora and queries in one [[language]]", twice.lang);
            return Err(Fault::option("language.lang", problem).into());
        }
        let rules = [
            (self.english.is_empty(), "english", "is empty; add an [[english]] section with a path"),
            (self.language.is_empty(), "language", "is empty; add a [[language]] section"),
            (self.rounds == 0, "rounds", "must be at least 1"),
            (!self.min_gain.is_finite(), "min_gain", "must be a finite number"),
            (
                !matches!(self.recipe, RecipeConfig::Contrastive(_)),
                "recipe.name",
                "must be contrastive, which learns from pairs",
            ),
            (
                self.generate.is_none() && self.shares.as_ref().is_some_and(|shares| shares.generated != 1.0),
                "shares.generated",
                "is of queries that nobody writes; add a [generate] section, or take it out",
            ),
        ];
        refuse(&rules)?;
        Bm25::new(self.bm25.k1, self.bm25.b)?;
        self.mine.check([true, true])?;
        for language in &self.language {
            language.profile()?;
        }
        let mined = [DataConfig { path: "mined.jsonl".into(), ..pairs("") }];
        self.training(&self.out, &mined, &mined[..usize::from(self.generate.is_some())])
            .check()
            .map_err(of_retriever)?;
        match &self.generate {
            Some(generate) => generate.check(self, &mined),
            None => Ok(()),
        }
    }

    /// The training of a round in the folder `out`, from M₀.
    pub fn training(&self, out: &Path, mined: &[DataConfig], generated: &[DataConfig]) -> RunConfig {
        let batch = BatchConfig { accumulate: 1, ..self.batch.clone() };
        let of_lang = BatchConfig { one_language: true, ..batch.clone() };
        let share = |of: fn(&Shares) -> f64| self.shares.as_ref().map(of);
        let sources = [
            ("english", &self.english[..], batch, share(|shares| shares.english)),
            ("mined", mined, of_lang.clone(), share(|shares| shares.mined)),
            ("generated", generated, of_lang, share(|shares| shares.generated)),
        ];
        let tasks = sources.into_iter().filter(|(_, data, ..)| !data.is_empty());
        let tasks = tasks.map(|(name, data, batch, share)| task(name, &self.recipe, data, batch, share)).collect();
        let model = ModelConfig {
            path: Some(self.model.clone()),
            new: None,
            pooling: None,
            normalize: None,
            max_tokens: None,
            query_prompt: None,
            passage_prompt: None,
            precision: None,
            device: None,
            dropout: true,
        };
        let (batch, optimizer) = (self.batch.clone(), self.optimizer.clone());
        run(out, self.seed, model, tasks, batch, optimizer, self.schedule.clone(), self.checkpoint.clone())
    }

    /// Refuses labels and models that the trainings could not begin with; reads them.
    ///
    /// # Errors
    /// The first, with its file or key.
    pub fn check_inputs(&self) -> isogloss_train::Result<()> {
        check_inputs(&self.training(&self.out, &[], &[])).map_err(of_retriever)?;
        match self.generate.as_ref().and_then(|generate| generate.training(self, &self.out, &[])) {
            Some(config) => check_inputs(&config).map_err(of_generator),
            None => Ok(()),
        }
    }

    /// Every file and folder that is read, the models aside.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let english = self.english.iter().map(|set| set.path.as_path());
        english.chain(self.language.iter().flat_map(LanguageConfig::files))
    }
}

impl GenerateConfig {
    fn check(&self, of: &SelfTrainConfig, mined: &[DataConfig]) -> anyhow::Result<()> {
        let trains = self.model.is_some() || self.schedule.is_some();
        refuse(&[
            (
                self.trained.is_some() && trains,
                "generate.trained",
                "stands beside generate.model or generate.schedule; keep one of both",
            ),
            (
                self.trained.is_none() && (self.model.is_none() || self.schedule.is_none()),
                "generate",
                "needs [generate.model] and [generate.schedule] to train a generator, or `trained`, the folder of one",
            ),
            (
                !matches!(self.recipe, RecipeConfig::QueryGeneration(_)),
                "generate.recipe.name",
                "must be query_generation, which learns to write queries",
            ),
            (self.passages == 0, "generate.passages", "must be positive; to write nothing, take [generate] out"),
            (self.top == 0, "generate.top", "must be positive"),
            (self.min_chars > self.max_chars, "generate.min_chars", "must be at most generate.max_chars"),
            (!(0.0..=1.0).contains(&self.max_copied), "generate.max_copied", "must be from 0 to 1"),
        ])?;
        self.options(of.seed).check().map_err(of_writing)?;
        match self.training(of, &of.out, mined) {
            Some(config) => Ok(config.check().map_err(of_generator)?),
            None => Ok(()),
        }
    }

    /// The generator's training in the folder `out`; `None` where it is given.
    pub fn training(&self, of: &SelfTrainConfig, out: &Path, mined: &[DataConfig]) -> Option<RunConfig> {
        let (model, schedule) = (self.model.clone()?, self.schedule.clone()?);
        let batch = BatchConfig { accumulate: 1, ..self.batch.clone() };
        let sources = [("english", &of.english[..]), ("mined", mined)];
        let tasks = sources.into_iter().filter(|(_, data)| !data.is_empty());
        let tasks = tasks.map(|(name, data)| task(name, &self.recipe, data, batch.clone(), None)).collect();
        let (batch, optimizer) = (self.batch.clone(), self.optimizer.clone());
        Some(run(out, of.seed, model, tasks, batch, optimizer, schedule, self.checkpoint.clone()))
    }

    /// How tokens are chosen.
    pub fn options(&self, seed: u64) -> GenerateOptions {
        let sampling = Sampling { temperature: self.temperature, top_k: Some(self.top_k), top_p: None, seed };
        GenerateOptions {
            search: Search::Sample(sampling),
            max_new_tokens: self.max_new_tokens,
            returned: self.queries,
            ..GenerateOptions::default()
        }
    }
}

/// A file of rows that `mine pairs` or this verb wrote.
pub fn pairs(path: impl Into<PathBuf>) -> DataConfig {
    DataConfig {
        path: path.into(),
        format: Some("flag-embedding".into()),
        role: None,
        split: None,
        lang: None,
        doc_lang: None,
        weight: None,
        limit: None,
        languages: None,
    }
}

fn task(name: &str, recipe: &RecipeConfig, data: &[DataConfig], batch: BatchConfig, share: Option<f64>) -> TaskConfig {
    let (name, recipe, data) = (Some(name.to_owned()), recipe.clone(), data.to_vec());
    TaskConfig { name, weight: 1.0, share, recipe, data, batch: Some(batch), matryoshka: None }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a run file")]
fn run(
    out: &Path,
    seed: u64,
    model: ModelConfig,
    task: Vec<TaskConfig>,
    batch: BatchConfig,
    optimizer: OptimizerConfig,
    schedule: ScheduleConfig,
    checkpoint: CheckpointConfig,
) -> RunConfig {
    let (recipe, data, matryoshka, evaluate) = (None, Vec::new(), None, None);
    let out = out.to_owned();
    RunConfig { out, seed, model, recipe, data, matryoshka, task, batch, optimizer, schedule, evaluate, checkpoint }
}

/// An error of a round's training with its key as it stands in the loop's file.
fn of_retriever(error: isogloss_train::Error) -> isogloss_train::Error {
    of_loop(error, "")
}

/// As [`of_retriever`], of the generator's.
fn of_generator(error: isogloss_train::Error) -> isogloss_train::Error {
    of_loop(error, "generate.")
}

/// The keys of a training stand below `section`, but both share the labels.
fn of_loop(error: isogloss_train::Error, section: &str) -> isogloss_train::Error {
    let isogloss_train::Error::Value { key, problem } = error else { return error };
    let own = key.strip_prefix("task.").unwrap_or(&key);
    let key = match own.strip_prefix("data") {
        Some(rest) => format!("english{rest}"),
        None => format!("{section}{own}"),
    };
    isogloss_train::Error::Value { key, problem }
}

/// An error of how tokens are chosen, with its key as it stands in the loop's file.
fn of_writing(error: isogloss_model::Error) -> anyhow::Error {
    use isogloss_model::Error::{Number, Option};
    let fault = |key: &str, got: String, range: &str| {
        let key = if key == "num_return" { "queries" } else { key };
        Fault::option(&format!("generate.{key}"), format!("is {got}, must be {range}")).into()
    };
    match error {
        Option { key, got, range } => fault(key, got.to_string(), range),
        Number { key, got, range } => fault(key, got.to_string(), range),
        other => other.into(),
    }
}

/// Refuses the first of several values that is wrong: whether it is, its key, and what is wrong.
fn refuse(rules: &[(bool, &str, &str)]) -> Result<(), Fault> {
    match rules.iter().find(|(wrong, ..)| *wrong) {
        Some((_, key, problem)) => Err(Fault::option(key, problem)),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "../../../../../tests/mutate.rs"]
mod mutate;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_of_the_repository_is_taken() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runs/self_supervised.toml");
        let config: SelfTrainConfig = isogloss_train::read_toml(&file).unwrap();
        config.check().unwrap();
    }

    #[test]
    fn damaged_loops_never_panic() {
        let folder = tempfile::tempdir().unwrap();
        let whole =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runs/self_supervised.toml")).unwrap();
        let (path, mut random, mut refused) = (folder.path().join("loop.toml"), mutate::Random(41), 0);
        let rounds = 1500 * mutate::times();
        for round in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(3) {
                random.mutate(&mut bytes, &["[bm25]\nk1 = nan\n[mine]\ntop = 18446744073709551615\nlead = -inf\n"]);
            }
            mutate::replace(&path, &bytes);
            let told = match isogloss_train::read_toml::<SelfTrainConfig>(&path) {
                Ok(config) => config.check().err().map(|error| format!("{error:#}")),
                Err(error) => {
                    assert!(error.to_string().contains("loop.toml"), "round {round}: {error}");
                    Some(error.to_string())
                }
            };
            assert!(told.as_ref().is_none_or(|told| !told.contains('\n')), "round {round}: {told:?}");
            refused += usize::from(told.is_some());
        }
        assert!(refused > rounds / 3, "{refused} of {rounds}");
    }
}
