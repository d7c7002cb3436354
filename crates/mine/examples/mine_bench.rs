//! Mines negatives against synthetic vectors and tells what memory it took: `mine_bench [passages] [dim] [queries] [folder]`.
//!
//! Vectors are written into the folder once. Told are seconds and the highest anonymous memory: what is held beyond mapped files.

use isogloss_dense::{EncodeOptions, Encoder, EncoderError, Error, Side, VectorStore, Vectors, encode_to_shards};
use isogloss_ir::{Doc, Qrels, Query};
use isogloss_mine::negatives::{Negatives, NegativesOptions, mine};
use isogloss_mine::{Lists, Parallel, Passages, QueryVectors};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Unit vectors drawn from their texts, which are numbers.
struct Drawn(usize);

impl Encoder for Drawn {
    fn dim(&self) -> usize {
        self.0
    }

    fn encode(&self, texts: &[&str], side: Side) -> Result<Vectors, EncoderError> {
        let mut vectors = Vectors::empty(self.0);
        for text in texts {
            let mut state = text.parse::<u64>()?.wrapping_mul(2) + u64::from(side == Side::Query);
            let mut uniform = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
            };
            let row: Vec<f32> = (0..self.0).map(|_| uniform() + uniform() + uniform()).collect();
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            vectors.push(&row.iter().map(|x| x / norm).collect::<Vec<_>>());
        }
        Ok(vectors)
    }
}

fn store(folder: &Path, dim: usize, rows: usize, side: Side) -> Arc<VectorStore> {
    let texts = (0..rows).map(|i| Ok::<_, Error>((i.to_string(), i.to_string())));
    let options = EncodeOptions { side, ..EncodeOptions::default() };
    encode_to_shards(&Drawn(dim), texts, folder, &options, |_| ()).expect("vectors are written");
    Arc::new(VectorStore::open(folder).expect("vectors are opened"))
}

/// Anonymous memory of this process in KiB.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: usize| given.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (passages, dim, queries) = (argument(0, 1_000_000), argument(1, 384), argument(2, 1024));
    let folder = given.get(3).map_or(std::env::temp_dir().join("mine_bench"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder");
    let docs = store(&folder.join("docs"), dim, passages, Side::Doc);
    let asked = QueryVectors::new(store(&folder.join("queries"), dim, queries, Side::Query), &folder);
    let (peak, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let start = Instant::now();
        let text =
            |i: usize| format!("passage {i} of the corpus says {} and {}", i * 7919 % 100_003, i * 104_729 % 99_991);
        let doc = |i: usize| Ok(Doc { id: i.to_string(), title: String::new(), text: text(i).repeat(8), lang: None });
        let corpus = Passages::read((0..passages).map(doc), Path::new("synthetic"), &folder, |_| ()).expect("texts");
        let lists = Lists::new(&corpus, None, Some(docs)).expect("one corpus");
        let mut qrels = Qrels::default();
        let query = |i: usize| Query { id: i.to_string(), text: format!("question {i}"), lang: None };
        let all: Vec<Query> = (0..queries).map(query).collect();
        for query in &all {
            qrels.insert(query.id.clone(), query.id.clone(), 1);
        }
        let mut options = NegativesOptions::default();
        options.lists[1].margin = Default::default();
        let task = Negatives {
            lists: &lists,
            queries: &all,
            queries_path: Path::new("queries"),
            vectors: Some(&asked),
            qrels: &qrels,
            qrels_path: Path::new("qrels"),
            parallel: &Parallel::default(),
            reranker: None,
            inputs: Default::default(),
            options: &options,
        };
        let read = start.elapsed();
        let report = mine(&task, &folder.join("mined.jsonl"), |_, _| ()).expect("negatives");
        ended.store(true, Ordering::Relaxed);
        println!(
            "{passages} passages of {dim}, {queries} queries: {:.1} s to read, {:.1} s to mine {} negatives; {} MiB beyond mapped files",
            read.as_secs_f64(),
            (start.elapsed() - read).as_secs_f64(),
            report.negatives,
            peak.load(Ordering::Relaxed) / 1024
        );
    });
}
