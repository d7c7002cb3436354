//! What a core can do at most: multiply-adds of every format from registers, and bytes a second from memory; beside the figures of docs/performance.md.
//!
//!     rustc -O --edition 2024 -o /tmp/roofline benches/roofline.rs && taskset -c 0 /tmp/roofline
//!
//! Rates are per second of the thread's own processor time, so that other work on the core counts little.

use std::arch::x86_64::*;
use std::hint::black_box;

/// Accumulators in flight: more than latency times throughput, no more than registers.
const SUMS: usize = 24;
const ROUNDS: usize = 20_000_000;
const BYTES: usize = 256 << 20;

fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("nanoseconds") * 1e-9
}

/// Thousand millions of `work` a second, the best of five.
fn best(work: f64, f: impl Fn()) -> f64 {
    let rate = |_| {
        let start = processor_seconds();
        f();
        work * 1e-9 / (processor_seconds() - start).max(1e-3)
    };
    (0..5).map(rate).fold(0.0, f64::max)
}

/// # Safety
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn f32_sums(x: f32) -> [__m512; SUMS] {
    let (x, mut sums) = (_mm512_set1_ps(x), [_mm512_set1_ps(x); SUMS]);
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(x, x, *sum));
    }
    sums
}

/// # Safety
/// The processor has AVX512_BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16_sums(x: f32) -> [__m512; SUMS] {
    let (x, mut sums) = (_mm512_cvtne2ps_pbh(_mm512_set1_ps(x), _mm512_set1_ps(x)), [_mm512_set1_ps(x); SUMS]);
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, x, x));
    }
    sums
}

/// # Safety
/// The processor has AVX512_VNNI.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn int8_sums(x: i32) -> [__m512i; SUMS] {
    let (x, mut sums) = (_mm512_set1_epi32(x), [_mm512_set1_epi32(x); SUMS]);
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, x, x));
    }
    sums
}

/// # Safety
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn read(data: &[i64]) -> __m512i {
    let mut sums = [_mm512_setzero_si512(); 8];
    for line in data.chunks_exact(64) {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: 64 elements are eight vectors of eight.
            *sum = _mm512_add_epi64(*sum, unsafe { _mm512_loadu_si512(line.as_ptr().add(8 * i).cast()) });
        }
    }
    sums.into_iter().fold(_mm512_setzero_si512(), |a, b| _mm512_add_epi64(a, b))
}

fn main() {
    let operations = |lane: usize| (2 * lane * SUMS * ROUNDS) as f64;
    if is_x86_feature_detected!("avx512f") {
        // SAFETY (here and below): the feature was detected.
        println!(
            "f32   {:5.0} GFLOP/s",
            best(operations(16), || drop(black_box(unsafe { f32_sums(black_box(1e-3)) })))
        );
        let data = vec![1i64; BYTES / 8];
        println!("read  {:5.1} GB/s", best(BYTES as f64, || drop(black_box(unsafe { read(&data) }))));
    }
    if is_x86_feature_detected!("avx512bf16") {
        println!(
            "bf16  {:5.0} GFLOP/s",
            best(operations(32), || drop(black_box(unsafe { bf16_sums(black_box(1e-3)) })))
        );
    }
    if is_x86_feature_detected!("avx512vnni") {
        println!("int8  {:5.0} GOP/s", best(operations(64), || drop(black_box(unsafe { int8_sums(black_box(3)) }))));
    }
}
