//! From a run file to a trained model folder, with everything the run depended on written beside it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use isogloss_engine::Key;
use isogloss_engine::optim::AdamW;
use isogloss_model::{
    ArchitectureConfig, BertConfig, BertFamily, BiEncoder, FolderLayout, Overrides, Pooling, Positions, StaticConfig,
    Tokenizer,
};
use serde_json::{Value, json};
use xxhash_rust::xxh3::Xxh3;

use crate::checkpoint::{self, checkpoint_path};
use crate::config::{Architecture, DataConfig, NewModelConfig, RunConfig};
use crate::dev::DevSet;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::recipes;
use crate::task::Task;
use crate::trainer::{Observer, Outcome, Trainer};

/// Trains the model of a run, from its checkpoint if `resume` is set and there is one.
///
/// Writes into `config.out`: `model/` (the result), `log.jsonl` (a line per step and per evaluation), `run.toml` (the configuration with
/// every default filled in), `manifest.json` (seed, versions, hashes of the data) and, until the end, `checkpoint.safetensors`.
///
/// # Errors
/// A data set or model cannot be read, the directory holds another run, or training fails.
pub fn train(config: RunConfig, resume: bool, observer: &mut dyn Observer) -> Result<Outcome> {
    let Prepared { manifest, fingerprint, model, tasks } = prepare(&config, resume)?;
    fs::create_dir_all(&config.out).map_err(|e| Error::io(&config.out, e))?;
    write_beside(&config, &manifest)?;
    Trainer::new(config, model, tasks, fingerprint)?.run(observer)
}

/// What the run would train on and need, without training it. Writes nothing.
///
/// # Errors
/// Whatever [`train`] finds wrong before its first step.
pub fn plan(config: &RunConfig, resume: bool) -> Result<Plan> {
    let Prepared { fingerprint, mut model, mut tasks, .. } = prepare(config, resume)?;
    let mut optimizer = AdamW::new(config.optimizer.adamw());
    let state = checkpoint::load(&config.out, &fingerprint, &mut model, &mut tasks, &mut optimizer)?;
    config.evaluate.as_ref().map(DevSet::load).transpose()?;
    Plan::new(config, &model, tasks, state.map_or(0, |state| state.step))
}

/// What a run starts from.
struct Prepared {
    manifest: Value,
    fingerprint: String,
    model: BiEncoder,
    tasks: Vec<Box<dyn Task>>,
}

fn prepare(config: &RunConfig, resume: bool) -> Result<Prepared> {
    check_place(&config.out)?;
    check_output(config, resume)?;
    let manifest = manifest(config)?;
    let fingerprint = fingerprint(config, &manifest)?;
    let model = start_model(config)?;
    let tasks = tasks(config, &model)?;
    Ok(Prepared { manifest, fingerprint, model, tasks })
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

/// The tasks of a run, their data read.
fn tasks(config: &RunConfig, model: &BiEncoder) -> Result<Vec<Box<dyn Task>>> {
    let key = Key::new(config.seed).derive(1);
    let tasks = config.tasks()?;
    let numbered = tasks.iter().enumerate();
    numbered.map(|(n, task)| recipes::task(config, task, model, key.derive(n as u64))).collect()
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
    };
    let mut model = match (&config.model.path, &config.model.new) {
        (Some(path), _) => BiEncoder::load(path, &overrides)?,
        (None, Some(new)) => BiEncoder::fresh(new_layout(new, &overrides)?, Key::new(config.seed).derive(0))?,
        (None, None) => return Err(Error::value("model", "needs path or new")),
    };
    model.set_prompts(config.model.query_prompt.as_deref(), config.model.passage_prompt.as_deref());
    Ok(model)
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

fn transformer(new: &NewModelConfig, vocab_size: usize, pad_id: u32) -> Result<BertConfig> {
    if new.layers == 0 || new.heads == 0 || !new.hidden_size.is_multiple_of(new.heads) {
        return Err(Error::value("model.new", "a transformer needs layers, and heads that divide hidden_size"));
    }
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

fn file_hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let (mut hash, mut block) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(|e| Error::io(path, e))? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            n => hash.update(&block[..n]),
        }
    }
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
