//! Finding a benchmark's files in its folder.

use crate::Lang;
use crate::error::{Error, Result};
use crate::folder;
use std::fs;
use std::path::{Path, PathBuf};

/// The entries of a folder by name.
pub fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let io = |source| Error::io(path, source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

/// The parts of names between `prefix` and `suffix` (which `.gz` or `.zst` may follow), with their paths.
pub fn between(path: &Path, prefix: &str, suffix: &str) -> Result<Vec<(String, PathBuf)>> {
    let part = |(name, path): (String, PathBuf)| {
        let bare = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let part = bare.strip_prefix(prefix)?.strip_suffix(suffix).filter(|part| !part.is_empty())?;
        Some((part.to_owned(), path))
    };
    Ok(entries(path)?.into_iter().filter_map(part).collect())
}

/// The first of `names` below `path`, plain or compressed.
pub fn first(path: &Path, names: &[&str]) -> Result<PathBuf> {
    folder::first_part(path, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

/// A part of a file's name as a language.
pub fn lang(code: &str, path: &Path) -> Result<Lang> {
    code.parse().map_err(|_| Error::LangInName { path: path.into(), got: crate::error::snippet(code) })
}

/// Refuses a folder in which nothing was found.
pub fn some<T>(found: Vec<T>, path: &Path, expected: &str) -> Result<Vec<T>> {
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::FolderPart { path: path.into(), expected: expected.into() }),
    }
}
