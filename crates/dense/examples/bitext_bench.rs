//! Times the search behind the mining of translations over random unit vectors, both directions of it: `bitext_bench [rows] [dim]
//! [k] [threads] [margin]`, then one round for every line on standard input, answered by its seconds and the number of pairs, so
//! that a script can alternate it with a peer.

use std::io::BufRead;
use std::time::Instant;

use isogloss_dense::{Bitext, Margin, Strategy, Vectors, l2_normalize};

fn unit_vectors(rows: usize, dim: usize, mut state: u64) -> Vectors {
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let data = (0..rows * dim).map(|_| uniform() + uniform() + uniform()).collect();
    let mut vectors = Vectors::new(dim, data).expect("whole rows");
    l2_normalize(&mut vectors);
    vectors
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize, default: usize| given.get(i).map_or(default, |a| a.parse().expect("a number"));
    let (rows, dim, k) = (argument(0, 100_000), argument(1, 384), argument(2, 4));
    let margin: Margin = given.get(4).map_or("ratio", String::as_str).parse().expect("a margin");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(argument(3, 2)).build().expect("threads");
    let (x, y) = (unit_vectors(rows, dim, 1), unit_vectors(rows, dim, 2));
    println!("ready");
    for _ in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let mined = pool.install(|| {
            let bitext = Bitext::new(x.view(), y.view(), k).expect("rows on both sides");
            bitext.mine(margin, Strategy::Max)
        });
        println!("{} {}", start.elapsed().as_secs_f64(), mined.len());
    }
}
