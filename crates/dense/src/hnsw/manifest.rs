//! What an index says about itself: `hnsw.json`, beside the shards it is of.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::scalar::Scalar;
use crate::manifest::{read_json, write_json};
use crate::sections::VERSION;
use crate::{Error, Result, ShardEntry, VectorStore};

/// The file's name.
pub(crate) const INDEX: &str = "hnsw.json";

/// How an index is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HnswOptions {
    /// Neighbours of a row on the upper layers, 2 to 256; twice as many on the lowest.
    pub m: u32,
    /// Candidates among which neighbours are chosen, 1 to 65,536.
    pub ef_construction: u32,
    /// What a search reads of a row on its way.
    pub scalar: Scalar,
    /// Numbers of a vector that are indexed, its first; all where it is `None`. For models with Matryoshka dimensions.
    pub dim: Option<u32>,
    /// Whether cut vectors are brought to length 1 again: where the whole ones have it.
    pub renormalize: bool,
    /// What draws the layers and the order of entering.
    pub seed: u64,
}

impl Default for HnswOptions {
    fn default() -> Self {
        Self { m: 16, ef_construction: 128, scalar: Scalar::Int8, dim: None, renormalize: false, seed: 0 }
    }
}

impl HnswOptions {
    /// Holds the options against their ranges, for vectors of `dim`.
    pub(crate) fn check(&self, dim: usize) -> Result<()> {
        let within = |key, got: u32, least: u32, most: u32, range| match (least..=most).contains(&got) {
            true => Ok(()),
            false => Err(Error::Option { key, got: got.into(), range }),
        };
        within("m", self.m, 2, 256, "2 to 256")?;
        within("ef_construction", self.ef_construction, 1, 65_536, "1 to 65536")?;
        match self.dim {
            Some(got) if got == 0 || got as usize > dim => {
                Err(Error::Option { key: "dim", got: got.into(), range: "1 to the length of the vectors" })
            }
            _ => Ok(()),
        }
    }
}

/// A finished index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndexManifest {
    pub(crate) format_version: u32,
    pub(crate) options: HnswOptions,
    /// The graphs, in order of their rows.
    pub(crate) segments: Vec<SegmentEntry>,
    /// The file of deleted rows, where there are any, and the checksum of its table.
    pub(crate) deleted: Option<(String, String)>,
    pub(crate) recall: Option<Recall>,
}

/// One graph and the shards it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentEntry {
    pub(crate) file: String,
    pub(crate) rows: u32,
    /// Checksum of the file's table, 16 hexadecimal digits.
    pub(crate) table_xxh3: String,
    pub(crate) shards: Vec<ShardEntry>,
}

/// How much of the exact result the index finds, measured when it was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// Rows that were searched for as queries, each without itself.
    pub sample: usize,
    /// Neighbours asked for.
    pub k: usize,
    /// For each `ef`, the mean part of the exact `k` that was found.
    pub at: Vec<(usize, f64)>,
}

impl IndexManifest {
    pub(crate) fn new(options: HnswOptions) -> Self {
        Self { format_version: VERSION, options, segments: vec![], deleted: None, recall: None }
    }

    /// Reads the manifest in `directory`, where there is one.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(INDEX);
        if !path.exists() {
            return Ok(None);
        }
        let stored: serde_json::Value = read_json(&path)?;
        let version = stored.get("format_version").and_then(|v| v.as_u64());
        if let Some(got) = version.filter(|v| *v != u64::from(VERSION)) {
            return Err(Error::IndexVersion { path, expected: VERSION, got: got as u32 });
        }
        serde_json::from_value(stored).map(Some).map_err(|source| Error::Json { path, source })
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        write_json(&directory.join(INDEX), self)
    }

    /// The shards that are indexed.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &ShardEntry> {
        self.segments.iter().flat_map(|segment| &segment.shards)
    }

    /// Fails where the shards indexed are not the first of `store`; returns how many there are.
    pub(crate) fn bound_to(&self, store: &VectorStore) -> Result<usize> {
        let listed = &store.manifest().shards;
        let differs = self.shards().zip(listed).any(|(indexed, now)| indexed != now);
        let count = self.shards().count();
        if differs || count > listed.len() {
            return Err(Error::IndexStale { path: store.directory().join(INDEX) });
        }
        Ok(count)
    }

    /// A name like `hnsw-00003.iso` that nothing in this index has.
    pub(crate) fn free_name(&self, kind: &str) -> String {
        let taken = |name: &String| {
            self.segments.iter().any(|s| s.file == *name) || self.deleted.as_ref().is_some_and(|(file, _)| file == name)
        };
        let mut names = (0..).map(|n| format!("{kind}-{n:05}.iso"));
        names.find(|name| !taken(name)).expect("without end")
    }

    /// All files that the index is made of, but this one.
    pub(crate) fn files(&self, directory: &Path) -> Vec<PathBuf> {
        let deleted = self.deleted.iter().map(|(file, _)| file);
        self.segments.iter().map(|s| &s.file).chain(deleted).map(|file| directory.join(file)).collect()
    }
}
