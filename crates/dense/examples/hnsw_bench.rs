//! Times approximate search over stored vectors, for `benches/peers/hnsw.py`.
//!
//! `hnsw_bench import VECTORS DIR` makes a store; `hnsw_bench build DIR m ef scalar threads` its index, and prints seconds and bytes;
//! `hnsw_bench search DIR QUERIES k threads OUT` prints the seconds of opening, then answers every `ef` on standard input by the seconds
//! of one round, the rows found being written to OUT as u32.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use isogloss_dense::{Hnsw, HnswOptions, Index, VectorFile, VectorStore, build_hnsw, import_vectors};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn import(vectors: &Path, directory: &Path) -> Result<()> {
    let file = VectorFile::open(vectors, None)?;
    let ids: Vec<String> = (0..file.len()).map(|row| row.to_string()).collect();
    import_vectors(&file, &ids, "bench", directory)?;
    Ok(())
}

fn build(directory: &Path, rest: &[String]) -> Result<()> {
    let store = Arc::new(VectorStore::open(directory)?);
    let options = HnswOptions {
        m: rest[0].parse()?,
        ef_construction: rest[1].parse()?,
        scalar: rest[2].parse()?,
        ..HnswOptions::default()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(rest[3].parse()?).build()?;
    let start = Instant::now();
    let mut graph = 0.0;
    let report = pool.install(|| build_hnsw(&store, &options, true, |_| graph = start.elapsed().as_secs_f64()))?;
    let all = start.elapsed().as_secs_f64();
    println!("{all} {} {graph} {:?}", report.bytes, report.recall.map(|r| r.at));
    Ok(())
}

fn search(directory: &Path, rest: &[String]) -> Result<()> {
    let queries = VectorFile::open(Path::new(&rest[0]), None)?.read()?;
    let (k, threads): (usize, usize) = (rest[1].parse()?, rest[2].parse()?);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let store = Arc::new(VectorStore::open(directory)?);
    let start = Instant::now();
    let mut index = Hnsw::open(store)?;
    println!("{}", start.elapsed().as_secs_f64());
    for line in std::io::stdin().lock().lines() {
        index = index.with_ef(line?.trim().parse()?);
        let start = Instant::now();
        let found = pool.install(|| index.search(queries.view(), k));
        println!("{}", start.elapsed().as_secs_f64());
        let rows = found.iter().flat_map(|hits| hits.iter().flat_map(|hit| hit.row.to_le_bytes()));
        std::fs::write(&rest[3], rows.collect::<Vec<u8>>())?;
        println!("written");
    }
    Ok(())
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [verb, first, rest @ ..] = given.as_slice() else { return Err("import, build or search".into()) };
    match verb.as_str() {
        "import" => import(Path::new(first), Path::new(&rest[0])),
        "build" => build(Path::new(first), rest),
        _ => search(Path::new(first), rest),
    }
}
