//! Times exact search over random unit vectors: `flat_bench [rows] [dim] [queries] [k] [threads]`, then one round
//! for every line on standard input, answered by its seconds, so that a script can alternate it with a peer.

use std::io::BufRead;
use std::time::Instant;

use isogloss_dense::{Flat, Index, Vectors};

fn unit_vectors(rows: usize, dim: usize, mut state: u64) -> Vectors {
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut data: Vec<f32> = (0..rows * dim).map(|_| uniform() + uniform() + uniform()).collect();
    for row in data.chunks_exact_mut(dim) {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= norm);
    }
    Vectors::new(dim, data).expect("whole rows")
}

fn main() {
    let given: Vec<usize> = std::env::args().skip(1).map(|a| a.parse().expect("a number")).collect();
    let argument = |i: usize, default| given.get(i).copied().unwrap_or(default);
    let (rows, dim, queries, k) = (argument(0, 200_000), argument(1, 384), argument(2, 1000), argument(3, 100));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(argument(4, 2)).build().expect("threads");
    let index = Flat::from_vectors(unit_vectors(rows, dim, 1)).expect("fewer than 2^32 rows");
    let queries = unit_vectors(queries, dim, 2);
    pool.install(|| index.search(queries.view(), k));
    println!("ready");
    for _ in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let found = pool.install(|| index.search(queries.view(), k));
        println!("{} {}", start.elapsed().as_secs_f64(), found[0][0].row);
    }
}
