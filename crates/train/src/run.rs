//! From a run file to a trained model folder, with everything the run depended on written beside it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use isogloss_engine::cuda::World;
use isogloss_engine::optim::AdamW;
use isogloss_engine::{Device, DeviceChoice, Key};
use isogloss_ir::file_hash;
use isogloss_model::{
    ArchitectureConfig, BertConfig, BertFamily, BiEncoder, FeedForward, FolderLayout, Mt5Config, Mt5Family, Overrides,
    Pooling, Positions, Seq2Seq, StaticConfig, Tokenizer,
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use crate::checkpoint::{self, checkpoint_path};
use crate::config::{Architecture, DataConfig, NewModelConfig, RunConfig, TaskConfig};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::recipes::{self, RecipeConfig};
use crate::task::Task;
use crate::trainable::Trainable;
use crate::trainer::{Observer, Outcome, Trainer};

/// Trains the model of a run, from its checkpoint if `resume` is set and there is one.
///
/// Writes into `config.out`: `model/` (the result), `log.jsonl` (a line per step and per evaluation), `run.toml` (the configuration with
/// every default filled in), `manifest.json` (seed, versions, hashes of the data) and, until the end, `checkpoint.safetensors`.
///
/// # Errors
/// A data set or model cannot be read, the directory holds another run, or training fails.
pub fn train(config: RunConfig, resume: bool, observer: &mut dyn Observer) -> Result<Outcome> {
    train_in(World::alone(), config, resume, observer)
}

/// As [`train`], together with the other processes of a world, each of which calls this with the same run. The first one writes.
///
/// # Errors
/// As [`train`]; or the processes cannot exchange data, or have come to have different weights.
pub fn train_in(world: &World, config: RunConfig, resume: bool, observer: &mut dyn Observer) -> Result<Outcome> {
    let identity = identity(&config, resume)?;
    match config.generates()? {
        true => train_from(world, prepare_generator(&config)?, config, identity, observer),
        false => train_from(world, prepare(&config)?, config, identity, observer),
    }
}

fn train_from<M: Trainable>(
    world: &World,
    (model, tasks): Prepared<M>,
    config: RunConfig,
    identity: Identity,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    if world.is_first() {
        fs::create_dir_all(&config.out).map_err(|e| Error::io(&config.out, e))?;
        write_beside(&config, &identity.manifest)?;
    }
    Trainer::new(world, config, model, tasks, identity.fingerprint)?.run(observer)
}

/// What the run would train on and need, without training it. Writes nothing.
///
/// # Errors
/// Whatever [`train`] finds wrong before its first step.
pub fn plan(config: &RunConfig, resume: bool) -> Result<Plan> {
    let identity = identity(config, resume)?;
    match config.generates()? {
        true => plan_from(prepare_generator(config)?, config, &identity),
        false => plan_from(prepare(config)?, config, &identity),
    }
}

fn plan_from<M: Trainable>(prepared: Prepared<M>, config: &RunConfig, identity: &Identity) -> Result<Plan> {
    let (mut model, mut tasks) = prepared;
    let mut optimizer = AdamW::new(config.optimizer.adamw());
    let state = checkpoint::load(&config.out, &identity.fingerprint, &mut model, &mut tasks, &mut optimizer)?;
    M::dev(config)?;
    Plan::new(config, &model, tasks, state.map_or(0, |state| state.step))
}

/// Refuses what [`train`] would refuse before its first step, the folder that it writes aside: reads model and data.
///
/// # Errors
/// As [`train`].
pub fn check_inputs(config: &RunConfig) -> Result<()> {
    match config.generates()? {
        true => prepare_generator(config).map(drop),
        false => prepare(config).map(drop),
    }
}

/// What a run starts from: its model and its tasks, their data read.
type Prepared<M> = (M, Vec<Box<dyn Task<M>>>);

/// What tells a run from others.
struct Identity {
    manifest: Value,
    fingerprint: String,
}

/// Looks at where the run is to be and what it is made of.
fn identity(config: &RunConfig, resume: bool) -> Result<Identity> {
    check_place(&config.out)?;
    check_output(config, resume)?;
    let manifest = manifest(config)?;
    Ok(Identity { fingerprint: fingerprint(config, &manifest)?, manifest })
}

fn prepare(config: &RunConfig) -> Result<Prepared<BiEncoder>> {
    let model = start_model(config)?;
    let tasks = config.tasks()?;
    let tasks = tasks.iter().zip(keys(config)).map(|(task, key)| recipes::task(config, task, &model, key));
    let tasks = tasks.collect::<Result<_>>()?;
    Ok((model, tasks))
}

fn prepare_generator(config: &RunConfig) -> Result<Prepared<Seq2Seq>> {
    let tasks = config.tasks()?;
    let model = start_generator(config, &tasks)?;
    let tasks = tasks.iter().zip(keys(config)).map(|(task, key)| recipes::generator_task(config, task, key));
    Ok((model, tasks.collect::<Result<_>>()?))
}

/// The keys of a run's tasks.
fn keys(config: &RunConfig) -> impl Iterator<Item = Key> {
    let key = Key::new(config.seed).derive(1);
    (0..).map(move |n| key.derive(n))
}

/// Refuses a directory that could not be made.
fn check_place(out: &Path) -> Result<()> {
    match out.ancestors().find(|path| path.exists()) {
        Some(path) if !path.is_dir() => {
            let kind = if path == out { ErrorKind::AlreadyExists } else { ErrorKind::NotADirectory };
            Err(Error::io(out, kind.into()))
        }
        _ => Ok(()),
    }
}

/// Refuses to overwrite a run that is not to be resumed.
fn check_output(config: &RunConfig, resume: bool) -> Result<()> {
    let problem = |what: &str| Error::Output { path: config.out.clone(), problem: what.to_string() };
    if config.out.join("model").exists() {
        return Err(problem("holds a finished run; choose another out directory or delete this one"));
    }
    if !resume && checkpoint_path(&config.out).exists() {
        return Err(problem("holds an unfinished run; give --resume to continue it, or choose another out directory"));
    }
    Ok(())
}

/// The model that training starts from.
///
/// # Errors
/// A folder or tokenizer that cannot be read, or sizes that make no model.
pub fn start_model(config: &RunConfig) -> Result<BiEncoder> {
    let overrides = Overrides {
        pooling: config.model.pooling.as_deref().map(str::parse).transpose()?,
        normalize: config.model.normalize,
        max_tokens: config.model.max_tokens,
        precision: None,
        device: DeviceChoice::default(),
    };
    let mut model = match (&config.model.path, &config.model.new) {
        (Some(path), _) => BiEncoder::load(path, &overrides)?,
        (None, Some(new)) => BiEncoder::fresh(new_layout(new, &overrides)?, Key::new(config.seed).derive(0))?,
        (None, None) => return Err(Error::value("model", "needs path or new")),
    };
    model.set_prompts(config.model.query_prompt.as_deref(), config.model.passage_prompt.as_deref());
    model.set_precision(config.model.precision()?);
    model.set_device(device(config)?)?;
    Ok(model)
}

/// Where a run is to train.
fn device(config: &RunConfig) -> Result<Device> {
    Ok(config.model.device()?.open().map_err(isogloss_model::Error::from)?)
}

/// The encoder–decoder that training starts from, with the prompt of its recipe, of several tasks that of the first.
fn start_generator(config: &RunConfig, tasks: &[TaskConfig]) -> Result<Seq2Seq> {
    let limit = config.model.max_tokens;
    let mut model = match (&config.model.path, &config.model.new) {
        (Some(path), _) => Seq2Seq::load(path, limit)?,
        (None, Some(new)) => {
            let limit = limit.map_or(new.max_tokens, |limit| limit.min(new.max_tokens));
            Seq2Seq::fresh(&encoder_decoder(new)?, &new.tokenizer, Some(limit), Key::new(config.seed).derive(0))?
        }
        (None, None) => return Err(Error::value("model", "needs path or new")),
    };
    let prompt = tasks.iter().find_map(|task| match &task.recipe {
        RecipeConfig::QueryGeneration(recipe) => Some(recipe.prompt.clone()),
        _ => None,
    });
    model.set_prompt(prompt);
    model.set_precision(config.model.precision()?);
    model.set_device(device(config)?)?;
    Ok(model)
}

/// mT5's form, with ids as the tokenizer has them.
fn encoder_decoder(new: &NewModelConfig) -> Result<Mt5Config> {
    let tokenizer = Tokenizer::load(&new.tokenizer)?;
    let decoder_layers = new.decoder_layers.unwrap_or(new.layers);
    check_transformer(new)?;
    if decoder_layers == 0 {
        return Err(Error::value("model.new.decoder_layers", "must be positive"));
    }
    let pad_id = tokenizer.pad_id()?;
    Ok(Mt5Config {
        family: Mt5Family::Mt5,
        vocab_size: tokenizer.vocab_size(),
        d_model: new.hidden_size,
        d_kv: new.hidden_size / new.heads,
        d_ff: new.intermediate_size.unwrap_or(4 * new.hidden_size),
        layers: new.layers,
        decoder_layers,
        heads: new.heads,
        buckets: 32,
        max_distance: 128,
        dropout: 0.1,
        norm_eps: 1e-6,
        feed_forward: FeedForward::GatedGelu,
        tied: false,
        scaled: false,
        pad_id,
        eos_id: tokenizer.end_id()?,
        decoder_start_id: pad_id,
        prompt: None,
    })
}

fn new_layout(new: &NewModelConfig, overrides: &Overrides) -> Result<FolderLayout> {
    let tokenizer = Tokenizer::load(&new.tokenizer)?;
    let vocab = tokenizer.vocab_size();
    if new.hidden_size == 0 {
        return Err(Error::value("model.new.hidden_size", "must be positive"));
    }
    let architecture = match new.architecture {
        Architecture::Static => ArchitectureConfig::Static(StaticConfig { vocab, dim: new.hidden_size }),
        Architecture::XlmRoberta => ArchitectureConfig::Bert(transformer(new, vocab, tokenizer.pad_id()?)?),
        Architecture::Mt5 => return Err(Error::value("model.new.architecture", "mt5 is no encoder of embeddings")),
    };
    Ok(FolderLayout {
        max_tokens: [architecture.max_tokens(), overrides.max_tokens].into_iter().flatten().min(),
        architecture,
        weights: Vec::new(),
        tokenizer: new.tokenizer.clone(),
        lowercase: false,
        pooling: overrides.pooling.unwrap_or(Pooling::Mean),
        include_prompt: true,
        dense: Vec::new(),
        normalize: overrides.normalize.unwrap_or(true),
        prompts: Default::default(),
        default_prompt_name: None,
        similarity: Some("cosine".into()),
    })
}

fn check_transformer(new: &NewModelConfig) -> Result<()> {
    match new.layers == 0 || new.heads == 0 || new.hidden_size == 0 || !new.hidden_size.is_multiple_of(new.heads) {
        true => Err(Error::value("model.new", "a transformer needs layers, and heads that divide hidden_size")),
        false => Ok(()),
    }
}

fn transformer(new: &NewModelConfig, vocab_size: usize, pad_id: u32) -> Result<BertConfig> {
    check_transformer(new)?;
    Ok(BertConfig {
        family: BertFamily::XlmRoberta,
        vocab_size,
        hidden_size: new.hidden_size,
        layers: new.layers,
        heads: new.heads,
        intermediate_size: new.intermediate_size.unwrap_or(4 * new.hidden_size),
        max_position_embeddings: new.max_tokens + pad_id as usize + 1,
        type_vocab_size: 1,
        layer_norm_eps: 1e-5,
        activation: isogloss_model::Activation::Gelu,
        hidden_dropout: 0.1,
        attention_dropout: 0.1,
        pad_id,
        positions: Positions::AfterPad { pad_id },
    })
}

/// Seed, versions and the hash of every file of data.
fn manifest(config: &RunConfig) -> Result<Value> {
    let mut files = serde_json::Map::new();
    for DataConfig { path, .. } in config.tasks()?.iter().flat_map(|task| &task.data) {
        for file in data_files(path)? {
            files.insert(file.display().to_string(), json!(file_hash(&file)?));
        }
    }
    Ok(json!({
        "isogloss": env!("CARGO_PKG_VERSION"),
        "cpu": isogloss_engine::Isa::current().to_string(),
        "seed": config.seed,
        "data_xxh3": files,
    }))
}

/// The files of a data set: itself, those of its folder, or those whose name it begins (Moses pairs).
fn data_files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let (folder, prefix) = match (path.is_dir(), path.parent(), path.file_name()) {
        (true, ..) => (path, String::new()),
        (false, Some(parent), Some(name)) if parent.is_dir() => (parent, format!("{}.", name.to_string_lossy())),
        _ => return Err(Error::io(path, std::io::ErrorKind::NotFound.into())),
    };
    let entries = fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.retain(|f| f.is_file() && f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&prefix)));
    files.sort();
    if files.is_empty() { Err(Error::io(path, std::io::ErrorKind::NotFound.into())) } else { Ok(files) }
}

/// Hash of what decides the result of a run.
fn fingerprint(config: &RunConfig, manifest: &Value) -> Result<String> {
    let config = serde_json::to_string(config).map_err(|e| Error::value("run", e.to_string()))?;
    let mut hash = Xxh3::new();
    hash.update(config.as_bytes());
    hash.update(manifest["data_xxh3"].to_string().as_bytes());
    Ok(format!("{:032x}", hash.digest128()))
}

fn write_beside(config: &RunConfig, manifest: &Value) -> Result<()> {
    let resolved = toml::to_string(config).map_err(|e| Error::value("run", e.to_string()))?;
    isogloss_ir::write_atomic(config.out.join("run.toml"), resolved.as_bytes())?;
    isogloss_ir::write_atomic(config.out.join("manifest.json"), format!("{manifest:#}\n").as_bytes())?;
    Ok(())
}
