//! Hashes of files, by which a result knows its data again.

use isogloss_ir::{Error, file_hash};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// The hash of a file, or of every file of a folder (hidden ones aside) by its place.
///
/// # Errors
/// Something cannot be read.
pub fn hashes(path: &Path) -> isogloss_ir::Result<Value> {
    if path.is_file() {
        return Ok(file_hash(path)?.into());
    }
    let mut files = Vec::new();
    list(path, &mut files)?;
    files.sort();
    hashes_of(path, &files)
}

/// The hashes of files by their places below `folder`.
///
/// # Errors
/// One cannot be read.
pub fn hashes_of(folder: &Path, files: &[PathBuf]) -> isogloss_ir::Result<Value> {
    let mut hashes = Map::new();
    for file in files {
        let place = file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned();
        hashes.insert(place, file_hash(file)?.into());
    }
    Ok(hashes.into())
}

/// One hash for all of what [`hashes`] gives: of a file its own.
pub fn revision(hashes: &Value) -> String {
    match hashes {
        Value::String(hash) => hash.clone(),
        all => format!("{:032x}", xxhash_rust::xxh3::xxh3_128(all.to_string().as_bytes())),
    }
}

/// The first difference of what is there now from what was: the file's place, and what became of it.
pub fn first_change(was: &Value, now: &Value) -> Option<(String, &'static str)> {
    let none = Map::new();
    let (was, now) = match (was, now) {
        (Value::Object(_), Value::Object(_)) => (was.as_object().unwrap_or(&none), now.as_object().unwrap_or(&none)),
        (was, now) => return (was != now).then(|| (String::new(), "has changed")),
    };
    let gone = was.iter().find_map(|(place, hash)| match now.get(place) {
        None => Some((place.clone(), "is gone")),
        Some(other) => (other != hash).then(|| (place.clone(), "has changed")),
    });
    gone.or_else(|| now.keys().find(|place| !was.contains_key(*place)).map(|place| (place.clone(), "is new")))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> isogloss_ir::Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let entry = entry.map_err(|e| Error::io(folder, e))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a", "1");
        write(".hidden", "x");
        let was = hashes(folder.path()).unwrap();
        assert_eq!(first_change(&was, &hashes(folder.path()).unwrap()), None);
        write("b", "2");
        let both = hashes(folder.path()).unwrap();
        assert_eq!(first_change(&was, &both), Some(("b".into(), "is new")));
        assert_eq!(first_change(&both, &was), Some(("b".into(), "is gone")));
        write("a", "3");
        assert_eq!(first_change(&both, &hashes(folder.path()).unwrap()), Some(("a".into(), "has changed")));
        assert_ne!(revision(&was), revision(&both));
        assert_eq!(first_change(&json!("x"), &json!("y")), Some((String::new(), "has changed")));
        assert_eq!(revision(&json!("x")), "x");
    }
}
