//! Tests of the index as a whole, against exact search.

mod files;

use std::path::{Path, PathBuf};

use super::*;
use crate::ids::IdsWriter;
use crate::manifest::{Manifest, Plan, ShardEntry};
use crate::shard::ShardWriter;
use crate::{Dtype, FORMAT_VERSION, Flat, Shard, Side, Vectors};

/// Numbers about 0 with a bell's shape, near enough.
fn bell(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..n).map(|_| uniform() + uniform() + uniform()).collect()
}

fn unit(mut vectors: Vectors) -> Vectors {
    let dim = vectors.dim();
    for row in vectors.data_mut().chunks_exact_mut(dim) {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        row.iter_mut().for_each(|x| *x /= norm);
    }
    vectors
}

fn random(rows: usize, dim: usize, seed: u64) -> Vectors {
    Vectors::new(dim, bell(rows * dim, seed)).unwrap()
}

/// `rows` about `centres` random centres.
fn clustered(rows: usize, dim: usize, centres: usize, seed: u64) -> Vectors {
    let middle = random(centres, dim, seed);
    let mut noise = bell(rows * dim, seed + 1);
    for (row, noise) in noise.chunks_exact_mut(dim).enumerate() {
        noise.iter_mut().zip(middle.row(row % centres)).for_each(|(x, c)| *x = c + 0.2 * *x);
    }
    unit(Vectors::new(dim, noise).unwrap())
}

/// Writes a store of shards of `per_shard` rows, with ids `first..`.
fn write_store(directory: &Path, vectors: &Vectors, per_shard: usize, first: usize) {
    std::fs::create_dir_all(directory).unwrap();
    let plan = Plan {
        format_version: FORMAT_VERSION,
        model: String::new(),
        model_hash: String::new(),
        side: Side::Doc,
        pooling: String::new(),
        settings: String::new(),
        dim: vectors.dim() as u32,
        dtype: Dtype::F32,
        rows_per_shard: per_shard as u32,
        window: 1,
        window_bytes: 1,
    };
    let mut shards = Vec::new();
    for (number, start) in (0..vectors.len()).step_by(per_shard).enumerate() {
        let (name, ids_name) = (format!("vectors-{number:05}.iso"), format!("ids-{number:05}.iso"));
        let mut shard = ShardWriter::create(&directory.join(&name), Dtype::F32, vectors.dim()).unwrap();
        let mut ids = IdsWriter::new();
        let end = vectors.len().min(start + per_shard);
        for row in start..end {
            shard.push(vectors.row(row)).unwrap();
            ids.push(&format!("d{}", first + row)).unwrap();
        }
        shard.commit(ids.write(&directory.join(&ids_name)).unwrap(), 0).unwrap();
        let payload_xxh3 = format!("{:016x}", Shard::open(&directory.join(&name)).unwrap().header().payload_xxh3);
        shards.push(ShardEntry { vectors: name, ids: ids_name, rows: (end - start) as u32, payload_xxh3 });
    }
    Manifest { plan, rows: vectors.len() as u64, shards }.write(directory).unwrap();
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(vectors: &Vectors) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        write_store(place.path(), vectors, 700, 0);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn store(&self) -> Arc<VectorStore> {
        Arc::new(VectorStore::open(self.path()).unwrap())
    }

    fn build(&self, options: &HnswOptions) -> HnswReport {
        build_hnsw(&self.store(), options, false, |_| ()).unwrap()
    }

    fn index(&self) -> Hnsw {
        Hnsw::open(self.store()).unwrap()
    }

    /// The files of the index with their bytes.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let names = std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().contains("hnsw");
        let mut files: Vec<_> = names.filter(ours).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        files.sort();
        files
    }
}

fn options(scalar: Scalar) -> HnswOptions {
    HnswOptions { m: 8, ef_construction: 48, scalar, ..HnswOptions::default() }
}

const SCALARS: [Scalar; 3] = [Scalar::F16, Scalar::Int8, Scalar::Binary];

/// The mean part of the exact best `k` that was found, by score: of equal rows any will do.
fn recall(vectors: &Vectors, queries: &Vectors, found: &[Vec<Neighbor>], k: usize, among: Option<&[bool]>) -> f64 {
    let flat = Flat::from_vectors(vectors.clone()).unwrap();
    let exact = flat.search_among(queries.view(), k, among);
    let mut sum = 0.0;
    for (query, (exact, found)) in exact.iter().zip(found).enumerate() {
        assert_eq!(exact.len(), found.len());
        assert!(found.windows(2).all(|pair| pair[0].by_rank(&pair[1]).is_lt()), "sorted, each row once");
        let score = |row: u32| {
            let row = vectors.row(row as usize);
            row.iter().zip(queries.row(query)).map(|(a, b)| a * b).sum::<f32>()
        };
        let least = exact.last().map_or(0.0, |last| last.score - 1e-4 * last.score.abs() - 1e-6);
        assert!(found.iter().all(|n| among.is_none_or(|among| among[n.row as usize])));
        assert!(found.iter().all(|n| (n.score - score(n.row)).abs() <= 2e-3 * (1.0 + n.score.abs())), "rescored");
        sum += found.iter().filter(|n| score(n.row) >= least).count() as f64 / exact.len().max(1) as f64;
    }
    sum / queries.len() as f64
}

#[test]
fn clustered_rows_are_found_whatever_is_stored_of_them() {
    for (dim, centres) in [(384, 30), (96, 300)] {
        let all = clustered(3060, dim, centres, 1);
        let vectors = Vectors::new(dim, all.data()[..3000 * dim].to_vec()).unwrap();
        let queries = Vectors::new(dim, all.data()[3000 * dim..].to_vec()).unwrap();
        let place = Place::new(&vectors);
        for scalar in SCALARS {
            build_hnsw(&place.store(), &options(scalar), true, |_| ()).unwrap();
            let index = place.index().with_ef(100);
            index.verify().unwrap();
            let got = recall(&vectors, &queries, &index.search(queries.view(), 10), 10, None);
            let least = if scalar == Scalar::Binary { 0.85 } else { 0.97 };
            assert!(got >= least, "{dim} {scalar}: {got}");
        }
    }
}

#[test]
fn any_length_of_vector_is_searched() {
    for dim in [1, 3, 17, 65] {
        let (vectors, queries) = (unit(random(2500, dim, 3)), unit(random(30, dim, 4)));
        let place = Place::new(&vectors);
        for scalar in [Scalar::F16, Scalar::Int8] {
            build_hnsw(&place.store(), &options(scalar), true, |_| ()).unwrap();
            let index = place.index().with_ef(80);
            let got = recall(&vectors, &queries, &index.search(queries.view(), 10), 10, None);
            assert!(got >= 0.9, "{dim} {scalar}: {got}");
        }
    }
}

#[test]
fn long_and_short_vectors_are_ranked_by_inner_product() {
    let mut vectors = random(3000, 24, 5);
    for (row, vector) in vectors.data_mut().chunks_exact_mut(24).enumerate() {
        let length = 0.2 + (row % 50) as f32 / 10.0;
        vector.iter_mut().for_each(|x| *x *= length);
    }
    let queries = random(60, 24, 6);
    let place = Place::new(&vectors);
    place.build(&options(Scalar::Int8));
    let got = recall(&vectors, &queries, &place.index().with_ef(150).search(queries.view(), 10), 10, None);
    assert!(got >= 0.95, "{got}");
}

#[test]
fn few_rows_are_all_found() {
    for rows in [0, 1, 2, 9, 17] {
        let (vectors, queries) = (random(rows, 5, 7), random(4, 5, 8));
        let place = Place::new(&vectors);
        let report = place.build(&options(Scalar::Int8));
        assert_eq!((report.rows, report.segments), (rows, usize::from(rows > 0)));
        assert_eq!(report.recall.is_some(), rows > 1);
        let index = place.index();
        for k in [0, 1, 3, 100] {
            assert_eq!(
                recall(&vectors, &queries, &index.search(queries.view(), k), k, None),
                if k.min(rows) > 0 { 1.0 } else { 0.0 }
            );
        }
    }
}

#[test]
fn a_k_beyond_all_rows_gives_them_all() {
    let (vectors, queries) = (random(1500, 6, 9), random(3, 6, 10));
    let place = Place::new(&vectors);
    place.build(&options(Scalar::Int8));
    assert!(place.index().search(queries.view(), 5000).iter().all(|found| found.len() == 1500));
}

#[test]
fn equal_rows_do_not_hide_the_others() {
    let mut vectors = unit(random(3000, 16, 11));
    let first = vectors.row(0).to_vec();
    for row in (0..3000).filter(|row| row % 2 == 0) {
        vectors.data_mut()[row * 16..(row + 1) * 16].copy_from_slice(&first);
    }
    let queries = unit(random(60, 16, 12));
    let place = Place::new(&vectors);
    place.build(&options(Scalar::Int8));
    let index = place.index().with_ef(80);
    assert!(recall(&vectors, &queries, &index.search(queries.view(), 10), 10, None) >= 0.95);
    // Of the equal ones, the lowest rows; among those that count, the lowest that do.
    let query = Vectors::new(16, first).unwrap();
    let rows = |found: Vec<Vec<Neighbor>>| found[0].iter().map(|n| n.row).collect::<Vec<_>>();
    assert_eq!(rows(index.search(query.view(), 4)), [0, 2, 4, 6]);
    let among: Vec<bool> = (0..3000).map(|row| row >= 1001).collect();
    assert_eq!(rows(index.search_among(query.view(), 3, Some(&among))), [1002, 1004, 1006]);
    let equal = Vectors::new(16, vectors.row(0).repeat(2000)).unwrap();
    let place = Place::new(&equal);
    assert_eq!(place.build(&options(Scalar::F16)).recall.unwrap().at[0].1, 1.0);
    assert_eq!(rows(place.index().search(query.view(), 3)), [0, 1, 2]);
}

#[test]
fn a_filter_keeps_recall_however_much_it_leaves() {
    let all = clustered(4040, 48, 40, 14);
    let vectors = Vectors::new(48, all.data()[..4000 * 48].to_vec()).unwrap();
    let queries = Vectors::new(48, all.data()[4000 * 48..].to_vec()).unwrap();
    let place = Place::new(&vectors);
    place.build(&options(Scalar::Int8));
    let index = place.index().with_ef(60);
    // By lot, and by cluster, which leaves nothing near most queries.
    let filters: [&dyn Fn(usize) -> bool; 5] =
        [&|row| row % 2 == 0, &|row| row % 10 < 9, &|row| row % 500 == 3, &|row| row % 40 < 20, &|_| false];
    for (number, filter) in filters.into_iter().enumerate() {
        let among: Vec<bool> = (0..4000).map(filter).collect();
        let found = index.search_among(queries.view(), 10, Some(&among));
        let got = recall(&vectors, &queries, &found, 10, Some(&among));
        assert!(got >= 0.95 || number == 4, "{number}: {got}");
    }
}

#[test]
fn cut_vectors_are_searched_by_their_first_numbers() {
    let all = clustered(2540, 40, 50, 16);
    let vectors = Vectors::new(40, all.data()[..2500 * 40].to_vec()).unwrap();
    let queries = Vectors::new(40, all.data()[2500 * 40..].to_vec()).unwrap();
    let cut = |whole: &Vectors| {
        let rows = (0..whole.len()).flat_map(|row| whole.row(row)[..24].to_vec()).collect();
        unit(Vectors::new(24, rows).unwrap())
    };
    let place = Place::new(&vectors);
    place.build(&HnswOptions { dim: Some(24), renormalize: true, ..options(Scalar::Int8) });
    let index = place.index().with_ef(80);
    assert_eq!(index.dim(), 40);
    let got = recall(&cut(&vectors), &cut(&queries), &index.search(queries.view(), 10), 10, None);
    assert!(got >= 0.95, "{got}");
}

#[test]
fn what_was_measured_is_stored_and_true() {
    let vectors = clustered(2500, 32, 50, 18);
    let place = Place::new(&vectors);
    let report = place.build(&options(Scalar::Int8));
    let index = place.index();
    assert_eq!(index.recall(), report.recall.as_ref());
    let measured = report.recall.unwrap();
    assert_eq!((measured.sample, measured.k), (200, 10));
    assert!(measured.at.iter().any(|(ef, recall)| *ef == 64 && *recall >= 0.97), "{measured:?}");
    assert!(measured.at.is_sorted_by(|a, b| a.1 <= b.1 + 0.01), "{measured:?}");
}
