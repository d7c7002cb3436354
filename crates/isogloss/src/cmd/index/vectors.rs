//! `isogloss index DIR`: a graph beside vectors; vectors added and deleted; attributes.

use super::{VectorArgs, attributes};
use crate::files::check_ours;
use crate::model::normalized;
use crate::progress::Progress;
use crate::stored::read_ids;
use isogloss_dense::{
    HnswOptions, HnswReport, VectorStore, append_store, build_hnsw, delete_rows, import_vectors, write_attributes,
};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Does what is asked of the directory and prints it.
pub fn run(directory: &Path, args: &VectorArgs) -> anyhow::Result<()> {
    if let Some(vectors) = &args.vectors {
        import(vectors, args, directory)?;
    }
    if let Some(other) = &args.add {
        let other = VectorStore::open(other)?;
        other.verify()?;
        let manifest = append_store(directory, &other)?;
        eprintln!("{} vectors added, {} there now", other.rows(), manifest.rows);
    }
    let store = Arc::new(VectorStore::open(directory)?);
    match &args.delete {
        Some(ids) => {
            let deleted = delete_rows(&store, &read_ids(ids)?)?;
            eprintln!("{deleted} documents deleted");
        }
        None if args.hnsw => build(&store, args)?,
        None => {}
    }
    if let Some(corpus) = &args.attributes {
        let rows = write_attributes(&store, attributes::records(corpus)?)?;
        eprintln!("attributes of {rows} documents");
    }
    writeln!(io::stdout(), "{}", directory.display())?;
    Ok(())
}

/// Brings vectors of another tool into a store.
fn import(vectors: &Path, args: &VectorArgs, directory: &Path) -> anyhow::Result<()> {
    check_ours(directory, "plan.json")?;
    let (file, ids) = args.columns.open(vectors, args.ids.as_deref(), "--ids")?;
    let name = vectors.file_name().unwrap_or_default().to_string_lossy();
    let manifest = import_vectors(&file, &ids, &name, directory)?;
    eprintln!("{} vectors of {} numbers", manifest.rows, manifest.plan.dim);
    Ok(())
}

fn build(store: &Arc<VectorStore>, args: &VectorArgs) -> anyhow::Result<()> {
    store.verify()?;
    let options = HnswOptions {
        m: args.m,
        ef_construction: args.ef_construction,
        scalar: args.scalar,
        dim: args.dim.map(|dim| dim as u32),
        renormalize: normalized(&store.manifest().plan.settings).unwrap_or(false),
        seed: 0,
    };
    let mut progress = Progress::new(None);
    let tell = |rows| progress.tell(rows, || format!("{rows} vectors in the graph"));
    let report = build_hnsw(store, &options, args.rebuild, tell)?;
    drop(progress);
    tell_report(&report);
    Ok(())
}

fn tell_report(report: &HnswReport) {
    let HnswReport { added, rows, segments, bytes, .. } = report;
    let graphs = if *segments == 1 { "graph" } else { "graphs" };
    let each = bytes.checked_div(*rows as u64).unwrap_or(0);
    eprintln!("{added} vectors indexed; {rows} in {segments} {graphs}, {each} bytes each");
    if let Some(recall) = &report.recall {
        let at: Vec<String> = recall.at.iter().map(|(ef, recall)| format!("{recall:.4} at --ef {ef}")).collect();
        eprintln!("recall@{} of {} of its own vectors: {}", recall.k, recall.sample, at.join(", "));
    }
}
