//! A model as the verbs use it: the encoder, its name and the hash of its files.

use isogloss_dense::{EncodeOptions, Side};
use isogloss_ir::Error;
use isogloss_model::{BiEncoder, Overrides, Pooling};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What may be asked of a model over what its folder says.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelOptions {
    /// Pooling of token vectors, over what the model's folder says.
    #[arg(long, value_name = "cls|mean|last")]
    pub pooling: Option<Pooling>,

    /// Whether vectors are L2-normalised, over what the model's folder says.
    #[arg(long, value_name = "true|false")]
    pub normalize: Option<bool>,

    /// Longest text in tokens; the rest of a longer one is cut off.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_tokens: Option<usize>,
}

impl ModelOptions {
    /// As the model takes them.
    pub fn overrides(&self) -> Overrides {
        Overrides { pooling: self.pooling, normalize: self.normalize, max_tokens: self.max_tokens }
    }
}

/// Parses a whole number of at least 1.
///
/// # Errors
/// It is none.
pub fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number of at least 1".into())
}

/// A loaded model.
pub struct Model {
    /// What encodes.
    pub encoder: Arc<BiEncoder>,
    /// For people: the last part of its folder, or its name on the hub.
    pub name: String,
    /// Of its files: what tells it from any other.
    pub hash: String,
}

impl Model {
    /// Loads a model folder, or a model of the local cache or the hub by name.
    ///
    /// # Errors
    /// As [`BiEncoder::load`].
    pub fn load(name: &str, overrides: &Overrides) -> anyhow::Result<Self> {
        let folder = isogloss_model::resolve(name)?;
        let encoder = Arc::new(BiEncoder::load(name, overrides)?);
        Ok(Self { encoder, name: short_name(name, &folder), hash: hash(&folder)? })
    }

    /// How this model's vectors are stored.
    pub fn encode_options(&self, side: Side) -> EncodeOptions {
        let layout = self.encoder.layout();
        let length = layout.max_tokens.map_or("none".to_owned(), |n| n.to_string());
        EncodeOptions {
            model: self.name.clone(),
            model_hash: self.hash.clone(),
            side,
            pooling: layout.pooling.to_string(),
            settings: format!("normalize={} max_tokens={length}", layout.normalize),
            ..EncodeOptions::default()
        }
    }
}

/// Whether vectors stored under these settings were normalised.
pub fn normalized(settings: &str) -> Option<bool> {
    settings.split_whitespace().find_map(|setting| setting.strip_prefix("normalize=")?.parse().ok())
}

fn short_name(name: &str, folder: &Path) -> String {
    if !Path::new(name).is_dir() {
        return name.to_owned();
    }
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| name.to_owned(), |last| last.to_string_lossy().into_owned())
}

/// Hash of all weights, tokenizers and configurations of a model's folder, with their places in it.
///
/// # Errors
/// The folder cannot be read.
pub fn hash(folder: &Path) -> isogloss_ir::Result<String> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let mut hash = Xxh3::new();
    for file in files {
        let place = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
        let mut reader = fs::File::open(&file).map_err(|e| Error::io(&file, e))?;
        let bytes = reader.metadata().map_err(|e| Error::io(&file, e))?.len();
        hash.update(format!("{place}\n{bytes}\n").as_bytes());
        std::io::copy(&mut reader, &mut HashWriter(&mut hash)).map_err(|e| Error::io(&file, e))?;
    }
    Ok(format!("{:032x}", hash.digest128()))
}

/// Lets a hash be written to.
struct HashWriter<'a>(&'a mut Xxh3);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The `.json` and `.safetensors` files below `folder`: cards and pictures do not change vectors.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> isogloss_ir::Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "json" || e == "safetensors") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_names_and_bytes_of_what_makes_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("model.safetensors", "a");
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        let first = hash(folder.path()).unwrap();
        write("README.md", "words");
        assert_eq!(hash(folder.path()).unwrap(), first);
        write("1_Pooling/config.json", "{}");
        let second = hash(folder.path()).unwrap();
        write("1_Pooling/config.json", "[]");
        let third = hash(folder.path()).unwrap();
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn settings_tell_of_normalisation() {
        assert_eq!(normalized("normalize=true max_tokens=none"), Some(true));
        assert_eq!(normalized(""), None);
    }
}
