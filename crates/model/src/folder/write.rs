//! From a [`FolderLayout`] to a folder, in the dialect that every tool of the field reads.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::FolderLayout;
use super::card::card;
use crate::config::ArchitectureConfig;
use crate::config::keys::read_json;
use crate::error::{Error, Result};
use crate::pooling::Pooling;

/// Keys of `tokenizer_config.json` that `special_tokens_map.json` repeats.
const SPECIAL_KEYS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl FolderLayout {
    /// Writes the folder that sentence-transformers, text-embeddings-inference and ONNX tools load.
    ///
    /// The tokenizer's files are copied from [`FolderLayout::tokenizer`]; `manifest` (how the model was made) goes
    /// into its card. `write_weights` is given the folder being written and puts `model.safetensors` there, and
    /// `N_Dense/model.safetensors` of each dense layer (N from 2; the folders are there). All appears at once: a
    /// model that was at `target` is replaced by rename, and stays whole if anything fails.
    ///
    /// # Errors
    /// [`Error::NotAModel`] where `target` holds anything but a model; weights that were not written; the disk's own.
    pub fn write(&self, target: &Path, manifest: &str, write_weights: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        write_folder(target, |partial| self.write_into(partial, target, manifest, write_weights))
    }

    fn write_into(
        &self,
        folder: &Path,
        target: &Path,
        manifest: &str,
        write_weights: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let modules = self.modules();
        for module in &modules {
            let place = folder.join(module["path"].as_str().unwrap_or_default());
            fs::create_dir_all(&place).map_err(Error::io("create", &place))?;
        }
        write_json(&folder.join("modules.json"), &Value::Array(modules))?;
        self.write_configs(folder)?;
        copy_tokenizer(&self.tokenizer, folder)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        write_text(&folder.join("README.md"), &card(&name, self, manifest))?;
        write_weights(folder)?;
        self.check_weights(folder)
    }

    fn write_configs(&self, folder: &Path) -> Result<()> {
        if let Some(config) = self.architecture.to_json() {
            write_json(&folder.join("config.json"), &config)?;
            let settings = json!({"max_seq_length": self.max_tokens, "do_lower_case": self.lowercase});
            write_json(&folder.join("sentence_bert_config.json"), &settings)?;
            write_json(&folder.join("1_Pooling/config.json"), &self.pooling_config())?;
        }
        for (n, layer) in self.dense.iter().enumerate() {
            let config = json!({
                "in_features": layer.in_features,
                "out_features": layer.out_features,
                "bias": layer.bias,
                "activation_function": layer.activation.class(),
            });
            write_json(&folder.join(dense_folder(self, n)).join("config.json"), &config)?;
        }
        let settings = json!({
            "__version__": {"isogloss": env!("CARGO_PKG_VERSION")},
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self.similarity.as_deref().unwrap_or("cosine"),
        });
        write_json(&folder.join("config_sentence_transformers.json"), &settings)
    }

    /// `modules.json` with the names that came first.
    fn modules(&self) -> Vec<Value> {
        let mut places = match self.architecture {
            ArchitectureConfig::Static(_) => vec![("StaticEmbedding", String::new())],
            _ => vec![("Transformer", String::new()), ("Pooling", "1_Pooling".to_owned())],
        };
        places.extend((0..self.dense.len()).map(|n| ("Dense", dense_folder(self, n))));
        if self.normalize {
            places.push(("Normalize", format!("{}_Normalize", places.len())));
        }
        let module = |(i, (class, path)): (usize, (&str, String))| {
            json!({"idx": i, "name": i.to_string(), "path": path,
                   "type": format!("sentence_transformers.models.{class}")})
        };
        places.into_iter().enumerate().map(module).collect()
    }

    fn pooling_config(&self) -> Value {
        json!({
            "word_embedding_dimension": self.architecture.hidden_size(),
            "pooling_mode_cls_token": self.pooling == Pooling::Cls,
            "pooling_mode_mean_tokens": self.pooling == Pooling::Mean,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false,
            "pooling_mode_lasttoken": self.pooling == Pooling::Last,
            "include_prompt": self.include_prompt,
        })
    }

    fn check_weights(&self, folder: &Path) -> Result<()> {
        let dense = (0..self.dense.len()).map(|n| folder.join(dense_folder(self, n)));
        for place in std::iter::once(folder.to_owned()).chain(dense) {
            let path = place.join("model.safetensors");
            if !path.exists() {
                return Err(Error::Missing { path, cure: "write the tensors of every module before the folder ends" });
            }
        }
        Ok(())
    }
}

/// A model's folder, all at once: `write` is given an empty one, which then takes the place of `target`. What was there stays whole if anything fails.
///
/// # Errors
/// [`Error::NotAModel`] where `target` holds anything but a model; what `write` says; the disk's own.
pub(crate) fn write_folder(target: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    check_target(target)?;
    let partial = sibling(target, "partial");
    remove(&partial)?;
    fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
    match write(&partial).and_then(|()| sync_tree(&partial)).and_then(|()| replace(&partial, target)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The error that led here is the one to report.
            let _ = remove(&partial);
            Err(error)
        }
    }
}

/// Where the weights of dense layer `n` (from 0) go within a model's folder.
fn dense_folder(layout: &FolderLayout, n: usize) -> String {
    let before = if matches!(layout.architecture, ArchitectureConfig::Static(_)) { 1 } else { 2 };
    format!("{}_Dense", before + n)
}

/// Copies `tokenizer.json` and its companions; newer tools leave `special_tokens_map.json` out, older ones need it.
pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<()> {
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
        let source = from.join(name);
        if source.exists() {
            let bytes = fs::read(&source).map_err(Error::io("read", &source))?;
            fs::write(to.join(name), bytes).map_err(Error::io("write", &to.join(name)))?;
        }
    }
    let (config, map) = (to.join("tokenizer_config.json"), to.join("special_tokens_map.json"));
    if map.exists() || !config.exists() {
        return Ok(());
    }
    let config = read_json(&config)?;
    let found = SPECIAL_KEYS.iter().filter_map(|key| Some((key.to_string(), config.get(key)?.clone())));
    write_json(&map, &Value::Object(found.collect()))
}

/// Nothing, an empty folder or a model may be there.
fn check_target(target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let mut entries = fs::read_dir(target).map_err(Error::io("list", target))?;
    let model = target.join("config.json").exists() || target.join("modules.json").exists();
    match model || entries.next().is_none() {
        true => Ok(()),
        false => Err(Error::NotAModel { path: target.to_owned() }),
    }
}

/// `.name.suffix` beside `target`.
fn sibling(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{suffix}"))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(e)),
        _ => Ok(()),
    }
}

/// Puts `partial` in the place of `target`.
fn replace(partial: &Path, target: &Path) -> Result<()> {
    let old = sibling(target, "old");
    remove(&old)?;
    if target.exists() {
        fs::rename(target, &old).map_err(Error::io("move away", target))?;
    }
    fs::rename(partial, target).map_err(Error::io("rename into place", target))?;
    sync(target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    remove(&old)
}

fn sync_tree(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        match path.is_dir() {
            true => sync_tree(&path)?,
            false => sync(&path)?,
        }
    }
    sync(folder)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}

pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_text(path, &format!("{}\n", serde_json::to_string_pretty(value).expect("plain data")))
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io("write", path))
}
