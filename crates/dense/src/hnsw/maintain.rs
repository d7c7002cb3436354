//! Building an index, adding to it, and deleting from it.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use isogloss_ir::lock_folder;

use super::build::Shape;
use super::manifest::{HnswOptions, INDEX, IndexManifest, Recall, SegmentEntry};
use super::source::Source;
use super::{Hnsw, cut, deleted, recall, segment};
use crate::{Error, Result, VectorStore};

/// What a build did.
#[derive(Clone, Debug)]
pub struct HnswReport {
    /// Rows that were indexed now.
    pub added: usize,
    /// Rows in the index, deleted ones too.
    pub rows: usize,
    /// Graphs.
    pub segments: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// What was measured; `None` with fewer than two rows.
    pub recall: Option<Recall>,
}

/// Indexes the shards of `store` that are not yet, as one graph more; with `anew`, all of them as one graph in place of those there are.
/// Deleted rows stay so. `progress` is told how many rows are in the graph.
///
/// The files' bytes depend on rows and options alone, not on threads or the processor. Memory: `2 · dim + 8 · m` bytes a row, about. Killed
/// at any moment, the index is as it was before.
///
/// # Errors
/// Options out of their range, or others than those the index was built with; an index of other shards; another process at work there;
/// whatever the disk fails with.
pub fn build_hnsw(
    store: &Arc<VectorStore>,
    options: &HnswOptions,
    anew: bool,
    mut progress: impl FnMut(u64),
) -> Result<HnswReport> {
    options.check(store.dim())?;
    let directory = store.directory();
    let _lock = lock(store)?;
    let before = IndexManifest::read(directory)?;
    let mut manifest = match &before {
        Some(before) if !anew => {
            same_options(store, &before.options, options)?;
            before.clone()
        }
        // Rows that were deleted from other vectors say nothing of these.
        Some(before) => {
            let deleted = before.bound_to(store).ok().and(before.deleted.clone());
            IndexManifest { deleted, ..IndexManifest::new(options.clone()) }
        }
        None => IndexManifest::new(options.clone()),
    };
    let indexed = manifest.bound_to(store)?;
    let added = add_segment(store, &mut manifest, indexed, before.as_ref(), &mut progress)?;
    let index = Hnsw::with(store.clone(), manifest)?;
    let mut manifest = index.manifest.clone();
    if added > 0 || before.is_none() || manifest.recall.is_none() {
        manifest.recall = recall::measure(&index);
        manifest.write(directory)?;
    }
    if let Some(before) = before {
        remove_replaced(store, &before, &manifest);
    }
    let size = |file: std::path::PathBuf| fs::metadata(file).map_or(0, |m| m.len());
    let bytes = manifest.files(directory).into_iter().map(size).sum();
    Ok(HnswReport { added, rows: store.rows(), segments: manifest.segments.len(), bytes, recall: manifest.recall })
}

fn same_options(store: &VectorStore, stored: &HnswOptions, given: &HnswOptions) -> Result<()> {
    let value = |options| serde_json::to_value(options).expect("plain data");
    let (stored, given) = (value(stored), value(given));
    let differs = given.as_object().into_iter().flatten().find(|(key, value)| stored.get(key) != Some(value));
    match differs {
        None => Ok(()),
        Some((key, given)) => Err(Error::IndexOptions {
            path: store.directory().join(INDEX),
            key: key.clone(),
            stored: stored[key].to_string(),
            given: given.to_string(),
        }),
    }
}

/// Writes a graph over all shards from number `indexed` on; returns how many rows it has.
fn add_segment(
    store: &VectorStore,
    manifest: &mut IndexManifest,
    indexed: usize,
    before: Option<&IndexManifest>,
    progress: &mut dyn FnMut(u64),
) -> Result<usize> {
    let start: usize = store.shards()[..indexed].iter().map(|shard| shard.len()).sum();
    let source = Source { store, start, end: store.rows(), cut: cut(&manifest.options, store.dim()) };
    if source.len() == 0 {
        return Ok(0);
    }
    // A file of the index that is in use is never written over.
    let file = before.unwrap_or(manifest).free_name("hnsw");
    let options = &manifest.options;
    let shape = Shape { m: options.m as usize, ef: options.ef_construction as usize, seed: options.seed };
    let table = segment::write(&store.directory().join(&file), &source, options.scalar, shape, progress)?;
    let shards = store.manifest().shards[indexed..].to_vec();
    let rows = source.len();
    manifest.segments.push(SegmentEntry { file, rows: rows as u32, table_xxh3: format!("{table:016x}"), shards });
    manifest.recall = None;
    Ok(rows)
}

/// Removes files of the index before that the one after has not.
fn remove_replaced(store: &VectorStore, before: &IndexManifest, after: &IndexManifest) {
    let kept = after.files(store.directory());
    for file in before.files(store.directory()).into_iter().filter(|file| !kept.contains(file)) {
        // A file that stays takes space and harms nothing.
        let _ = fs::remove_file(file);
    }
}

/// Deletes the rows with these ids from the index beside `store`: no search through it finds them any more. Returns how many there were.
///
/// # Errors
/// There is no index, or it is damaged; an id that no row has, or whose row is deleted already.
pub fn delete_rows(store: &VectorStore, ids: &[String]) -> Result<usize> {
    let directory = store.directory();
    let _lock = lock(store)?;
    let before = IndexManifest::read(directory)?.ok_or_else(|| Error::NoIndex { path: directory.join(INDEX) })?;
    before.bound_to(store)?;
    let mut rows = deleted_of(store, &before)?;
    let gone: HashSet<u32> = rows.iter().copied().collect();
    let mut wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let found = (0..store.rows() as u32).filter(|row| !gone.contains(row) && wanted.remove(store.id(*row as usize)));
    let found: Vec<u32> = found.collect();
    if let Some(id) = wanted.into_iter().min() {
        return Err(Error::UnknownId { path: directory.to_owned(), id: id.to_owned() });
    }
    let count = found.len();
    if count == 0 {
        return Ok(0);
    }
    rows.extend(found);
    rows.sort_unstable();
    let file = before.free_name("hnsw-deleted");
    let table = deleted::write(&directory.join(&file), &rows, store.rows())?;
    let after = IndexManifest { deleted: Some((file, format!("{table:016x}"))), ..before.clone() };
    after.write(directory)?;
    remove_replaced(store, &before, &after);
    Ok(count)
}

/// The rows of `store` that were deleted from its index, rising; none where there is no index.
///
/// # Errors
/// The index is damaged or of other shards.
pub fn deleted_rows(store: &VectorStore) -> Result<Vec<u32>> {
    match IndexManifest::read(store.directory())? {
        None => Ok(Vec::new()),
        Some(manifest) => {
            manifest.bound_to(store)?;
            deleted_of(store, &manifest)
        }
    }
}

fn deleted_of(store: &VectorStore, manifest: &IndexManifest) -> Result<Vec<u32>> {
    let Some((file, expected)) = &manifest.deleted else { return Ok(Vec::new()) };
    let path = store.directory().join(file);
    let (rows, table) = deleted::read(&path, store.rows())?;
    match format!("{table:016x}") == *expected {
        true => Ok(rows),
        false => Err(Error::IndexStale { path }),
    }
}

/// Whether each row is still there; `None` where all are.
pub(super) fn alive(store: &VectorStore, manifest: &IndexManifest) -> Result<Option<Vec<bool>>> {
    let rows = deleted_of(store, manifest)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut alive = vec![true; store.rows()];
    rows.into_iter().for_each(|row| alive[row as usize] = false);
    Ok(Some(alive))
}

fn lock(store: &VectorStore) -> Result<fs::File> {
    let path = store.directory().join(".lock");
    lock_folder(store.directory()).map_err(Error::io("lock", &path))?.ok_or(Error::Locked { path })
}
