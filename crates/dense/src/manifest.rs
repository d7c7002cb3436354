//! What a directory of vectors says about itself: `plan.json` at the beginning, `manifest.json` at the end.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic_file::write_whole;
use crate::{Dtype, Error, Result, Side};

/// Version of the layout in docs/decisions/0004-file-formats.md.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const PLAN: &str = "plan.json";
pub(crate) const MANIFEST: &str = "manifest.json";

/// Everything besides the texts that decides the bytes of the shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the model, for people.
    pub model: String,
    /// Hash of the model's files, for machines.
    pub model_hash: String,
    /// Which prompt the texts got.
    pub side: Side,
    /// How token vectors became one vector.
    pub pooling: String,
    /// Further settings of the encoder that change its vectors (length cut, device, precision), as text.
    pub settings: String,
    /// Length of a row.
    pub dim: u32,
    /// Stored type.
    pub dtype: Dtype,
    /// Rows of every shard but the last.
    pub rows_per_shard: u32,
    /// Most texts given to the encoder at once.
    pub window: u32,
    /// Bytes of text after which a window ends, even where it has fewer texts.
    pub window_bytes: u64,
}

/// A finished directory of vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How it was made.
    pub plan: Plan,
    /// Rows in all shards.
    pub rows: u64,
    /// The shards, in order of their rows.
    pub shards: Vec<ShardEntry>,
}

/// One shard of a finished directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// File of the vectors.
    pub vectors: String,
    /// File of the ids.
    pub ids: String,
    /// Rows of both.
    pub rows: u32,
    /// Checksum of the vectors' payload, 16 hexadecimal digits.
    pub payload_xxh3: String,
}

impl Plan {
    /// Writes the plan into an empty `directory`, or holds it against the one there.
    pub(crate) fn begin(&self, directory: &Path) -> Result<()> {
        let path = directory.join(PLAN);
        if !path.exists() {
            return write_json(&path, self);
        }
        let stored: serde_json::Value = read_json(&path)?;
        let given = serde_json::to_value(self).expect("a plan is plain data");
        let given = given.as_object().expect("a plan is an object");
        match given.iter().find(|(key, value)| stored.get(key) != Some(value)) {
            None => Ok(()),
            Some((key, value)) => Err(Error::PlanChanged {
                path,
                key: key.clone(),
                stored: stored.get(key).map_or("nothing".to_owned(), |v| v.to_string()),
                given: value.to_string(),
            }),
        }
    }
}

impl Manifest {
    /// Reads the manifest of a finished `directory`.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(MANIFEST);
        if !path.exists() && directory.join(PLAN).exists() {
            return Err(Error::Unfinished { path: directory.to_owned() });
        }
        let stored: serde_json::Value = read_json(&path)?;
        let version = stored.pointer("/plan/format_version").and_then(|v| v.as_u64());
        if let Some(got) = version.filter(|v| *v != u64::from(FORMAT_VERSION)) {
            return Err(Error::Version { path, expected: FORMAT_VERSION, got: got as u32 });
        }
        serde_json::from_value(stored).map_err(|source| Error::Json { path, source })
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        write_json(&directory.join(MANIFEST), self)
    }
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("plain data");
    text.push('\n');
    write_whole(path, text.as_bytes())
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}
