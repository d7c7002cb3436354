//! From a folder to its [`FolderLayout`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::FolderLayout;
use super::modules::{Module, read_dense, read_modules, read_pooling};
use crate::config::keys::Keys;
use crate::config::{ArchitectureConfig, StaticConfig};
use crate::error::{Error, Result};
use crate::pooling::Pooling;

/// Names of the transformer module's own settings; the first that is there counts.
const TRANSFORMER_CONFIGS: [&str; 4] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_distilbert_config.json",
];

/// A `model_max_length` beyond this says that there is none.
const NO_LENGTH: f64 = 1e9;

impl FolderLayout {
    /// Reads a sentence-transformers folder of either dialect, or the folder of a bare transformer.
    ///
    /// `pooling` overrides what the folder says.
    ///
    /// # Errors
    /// [`Error::PoolingUnknown`] for a bare transformer without `pooling`; a module, architecture, pooling or
    /// activation that is not supported, with the supported ones; a missing file or key, by name.
    pub fn read(folder: &Path, pooling: Option<Pooling>) -> Result<Self> {
        if !folder.join("modules.json").exists() {
            let pooling = pooling.ok_or_else(|| Error::PoolingUnknown { path: folder.to_owned() })?;
            return with_prompts(transformer(folder, pooling)?, folder);
        }
        let modules = read_modules(folder)?;
        let mut layout = match modules[0].0 {
            Module::StaticEmbedding => static_embedding(&modules[0].1)?,
            _ => transformer(&modules[0].1, Pooling::Mean)?,
        };
        for (module, place) in &modules[1..] {
            match module {
                Module::Pooling => (layout.pooling, layout.include_prompt) = read_pooling(place)?,
                Module::Dense => layout.dense.push(read_dense(place)?),
                _ => layout.normalize = true,
            }
        }
        layout.pooling = pooling.unwrap_or(layout.pooling);
        check_dense(&layout)?;
        with_prompts(layout, folder)
    }
}

fn transformer(folder: &Path, pooling: Pooling) -> Result<FolderLayout> {
    let architecture = ArchitectureConfig::read(&folder.join("config.json"))?;
    let (length, lowercase) = transformer_settings(folder)?;
    // Of a bare transformer a learned position table says how long texts can be; else the tokenizer does.
    let by_table = !folder.join("modules.json").exists() && matches!(architecture, ArchitectureConfig::Bert(_));
    let length = if length.is_none() && !by_table { tokenizer_length(folder)? } else { length };
    let max_tokens = [length, architecture.max_tokens()].into_iter().flatten().min();
    let weights = weight_files(folder)?;
    let tokenizer = folder.to_owned();
    Ok(FolderLayout { lowercase, max_tokens, ..bare(architecture, weights, tokenizer, pooling) })
}

fn static_embedding(folder: &Path) -> Result<FolderLayout> {
    let path = folder.join("model.safetensors");
    let shape = tensor_shape(&path, &["embedding.weight", "embeddings"])?;
    let [vocab, dim] = shape[..] else {
        let problem = format!("shape {shape:?}, must be [vocab, dim]");
        return Err(Error::Tensor { path, tensor: "embedding.weight".to_owned(), problem });
    };
    let architecture = ArchitectureConfig::Static(StaticConfig { vocab, dim });
    Ok(bare(architecture, vec![path], folder.to_owned(), Pooling::Mean))
}

fn bare(architecture: ArchitectureConfig, weights: Vec<PathBuf>, tokenizer: PathBuf, pooling: Pooling) -> FolderLayout {
    FolderLayout {
        architecture,
        weights,
        tokenizer,
        lowercase: false,
        max_tokens: None,
        pooling,
        include_prompt: true,
        dense: Vec::new(),
        normalize: false,
        prompts: BTreeMap::new(),
        default_prompt_name: None,
        similarity: None,
    }
}

/// Length and lowering from the transformer module's own file; the newer dialect leaves both to the tokenizer.
fn transformer_settings(folder: &Path) -> Result<(Option<usize>, bool)> {
    let Some(path) = TRANSFORMER_CONFIGS.iter().map(|name| folder.join(name)).find(|path| path.exists()) else {
        return Ok((None, false));
    };
    let keys = Keys::read(&path)?;
    Ok((keys.uint_opt("max_seq_length")?, keys.bool_or("do_lower_case", false)?))
}

fn tokenizer_length(folder: &Path) -> Result<Option<usize>> {
    let path = folder.join("tokenizer_config.json");
    if !path.exists() {
        return Ok(None);
    }
    let length = Keys::read(&path)?.float_or("model_max_length", f64::INFINITY)?;
    Ok((length < NO_LENGTH).then_some(length as usize))
}

/// `model.safetensors`, or all files that its index names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (whole, index) = (folder.join("model.safetensors"), folder.join("model.safetensors.index.json"));
    if whole.exists() {
        return Ok(vec![whole]);
    }
    if !index.exists() {
        let cure = "convert pytorch_model.bin with transformers' save_pretrained, which writes it";
        return Err(Error::Missing { path: whole, cure });
    }
    let keys = Keys::read(&index)?;
    let map = keys.object("weight_map")?.ok_or_else(|| keys.wrong("weight_map", "an object", None))?;
    let names: BTreeSet<&str> = map.value.as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str()).collect();
    let files: Vec<PathBuf> = names.into_iter().map(|name| folder.join(name)).collect();
    match files.iter().find(|file| !file.exists()) {
        None => Ok(files),
        Some(file) => Err(Error::Missing { path: file.clone(), cure: "download the whole model: its index names it" }),
    }
}

/// Shape of the first of `names` in a safetensors file, from its header alone.
fn tensor_shape(path: &Path, names: &[&str]) -> Result<Vec<usize>> {
    let problem = |problem: String| Error::Tensor { path: path.to_owned(), tensor: names[0].to_owned(), problem };
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(Error::io("read", path))?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut header).map_err(Error::io("read", path))?;
    let header: Value = serde_json::from_slice(&header).map_err(|e| problem(format!("broken header: {e}")))?;
    let shape = names.iter().find_map(|name| header.get(name)?.get("shape")?.as_array());
    let shape = shape.ok_or_else(|| problem("not there".to_owned()))?;
    Ok(shape.iter().filter_map(Value::as_u64).map(|n| n as usize).collect())
}

/// Each layer must take what the one before it gives.
fn check_dense(layout: &FolderLayout) -> Result<()> {
    let mut dim = layout.architecture.hidden_size();
    for layer in &layout.dense {
        if layer.in_features != dim {
            let problem = format!("in_features is {}, but {dim} numbers come in", layer.in_features);
            return Err(Error::Tensor { path: layer.weights.clone(), tensor: "linear.weight".to_owned(), problem });
        }
        dim = layer.out_features;
    }
    Ok(())
}

fn with_prompts(mut layout: FolderLayout, folder: &Path) -> Result<FolderLayout> {
    let path = folder.join("config_sentence_transformers.json");
    if !path.exists() {
        return Ok(layout);
    }
    let keys = Keys::read(&path)?;
    layout.similarity = keys.string_opt("similarity_fn_name")?.map(str::to_owned);
    if let Some(prompts) = keys.object("prompts")? {
        for (name, _) in prompts.value.as_object().into_iter().flatten() {
            if let Some(prompt) = prompts.string_opt(name)? {
                layout.prompts.insert(name.clone(), prompt.to_owned());
            }
        }
    }
    layout.default_prompt_name = keys.string_opt("default_prompt_name")?.map(str::to_owned);
    match &layout.default_prompt_name {
        Some(name) if !layout.prompts.contains_key(name) => {
            Err(keys.wrong("default_prompt_name", "a name in prompts", keys.get("default_prompt_name")))
        }
        _ => Ok(layout),
    }
}
