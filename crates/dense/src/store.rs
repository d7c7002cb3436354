//! A finished directory of vectors, open for reading.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::ids::RowIds;
use crate::manifest::{MANIFEST, ShardEntry};
use crate::{Error, Ids, Manifest, Result, Shard};

/// Shards of vectors and their ids, as one sequence of rows.
#[derive(Debug)]
pub struct VectorStore {
    directory: PathBuf,
    manifest: Manifest,
    shards: Vec<Shard>,
    ids: Vec<Ids>,
    /// First row of every shard, and the number of rows at the end.
    starts: Vec<usize>,
}

impl VectorStore {
    /// Opens `directory`: reads its manifest, maps its files, and checks headers, lengths and ids.
    ///
    /// # Errors
    /// A missing, cut, damaged or foreign file, each by name; more than `u32::MAX` rows.
    pub fn open(directory: &Path) -> Result<Self> {
        let manifest = Manifest::read(directory)?;
        if manifest.rows > u64::from(u32::MAX) {
            return Err(Error::TooManyRows { path: directory.to_owned(), rows: manifest.rows });
        }
        let mut store =
            Self { directory: directory.to_owned(), manifest, shards: vec![], ids: vec![], starts: vec![0] };
        for entry in store.manifest.shards.clone() {
            store.open_shard(&entry)?;
        }
        let path = directory.join(MANIFEST);
        agree(&path, "rows", store.rows() as u64, store.manifest.rows, &path)?;
        Ok(store)
    }

    fn open_shard(&mut self, entry: &ShardEntry) -> Result<()> {
        let listed = self.directory.join(MANIFEST);
        let shard = Shard::open(&self.directory.join(&entry.vectors))?;
        let ids = Ids::open(&self.directory.join(&entry.ids))?;
        let plan = &self.manifest.plan;
        let header = shard.header();
        agree(shard.path(), "rows", shard.len() as u64, entry.rows.into(), &listed)?;
        agree(shard.path(), "dim", shard.dim() as u64, plan.dim.into(), &listed)?;
        agree(shard.path(), "dtype", header.dtype.into(), plan.dtype.code().into(), &listed)?;
        let payload = u64::from_str_radix(&entry.payload_xxh3, 16).unwrap_or(0);
        agree(shard.path(), "checksum", header.payload_xxh3, payload, &listed)?;
        agree(shard.path(), "rows", shard.len() as u64, ids.len() as u64, &self.directory.join(&entry.ids))?;
        let ids_path = self.directory.join(&entry.ids);
        agree(shard.path(), "checksum of the ids", header.ids_xxh3, ids.payload_xxh3(), &ids_path)?;
        self.starts.push(self.rows() + shard.len());
        self.shards.push(shard);
        self.ids.push(ids);
        Ok(())
    }

    /// What the directory says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The shards, in order of their rows.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        *self.starts.last().expect("never empty")
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.manifest.plan.dim as usize
    }

    /// Reads every byte of every shard and holds it against the checksums.
    pub fn verify(&self) -> Result<()> {
        self.shards.par_iter().try_for_each(Shard::verify)
    }

    /// Row `row` as f32.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> Vec<f32> {
        let shard = self.shard_of(row);
        let at = row - self.starts[shard];
        self.shards[shard].rows(at, at + 1, &mut Vec::new()).to_vec()
    }

    /// Rows `start..end` as f32: the map itself where one shard holds them as f32, else copied into `scratch`.
    ///
    /// # Panics
    /// Where there are no such rows.
    pub fn rows_of<'a>(&'a self, start: usize, end: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        if start >= end {
            return &[];
        }
        let first = self.shard_of(start);
        if end <= self.starts[first + 1] {
            return self.shards[first].rows(start - self.starts[first], end - self.starts[first], scratch);
        }
        scratch.clear();
        let mut widened = Vec::new();
        for at in first..=self.shard_of(end - 1) {
            let (from, to) = (start.max(self.starts[at]), end.min(self.starts[at + 1]));
            let part = self.shards[at].rows(from - self.starts[at], to - self.starts[at], &mut widened);
            scratch.extend_from_slice(part);
        }
        scratch
    }

    /// The id of `row`.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn id(&self, row: usize) -> &str {
        let shard = self.shard_of(row);
        self.ids[shard].get(row - self.starts[shard])
    }

    fn shard_of(&self, row: usize) -> usize {
        assert!(row < self.rows(), "row {row} of {}", self.rows());
        self.starts.partition_point(|&start| start <= row) - 1
    }
}

impl RowIds for VectorStore {
    fn rows(&self) -> usize {
        VectorStore::rows(self)
    }

    fn id(&self, row: usize) -> &str {
        VectorStore::id(self, row)
    }
}

fn agree(path: &Path, key: &'static str, got: u64, expected: u64, other: &Path) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let (expected, got) = (expected.to_string(), got.to_string());
    Err(Error::Disagree { path: path.to_owned(), key, expected, got, other: other.to_owned() })
}
