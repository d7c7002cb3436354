//! From a model's name to its folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of `name`: itself where it is one; else the snapshot of `org/model` in the local Hugging Face cache
/// (`HF_HUB_CACHE`, `HF_HOME/hub` or `~/.cache/huggingface/hub`); else, built with the feature `hub`, downloaded.
///
/// # Errors
/// [`Error::NotFound`] where it is none of these; [`Error::Hub`] where the download fails.
pub fn resolve(name: &str) -> Result<PathBuf> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    let cache = cache_folder(|variable| env::var_os(variable).map(PathBuf::from));
    match snapshot(&cache, name) {
        Some(folder) => Ok(folder),
        None => download(name, &cache),
    }
}

/// Where the tools of Hugging Face keep what they downloaded.
fn cache_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    let home = || variable("HOME").unwrap_or_default().join(".cache");
    let hub = || {
        let base = variable("HF_HOME");
        base.unwrap_or_else(|| variable("XDG_CACHE_HOME").unwrap_or_else(home).join("huggingface")).join("hub")
    };
    variable("HF_HUB_CACHE").unwrap_or_else(hub)
}

/// The snapshot that `main` stands for.
fn snapshot(cache: &Path, name: &str) -> Option<PathBuf> {
    if !is_model_name(name) {
        return None;
    }
    let model = cache.join(format!("models--{}", name.replace('/', "--")));
    let commit = fs::read_to_string(model.join("refs/main")).ok()?;
    let folder = model.join("snapshots").join(commit.trim());
    // A download that broke off leaves a snapshot without weights.
    let whole = folder.join("model.safetensors").exists() || folder.join("model.safetensors.index.json").exists();
    let parts = folder.join("modules.json").exists();
    (whole || parts).then_some(folder)
}

/// `model` or `org/model`, of the characters that the hub allows.
fn is_model_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
    name.split('/').count() <= 2 && name.split('/').all(part)
}

#[cfg(not(feature = "hub"))]
fn download(name: &str, cache: &Path) -> Result<PathBuf> {
    Err(Error::NotFound { name: name.to_owned(), cache: cache.to_owned() })
}

#[cfg(feature = "hub")]
fn download(name: &str, cache: &Path) -> Result<PathBuf> {
    if !is_model_name(name) {
        return Err(Error::NotFound { name: name.to_owned(), cache: cache.to_owned() });
    }
    let failed = |e: hf_hub::HFError| Error::Hub { name: name.to_owned(), message: e.to_string() };
    let (owner, model) = name.split_once('/').unwrap_or(("", name));
    let client = hf_hub::HFClientSync::new().map_err(failed)?;
    let wanted = ["*.json", "*.safetensors", "*.txt", "*.md"].map(str::to_owned).to_vec();
    client.model(owner, model).snapshot_download().allow_patterns(wanted).send().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(resolve(dir.path().to_str().unwrap()).unwrap(), dir.path());
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        let with = |set: &'static [(&'static str, &'static str)]| {
            cache_folder(move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert_eq!(with(&[("HOME", "/h")]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(with(&[("HF_HOME", "/f"), ("XDG_CACHE_HOME", "/x")]), Path::new("/f/hub"));
        assert_eq!(with(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/f")]), Path::new("/c"));
    }

    #[test]
    fn a_whole_snapshot_is_found() {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--org--model");
        let folder = model.join("snapshots/abc");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "abc\n").unwrap();
        assert_eq!(snapshot(cache.path(), "org/model"), None);
        fs::write(folder.join("model.safetensors"), "").unwrap();
        assert_eq!(snapshot(cache.path(), "org/model"), Some(folder));
        assert_eq!(snapshot(cache.path(), "org/other"), None);
    }

    #[test]
    fn only_names_are_looked_up() {
        for name in ["org/model", "model", "a-b/c_d.1"] {
            assert!(is_model_name(name), "{name}");
        }
        for name in ["../model", "a/b/c", "/etc", "a//b", "", "a/.."] {
            assert!(!is_model_name(name), "{name}");
        }
    }
}
