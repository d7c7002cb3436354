//! A mining under way: blocks of queries that are done, on disk beside the output, so that a killed run goes on.

use crate::BLOCK;
use crate::error::{Error, Result};
use isogloss_ir::{AtomicFile, lock_folder, write_atomic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The folder `OUT.mining`: `plan.json`, and for every block its rows and, written last, what is to be reported of it.
pub(crate) struct Work {
    folder: PathBuf,
    _lock: File,
}

impl Work {
    /// Begins, or goes on with what was begun by the same plan.
    ///
    /// # Errors
    /// Another plan, another process, or the disk.
    pub(crate) fn begin(out: &Path, plan: &Value) -> Result<Self> {
        let folder = work_folder(out)?;
        let lock = lock_folder(&folder).map_err(Error::io("lock", &folder))?;
        let work = Self { _lock: lock.ok_or_else(|| Error::Locked { path: folder.clone() })?, folder };
        let path = work.folder.join("plan.json");
        if path.exists() {
            let stored: Value = read_json(&path)?;
            same(&path, "", &stored, plan)?;
        } else {
            write_json(&path, plan)?;
        }
        Ok(work)
    }

    /// What is to be reported of block `at`; where it is not done yet, `make` gives that and the block's rows.
    ///
    /// # Errors
    /// What `make` fails with, or the disk.
    pub(crate) fn block<T: Serialize + DeserializeOwned>(
        &self,
        at: usize,
        make: impl FnOnce() -> Result<(T, Vec<u8>)>,
    ) -> Result<T> {
        let path = self.folder.join(format!("report-{at:05}.json"));
        if path.exists() {
            return read_json(&path);
        }
        let (report, rows) = make()?;
        write_atomic(self.rows(at), &rows)?;
        write_json(&path, &report)?;
        Ok(report)
    }

    /// Writes the report beside `out`, as `OUT.report.json` and, for people, `OUT.report.txt`, joins the rows of the first
    /// `blocks` blocks into `out` and removes the folder.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn finish(
        self,
        out: &Path,
        blocks: usize,
        plan: &Value,
        report: &(impl Serialize + Display),
    ) -> Result<()> {
        write_json(&beside(out, "report.json"), &json!({ "plan": plan, "found": report }))?;
        write_atomic(beside(out, "report.txt"), report.to_string().as_bytes())?;
        let mut file = AtomicFile::create(out)?;
        for at in 0..blocks {
            let path = self.rows(at);
            let mut rows = File::open(&path).map_err(Error::io("open", &path))?;
            io::copy(&mut rows, &mut file).map_err(Error::io("write", out))?;
        }
        file.commit()?;
        remove_work_folder(out)
    }

    fn rows(&self, at: usize) -> PathBuf {
        self.folder.join(format!("rows-{at:05}.jsonl"))
    }
}

/// Makes the folder beside `out` in which a mining is under way, `OUT.mining`, where it is not there yet. What is put there
/// besides goes with it when the mining is done.
///
/// # Errors
/// The folder of `out` is not there, or may not be written.
pub fn work_folder(out: &Path) -> Result<PathBuf> {
    let folder = beside(out, "mining");
    remove(&done(out))?;
    if !folder.is_dir() {
        fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
    }
    Ok(folder)
}

/// Removes the folder that [`work_folder`] makes, where it is there. It goes all at once: a mining that is begun again after a kill meets
/// all of it, or nothing.
///
/// # Errors
/// The system refuses.
pub fn remove_work_folder(out: &Path) -> Result<()> {
    let (folder, done) = (beside(out, "mining"), done(out));
    remove(&done)?;
    match fs::rename(&folder, &done) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.map_err(Error::io("rename", &folder)).and_then(|()| remove(&done)),
    }
}

/// What the folder beside `out` is called while it is removed.
fn done(out: &Path) -> PathBuf {
    let name = beside(Path::new(out.file_name().unwrap_or_default()), "mining.done");
    out.with_file_name(format!(".{}", name.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", folder)(e)),
        _ => Ok(()),
    }
}

/// `OUT.suffix`.
fn beside(out: &Path, suffix: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Everything that decides the rows.
pub(crate) fn plan(mine: &str, inputs: &BTreeMap<String, String>, options: &impl Serialize) -> Result<Value> {
    let options = serde_json::to_value(options).map_err(|e| Error::io("write", Path::new("plan.json"))(e.into()))?;
    Ok(json!({ "mine": mine, "version": 1, "block": BLOCK, "inputs": inputs, "options": options }))
}

/// Names the first difference of two plans.
fn same(path: &Path, key: &str, stored: &Value, given: &Value) -> Result<()> {
    if let (Value::Object(old), Value::Object(new)) = (stored, given) {
        let keys = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
        for name in keys {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            same(path, &key, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null))?;
        }
        return Ok(());
    }
    match stored == given {
        true => Ok(()),
        false => Err(Error::PlanChanged {
            path: path.to_owned(),
            key: key.to_owned(),
            stored: stored.to_string(),
            given: given.to_string(),
        }),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path: path.to_owned(), source })
}

/// Writes JSON for people to read, whole or not at all.
fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Error::io("write", path)(e.into()))?;
    text.push(b'\n');
    Ok(write_atomic(path, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn blocks_are_made_once_and_joined_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.jsonl");
        let plan = json!({"seed": 1, "inputs": {"corpus": "a"}});
        let begin = |plan: &Value| Work::begin(&out, plan);
        let work = begin(&plan).unwrap();
        assert!(begin(&plan).err().unwrap().to_string().contains("another process"));
        assert_eq!(work.block(0, || Ok((7i32, b"x\n".to_vec()))).unwrap(), 7);
        drop(work);
        let changed = begin(&json!({"seed": 1, "inputs": {"corpus": "b"}})).err().unwrap().to_string();
        assert!(changed.contains("inputs.corpus = \"a\", now \"b\""), "{changed}");
        let work = begin(&plan).unwrap();
        assert_eq!(work.block::<i32>(0, || unreachable!("done before")).unwrap(), 7);
        assert_eq!(work.block(1, || Ok((8i32, b"y\n".to_vec()))).unwrap(), 8);
        work.finish(&out, 2, &plan, &"all").unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"x\ny\n");
        assert_eq!(fs::read(folder.path().join("out.jsonl.report.txt")).unwrap(), b"all");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(Work::begin(&folder.path().join("none/out"), &plan).is_err());
    }

    #[test]
    fn what_is_left_of_a_removal_is_not_gone_on_from() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.jsonl");
        // Killed while it was removed: rows are gone, what was reported of them is not.
        let left = folder.path().join(".out.jsonl.mining.done");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("report-00000.json"), "7").unwrap();
        let work = Work::begin(&out, &json!({})).unwrap();
        assert!(!left.exists());
        assert_eq!(work.block(0, || Ok((8, b"x\n".to_vec()))).unwrap(), 8);
        drop(work);
        remove_work_folder(&out).unwrap();
        remove_work_folder(&out).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
