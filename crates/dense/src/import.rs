//! Vectors of another tool, brought into a store of ours; and one store's vectors added to another's.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use isogloss_ir::lock_folder;

use crate::atomic_file::AtomicFile;
use crate::ids::IdsWriter;
use crate::manifest::{MANIFEST, Manifest, PLAN, Plan, ShardEntry};
use crate::shard::{ShardWriter, map_file};
use crate::{Error, FORMAT_VERSION, Result, Shard, Side, VectorFile, VectorStore};

/// Rows of a shard.
const ROWS_PER_SHARD: usize = 65_536;

/// Writes the rows of `vectors` as a store of docs in `directory`, which holds none yet, the first under the first of `ids`, and returns
/// its manifest. `name` stands for the model. Where it fails, no file of it stays.
///
/// # Errors
/// More or fewer ids than rows, or one twice; what [`VectorFile::for_each_row`] fails with; a store that is there; whatever the disk fails with.
pub fn import_vectors(vectors: &VectorFile, ids: &[String], name: &str, directory: &Path) -> Result<Manifest> {
    if vectors.len() != ids.len() {
        let (left, right) = (ids.len(), vectors.len());
        return Err(Error::Mismatch { what: "rows", left, left_of: "the ids", right, right_of: "the vectors" });
    }
    check_ids(ids.iter().map(String::as_str), directory)?;
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    let _lock = lock(directory)?;
    if directory.join(MANIFEST).exists() {
        return Err(Error::StoreThere { path: directory.to_owned() });
    }
    let plan = plan_of(vectors, name);
    plan.begin(directory)?;
    let mut shards = Shards { vectors, ids, directory, open: None, rows: 0, done: Vec::new() };
    let written = shards.write().and_then(|()| {
        let manifest = Manifest { plan, rows: ids.len() as u64, shards: shards.done.clone() };
        manifest.write(directory)?;
        Ok(manifest)
    });
    written.inspect_err(|_| shards.discard())
}

fn plan_of(vectors: &VectorFile, name: &str) -> Plan {
    Plan {
        format_version: FORMAT_VERSION,
        model: name.to_owned(),
        model_hash: String::new(),
        side: Side::Doc,
        pooling: String::new(),
        settings: String::new(),
        dim: vectors.dim() as u32,
        dtype: vectors.dtype(),
        rows_per_shard: ROWS_PER_SHARD as u32,
        window: 1,
        window_bytes: 1,
    }
}

/// Shards that are being written from a file's rows.
struct Shards<'a> {
    vectors: &'a VectorFile,
    ids: &'a [String],
    directory: &'a Path,
    open: Option<(ShardWriter, IdsWriter)>,
    rows: usize,
    done: Vec<ShardEntry>,
}

impl Shards<'_> {
    fn write(&mut self) -> Result<()> {
        let vectors = self.vectors;
        vectors.for_each_row(|row| self.push(row))?;
        self.close()
    }

    fn push(&mut self, row: &[f32]) -> Result<()> {
        if self.rows > 0 && self.rows.is_multiple_of(ROWS_PER_SHARD) {
            self.close()?;
        }
        if self.open.is_none() {
            let path = self.directory.join(names(self.done.len()).0);
            let shard = ShardWriter::create(&path, self.vectors.dtype(), self.vectors.dim())?;
            self.open = Some((shard, IdsWriter::new()));
        }
        let (shard, ids) = self.open.as_mut().expect("opened above");
        shard.push(row)?;
        ids.push(&self.ids[self.rows])?;
        self.rows += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some((shard, ids)) = self.open.take() {
            let (name, ids_name) = names(self.done.len());
            let ids_xxh3 = ids.write(&self.directory.join(&ids_name))?;
            shard.commit(ids_xxh3, 0)?;
            self.done.push(entry(self.directory, name, ids_name)?);
        }
        Ok(())
    }

    /// Removes what was written, so that a corrected file can be brought to the same directory.
    fn discard(&self) {
        let written = (0..=self.done.len()).map(names).flat_map(|(vectors, ids)| [vectors, ids]);
        for name in written.chain([PLAN.to_owned()]) {
            // The error that led here is the one to report.
            let _ = fs::remove_file(self.directory.join(name));
        }
    }
}

/// Adds the shards of `other` behind those of the store in `directory`, and returns the manifest that it ends with.
///
/// Killed at any moment, the store is as it was before.
///
/// # Errors
/// Vectors of another model, other settings or another type; an id that both have; whatever the disk fails with.
pub fn append_store(directory: &Path, other: &VectorStore) -> Result<Manifest> {
    let _lock = lock(directory)?;
    let store = VectorStore::open(directory)?;
    same_making(&store, other)?;
    let ids = (0..store.rows()).map(|row| store.id(row)).chain((0..other.rows()).map(|row| other.id(row)));
    check_ids(ids, directory)?;
    let mut manifest = store.manifest().clone();
    for shard in &other.manifest().shards {
        let (name, ids_name) = names(manifest.shards.len());
        copy(&other.directory().join(&shard.ids), &directory.join(&ids_name))?;
        copy(&other.directory().join(&shard.vectors), &directory.join(&name))?;
        let copied = entry(directory, name, ids_name)?;
        manifest.rows += u64::from(copied.rows);
        manifest.shards.push(copied);
    }
    manifest.write(directory)?;
    Ok(manifest)
}

/// Fails where the vectors of two stores cannot be searched together.
fn same_making(store: &VectorStore, other: &VectorStore) -> Result<()> {
    let said = |store: &VectorStore| {
        let plan = store.manifest().plan.clone();
        [
            ("model", plan.model_hash),
            ("side", plan.side.to_string()),
            ("pooling", plan.pooling),
            ("settings", plan.settings),
            ("dim", plan.dim.to_string()),
            ("dtype", plan.dtype.to_string()),
        ]
    };
    let differs = said(store).into_iter().zip(said(other)).find(|(ours, theirs)| ours != theirs);
    match differs {
        None => Ok(()),
        Some(((key, expected), (_, got))) => Err(Error::Disagree {
            path: other.directory().to_owned(),
            key,
            expected,
            got,
            other: store.directory().to_owned(),
        }),
    }
}

fn check_ids<'a>(ids: impl Iterator<Item = &'a str>, directory: &Path) -> Result<()> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Error::IdTwice { path: directory.to_owned(), id: id.to_owned() });
        }
    }
    Ok(())
}

fn names(number: usize) -> (String, String) {
    (format!("vectors-{number:05}.iso"), format!("ids-{number:05}.iso"))
}

fn entry(directory: &Path, vectors: String, ids: String) -> Result<ShardEntry> {
    let shard = Shard::open(&directory.join(&vectors))?;
    let payload_xxh3 = format!("{:016x}", shard.header().payload_xxh3);
    Ok(ShardEntry { vectors, ids, rows: shard.header().rows, payload_xxh3 })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut file = AtomicFile::create(to)?;
    file.write(&map_file(from)?)?;
    file.commit()
}

fn lock(directory: &Path) -> Result<fs::File> {
    let path = directory.join(".lock");
    lock_folder(directory).map_err(Error::io("lock", &path))?.ok_or(Error::Locked { path })
}
