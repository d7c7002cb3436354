//! Translations of every format.
#![no_main]

use isogloss_ir::PairOptions;
use isogloss_ir::format::parallel::{Pairing, read_pairs, read_parallel};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_pairs(bytes, "x", &PairOptions { pairing: Pairing::Every, ..PairOptions::default() });
    let _ = read_parallel(bytes, "x");
});
