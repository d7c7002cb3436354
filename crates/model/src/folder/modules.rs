//! `modules.json` and the small configurations it points to, in both dialects of sentence-transformers.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{DenseActivation, DenseLayer};
use crate::config::keys::{Keys, read_json};
use crate::error::{Error, Result};
use crate::pooling::Pooling;

/// The modules that a model may consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Transformer,
    StaticEmbedding,
    Pooling,
    Dense,
    Normalize,
}

const KNOWN: &str = "Transformer, StaticEmbedding, Pooling, Dense, Normalize of sentence_transformers";

/// The modules in order, each with its folder.
pub(super) fn read_modules(folder: &Path) -> Result<Vec<(Module, PathBuf)>> {
    let path = folder.join("modules.json");
    let value = read_json(&path)?;
    let list = value.as_array().ok_or_else(|| Error::Key {
        path: path.clone(),
        key: "the file".to_owned(),
        expected: "a list of modules",
        got: value.to_string(),
    })?;
    let modules: Result<Vec<_>> = list.iter().map(|entry| read_module(folder, &path, entry)).collect();
    let modules = modules?;
    check_order(&path, &modules)?;
    Ok(modules)
}

/// Both `sentence_transformers.models.Pooling` and `sentence_transformers.….modules.pooling.Pooling` are Pooling.
fn read_module(folder: &Path, path: &Path, entry: &Value) -> Result<(Module, PathBuf)> {
    let keys = Keys::new(path, entry.clone())?;
    let class = keys.string("type")?;
    let own = class.strip_prefix("sentence_transformers.").and_then(|c| c.rsplit('.').next());
    let module = match own {
        Some("Transformer") => Module::Transformer,
        Some("StaticEmbedding") => Module::StaticEmbedding,
        Some("Pooling") => Module::Pooling,
        Some("Dense") => Module::Dense,
        Some("Normalize") => Module::Normalize,
        _ => return Err(keys.unsupported("type", class, KNOWN)),
    };
    let place = match keys.string("path")? {
        "" => folder.to_owned(),
        inner => folder.join(inner),
    };
    Ok((module, place))
}

/// Transformer and Pooling, or StaticEmbedding; then any Dense; then at most one Normalize.
fn check_order(path: &Path, modules: &[(Module, PathBuf)]) -> Result<()> {
    let kinds: Vec<Module> = modules.iter().map(|(kind, _)| *kind).collect();
    let rest = match kinds.as_slice() {
        [Module::Transformer, Module::Pooling, rest @ ..] | [Module::StaticEmbedding, rest @ ..] => Some(rest),
        _ => None,
    };
    let rest = rest.map(|rest| rest.strip_suffix(&[Module::Normalize]).unwrap_or(rest));
    if rest.is_some_and(|rest| rest.iter().all(|kind| *kind == Module::Dense)) {
        return Ok(());
    }
    Err(Error::Key {
        path: path.to_owned(),
        key: "the order of modules".to_owned(),
        expected: "Transformer, Pooling (or StaticEmbedding), any Dense, at most one Normalize",
        got: format!("{kinds:?}"),
    })
}

const LEGACY_MODES: [(&str, &str); 6] = [
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("pooling_mode_weightedmean_tokens", "weightedmean"),
    ("pooling_mode_lasttoken", "lasttoken"),
];

/// The pooling, and whether the prompt takes part in it.
pub(super) fn read_pooling(folder: &Path) -> Result<(Pooling, bool)> {
    let keys = Keys::read(&folder.join("config.json"))?;
    let modes: Vec<String> = match keys.get("pooling_mode") {
        Some(Value::Array(list)) => list.iter().map(|m| m.as_str().unwrap_or_default().to_owned()).collect(),
        Some(_) => vec![keys.string("pooling_mode")?.to_owned()],
        None => legacy_modes(&keys)?,
    };
    let pooling = match modes.as_slice() {
        [one] => Pooling::ALL.into_iter().find(|pooling| pooling.module_name() == one),
        _ => None,
    };
    let known = "one of cls, mean, lasttoken";
    let pooling = pooling.ok_or_else(|| keys.unsupported("pooling_mode", modes.join(" + "), known))?;
    Ok((pooling, keys.bool_or("include_prompt", true)?))
}

fn legacy_modes(keys: &Keys) -> Result<Vec<String>> {
    let mut modes = Vec::new();
    for (key, mode) in LEGACY_MODES {
        if keys.bool_or(key, false)? {
            modes.push(mode.to_owned());
        }
    }
    if modes.is_empty() {
        modes.push("mean".to_owned());
    }
    Ok(modes)
}

/// A layer after the pooling.
pub(super) fn read_dense(folder: &Path) -> Result<DenseLayer> {
    let keys = Keys::read(&folder.join("config.json"))?;
    for key in ["module_input_name", "module_output_name"] {
        match keys.string_opt(key)? {
            None | Some("sentence_embedding") => {}
            Some(other) => return Err(keys.unsupported(key, other, "sentence_embedding")),
        }
    }
    if keys.bool_or("use_residual", false)? {
        return Err(keys.unsupported("use_residual", "true", "false"));
    }
    let class = keys.string_opt("activation_function")?.unwrap_or("torch.nn.modules.activation.Tanh");
    let activation = DenseActivation::of_class(class)
        .ok_or_else(|| keys.unsupported("activation_function", class, "torch.nn Identity, Tanh, ReLU, GELU"))?;
    let weights = folder.join("model.safetensors");
    if !weights.exists() {
        let cure = "convert the layer's pytorch_model.bin to safetensors (tensors linear.weight, linear.bias)";
        return Err(Error::Missing { path: weights, cure });
    }
    Ok(DenseLayer {
        in_features: keys.positive("in_features")?,
        out_features: keys.positive("out_features")?,
        bias: keys.bool_or("bias", true)?,
        activation,
        weights,
    })
}
