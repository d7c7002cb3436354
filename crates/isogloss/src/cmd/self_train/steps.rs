//! What is done of a long task: its plan, and a hash of everything written, in one file; what is there is not made again.

use crate::exit::Fault;
use crate::files::check_ours;
use crate::hashes::{first_change, hashes, revision};
use isogloss_ir::{Error, lock_folder, write_atomic};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The file of a folder of ours.
const MANIFEST: &str = "manifest.json";

#[derive(Serialize, Deserialize)]
struct Manifest {
    /// Everything that decides what is written, by dotted keys.
    plan: Value,
    /// Hashes of what was written, by its place in the folder.
    done: BTreeMap<String, String>,
}

/// A folder in which a task is under way.
pub struct Steps {
    out: PathBuf,
    manifest: Manifest,
    _lock: File,
}

impl Steps {
    /// Begins in `out`, or goes on with what the same plan began there.
    ///
    /// # Errors
    /// It holds other files or what another plan began, another process is at work in it, or the disk fails.
    pub fn open(out: &Path, plan: &Value) -> anyhow::Result<Self> {
        check_ours(out, MANIFEST)?;
        let mut flat = Map::new();
        flatten("", plan, &mut flat);
        let (path, plan) = (out.join(MANIFEST), Value::Object(flat));
        let begun: Option<Manifest> = path.exists().then(|| read(&path)).transpose()?;
        if let Some((key, what)) = begun.as_ref().and_then(|begun| first_change(&begun.plan, &plan)) {
            let problem = format!("{key} {what} since this was begun; give what was given then, or another `out`");
            return Err(Fault::new(&path, problem).into());
        }
        fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
        let lock = lock_folder(out).map_err(|e| Error::io(out, e))?;
        let lock = lock.ok_or_else(|| Fault::new(out, "another process is at work there; wait for it"))?;
        let manifest = begun.unwrap_or(Manifest { plan, done: BTreeMap::new() });
        let steps = Self { out: out.to_owned(), manifest, _lock: lock };
        steps.write()?;
        Ok(steps)
    }

    /// The place of something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Lets `make` write the file or folder `name`, unless it is there as it was written before; returns its place. What a
    /// kill left of it `make` goes on with.
    ///
    /// # Errors
    /// It is not what was written before, or what `make` fails with.
    pub fn step(&mut self, name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        if let Some(hash) = self.manifest.done.get(name).filter(|_| path.exists()) {
            return match revision(&hashes(&path)?) == *hash {
                true => Ok(path),
                false => Err(Fault::new(&path, "is not as it was written; delete it, and it is made again").into()),
            };
        }
        let folder = path.parent().unwrap_or(&self.out);
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        eprintln!("{name}");
        make(&path)?;
        self.manifest.done.insert(name.to_owned(), revision(&hashes(&path)?));
        self.write()?;
        Ok(path)
    }

    fn write(&self) -> anyhow::Result<()> {
        write_json(&self.out.join(MANIFEST), &json!(self.manifest))
    }
}

/// Writes JSON for people to read, whole or not at all.
///
/// # Errors
/// The disk's.
pub fn write_json(path: &Path, value: &Value) -> anyhow::Result<()> {
    Ok(write_atomic(path, format!("{value:#}\n").as_bytes())?)
}

/// Reads JSON that was written here.
///
/// # Errors
/// It is not there, or damaged.
pub fn read_json(path: &Path) -> anyhow::Result<Value> {
    read(path)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<T> {
    let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
    let damaged = |problem| Fault::new(path, format!("is damaged ({problem}); delete it, and it is made again"));
    Ok(serde_json::from_slice(&bytes).map_err(damaged)?)
}

/// Values by dotted keys.
fn flatten(at: &str, value: &Value, flat: &mut Map<String, Value>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&below(key), value, flat)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| flatten(&below(&i.to_string()), value, flat))
        }
        other => drop(flat.insert(at.to_owned(), other.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_not_made_again_and_what_was_changed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let plan = |steps: u32| json!({"config": {"steps": steps, "langs": ["fa", "ja"]}});
        let write = |path: &Path| Ok(fs::write(path, "x")?);
        let mut steps = Steps::open(&out, &plan(1)).unwrap();
        assert_eq!(steps.step("a/b", write).unwrap(), out.join("a/b"));
        assert!(Steps::open(&out, &plan(1)).err().unwrap().to_string().contains("another process"));
        drop(steps);
        let other = Steps::open(&out, &plan(2)).err().unwrap().to_string();
        assert!(other.contains("config.steps has changed") && other.contains("another `out`"), "{other}");
        let mut steps = Steps::open(&out, &plan(1)).unwrap();
        steps.step("a/b", |_| unreachable!("it is done")).unwrap();
        fs::write(out.join("a/b"), "y").unwrap();
        assert!(steps.step("a/b", write).unwrap_err().to_string().contains("not as it was written"));
        fs::remove_file(out.join("a/b")).unwrap();
        steps.step("a/b", write).unwrap();
        assert_eq!(fs::read(out.join("a/b")).unwrap(), b"x");
    }
}
